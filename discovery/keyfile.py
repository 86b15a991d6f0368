"""The key ring's file: made at first start by whichever node comes first, read again when it changes.

A ring that cannot be read at start ends the process; later it is said once, and the ring in use stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path

from discovery.keyring import KeyRing, new_key, parse
from shared.errors import BadInput, ConfigError
from shared.events import Events

Stamp = tuple[int, int, int]


class KeyFile:
    """`ring` is the ring in use."""

    def __init__(self, path: Path, look_s: float, events: Events) -> None:
        """Raises ConfigError."""
        self._look_s = look_s
        self._path = path
        self._events = events
        try:
            if not path.exists():
                make(path)
            self._stamp: Stamp | None = _stamp(path)
            self.ring = _read(path)
        except (OSError, BadInput) as error:
            raise ConfigError(f"{path}: cannot use the gossip keys: {error}") from error
        self._refused = ""

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            await self.look()

    async def look(self) -> None:
        """Read the file again if it is not the one that was read."""
        try:
            stamp = await asyncio.to_thread(_stamp, self._path)
            if stamp == self._stamp:
                return
            ring = await asyncio.to_thread(_read, self._path)
        except (OSError, BadInput) as error:
            self._refuse(str(error))
            return
        self._stamp = stamp
        self._refused = ""
        if ring.ids != self.ring.ids:
            self.ring = ring
            self._events.emit("keys.changed", signing=ring.ids[0], accepted=ring.ids)

    def _refuse(self, reason: str) -> None:
        self._stamp = None
        if reason != self._refused:
            self._refused = reason
            self._events.emit("keys.refused", path=str(self._path), reason=reason, kept=self.ring.ids)


def make(path: Path) -> None:
    """Write a whole file aside and link it into place: nobody ever reads half a key, and the first one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    aside = Path(name)
    try:
        with os.fdopen(number, "w") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path) -> KeyRing:
    """Raises OSError, BadInput."""
    return parse(path.read_text("ascii", errors="replace"))


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
