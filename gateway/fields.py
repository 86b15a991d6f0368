"""Header fields: each line of a head is checked by the grammar, once, and remembered.

    field-line = token ":" OWS *( VCHAR / SP / HTAB / obs-text ) OWS        RFC 9112, section 5; RFC 9110, 5.5

Nothing else is one: no space before the colon, no folded line, no CR, LF, NUL or other control character, no empty
name. Lines of a head end with CR LF and with nothing else, so a bare LF or CR is inside a line and refused with it.

Most lines of a busy gateway have come before, so what a line means is kept: a look-up instead of a check. What is kept
depends on nothing but the line. Long lines and those that hold credentials or differ with every message are not kept.

Not here: what fields mean together (`heads`, `answer_heads`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from shared.errors import PlexmeshError


class Malformed(PlexmeshError):
    """A message that must not be forwarded. `status` is what a client is answered; `str()` says what is wrong."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
FIELD = re.compile(rb"(" + TOKEN + rb"):([\t\x20-\x7e\x80-\xff]*)\Z")

PLAIN, DROPPED = 0, 1
"""Kinds of fields: one that just goes on, one that never does. Others are small numbers of those who give them."""

MAX_KEPT = 4096
MAX_KEPT_BYTES = 256
"""Lines remembered in one direction, and their size: a megabyte at most."""

NEVER_KEPT = frozenset(
    b"authorization cookie set-cookie proxy-authorization private-token x-saf-token x-request-id traceparent "
    b"tracestate content-length".split()
)


class Field(msgspec.Struct, frozen=True, gc=False):
    """One field: `key` is its name in lower case, `line` is how it is said anew."""

    key: bytes
    value: bytes
    line: bytes
    kind: int


class Kinds(dict[bytes, int]):
    """Name of a field, in lower case → its kind.

    Programs behind a gateway that take fields as variables (RFC 3875, 4.1.18) read "_" and "-" alike, so a name that
    means something and is spelled with "_" is dropped.
    """

    def __init__(self, names: Mapping[bytes, int], prefixes: Mapping[bytes, int]) -> None:
        super().__init__(names)
        self._names = names
        self._prefixes = prefixes

    def __missing__(self, key: bytes) -> int:
        kind = self._read(key.replace(b"_", b"-"))
        kind = DROPPED if kind != PLAIN and b"_" in key else kind
        if len(self) < MAX_KEPT and len(key) <= MAX_KEPT_BYTES:
            self[key] = kind
        return kind

    def _read(self, key: bytes) -> int:
        kind = self._names.get(key)
        if kind is not None:
            return kind
        return next((kind for prefix, kind in self._prefixes.items() if key.startswith(prefix)), PLAIN)


class FieldLines(dict[bytes, Field]):
    """Line (without its CR LF) → Field. Raises Malformed for what is no field line."""

    def __init__(self, kinds: Kinds) -> None:
        super().__init__()
        self.plain: dict[bytes, bytes] = {}
        """Line → how it is said anew, of those remembered that just go on."""
        self._kinds = kinds

    def __missing__(self, line: bytes) -> Field:
        field = read_field(line, self._kinds)
        if len(line) <= MAX_KEPT_BYTES and field.key not in NEVER_KEPT:
            if len(self) >= MAX_KEPT:
                self.clear()
                self.plain.clear()
            self[line] = field
            if field.kind == PLAIN:
                self.plain[line] = field.line
        return field


def read_field(line: bytes, kinds: Kinds) -> Field:
    match = FIELD.match(line)
    if match is None:
        raise Malformed(400, "malformed header field")
    name, value = match.groups()
    value = value.strip(b" \t")
    key = name.lower()
    return Field(key, value, b"%b: %b\r\n" % (name, value), kinds[key])


def tokens(value: bytes) -> frozenset[bytes]:
    """A comma list, lower case."""
    return frozenset(part.strip(b" \t").lower() for part in value.split(b",")) - {b""}
