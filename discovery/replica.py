"""One node's copy of the registry: its own log, its copies of the others', the view over them, the leases it owns.

Writing happens here and only into the own log. Every change of what is visible is remembered until `take_changes`.
Where another origin's record comes to hold, the own slot is emptied: one instance, one owner.

Not here: peers and time (`discovery.node`), and what a registration holds (`discovery.registry`).
"""

from __future__ import annotations

from collections.abc import Iterable

from discovery.hlc import Hlc
from discovery.lease import Leases
from discovery.messages import Entry
from discovery.record import DROPPED, LEFT, Record
from discovery.space import Delta, Space
from discovery.view import Change, View

GC_GRACE_S = 15 * 60.0
"""Tombstones are kept this long; more than twice the longest time an instance may be listed without beating."""


class Replica:
    """Invariant: only `own` is written here; every other space is a copy that deltas continue."""

    def __init__(self, origin: str) -> None:
        self.own = Space(origin)
        self.spaces: dict[str, Space] = {origin: self.own}
        self.view = View(self.spaces)
        self.leases = Leases()
        self._hlc = Hlc()
        self._buried: list[tuple[float, int]] = []
        self._changes: list[Change] = []

    def take_changes(self) -> list[Change]:
        changes, self._changes = self._changes, []
        return changes

    def position(self, origin: str) -> int:
        """How far this copy of an origin's log goes."""
        space = self.spaces.get(origin)
        return space.max_seq if space else 0

    def space(self, origin: str) -> Space:
        return self.spaces.setdefault(origin, Space(origin))

    # --- writing the own log

    def put(self, record: Record, wall_ms: int, now: float) -> Record:
        """Write a live record (its rev and seq are given here) and take its lease."""
        known = self.view.known(record.key)
        rev = self._hlc.next(wall_ms, known[1].rev if known else 0)
        written = self.own.write(record.revised(rev))
        self.leases.grant(record.key, record.lease_s, now)
        self._update([record.key], wall_ms)
        return written

    def leave(self, record: Record, wall_ms: int) -> None:
        """Deregister: final for this process of the instance, at whichever node it is written."""
        self._bury(record, LEFT, wall_ms)

    def expire(self, now: float, wall_ms: int) -> list[tuple[str, float]]:
        """Drop what has not beaten for its lease; returns (instance, seconds silent)."""
        expired = [(key, self.leases.age(key, now)) for key in self.leases.sweep(now)]
        for key, _ in expired:
            self._bury(self.own.items[key], DROPPED, wall_ms)
        return expired

    def collect(self, running_s: float) -> None:
        """Forget own tombstones that are old enough; `_bury` dates them by `date`."""
        ripe = [seq for buried_s, seq in self._buried if running_s - buried_s > GC_GRACE_S]
        if ripe:
            self.own.collect(max(ripe))
            self._buried = [each for each in self._buried if each[1] > max(ripe)]

    def date(self, running_s: float) -> None:
        """Date the tombstones written since the last call."""
        if self._buried and self._buried[-1][1] == self.own.max_seq:
            return
        self._buried.append((running_s, self.own.max_seq))

    def rebirth(self, origin: str, wall_ms: int) -> None:
        """Begin a new log and issue again what the old one held live."""
        old = self.own
        self.own = self.spaces[origin] = Space(origin)
        del self.spaces[old.origin]
        for record in old.items.values():
            self.own.write(record)
        self._buried.clear()
        self._update(list(self.own.items), wall_ms)

    def _bury(self, record: Record, state: int, wall_ms: int) -> None:
        self.own.write(record.buried(state, self._hlc.next(wall_ms, record.rev)))
        self.leases.end(record.key)
        self._update([record.key], wall_ms)

    def _update(self, keys: Iterable[str], wall_ms: int) -> None:
        changes = self.view.update(keys)
        self._changes += changes
        for change in changes:
            mine = self.own.get(change.key)
            lost = change.after is None or change.after[0] != self.own.origin
            if mine is not None and mine.live and lost:
                self._bury(mine, DROPPED, wall_ms)

    # --- copying the others' logs

    def apply(self, deltas: Iterable[Delta], wall_ms: int) -> None:
        touched: list[str] = []
        for delta in deltas:
            if delta.origin == self.own.origin:
                continue  # only this node writes its log
            touched += self.space(delta.origin).apply(delta) or []
            for record in delta.records:
                self._hlc.witness(record.rev, wall_ms)
        self._update(touched, wall_ms)

    def hide(self, origin: str, lease_s: float, wall_ms: int) -> None:
        self._update(self.view.hide(origin, lease_s), wall_ms)

    def show(self, origin: str, wall_ms: int) -> None:
        self._update(self.view.show(origin), wall_ms)

    def digest(self, dead_s: dict[str, float]) -> list[Entry]:
        return [
            Entry(origin, space.max_seq, space.gc_seq, dead_s.get(origin, -1.0))
            for origin, space in self.spaces.items()
        ]

    def deltas_for(self, digest: Iterable[Entry]) -> list[Delta]:
        """What a reader with that digest lacks."""
        positions = {entry.origin: entry.max_seq for entry in digest}
        return self.deltas({origin: positions.get(origin, 0) for origin in self.spaces})

    def deltas(self, positions: dict[str, int]) -> list[Delta]:
        """What a reader at those positions lacks, of the named origins."""
        known = ((self.spaces[origin], seq) for origin, seq in positions.items() if origin in self.spaces)
        return [delta for space, seq in known if (delta := space.delta_since(seq)) is not None]
