"""A program's output in a file that does not grow without end: at `limit_bytes` it is set aside as NAME.1.

A full disk must not stop the launcher: a line that cannot be written is dropped, and the number of dropped lines is
written when there is room again. The last lines are kept in memory to say why a component failed.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

LAST_LINES = 5


class LogFile:
    def __init__(self, path: Path, limit_bytes: int) -> None:
        self.path = path
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self._limit_bytes = limit_bytes
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._dropped = 0

    def write(self, line: bytes) -> None:
        self.last.append(line.decode(errors="replace"))
        try:
            if self._size + len(line) >= self._limit_bytes:
                self._set_aside()
            if self._dropped:
                self._append(b"(%d lines could not be written)" % self._dropped)
                self._dropped = 0
            self._append(line)
        except OSError:
            self._dropped += 1

    def close(self) -> None:
        self._file.close()

    def _append(self, line: bytes) -> None:
        self._size += self._file.write(line + b"\n")

    def _set_aside(self) -> None:
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file.close()
        self._file = self.path.open("ab", buffering=0)
        self._size = 0
