"""How many calls may be under way to one service, or to one instance, and who waits until there is room.

    enter ──room──────────────────► in ──leave──► gone; its place goes to one that waits
      ├─────no room──► waiting ──leave──► in
      │                   ├─withdraw──► gone
      │                   └─wait_s────► expired
      └─────no room, and none to wait──► full

So a service that has become slow holds up so many calls and no more: those of the others go on. Invariants: nobody
waits while there is room; a call comes in only below the limit (when that has shrunk, those inside stay).

Who waited longest goes first, as long as the queue gets empty now and then. One that has not been empty for `wait_s`
is not a burst but overload: some will expire whoever goes first. Going on in order, each would get its place when
it has all but given up; so now the newest goes first: most of those served are served at once, and those who expire are
the ones that had waited longest anyhow. When it has been empty once, the order is as before.

Source: bulkheads as in Michael Nygard, "Release It!"; adaptive LIFO as in Ben Maurer, "Fail at Scale" (ACM Queue 13:8,
2015).
Not here: what limit is right (`gradient`), and the answer 503.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Literal, TypeVar

W = TypeVar("W", bound=Hashable)

Entry = Literal["in", "wait", "full"]

NEVER = float("inf")


class Bulkhead(Generic[W]):
    """Each `enter` that is not "full" is followed by exactly one of: `leave`, if it is in; `withdraw` or being among
    the `expired`, if it waits still. A waiter is known by its identity and waits once at a time."""

    __slots__ = ("_max_queue", "_overload_at", "_queue", "_wait_s", "in_flight", "limit")

    def __init__(self, limit: int, max_queue: int, wait_s: float) -> None:
        """`limit` 0: none."""
        self.limit = limit
        self.in_flight = 0
        self._max_queue = max_queue
        self._wait_s = wait_s
        self._queue: OrderedDict[W, float] = OrderedDict()
        """Who waits, and until when: the longest waiting first."""
        self._overload_at = NEVER
        """When the queue, if it is not empty, will not have been for too long."""

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def enter(self, waiter: W, now: float) -> Entry:
        if self.in_flight < self.limit or not self.limit:
            self.in_flight += 1
            return "in"
        if len(self._queue) >= self._max_queue:
            return "full"
        deadline = now + self._wait_s
        if not self._queue:
            self._overload_at = deadline
        self._queue[waiter] = deadline
        return "wait"

    def leave(self, now: float) -> W | None:
        """One that was in has ended. Returns who goes in now, already counted. It may be late by as much as `expired`
        was asked late; better in late than not at all."""
        self.in_flight -= 1
        return self._admit(now) if self._queue and self.in_flight < self.limit else None

    def withdraw(self, waiter: W) -> None:
        """It no longer wants to wait. Nothing happens if it does not wait."""
        self._queue.pop(waiter, None)

    def expired(self, now: float) -> list[W]:
        """Those whose time is up, the longest waiting first. They wait no longer."""
        gone = []
        for waiter, deadline in self._queue.items():
            if deadline > now:
                break
            gone.append(waiter)
        for waiter in gone:
            del self._queue[waiter]
        return gone

    def next_deadline(self) -> float:
        """When `expired` must be asked; infinity if nobody waits."""
        return next(iter(self._queue.values()), NEVER)

    def resize(self, limit: int, now: float) -> list[W]:
        """Returns those who go in now, already counted. When it shrinks, those inside stay until they leave."""
        self.limit = limit
        admitted = []
        while self._queue and (self.in_flight < limit or not limit):
            admitted.append(self._admit(now))
        return admitted

    def _admit(self, now: float) -> W:
        waiter, _ = self._queue.popitem(last=now >= self._overload_at)
        self.in_flight += 1
        return waiter
