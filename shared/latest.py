"""What is made of files, and made anew when they were exchanged.

Files are looked at when it is asked for, at most each `LOOK_S`. Files that are missing, or that nothing can be made
of, change nothing: what there was stays, and the log tells why, once.

Not here: what is made of them (`shared.tls`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from shared.errors import ConfigError

log = logging.getLogger("plexmesh.tls")

LOOK_S = 5.0
"""After so long files are looked at again."""

T = TypeVar("T")


class Latest(Generic[T]):
    def __init__(self, files: Iterable[Path], make: Callable[[], T]) -> None:
        """`make` raises ConfigError for what cannot be used. Raises ConfigError."""
        self._files = tuple(files)
        self._make = make
        self._looked = time.monotonic()
        self._trouble = ""
        self._stamp = _stamp(self._files)
        self._made = make()

    def get(self) -> T:
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._look()
        return self._made

    def renew(self) -> bool:
        """Take the files as they are now, if they changed. Raises ConfigError; then everything is as before."""
        stamp = _stamp(self._files)
        if stamp == self._stamp:
            return False
        self._made, self._stamp = self._make(), stamp
        return True

    def _look(self) -> None:
        try:
            if self.renew():
                log.info("certificates.renewed", extra={"fields": {"files": [str(each) for each in self._files]}})
            self._trouble = ""
        except ConfigError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("certificates.refused", extra={"fields": {"why": self._trouble}})


def _stamp(files: Iterable[Path]) -> tuple[object, ...]:
    found: list[object] = []
    for path in files:
        try:
            status = path.stat()
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}; make certificates with: plexmesh certs init") from error
        found.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)
