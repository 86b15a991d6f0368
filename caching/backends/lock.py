"""One lock for all writers of a data set, on a file beside it.

SQLite's own busy handler starves: of two writing processes one gets everything. An flock queues them. It is on a file
of its own because closing any descriptor of the database file would drop the locks SQLite holds on it in this process.

The kernel frees it when its holder dies, however it dies. A holder that is *stopped* keeps it: nobody steals it, the
others refuse their writes and say who has it. Its text is for people: whoever held it last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

WIDTH = 64


class LockFile:
    """`with lock:` holds it. One thread at a time; another object on the same file is another holder."""

    def __init__(self, path: Path, holder: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._holder = holder.encode()[: WIDTH - 1].ljust(WIDTH - 1) + b"\n"

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):  # on a full volume nobody's name is better than no write
            os.pwrite(self._file, self._holder, 0)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def holder(self) -> str:
        return os.pread(self._file, WIDTH, 0).decode(errors="replace").strip() or "unknown"

    def close(self) -> None:
        os.close(self._file)
