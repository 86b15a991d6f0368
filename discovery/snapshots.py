"""When a node writes its image to disk: regularly and at its end, and what it says when it cannot.

A disk that is full or read-only is said once for each reason, and again when it has recovered; the node goes on, since
its peers hold everything it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable
from pathlib import Path

from discovery import clock
from discovery.disk import SnapshotWriter
from discovery.image import Image
from shared.events import Events

LAST_S = 2.0
"""The last snapshot, at the end, may take this long."""


class Snapshots:
    def __init__(self, path: Path, image: Callable[[float], Image], every_s: float, events: Events) -> None:
        """`image` gives the node's image at an instant of `discovery.clock`; `failures` are counted."""
        self._writer = SnapshotWriter(path)
        self._image = image
        self._every_s = every_s
        self._events = events
        self.failures = 0
        self._failure = ""
        self._looked_at: float | None = None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self.save()

    async def last(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self.save()

    async def save(self) -> None:
        try:
            await self._writer.save(lambda: self._image(clock.now()))
        except OSError as error:
            self._fail(error)
            return
        self._looked_at = clock.now()
        if self._failure:
            self._events.emit("snapshot.recovered", path=str(self._writer.path), after=self._failure)
            self._failure = ""

    @property
    def age_s(self) -> float:
        """For how long the file has not been known to hold what the node holds; -1: never in this boot."""
        return -1.0 if self._looked_at is None else clock.now() - self._looked_at

    @property
    def written_bytes(self) -> int:
        """The size of the last one written in this boot."""
        return self._writer.written_bytes

    @property
    def failing(self) -> bool:
        return bool(self._failure)

    def _fail(self, error: OSError) -> None:
        self.failures += 1
        reason = f"{errno.errorcode.get(error.errno or 0, 'error')}: {error.strerror or error}"
        if reason != self._failure:
            self._failure = reason
            self._events.emit("snapshot.failed", path=str(self._writer.path), reason=reason)
