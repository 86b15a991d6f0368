"""The data set: one SQLite file (`definition`), opened, read and committed to.

Write-ahead log, synchronous FULL: a commit has returned only when it is on the disk, and readers are never in a
writer's way. Defining, opening and closing happen under the lock: processes that create or recover one log at the same
time find it "locked" in spite of any busy time-out.

Not here: which thread calls (`commits` writes, `vsam` reads), what happens inside a transaction (`transaction`), the
bytes of a record (`ksds`), the order of a page (`pages`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from caching.backends import ksds
from caching.backends.definition import define, whole
from caching.backends.ksds import Attributes
from caching.backends.pages import Asked, Browsed, names_of_maps, page
from caching.backends.transaction import Transaction, find, used_of
from caching.entries import Entry, Name, Usage
from caching.limits import Eviction, Limit
from caching.refusals import OutcomeUnknown, VolumeFull
from caching.writes import Write
from shared.errors import ConfigError, PlexmeshError, Unavailable

BUSY_MS = 1000
"""Only strangers (somebody's sqlite3 shell) make a writer wait inside SQLite; ours queue at the lock."""

NEVER = frozenset({"SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY", "SQLITE_CORRUPT"})


class DataSet:
    """Three connections: `_writer` for one thread, `_point` for another, `_browser` for a third."""

    def __init__(self, path: Path, sysplex: str, attributes: Attributes, eviction: Eviction) -> None:
        """Call under the lock. Raises ConfigError, Unavailable, VolumeFull."""
        self.path = path
        self.sysplex = sysplex
        self.attributes = attributes
        try:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # SQLite's would be readable
            with contextlib.ExitStack() as undo:
                self._writer = _connect(path, BUSY_MS, undo)
                define(self._writer, path, sysplex, attributes, eviction)
                self._point = _connect(path, 0, undo)  # it is read on the event loop, which must not wait
                self._browser = _connect(path, BUSY_MS, undo)
                self._inode = os.stat(path).st_ino
                undo.pop_all()
        except (sqlite3.Error, OSError) as error:
            raise opening_failed(path, error) from error

    def close(self) -> None:
        """Call under the lock, when nobody reads: the last one to close ends the log."""
        for connection in (self._point, self._browser, self._writer):
            connection.close()

    # --- reading

    def read(self, name: Name) -> Entry | None:
        """One short read on the caller's thread. Raises Unavailable (`Busy` when it may work at once), Corrupt."""
        try:
            return find(self._point, name, self.attributes)
        except sqlite3.Error as error:
            raise _reading_failed(error) from error

    def browse(self, asked: Asked) -> Browsed:
        try:
            return page(self._browser, asked, self.attributes)
        except sqlite3.Error as error:
            raise _reading_failed(error) from error

    def maps(self, owner: str) -> list[str]:
        try:
            return names_of_maps(self._browser, owner)
        except sqlite3.Error as error:
            raise _reading_failed(error) from error

    def usage(self, owner: str) -> Usage:
        try:
            return used_of(self._point, ksds.space(owner))
        except sqlite3.Error as error:
            raise _reading_failed(error) from error

    def counts(self) -> tuple[int, int]:
        """Entries and items."""
        try:
            entries, items = self._point.execute("SELECT entries, items FROM counters").fetchone()
        except sqlite3.Error as error:
            raise _reading_failed(error) from error
        return entries, items

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and records as they stand at one moment, in the order in which they were written."""
        try:
            yield from self._browser.execute("SELECT key, record FROM records ORDER BY rev")
        except sqlite3.Error as error:
            raise _reading_failed(error) from error

    def check_there(self) -> None:
        """Raises Unavailable when the open file is no longer the one of that name: what is written would be lost."""
        try:
            same = os.stat(self.path).st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise Unavailable(f"The data set {self.path.name} was removed or replaced while open; restart")

    # --- writing

    def commit(self, writes: Sequence[Write[Any]], limit: Limit, now_ms: int) -> list[Any]:
        """All in one transaction, synced; per write its outcome, or the PlexmeshError that refuses it.

        Call under the lock. Raised: nothing is applied, unless it is OutcomeUnknown.
        """
        self.check_there()
        try:
            with whole(self._writer):
                transaction = Transaction(self._writer, self.attributes)
                transaction.remove_due(now_ms)
                outcomes = [_applied(write, transaction, limit, now_ms) for write in writes]
                transaction.save()
        except sqlite3.Error as error:
            raise _writing_failed(error) from error
        return outcomes


class Busy(Unavailable):
    """Somebody recovers or ends the log at this moment."""


def _connect(path: Path, busy_ms: int, undo: contextlib.ExitStack) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)
    undo.callback(connection.close)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens the log now, under the lock
    return connection


def _applied(write: Write[Any], table: Transaction, limit: Limit, now_ms: int) -> Any:
    try:
        return write.apply(table, limit, now_ms)
    except PlexmeshError as refusal:
        return refusal


def _name_of(error: sqlite3.Error) -> str:
    """SQLite's own name of it; errors of the Python module have none."""
    return getattr(error, "sqlite_errorname", "") or type(error).__name__


def _reading_failed(error: sqlite3.Error) -> Unavailable:
    name = _name_of(error)
    kind = Busy if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) else Unavailable
    return kind(f"The data set could not be read ({name}: {error})")


def _writing_failed(error: sqlite3.Error) -> PlexmeshError:
    """A failed write leaves no whole commit in the log: not applied. A failed sync may have left one."""
    name = _name_of(error)
    if name == "SQLITE_FULL":
        return VolumeFull("The volume of the data set is full; nothing was changed")
    if name in ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"):
        return OutcomeUnknown(f"The volume did not confirm the write ({name}); it may or may not be applied")
    return Unavailable(f"The data set could not be written ({name}: {error}); nothing was changed")


def opening_failed(path: Path, error: sqlite3.Error | OSError) -> PlexmeshError:
    """ConfigError when trying again cannot help."""
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        final, text = not full, error.strerror
    else:
        name = _name_of(error)
        full, final = name == "SQLITE_FULL", name in NEVER
        text = f"{name}: {error}"
    if full:
        return VolumeFull(f"{path}: the volume is full, the data set cannot be opened")
    return (ConfigError if final else Unavailable)(f"{path}: the data set cannot be opened: {text}")
