"""Which origins are there: this node's judgement of every boot of every node, and since when the dead are dead.

An origin is dead when a newer boot of its node is known, when the link to it says so, or, without a link of our own,
when a peer says so; the oldest known moment of death counts. Moments are in running time: seconds this node itself has
run, so that a suspended machine does not wake up to a registry of orphans whose grace is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from discovery.messages import epoch_of, node_of
from shared.wire import OwnerState


class Owners:
    def __init__(self, own: str) -> None:
        self.own = own
        self._states: dict[str, OwnerState] = {own: "alive"}
        self._dead_since: dict[str, float] = {}

    def state(self, origin: str) -> OwnerState:
        return self._states.get(origin, "alive")

    def states(self) -> dict[str, OwnerState]:
        return dict(self._states)

    def dead_s(self, origin: str, running_s: float) -> float:
        """For how long it has been dead; negative: it is not."""
        since = self._dead_since.get(origin)
        return -1.0 if since is None else running_s - since

    def dead(self, running_s: float) -> list[tuple[str, float]]:
        return [(origin, running_s - since) for origin, since in self._dead_since.items()]

    def told_dead(self, origin: str, dead_s: float, running_s: float) -> None:
        """A peer says it has been dead that long; counts for origins we have no link to."""
        since = running_s - dead_s
        self._dead_since[origin] = min(self._dead_since.get(origin, since), since)

    def judge(
        self, origins: Iterable[str], linked: Callable[[str], OwnerState | None], running_s: float
    ) -> list[tuple[str, OwnerState]]:
        """Judge again; returns those whose state is new. `linked` is the state of our own link to an origin, if any."""
        origins = list(origins)
        newest: dict[str, int] = {}
        for origin in origins:
            newest[node_of(origin)] = max(newest.get(node_of(origin), 0), epoch_of(origin))
        changed = []
        for origin in origins:
            state = self._judged(origin, newest[node_of(origin)], linked(origin))
            if state != self.state(origin):
                changed.append((origin, state))
            self._states[origin] = state
            if state == "dead":
                self._dead_since.setdefault(origin, running_s)
            else:
                self._dead_since.pop(origin, None)
        return changed

    def _judged(self, origin: str, newest_epoch: int, linked: OwnerState | None) -> OwnerState:
        if origin == self.own:
            return "alive"
        if epoch_of(origin) < newest_epoch:
            return "dead"
        if linked is not None:
            return linked
        return "dead" if origin in self._dead_since else "alive"
