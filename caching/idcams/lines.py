"""A copy of a data set as text: one JSON object a line.

    {"plexmesh": "data set", "format": 1, "name": "PLEX.CACHE", "sysplex": …, "keyLength": …, …}
    {"owner": …, "map"?: …, "key": …, "value": base64, "type"?: …, "created": ms, "expires"?: ms, …, "crc": …}
    {"end": {"records": 1, "damaged": 0}}

Records stand in the order in which they were written. `crc` covers the whole record; a line written by hand may do
without. A file without its end has been cut off.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from caching.backends import ksds
from caching.backends.ksds import Attributes, Share
from caching.entries import Content, Entry, Name
from shared.errors import BadInput

FORMAT = 1
KIND: Literal["data set"] = "data set"


class Head(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    plexmesh: Literal["data set"]
    format: int
    name: str
    sysplex: str
    key_length: int
    record_length: int
    share: Share


class Line(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    owner: str
    key: str
    value: bytes
    created: int
    map: str | None = None
    type: str = ""
    expires: int | None = None
    write_id: str = ""
    first: bool = True
    rev: int = 0
    crc: str | None = None

    @property
    def entry(self) -> Entry:
        name, content = Name(self.owner, self.key, self.map), Content(self.value, self.type)
        return Entry(name, content, self.created, self.rev, self.write_id, self.expires, self.first)


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    records: int
    damaged: int


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    end: Counts


# --- writing


def head(name: str, sysplex: str, attributes: Attributes) -> bytes:
    return _line(Head(KIND, FORMAT, name, sysplex, attributes.key_length, attributes.record_length, attributes.share))


def line(entry: Entry) -> bytes:
    name, content = entry.name, entry.content
    return _line(
        Line(
            owner=name.owner, map=name.map, key=name.key, value=content.value, type=content.type,
            created=entry.created_ms, expires=entry.expires_ms, write_id=entry.write_id, first=entry.first,
            rev=entry.rev, crc=_crc(entry),
        )
    )  # fmt: skip


def end(records: int, damaged: int) -> bytes:
    return _line(End(Counts(records, damaged)))


def _line(content: msgspec.Struct) -> bytes:
    return msgspec.json.encode(content) + b"\n"


def _crc(entry: Entry) -> str:
    return f"{zlib.crc32(ksds.encode(entry)):08x}"


# --- reading


def read(lines: Iterable[bytes]) -> Iterator[tuple[int, Entry]]:
    """Line numbers and entries. Raises BadInput with the line that is wrong."""
    number = ended = 0
    seen: dict[Name, int] = {}
    for number, text in enumerate(lines, 1):
        if number == 1:
            _check_head(text)
        elif ended:
            raise BadInput(f"line {number}: there is more behind the end")
        elif text.startswith(b'{"end"'):
            _check_end(number, text, len(seen))
            ended = number
        else:
            entry = _entry(number, text)
            if entry.name in seen:
                raise BadInput(f"line {number}: the same name as in line {seen[entry.name]}: {entry.name}")
            seen[entry.name] = number
            yield number, entry
    if not ended:
        raise BadInput(f"line {number + 1}: the file is cut off: its end is missing")


def _check_head(text: bytes) -> None:
    try:
        found = msgspec.json.decode(text, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"line 1: this is not a copy of a data set: {error}") from error
    if found.format != FORMAT:
        raise BadInput(f"line 1: the copy is of format {found.format}, format {FORMAT} is known here")


def _check_end(number: int, text: bytes, records: int) -> None:
    try:
        said = msgspec.json.decode(text, type=End).end.records
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"line {number}: {error}") from error
    if said != records:
        raise BadInput(f"line {number}: there should be {said} records, {records} are here")


def _entry(number: int, text: bytes) -> Entry:
    try:
        found = msgspec.json.decode(text, type=Line)
        crc = _crc(found.entry)
    except (msgspec.DecodeError, UnicodeDecodeError, struct.error) as error:
        raise BadInput(f"line {number}: {error}") from error
    if len(found.write_id.encode()) > ksds.WRITE_ID:
        raise BadInput(f"line {number}: writeId: expected {ksds.WRITE_ID} bytes at most")
    if found.crc not in (None, crc):
        raise BadInput(f"line {number}: damaged: its crc is {crc}, not {found.crc}")
    return found.entry
