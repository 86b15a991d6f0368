"""Keys and records of a simulated key-sequenced data set.

A key says where a record stands and never what it is: the full name is in the record and is compared at every read.

    key      E  owner'8          tail          an entry of the cache
             L  owner'8  map'4   tail          an item of a list
    tail     =  the key's text, when it fits the key length, else  #  a digest of it
    record   format 2 | rev, created, expires, flags, lengths | owner | map | key | value | type | write id | CRC-32
             format 1 | rev, created, lengths                 | owner | map | key | value | CRC-32     (read only)

(x'n: digest of n bytes.) So one owner's entries stand together: those with digests, then the others in the byte order
of their keys. Key and record together have to fit the record length.

Source: VSAM KSDS (keys of 1-255 bytes, records of up to 32,760 bytes unless spanned), with room made for names of any
length. CI and CA splits are not simulated.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

from caching.entries import Content, Entry, Name
from caching.refusals import Corrupt, ValueTooLong

ENTRY, ITEM = b"E", b"L"
TEXT, DIGEST = b"=", b"#"
SPACE = 9
"""Bytes that all keys of an owner's entries begin with, and all keys of its items."""
TAIL_AT = {ENTRY: SPACE, ITEM: SPACE + 4}
WRITE_ID = 64
"""Bytes of the longest write id: room for it is asked for always, so that a value's limit is its own affair."""

SPACES = 4096
"""Beginnings of keys that are remembered: there are few owners, and many keys."""

FORMAT = 2
HEADER = struct.Struct(">BQQqBHhHIHH")
"""Format, rev, created (ms), expires (ms; -1: never), flags; bytes of owner, of map (-1: an entry, no map), of key, of
value, of type, of write id."""
FIRST = 1
"""The flag of a write that created its entry."""
HEADER_1 = struct.Struct(">BQQHhHI")
"""Format, rev, created; bytes of owner, map, key, value."""
CRC = struct.Struct(">I")


Share = Literal["rls", "nonrls"]


@dataclass(frozen=True)
class Attributes:
    """What a data set is defined with and cannot be opened without; lengths in bytes.

    `share`: all openers write (rls), or one of them (nonrls, `output`).
    """

    key_length: int = 128
    record_length: int = 32_760
    share: Share = "rls"


@lru_cache(maxsize=SPACES)
def space(owner: str, map: str | None = None, *, items: bool = False) -> bytes:
    """What all keys of an owner's entries begin with; of one of its lists; with `items`, of all its lists."""
    if map is not None:
        return ITEM + _digest(8, owner.encode()) + _digest(4, map.encode())
    return (ITEM if items else ENTRY) + _digest(8, owner.encode())


def after(prefix: bytes) -> bytes:
    """The least key behind all that begin with `prefix`, which must not end in 0xFF only."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1])


def key_of(name: Name, attributes: Attributes) -> bytes:
    prefix = space(name.owner, name.map)
    room = attributes.key_length - len(prefix) - 1
    text = name.key.encode()
    if len(text) <= room:
        return prefix + TEXT + text
    return prefix + DIGEST + _digest(min(room, 32), text)


def digested(key: bytes) -> bool:
    """Of a record's key: the text of its name did not fit."""
    return key[TAIL_AT[key[:1]]] == DIGEST[0]


def check_size(name: Name, content: Content, attributes: Attributes) -> None:
    parts = (name.owner, name.map or "", name.key, content.type)
    used = HEADER.size + CRC.size + WRITE_ID + len(content.value) + sum(len(each.encode()) for each in parts)
    room = attributes.record_length - attributes.key_length
    if used > room:
        raise ValueTooLong(
            f"The value of {len(content.value)} bytes makes a record of {used} bytes with its names; there is room for "
            f"{room} (recordLength {attributes.record_length} less keyLength {attributes.key_length})"
        )


def encode(entry: Entry) -> bytes:
    name, value = entry.name, entry.content.value
    owner, key = name.owner.encode(), name.key.encode()
    map = b"" if name.map is None else name.map.encode()
    type, write_id = entry.content.type.encode(), entry.write_id.encode()
    head = HEADER.pack(
        FORMAT, entry.rev, entry.created_ms, -1 if entry.expires_ms is None else entry.expires_ms,
        FIRST if entry.first else 0, len(owner), -1 if name.map is None else len(map), len(key), len(value), len(type),
        len(write_id),
    )  # fmt: skip
    body = b"".join((head, owner, map, key, value, type, write_id))
    return body + CRC.pack(zlib.crc32(body))


def decode(record: bytes) -> Entry:
    """Of any format there ever was. Raises Corrupt."""
    if len(record) < HEADER_1.size + CRC.size or record[0] not in DECODERS:
        raise Corrupt("the record is of no known format")
    body = memoryview(record)[: -CRC.size]
    if CRC.unpack_from(record, len(body))[0] != zlib.crc32(body):
        raise Corrupt("the record is damaged")
    return DECODERS[record[0]](record)


def _decode_1(record: bytes) -> Entry:
    _, rev, created_ms, owner, map, key, value = HEADER_1.unpack_from(record)
    parts = _parts(record, HEADER_1.size, (owner, max(map, 0), key, value))
    name = Name(parts[0].decode(), parts[2].decode(), None if map < 0 else parts[1].decode())
    return Entry(name, Content(parts[3]), created_ms, rev)


def _decode_2(record: bytes) -> Entry:
    _, rev, created_ms, expires_ms, flags, owner, map, key, value, type, write_id = HEADER.unpack_from(record)
    parts = _parts(record, HEADER.size, (owner, max(map, 0), key, value, type, write_id))
    name = Name(parts[0].decode(), parts[2].decode(), None if map < 0 else parts[1].decode())
    content = Content(parts[3], parts[4].decode())
    expires = None if expires_ms < 0 else expires_ms
    return Entry(name, content, created_ms, rev, parts[5].decode(), expires, bool(flags & FIRST))


DECODERS = {1: _decode_1, 2: _decode_2}


def _parts(record: bytes, start: int, lengths: Sequence[int]) -> list[bytes]:
    parts = []
    for length in lengths:
        parts.append(record[start : start + length])
        start += length
    return parts


def decode_as(name: Name, record: bytes) -> Entry:
    """The record of that name. Raises Corrupt, also when the digests of two names are the same."""
    entry = decode(record)
    if entry.name != name:
        raise Corrupt("another name has the same digest")
    return entry


def _digest(size: int, data: bytes) -> bytes:
    return blake2b(data, digest_size=size).digest()
