"""The ring of a process's last state changes, followed by consoles over SSE (`/application/events`).

Each event is logged at INFO as well, so the ring is never the only witness. `seq` grows by one; a follower that was
away longer than the ring is long sees the gap in it. A slow follower loses nothing that is still in the ring and delays
nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator

import msgspec

RING = 1000


class Event(msgspec.Struct, frozen=True):
    seq: int
    time: float
    """Wall clock, seconds since 1970, for people to read; nothing is decided by it."""
    event: str
    fields: dict[str, object]


class Events:
    def __init__(self, logger: logging.Logger) -> None:
        self._log = logger
        self.began = time.time()
        """Wall clock. With `seq` it tells each event of a process apart from those of one before it."""
        self._ring: deque[Event] = deque(maxlen=RING)
        self._news = asyncio.Event()
        self._seq = 0
        self._closed = False

    def emit(self, event: str, /, **fields: object) -> None:
        self._log.info(event, extra={"fields": fields})
        self._seq += 1
        self._ring.append(Event(self._seq, time.time(), event, fields))
        self._wake()

    def last(self, count: int = RING) -> list[Event]:
        return list(self._ring)[-count:]

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Events with `seq > after`: those still in the ring, then new ones, until `close`."""
        while True:
            news = self._news
            for event in [each for each in self._ring if each.seq > after]:
                after = event.seq
                yield event
            if self._closed:
                return
            if news is self._news:
                await news.wait()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
