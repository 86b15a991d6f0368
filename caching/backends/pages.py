"""Pages of a data set: an owner's entries, or one of its lists, from a key on.

Records stand in the order of their keys (`ksds`): first those whose names did not fit and are there by digest, then the
others in byte order. A prefix bounds the second part; the first is looked through whole.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator

import msgspec

from caching.backends import ksds
from caching.backends.ksds import DIGEST, TEXT, Attributes
from caching.entries import Entry, Name
from caching.refusals import Corrupt

SELECT = """
SELECT key, record FROM records
WHERE key >= ? AND key < ? AND key > ? AND (expires IS NULL OR expires > ?) ORDER BY key
"""

Browsed = tuple[list[Entry], list[Corrupt]]
"""The entries found, and what is wrong with the damaged records."""


class Asked(msgspec.Struct, frozen=True):
    owner: str
    map: str | None
    prefix: str
    after: str | None
    limit: int
    now_ms: int


def page(connection: sqlite3.Connection, asked: Asked, attributes: Attributes) -> Browsed:
    """Raises sqlite3.Error."""
    found: list[Entry] = []
    damaged: list[Corrupt] = []
    with contextlib.closing(_rows(connection, asked, attributes)) as rows:
        for key, record in rows:
            try:
                entry = ksds.decode(record)
            except Corrupt as error:
                error.key = key
                damaged.append(error)
                continue
            name = entry.name
            if (name.owner, name.map) == (asked.owner, asked.map) and name.key.startswith(asked.prefix):
                found.append(entry)
                if len(found) == asked.limit:
                    break
    return found, damaged


def _rows(connection: sqlite3.Connection, asked: Asked, attributes: Attributes) -> Generator[tuple[bytes, bytes]]:
    space = ksds.space(asked.owner, asked.map)
    after = b"" if asked.after is None else ksds.key_of(Name(asked.owner, asked.after, asked.map), attributes)
    texts = space + TEXT + asked.prefix.encode()
    for low, high in ((space + DIGEST, ksds.after(space + DIGEST)), (texts, ksds.after(texts))):
        if after < high:
            with contextlib.closing(connection.execute(SELECT, (low, high, after, asked.now_ms))) as cursor:
                yield from cursor


def names_of_maps(connection: sqlite3.Connection, owner: str) -> list[str]:
    """Looks at all items of the owner, expired ones too. Raises sqlite3.Error."""
    space = ksds.space(owner, items=True)
    rows = connection.execute("SELECT record FROM records WHERE key >= ? AND key < ?", (space, ksds.after(space)))
    names = set()
    for (record,) in rows.fetchall():
        with contextlib.suppress(Corrupt):
            name = ksds.decode(record).name
            if name.owner == owner and name.map is not None:
                names.add(name.map)
    return sorted(names)
