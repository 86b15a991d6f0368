"""Whose sysplex a data folder is: `<data>/sysplex.lock`, held by flock as long as `up` lives.

The kernel drops the lock when the holder ends, however it ends, so what the file says counts only while it is locked.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

import msgspec

from shared.errors import ConfigError

FILE = "sysplex.lock"

PATIENCE_S = 0.5
"""`holder` holds the lock for an instant when nobody else does; and a fresh holder needs one to write its name."""


class Holder(msgspec.Struct, frozen=True):
    pid: int
    url: str
    sysplex: str


class Lock:
    def __init__(self, data: Path, holder: Holder) -> None:
        self._path = data / FILE
        self._holder = holder
        self._file: IO[bytes] | None = None

    def take(self) -> bool:
        """Whether it is ours now; it stays so until this process ends."""
        try:
            file = self._path.open("a+b")
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be written: {error.strerror}") from error
        deadline = time.monotonic() + PATIENCE_S
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                file.close()
                return False
            time.sleep(0.05)
        self._file = file
        file.truncate(0)
        file.write(msgspec.json.encode(self._holder))
        file.flush()
        return True


def held(data: Path) -> bool:
    try:
        with (data / FILE).open("rb") as file:
            return not _locked(file, fcntl.LOCK_SH)
    except OSError:
        return False


def holder(data: Path) -> Holder | None:
    """Who runs the sysplex of this data folder; None when nobody does."""
    deadline = time.monotonic() + PATIENCE_S
    while held(data):
        try:
            return msgspec.json.decode((data / FILE).read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
    return None


def _locked(file: IO[bytes], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
