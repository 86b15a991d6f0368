"""A service's bulkhead under virtual time: the real one, woken by the world instead of a loop."""

from __future__ import annotations

from gateway.bulkhead import NEVER
from gateway.gates import Gate, Waiter
from gateway.policy import Policy
from tests.sim.gateway.world import World


class Turns(Gate):
    def __init__(self, world: World, policy: Policy) -> None:
        super().__init__(policy)
        self._world = world
        self._due = NEVER

    def _call(self, waiter: Waiter | None) -> None:
        if waiter is not None:
            self._world.after(0.0, lambda: waiter.its_turn(self))

    def _look(self, now: float) -> None:
        due = self._bulkhead.next_deadline()
        if self._due == NEVER != due:
            self._due = due
            self._world.at(due, self._expire)

    def _expire(self) -> None:
        self._due, now = NEVER, self._world.now
        for waiter in self._bulkhead.expired(now):
            self.shed += 1
            waiter.waited_too_long()
        self._look(now)
