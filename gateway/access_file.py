"""A file that several processes append whole lines to, and that does not grow without end.

Opened with O_APPEND, a `write` is one step for the kernel, so lines of different processes never mix. At `max_bytes`
the file is set aside as NAME.1, over the older one. Whoever sets it aside (one of us, or logrotate), the others see
before their next write that the name leads to another file, and open that one.

    set aside   flock what is open, without waiting; is it still what the name leads to? then rename it

The flock is on the very file that goes, so two processes never set aside one after the other what only one of them
should have: the second finds that its file has gone already.

A write may end within a line (disk full). The rest of it is not written later, because other lines may stand there by
then. Instead, after a failure the file is opened anew, and in a file that ends within a line when it is opened, the
next write begins on a new one. That holds for a line that a killed process began, too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
MODE = 0o640
"""Query strings may hold what is not for everybody."""

WRITING_S = 0.01
"""A file grows page by page while another process writes to it: only an end that stays is one."""


class AppendedFile:
    def __init__(self, path: Path, max_bytes: int) -> None:
        """`max_bytes` 0: it is never set aside."""
        self.path = path
        self.lines = 0
        """Lines wholly written by this process."""
        self._max_bytes = max_bytes
        self._fd: int | None = None
        self._torn = False
        """The file ends within a line."""

    def append(self, lines: bytes) -> None:
        """Raises OSError when not all of them could be written; `lines` counts those that were."""
        try:
            fd = self._current(len(lines))
            torn, self._torn = self._torn, False
            data = b"\n" + lines if torn else lines
            wrote = os.write(fd, data)
            self.lines += max(data.count(b"\n", 0, wrote) - torn, 0)
            if wrote < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _current(self, more_bytes: int) -> int:
        """The file the name leads to, with room for so much more."""
        fd = self._fd
        if fd is None or not self._is_named(fd):
            fd = self._open()
        size = os.fstat(fd).st_size
        if self._max_bytes and size and size + more_bytes > self._max_bytes and self._set_aside(fd):
            fd = self._open()
        return fd

    def _open(self) -> int:
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = fd = os.open(self.path, FLAGS, MODE)
        self._torn = False
        size = _size_within_line(fd)
        if size:
            time.sleep(WRITING_S)
            self._torn = _size_within_line(fd) == size
        return fd

    def _is_named(self, fd: int) -> bool:
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(fd))

    def _set_aside(self, fd: int) -> bool:
        """False: another process is doing it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if self._is_named(fd):
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        return True


def _size_within_line(fd: int) -> int:
    """The size of a file that ends within a line; 0 of any other."""
    size = os.fstat(fd).st_size
    return size if size and os.pread(fd, 1, size - 1) != b"\n" else 0
