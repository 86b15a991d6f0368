"""One watcher's buffer: what its stream has still to write.

A watcher that lags by more than its buffer is told no more until it has taken what is being written to it; then it is
told what has changed since the last mark it was sent, which is one record for each instance however often that changed.
So a slow reader costs at most one buffer, and nobody else's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from discovery.token import Token


class Watcher:
    """`token` is that of the last mark handed out; `lagging`: what came since is not in the buffer."""

    def __init__(self, buffer_bytes: int, token: Token) -> None:
        self.token = token
        self.lagging = False
        self._free = buffer_bytes
        self._frames: list[tuple[bytes, Token | None]] = []
        self._news = asyncio.Event()
        self._ended = False

    def feed(self, frame: bytes, token: Token | None = None) -> None:
        """`token`: the frame is a mark's."""
        if self.lagging:
            return
        self._free -= len(frame)
        if self._free < 0:
            self.lagging = True
            self._frames.clear()
        else:
            self._frames.append((frame, token))
        self._news.set()

    def end(self) -> None:
        """The stream ends in order, once what is being written is."""
        self._ended = True
        self._news.set()

    async def frames(self) -> AsyncIterator[bytes]:
        """Until the end, or until it lags."""
        while not (self._ended or self.lagging):
            await self._news.wait()
            self._news.clear()
            frames, self._frames = self._frames, []
            if frames:
                data = b"".join(frame for frame, _ in frames)
                self.token = next((token for _, token in reversed(frames) if token is not None), self.token)
                yield data
                self._free += len(data)
