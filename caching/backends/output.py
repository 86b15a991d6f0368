"""Data sets that are not shared record by record (NONRLS): one opener for output at a time, any number for input.

A lock on a file of its own, held for life by the first who asks. The kernel frees it with its holder's process, and
the next who writes has it. RLS, the usual way, has nothing of this: all openers write, one commit after the other.

Source: VSAM's SHAREOPTIONS(2,3).
"""

from __future__ import annotations

from pathlib import Path

from caching.backends.lock import LockFile


class Output:
    """Ours to write, once it is."""

    def __init__(self, path: Path, holder: str) -> None:
        self._lock = LockFile(path, holder)
        self._ours = False

    def ours(self) -> bool:
        """Whether we have it open for output; it is taken when nobody has."""
        self._ours = self._ours or self._lock.take()
        return self._ours

    def holder(self) -> str:
        return self._lock.holder()

    def close(self) -> None:
        self._lock.close()
