"""Which origins are there: this node's judgement of every boot of every node, and since when the dead are dead.

An origin is dead when a newer boot of its node is known, when the table of members says so, or, where that knows
nothing of it, when a peer says so; the oldest known moment of death counts. Moments are in this node's grace time:
seconds that it has run itself and was not cut off, so that neither a suspended machine nor a lost network ends the
graces of orphans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from discovery.messages import epoch_of, node_of
from shared.wire import OwnerState

ROUNDING_S = 0.5
"""Ages told by several peers differ by the time they travelled."""


class Owners:
    def __init__(self, own: str) -> None:
        self.own = own
        self._states: dict[str, OwnerState] = {own: "alive"}
        self._dead_since: dict[str, float] = {}
        self.heard = 0
        """Grows when others tell of a death that was not known, or not known to be so old."""

    def state(self, origin: str) -> OwnerState:
        return self._states.get(origin, "alive")

    def forget(self, origin: str) -> None:
        self._states.pop(origin, None)
        self._dead_since.pop(origin, None)

    def states(self) -> dict[str, OwnerState]:
        return dict(self._states)

    def dead_s(self, origin: str, grace_s: float) -> float:
        """For how long it has been dead; negative: it is not."""
        since = self._dead_since.get(origin)
        return -1.0 if since is None else grace_s - since

    def dead(self, grace_s: float) -> list[tuple[str, float]]:
        return [(origin, grace_s - since) for origin, since in self._dead_since.items()]

    def told_dead(self, origin: str, dead_s: float, grace_s: float) -> None:
        """A peer says it has been dead that long; counts for origins that are not in contact."""
        since = grace_s - dead_s
        before = self._dead_since.get(origin)
        if before is None or since < before - ROUNDING_S:
            self._dead_since[origin] = since
            self.heard += 1

    def told_alive(self, origin: str) -> None:
        """A peer that may serve says it is not dead; counts for origins we know nothing of ourselves."""
        if self._dead_since.pop(origin, None) is not None:
            self.heard += 1

    def judge(
        self, origins: Iterable[str], held: Callable[[str], OwnerState | None], grace_s: float
    ) -> list[tuple[str, OwnerState]]:
        """Judge again; returns those whose state is new. `held` is what the table of members says of an origin."""
        origins = list(origins)
        newest: dict[str, int] = {}
        for origin in origins:
            newest[node_of(origin)] = max(newest.get(node_of(origin), 0), epoch_of(origin))
        changed = []
        for origin in origins:
            state = self._judged(origin, newest[node_of(origin)], held(origin))
            if state != self.state(origin):
                changed.append((origin, state))
            self._states[origin] = state
            if state == "dead":
                self._dead_since.setdefault(origin, grace_s)
            else:
                self._dead_since.pop(origin, None)
        for origin in self._states.keys() - set(origins):
            self.forget(origin)
        return changed

    def _judged(self, origin: str, newest_epoch: int, held: OwnerState | None) -> OwnerState:
        if origin == self.own:
            return "alive"
        if epoch_of(origin) < newest_epoch:
            return "dead"
        if held is not None:
            return held
        return "dead" if origin in self._dead_since else "alive"
