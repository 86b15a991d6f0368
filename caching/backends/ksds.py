"""Keys and records of a simulated key-sequenced data set.

A key says where a record stands and never what it is: the full name is in the record and is compared at every read.

    key      E  owner'8          tail          an entry of the cache
             L  owner'8  map'4   tail          an item of a list
    tail     =  the key's text, when it fits the key length, else  #  a digest of it
    record   format 1 | rev | created | lengths | owner | map | key | value | CRC-32

(x'n: digest of n bytes.) So one owner's entries stand together, in the byte order of their keys. Key and record
together have to fit the record length.

Source: VSAM KSDS (keys of 1-255 bytes, records of up to 32,760 bytes unless spanned), with room made for names of any
length. CI and CA splits are not simulated.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from hashlib import blake2b

from caching.entries import Entry, Name
from caching.storage import Corrupt, ValueTooLong

ENTRY, ITEM = b"E", b"L"
TEXT, DIGEST = b"=", b"#"

FORMAT = 1
HEADER = struct.Struct(">BQQHhHI")
"""Format, rev, created (ms), bytes of owner, of map (-1: an entry, no map), of key, of value."""
CRC = struct.Struct(">I")


@dataclass(frozen=True)
class Attributes:
    """What a data set is defined with and cannot be opened without; lengths in bytes."""

    key_length: int = 128
    record_length: int = 32_760


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


def check_size(name: Name, value: bytes, attributes: Attributes) -> None:
    parts = (name.owner, name.map or "", name.key)
    used = HEADER.size + CRC.size + len(value) + sum(len(each.encode()) for each in parts)
    room = attributes.record_length - attributes.key_length
    if used > room:
        raise ValueTooLong(
            f"The value of {len(value)} bytes makes a record of {used} bytes with its names; there is room for {room} "
            f"(recordLength {attributes.record_length} less keyLength {attributes.key_length})"
        )


def encode(entry: Entry) -> bytes:
    name = entry.name
    owner, key = name.owner.encode(), name.key.encode()
    map = b"" if name.map is None else name.map.encode()
    map_bytes = -1 if name.map is None else len(map)
    head = HEADER.pack(FORMAT, entry.rev, entry.created_ms, len(owner), map_bytes, len(key), len(entry.value))
    body = b"".join((head, owner, map, key, entry.value))
    return body + CRC.pack(zlib.crc32(body))


def decode(record: bytes) -> Entry:
    """Raises Corrupt."""
    if len(record) < HEADER.size + CRC.size or record[0] != FORMAT:
        raise Corrupt("the record is of no known format")
    body = memoryview(record)[: -CRC.size]
    if CRC.unpack_from(record, len(body))[0] != zlib.crc32(body):
        raise Corrupt("the record is damaged")
    _, rev, created_ms, owner, map, key, value = HEADER.unpack_from(record)
    parts, start = [], HEADER.size
    for length in (owner, max(map, 0), key, value):
        parts.append(record[start : start + length])
        start += length
    name = Name(parts[0].decode(), parts[2].decode(), None if map < 0 else parts[1].decode())
    return Entry(name, parts[3], created_ms, rev)


def decode_as(name: Name, record: bytes) -> Entry:
    """The record of that name. Raises Corrupt, also when the digests of two names are the same."""
    entry = decode(record)
    if entry.name != name:
        raise Corrupt("another name has the same digest")
    return entry


def _digest(size: int, data: bytes) -> bytes:
    return blake2b(data, digest_size=size).digest()
