"""Time-outs without a timer per request: one coarse tick looks at every connection's `deadline`.

Setting a deadline is an assignment. It is noticed up to one tick late, which is what time-outs of seconds can bear. The
tick runs only while there are members, so an idle gateway has no timer.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Timed(Protocol):
    deadline: float
    """Monotonic seconds; infinity for none."""

    def expire(self, now: float) -> None: ...


class Watched(Protocol):
    def look(self) -> None:
        """Find out what nobody tells."""


NEVER = float("inf")


class Ticker:
    def __init__(self, loop: asyncio.AbstractEventLoop, tick_s: float) -> None:
        self._loop = loop
        self._tick_s = tick_s
        self._members: set[Timed] = set()
        self._watched: set[Watched] = set()
        self._handle: asyncio.TimerHandle | None = None

    def add(self, member: Timed) -> None:
        self._members.add(member)
        if self._handle is None:
            self._handle = self._loop.call_later(self._tick_s, self._tick)

    def discard(self, member: Timed) -> None:
        self._members.discard(member)

    def look_after(self, member: Watched) -> None:
        """Have it look at each tick."""
        self._watched.add(member)

    def leave_alone(self, member: Watched) -> None:
        self._watched.discard(member)

    def close(self) -> None:
        self._members.clear()
        if self._handle is not None:
            self._handle.cancel()

    def _tick(self) -> None:
        now = time.monotonic()
        for member in [member for member in self._members if member.deadline <= now]:
            member.expire(now)
        for watched in list(self._watched):
            watched.look()
        self._handle = self._loop.call_later(self._tick_s, self._tick) if self._members else None
