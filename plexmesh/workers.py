"""The processes that serve one instance together (gunicorn's or uvicorn's workers), and which of them registers it.

They never talk: two lock files named after the instance decide, and the kernel drops a lock when its holder ends,
however it ends.

    .present   shared by every worker; a leaving one that gets it exclusively was the last
    .turn      held by the one that registers; the others try for it again and again

    join ──▶ present ──take_turn──▶ registering
               │                        │
               └────────leave───────────┘──▶ last: deregisters, holding both, then removes the files
                                         └─▶ not last: only goes; another takes the turn

Invariant: of any set of workers that leave, in any order and at once, exactly the last to drop its share finds itself
last: flock(2) gives up the old lock before it looks for the new one, so two can never both fail because of each other.
A worker that joins while the last one is deregistering waits, so an instance is never deregistered behind its back.

The folder belongs to this user alone; a name in it is removed only under its lock, and a lock counts only while its
file still has that name. Source: flock(2). Not here: what the registering one does (`plexmesh.entry`).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import weakref
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

NAME_LENGTH = 80


class Unsafe(OSError):
    """A folder in which somebody else could put or hold our files."""


class Workers:
    """This process among the workers of an instance. Every call returns at once; each raises OSError."""

    def __init__(self, folder: Path, instance_id: str, registry: Sequence[str]) -> None:
        """`registry` is part of the name: one program may register with two of them."""
        digest = hashlib.sha256("\n".join([instance_id, *sorted(registry)]).encode()).hexdigest()[:16]
        self._folder = folder
        self._stem = f"{quote(instance_id, safe='')[:NAME_LENGTH]}.{digest}"
        self._present = Lock(folder / f"{self._stem}.present")
        self._turn = Lock(folder / f"{self._stem}.turn")

    def join(self) -> bool:
        """False: the last worker is just deregistering; try again."""
        return self._take(self._present, fcntl.LOCK_SH)

    def take_turn(self) -> bool:
        """Whether this is the worker that registers; it stays so until it ends or leaves."""
        return self._take(self._turn, fcntl.LOCK_EX)

    def leave(self) -> bool:
        """Whether this was the last worker. If so, nobody joins before `close`."""
        return self._present.held and self._present.convert(fcntl.LOCK_EX)

    def close(self) -> None:
        if self._present.exclusive and self.take_turn():
            self._turn.remove()
            self._present.remove()
        self._turn.release()
        self._present.release()

    def _take(self, lock: Lock, how: int) -> bool:
        if not lock.held:
            make_folder(self._folder)  # a cleaner of temporary files may have been there
            lock.take(how)
        return lock.held


class Lock:
    """A file locked by flock; `held` says whether by us."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self.exclusive = False
        _locks.add(self)

    @property
    def held(self) -> bool:
        return self._file >= 0

    def take(self, how: int) -> bool:
        """Whether it is held now; never waits. Raises OSError."""
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
            if not self.convert(how):
                return False
            if self._is_named():
                return True
            self.release()

    def convert(self, how: int) -> bool:
        """The old lock is given up in any case."""
        try:
            fcntl.flock(self._file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        except OSError:
            self.release()
            raise
        self.exclusive = how == fcntl.LOCK_EX
        return True

    def release(self) -> None:
        if self.held:
            os.close(self._file)
        self._file, self.exclusive = -1, False

    def remove(self) -> None:
        if self._is_named():
            self._path.unlink()

    def _is_named(self) -> bool:
        """Whether the locked file is still the one of that name: the last of former workers may have removed it."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.lstat())
        except FileNotFoundError:
            return False


def make_folder(folder: Path) -> None:
    """Raises Unsafe, OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise Unsafe(f"{folder}: expected a folder that only this user can write to")


_locks: weakref.WeakSet[Lock] = weakref.WeakSet()


def _forget() -> None:
    """In a forked child: it inherits the descriptors, and would keep the parent's locks alive after the parent."""
    for lock in list(_locks):
        lock.release()


os.register_at_fork(after_in_child=_forget)
