"""One watcher's buffer: what the stream has still to write.

A watcher that lags by more than its buffer is cut: its connection is aborted, it comes back with its last token and is
told what it lacks. So a slow reader costs at most one buffer, and nobody else's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable


class Watcher:
    """`abort` ends the connection at once, even while something is being written to it."""

    def __init__(self, buffer_bytes: int, abort: Callable[[], None]) -> None:
        self._free = buffer_bytes
        self._abort = abort
        self._frames: list[bytes] = []
        self._news = asyncio.Event()
        self._ended = False

    def feed(self, frame: bytes) -> None:
        self._free -= len(frame)
        if self._free < 0:
            self.end()
            self._abort()
        else:
            self._frames.append(frame)
            self._news.set()

    def end(self) -> None:
        """The stream ends in order, once what is being written is."""
        self._ended = True
        self._news.set()

    async def frames(self) -> AsyncIterator[bytes]:
        while not self._ended:
            await self._news.wait()
            self._news.clear()
            frames, self._frames = self._frames, []
            if frames:
                data = b"".join(frames)
                yield data
                self._free += len(data)
