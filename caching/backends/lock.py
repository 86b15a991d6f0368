"""One lock for all writers of a data set, on a file beside it.

SQLite's own busy handler starves: of two writing processes one gets everything. An flock queues them. It is on a file
of its own because closing any descriptor of the database file would drop the locks SQLite holds on it in this process.

The kernel frees it when its holder dies, however it dies. A holder that is *stopped* keeps it: nobody steals it, the
others refuse their writes, say who has it, and have it fenced (`fence`). Its text is for people: whoever held it last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from caching.backends.openers import HOLDS, RESTS, WANTS

WIDTH = 64


class LockFile:
    """`with lock:` holds it. One thread at a time; another object on the same file is another holder."""

    def __init__(self, path: Path, holder: str, says: Callable[[int], None] = lambda _: None) -> None:
        """`says` is told what we do with it (`openers`)."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._holder = holder.encode()[: WIDTH - 1].ljust(WIDTH - 1) + b"\n"
        self._says = says

    def __enter__(self) -> None:
        self._says(WANTS)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._says(HOLDS)
        self._sign()

    def __exit__(self, *_: object) -> None:
        self.free()

    def free(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._says(RESTS)

    def take(self) -> bool:
        """Hold it from now on, if nobody else does."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._sign()
        return True

    def _sign(self) -> None:
        with contextlib.suppress(OSError):  # on a full volume nobody's name is better than no write
            os.pwrite(self._file, self._holder, 0)

    def holder(self) -> str:
        return os.pread(self._file, WIDTH, 0).decode(errors="replace").strip() or "unknown"

    def close(self) -> None:
        os.close(self._file)
