"""An entry as the fields of a hash, and back.

v value   t type   r its number   w write id   c created (ms)   x expires (ms, or empty)   f 1: it created the entry
s what it counts for in a quota
"""

from __future__ import annotations

from collections.abc import Sequence

from caching.entries import Content, Entry, Name, Usage
from caching.refusals import Corrupt

FIELDS = (b"v", b"t", b"r", b"w", b"c", b"x", b"f")
USED = (b"e", b"i", b"b")


def decode(name: Name, fields: Sequence[bytes | None]) -> Entry | None:
    """Of `FIELDS`, in their order; None: there is no such entry. Raises Corrupt."""
    value, type, rev, write_id, created, expires, first = fields
    if value is None and rev is None:
        return None
    if value is None or rev is None or write_id is None or created is None:
        raise Corrupt("the entry's hash lacks fields")
    try:
        content = Content(value, (type or b"").decode())
        expires_ms = int(expires) if expires else None
        return Entry(name, content, int(created), int(rev), write_id.decode(), expires_ms, first == b"1")
    except ValueError as error:
        raise Corrupt("the entry's hash has fields that are no numbers or texts") from error


def decode_usage(fields: Sequence[bytes | None]) -> Usage:
    """Of `USED`. Raises Corrupt."""
    try:
        entries, items, size = (int(each or 0) for each in fields)
    except ValueError as error:
        raise Corrupt("the count of an owner's entries is damaged") from error
    return Usage(entries, items, size)
