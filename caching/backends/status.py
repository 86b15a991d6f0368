"""The status area: who has a data set open, and a sign of life of each. A small file beside it, mapped by every opener.

    slot    beat, what it does with the lock, length | who it is (JSON)            (`openers`)

An opener has the bytes of its slot locked for life, so the kernel says who is there, however a process ended and
whatever its pid means in another container; the slot of one that has gone is the next one's. The lock is one of an open
file description: a lock of the process would be lost with any other descriptor of the file. Beats go through the
mapping: no call, nothing that could wait, nothing synced.

Whoever wants the data set's lock has a slot first. So who has all slots locked (`alone`) is alone with the data set,
and may remove it with this file.

Source: fcntl(2), open file description locks; the status area of an XCF group's members in its couple data set.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from caching.backends.openers import RESTS, Opener, Seen
from shared.errors import Conflict, Unavailable

SLOTS = 64
SLOT = 512
HEAD = struct.Struct("<QHH")
BEAT, LOCK = struct.Struct("<Q"), struct.Struct("<H")
FLOCK = struct.Struct("hhqqi4x")
"""struct flock of Linux on 64 bits."""


class StatusArea:
    """Our slot, and a sight of the others'."""

    def __init__(self, path: Path, opener: Opener) -> None:
        """Raises OSError (a full volume), Unavailable."""
        self._file, self._slot = _claimed(path)
        try:
            os.posix_fallocate(self._file, 0, SLOTS * SLOT)  # a mapped hole on a full volume would be a SIGBUS
            self._map = mmap.mmap(self._file, SLOTS * SLOT)
        except OSError:
            os.close(self._file)
            raise
        self._at = self._slot * SLOT
        self._beats = 0
        text = msgspec.json.encode(opener)
        if len(text) > SLOT - HEAD.size:
            text = msgspec.json.encode(Opener(opener.who[:64]))
        HEAD.pack_into(self._map, self._at, 0, RESTS, 0)
        self._map[self._at + HEAD.size : self._at + HEAD.size + len(text)] = text
        HEAD.pack_into(self._map, self._at, 0, RESTS, len(text))

    def beat(self) -> None:
        self._beats += 1
        BEAT.pack_into(self._map, self._at, self._beats)

    def says(self, lock: int) -> None:
        """What we do with the lock."""
        LOCK.pack_into(self._map, self._at + BEAT.size, lock)

    def others(self) -> list[Seen]:
        """Every other opener that lives."""
        return _seen(self._file, self._map)

    def close(self) -> None:
        self._map.close()
        os.close(self._file)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody has the data set open, or can open it, until this ends. Raises Conflict, naming who has it."""
    file = _open(path)
    try:
        if not _lock(file, 0, SLOTS * SLOT):
            content = os.pread(file, SLOTS * SLOT, 0).ljust(SLOTS * SLOT, b"\0")
            names = ", ".join(sorted(each.opener.who for each in _seen(file, content)))
            raise Conflict(f"it is open: {names or 'somebody else looks at it just now'}")
        yield
    finally:
        os.close(file)


def _claimed(path: Path) -> tuple[int, int]:
    while True:
        file = _open(path)
        slot = next((each for each in range(SLOTS) if _lock(file, each * SLOT, SLOT)), None)
        if slot is not None and _is_there(path, file):
            return file, slot
        os.close(file)
        if slot is None:
            raise Unavailable(f"{path.name}: all {SLOTS} slots are taken, or the data set is being deleted")


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_there(path: Path, file: int) -> bool:
    """False: it was removed since it was opened."""
    try:
        return os.stat(path).st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False


def _seen(file: int, content: mmap.mmap | bytes) -> list[Seen]:
    found = []
    for slot in range(SLOTS):
        at = slot * SLOT
        beat, lock, length = HEAD.unpack_from(content, at)
        if length and _locked(file, at, SLOT):
            text = content[at + HEAD.size : at + HEAD.size + min(length, SLOT - HEAD.size)]
            with contextlib.suppress(
                msgspec.DecodeError, UnicodeDecodeError
            ):  # one that writes its name at this moment
                found.append(Seen(slot, msgspec.json.decode(text, type=Opener), beat, lock))
    return found


def _lock(file: int, start: int, length: int) -> bool:
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _locked(file: int, start: int, length: int) -> bool:
    """By somebody else."""
    answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0))
    return bool(FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
