"""How many calls of a service are let in at once: its bulkhead, and the limit that is right for it now.

The limit is the least of what the policy says (`maxCalls`, `maxCallsPerInstance` times those that can be called) and,
if that is adaptive, of what measuring says. Calls beyond it wait for their turn, in a short queue; those beyond that,
and those that wait too long, are answered 503 at once: late answers help nobody.

Not here: the queue (`bulkhead`), the measuring (`gradient`), the answer (`exchange`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from typing import Protocol

from gateway.bulkhead import NEVER, Bulkhead, Entry
from gateway.gradient import Gradient
from gateway.policy import Policy

NO_LIMIT = 1 << 30


class Waiter(Hashable, Protocol):
    def its_turn(self, gate: Gate) -> None:
        """It is in there; if it does not wait any more, it must leave."""

    def waited_too_long(self) -> None:
        """It waits no longer."""


class Gate:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._instances = 0
        self._bulkhead: Bulkhead[Waiter] = Bulkhead(0, policy.max_queue, policy.queue_s)
        self._gradient = Gradient() if policy.adaptive else None
        self._timer: asyncio.TimerHandle | None = None
        self.shed = 0
        """Calls that were not let in."""

    @property
    def limit(self) -> int:
        return self._bulkhead.limit

    @property
    def waiting(self) -> int:
        return self._bulkhead.waiting

    def enter(self, waiter: Waiter, now: float) -> Entry:
        entry = self._bulkhead.enter(waiter, now)
        if entry != "in" and self._gradient is not None:
            self._gradient.tick(now)
            self._resize(now)
        if entry == "wait":
            self._look(now)
        elif entry == "full":
            self.shed += 1
        return entry

    def withdraw(self, waiter: Waiter) -> None:
        self._bulkhead.withdraw(waiter)

    def leave(self, now: float) -> None:
        self._call(self._bulkhead.leave(now))

    def sample(self, latency_s: float, now: float, *, failed: bool) -> None:
        """An answer has begun, or a call failed."""
        if self._gradient is None:
            return
        self._gradient.sample(latency_s, self._bulkhead.in_flight, failed, now)
        self._resize(now)

    def fit(self, instances: int, now: float) -> None:
        """So many can be called now."""
        self._instances = instances
        self._resize(now)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _resize(self, now: float) -> None:
        policy = self._policy
        limit = min(
            policy.max_calls or NO_LIMIT,
            policy.max_calls_per_instance * max(self._instances, 1) or NO_LIMIT,
            self._gradient.limit if self._gradient else NO_LIMIT,
        )
        limit = 0 if limit == NO_LIMIT else limit
        if limit != self._bulkhead.limit:
            for waiter in self._bulkhead.resize(limit, now):
                self._call(waiter)

    def _call(self, waiter: Waiter | None) -> None:
        if waiter is not None:
            asyncio.get_running_loop().call_soon(waiter.its_turn, self)

    def _look(self, now: float) -> None:
        if self._timer is None and self._bulkhead.next_deadline() != NEVER:
            delay_s = max(self._bulkhead.next_deadline() - now, 0.001)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = time.monotonic()
        for waiter in self._bulkhead.expired(now):
            self.shed += 1
            waiter.waited_too_long()
        self._look(now)
