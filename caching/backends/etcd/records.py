"""Entries and counts as bytes.

    entry   format 1 | MessagePack of [owner, key, map, value, type, created, write id, expires, first] | CRC-32
    used    MessagePack of [entries, bytes of entries, items, bytes of items]

The number of an entry is the revision etcd gives its key, so it is not in the record. A record says whose it is, and is
given out under no other name.
"""

from __future__ import annotations

import zlib

import msgspec

from caching.entries import Content, Entry, Name, Usage
from caching.refusals import Corrupt

FORMAT = 1


class _Record(msgspec.Struct, array_like=True):
    owner: str
    key: str
    map: str | None
    value: bytes
    type: str
    created_ms: int
    write_id: str
    expires_ms: int | None
    first: bool


class Used(msgspec.Struct, array_like=True, frozen=True):
    entries: int = 0
    entry_bytes: int = 0
    items: int = 0
    item_bytes: int = 0

    @property
    def usage(self) -> Usage:
        return Usage(self.entries, self.items, self.entry_bytes + self.item_bytes)

    def plus(self, entry: Entry, number: int) -> Used:
        if entry.name.map is None:
            entries, size = self.entries + number, self.entry_bytes + number * entry.size
            return msgspec.structs.replace(self, entries=entries, entry_bytes=size)
        items, size = self.items + number, self.item_bytes + number * entry.size
        return msgspec.structs.replace(self, items=items, item_bytes=size)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Record)
_used = msgspec.msgpack.Decoder(Used)


def encode(entry: Entry) -> bytes:
    name, content = entry.name, entry.content
    record = _Record(
        name.owner, name.key, name.map, content.value, content.type, entry.created_ms, entry.write_id, entry.expires_ms,
        entry.first,
    )  # fmt: skip
    body = bytes([FORMAT]) + _encoder.encode(record)
    return body + zlib.crc32(body).to_bytes(4, "big")


def decode(data: bytes, rev: int) -> Entry:
    """Raises Corrupt."""
    body = data[:-4]
    if not body or body[0] != FORMAT:
        raise Corrupt("the record is of no known format")
    if zlib.crc32(body).to_bytes(4, "big") != data[-4:]:
        raise Corrupt("the record is damaged")
    try:
        found = _decoder.decode(body[1:])
    except msgspec.MsgspecError as error:
        raise Corrupt("the record is damaged") from error
    content = Content(found.value, found.type)
    name = Name(found.owner, found.key, found.map)
    return Entry(name, content, found.created_ms, rev, found.write_id, found.expires_ms, found.first)


def decode_as(name: Name, data: bytes, rev: int) -> Entry:
    """Raises Corrupt, also when the record is another's."""
    entry = decode(data, rev)
    if entry.name != name:
        raise Corrupt("the record is another entry's")
    return entry


def encode_used(used: Used) -> bytes:
    return _encoder.encode(used)


def decode_used(data: bytes) -> Used:
    try:
        return _used.decode(data)
    except msgspec.MsgspecError as error:
        raise Corrupt("the count of an owner's entries is damaged") from error
