"""A node's image on its disk: `<data>/<LPAR>/state/registry.snapshot`, whole and right, or not used at all.

    magic (8)  format (4)  length (8)  blake2b of the rest (32)  │  [size (4)  msgpack]*

The first part after the head is the image without its records, then come the records of its logs in slices of up to
1,000, each with the number of its log. A slice is encoded on the loop, between other work; hashed and written in a
thread. The file is written aside, synced, and renamed over the old one, so a crash leaves the old one or the new one.

A file that is cut, changed, of another format, or of another node is said once and moved aside (`.refused`): the node
starts empty and gets everything from its peers.

Source: the usual atomic replacement (write, fsync, rename, fsync of the folder), as in LWN 457667.

Not here: what an image means (`discovery.image`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from discovery.image import FORMAT, Image, SavedSpace
from discovery.record import Record
from shared.errors import BadInput

MAGIC = b"PLEXREG\n"
HEAD = struct.Struct(">8sIQ32s")
SIZE = struct.Struct(">I")

SLICE_RECORDS = 1000


class Slice(msgspec.Struct, frozen=True, array_like=True):
    """Some records of the log at that place in the image."""

    space: int
    records: list[Record]


_encoder = msgspec.msgpack.Encoder()
_image = msgspec.msgpack.Decoder(Image)
_slice = msgspec.msgpack.Decoder(Slice)


def path_of(data: Path, lpar: str) -> Path:
    return data / lpar / "state" / "registry.snapshot"


def load(path: Path, sysplex: str, node: str) -> Image | None:
    """The image at that path, None if there is none. Raises BadInput: it is not to be used, and moved aside."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}") from error
    try:
        return _checked(decode(data), sysplex, node)
    except BadInput:
        with contextlib.suppress(OSError):
            path.replace(path.with_name(path.name + ".refused"))
        raise


def decode(data: bytes) -> Image:
    """Raises BadInput."""
    if len(data) < HEAD.size:
        raise BadInput(f"cut off: {len(data)} bytes, expected a head of {HEAD.size}")
    magic, format, length, checksum = HEAD.unpack_from(data)
    if magic != MAGIC:
        raise BadInput("not a snapshot of a registry")
    if format != FORMAT:
        raise BadInput(f"format {format}, this program writes {FORMAT}")
    rest = memoryview(data)[HEAD.size :]
    if len(rest) != length:
        raise BadInput(f"cut off: {len(rest)} bytes of {length}" if len(rest) < length else "longer than it says")
    if hashlib.blake2b(rest, digest_size=32).digest() != checksum:
        raise BadInput("wrong checksum: it was changed after it was written")
    try:
        return _joined(_parts(rest))
    except (msgspec.DecodeError, struct.error, IndexError, StopIteration) as error:
        raise BadInput(f"cannot be understood: {error}") from error


def encode(image: Image) -> Iterator[bytes]:
    """The parts of a file behind its head, each with its size; made one by one, about 0.3 ms each."""
    bare = [msgspec.structs.replace(space, records=[]) for space in image.spaces]
    yield _sized(msgspec.structs.replace(image, spaces=bare))
    for number, space in enumerate(image.spaces):
        for start in range(0, len(space.records), SLICE_RECORDS):
            yield _sized(Slice(number, space.records[start : start + SLICE_RECORDS]))


def unchanging(image: Image) -> bytes:
    """What of an image tells whether another one says anything new: all but records (positions do) and growing ages."""
    spaces = [msgspec.structs.replace(each, records=[], dead_s=min(each.dead_s, 0.0)) for each in image.spaces]
    return _encoder.encode(msgspec.structs.replace(image, spaces=spaces))


class SnapshotWriter:
    """Writes one image at a time; what is unchanged is not written again. Blocks nothing for longer than a slice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written_bytes = 0
        self._written = b""
        self._busy = asyncio.Lock()

    async def save(self, image: Callable[[], Image]) -> bool:
        """Whether there was anything to write. `image` is asked when its turn comes. Raises OSError."""
        async with self._busy:
            saved = image()
            said = unchanging(saved)
            if said == self._written:
                return False
            file = await asyncio.to_thread(_Aside, self.path)
            try:
                for part in encode(saved):
                    await asyncio.to_thread(file.add, part)
                self.written_bytes = await asyncio.to_thread(file.finish)
            finally:
                await asyncio.to_thread(file.discard)
            self._written = said
            return True


class _Aside:
    """The new file beside the old one; only called from one thread at a time, never from the loop's. Raises OSError."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._aside = path.with_name(path.name + ".new")
        self._file: BinaryIO = self._aside.open("wb", buffering=1 << 18)
        self._file.write(bytes(HEAD.size))
        self._hash = hashlib.blake2b(digest_size=32)
        self._length = 0

    def add(self, part: bytes) -> None:
        self._hash.update(part)
        self._length += len(part)
        self._file.write(part)

    def finish(self) -> int:
        """Put it in the old one's place; returns its size in bytes."""
        self._file.seek(0)
        self._file.write(HEAD.pack(MAGIC, FORMAT, self._length, self._hash.digest()))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._aside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return HEAD.size + self._length

    def discard(self) -> None:
        """Leave nothing behind; after `finish` there is nothing."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._aside.unlink()


def _checked(image: Image, sysplex: str, node: str) -> Image:
    if image.sysplex != sysplex:
        raise BadInput(f"of sysplex {image.sysplex!r}, this node is in {sysplex!r}")
    if image.node != node:
        raise BadInput(f"of node {image.node!r}, this is {node!r}")
    return image


def _sized(part: Image | Slice) -> bytes:
    data = _encoder.encode(part)
    return SIZE.pack(len(data)) + data


def _parts(rest: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(rest):
        (size,) = SIZE.unpack_from(rest, at)
        at += SIZE.size
        yield rest[at : at + size]
        at += size


def _joined(parts: Iterator[memoryview]) -> Image:
    image = _image.decode(next(parts))
    records: list[list[Record]] = [[] for _ in image.spaces]
    for part in parts:
        slice = _slice.decode(part)
        records[slice.space] += slice.records
    spaces: list[SavedSpace] = [
        msgspec.structs.replace(space, records=held) for space, held in zip(image.spaces, records, strict=True)
    ]
    return msgspec.structs.replace(image, spaces=spaces)
