"""What is visible: per instance the best record of all logs, and the services they make up.

The view is a function of the logs and of what is hidden: nothing in it decides anything, it can be rebuilt at any time.
A dead origin's live records are hidden by the length of their lease (`hide`): those whose grace has run out no longer
compete; its LEFT marks always do. How far an origin is hidden is a lease length that occurs in it, so it changes seldom
and two nodes can compare it. `update` re-picks the named instances only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from discovery.record import LEFT, Record, rank
from discovery.space import Space

Held = tuple[str, Record]
"""(origin, record): whose saying holds, and the saying."""


class Change(NamedTuple):
    """What is visible of one instance has changed; None: it was not, or is no longer, visible."""

    key: str
    before: Held | None
    after: Held | None


class View:
    def __init__(self, spaces: Mapping[str, Space]) -> None:
        self._spaces = spaces
        self._hidden: dict[str, int] = {}
        self._next_hide: dict[str, tuple[int, float]] = {}
        self._visible: dict[str, Held] = {}
        self._services: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._visible)

    def __contains__(self, key: str) -> bool:
        return key in self._visible

    def count(self, service: str) -> int:
        """How many instances of a service are visible."""
        return len(self._services.get(service, ()))

    def get(self, key: str) -> Held | None:
        """(origin, record) of a visible instance."""
        return self._visible.get(key)

    def all(self) -> Iterable[Held]:
        return self._visible.values()

    def services(self) -> list[str]:
        return sorted(self._services)

    def of(self, service: str) -> list[Held]:
        return [self._visible[key] for key in sorted(self._services.get(service, ()))]

    def known(self, key: str) -> Held | None:
        """(origin, record) of the best saying about an instance, visible or not: hidden ones and LEFT marks count."""
        best: Held | None = None
        for origin, space in self._spaces.items():
            record = space.items.get(key)
            if record is None or record.state > LEFT:
                continue
            if best is None or rank(record, origin) > rank(best[1], best[0]):
                best = (origin, record)
        return best

    def outranks(self, left: Record) -> bool:
        """Whether a deregistration still keeps some live record from being shown."""
        if left.state != LEFT:
            return False
        for origin, space in self._spaces.items():
            record = space.items.get(left.key)
            if record is None or not record.live or record.gen > left.gen:
                continue
            if record.lease_s > self._hidden.get(origin, -1):
                return True
        return False

    def hidden(self) -> dict[str, int]:
        """Per dead origin, the longest lease whose records are hidden."""
        return self._hidden

    def hide(self, origin: str, dead_s: float) -> list[str]:
        """Hide that origin's live records with a lease of `dead_s` or less; returns the instances to update."""
        space = self._spaces.get(origin)
        if space is None:
            return []
        seen_seq, next_s = self._next_hide.get(origin, (-1, 0.0))
        if seen_seq == space.max_seq and dead_s < next_s:
            return []
        before = self._hidden.get(origin, -1)
        leases = {record.lease_s for record in space.items.values() if record.live}
        ripe = max((lease_s for lease_s in leases if lease_s <= dead_s), default=before)
        later = min((lease_s for lease_s in leases if lease_s > dead_s), default=float("inf"))
        self._next_hide[origin] = (space.max_seq, later)
        if ripe <= before:
            return []
        self._hidden[origin] = ripe
        return [record.key for record in space.items.values() if record.live and before < record.lease_s <= ripe]

    def shows(self, origin: str) -> bool:
        """Whether some visible record is that origin's."""
        space = self._spaces.get(origin)
        return space is not None and any(self._visible.get(key, (None,))[0] == origin for key in space.items)

    def show(self, origin: str) -> list[str]:
        """Undo `hide`; returns the instances to update."""
        self._next_hide.pop(origin, None)
        if self._hidden.pop(origin, None) is None:
            return []
        space = self._spaces.get(origin)
        return list(space.items) if space else []

    def update(self, keys: Iterable[str]) -> list[Change]:
        """Pick again; returns those whose visible record changed, appeared or went."""
        changes = []
        logs = [(origin, space.items, self._hidden.get(origin, -1)) for origin, space in self._spaces.items()]
        for key in dict.fromkeys(keys):
            before, after = self._visible.get(key), _best(key, logs)
            if before != after:
                self._place(key, before, after)
                changes.append(Change(key, before, after))
        return changes

    def _place(self, key: str, before: Held | None, after: Held | None) -> None:
        if after is not None:
            self._visible[key] = after
        else:
            del self._visible[key]
        old, new = before and before[1].service, after and after[1].service
        if new is not None and old != new:
            self._services.setdefault(new, set()).add(key)
        if old is not None and old != new:
            members = self._services[old]
            members.discard(key)
            if not members:
                del self._services[old]


def _best(key: str, logs: Iterable[tuple[str, dict[str, Record], int]]) -> Held | None:
    """(origin, record) of what holds of all that (origin, log, hidden lease) say; None where that is no live record."""
    best: Held | None = None
    for origin, items, hidden in logs:
        record = items.get(key)
        if record is None or record.state > LEFT or (record.state < LEFT and record.lease_s <= hidden):
            continue
        if best is None or rank(record, origin) > rank(best[1], best[0]):
            best = (origin, record)
    return best if best is not None and best[1].state < LEFT else None
