"""A data set as a command has it: with a slot in its status area, and the lock for as long as it takes.

A command waits for the lock like any writer, but not for ever: an alarm ends the waiting, and the holder is named.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from caching.backends import definition
from caching.backends.data_set import DataSet, opening_failed
from caching.backends.lock import LockFile
from caching.backends.openers import HOLDS, Opener
from caching.backends.status import StatusArea
from caching.settings import DATA_SET_NAME
from shared.errors import ConfigError, NotFound, Unavailable, nearest

WITHIN_S = 10.0
KINDS = ("-wal", "-shm", "", ".output", ".lock", ".status")
"""The files of a data set, as they are to be removed."""


class Presence:
    """Our slot and the lock of one data set."""

    def __init__(self, path: Path, command: str) -> None:
        who = f"plexmesh vsam {command} (process {os.getpid()})"
        try:
            self.area = StatusArea(beside(path, ".status"), Opener(who, pid=os.getpid(), since_ms=_now_ms()))
            self.lock = LockFile(beside(path, ".lock"), who, self.area.says)
        except OSError as error:
            raise opening_failed(path, error) from error
        self.path = path
        self.who = who

    @contextlib.contextmanager
    def locked(self, within_s: float = WITHIN_S) -> Iterator[None]:
        """Raises Unavailable, naming the holder."""

        def give_up(*_: object) -> None:
            raise Unavailable(f"the lock of {self.path.name} is held by {self.holder()} for {within_s:g} s already")

        before = signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, within_s)
        try:
            with self.lock:
                signal.setitimer(signal.ITIMER_REAL, 0)
                yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def holder(self) -> str:
        said = [each.opener.who for each in self.area.others() if each.lock == HOLDS]
        return said[0] if said else self.lock.holder()

    def close(self) -> None:
        self.lock.close()
        self.area.close()


@contextlib.contextmanager
def presence(path: Path, command: str) -> Iterator[Presence]:
    present = Presence(path, command)
    try:
        yield present
    finally:
        present.close()


@contextlib.contextmanager
def opened(present: Presence) -> Iterator[DataSet]:
    """With the attributes it was defined with. Raises NotFound, ConfigError, Unavailable."""
    path = present.path
    with present.locked():
        require(path)
        found = read_definition(path)
        data_set = DataSet(path, found["sysplex"], definition.attributes_of(found), "reject")
    try:
        yield data_set
    finally:
        with present.locked():
            data_set.close()


def read_definition(path: Path) -> dict[str, str]:
    """Raises ConfigError, Unavailable."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        try:
            if connection.execute("PRAGMA application_id").fetchone() != (definition.APPLICATION,):
                raise ConfigError(f"{path}: this is not a data set")
            return definition.defined(connection)
        except sqlite3.Error as error:
            raise opening_failed(path, error) from error


def require(path: Path) -> None:
    """Raises NotFound with the nearest one."""
    if not path.is_file():
        near = nearest(path.name, names(path.parent))
        raise NotFound(f"there is no data set {path.name} in {path.parent}{near}")


def names(volume: Path) -> list[str]:
    """The data sets of a volume: the SQLite files with a data set's name."""
    found = [each for each in volume.iterdir() if DATA_SET_NAME.match(each.name)] if volume.is_dir() else []
    return sorted(each.name for each in found if each.is_file() and _begins_as_sqlite(each))


def beside(path: Path, kind: str) -> Path:
    return path.with_name(path.name + kind)


def _begins_as_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _now_ms() -> int:
    return int(time.time() * 1000)
