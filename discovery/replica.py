"""One node's copy of the registry: its own log, its copies of the others', the view over them, the leases it owns.

Writing happens here and only into the own log. Every change of what is visible is remembered until `take_changes`.
Where another origin's record comes to hold, the instance has *moved*. The own slot is emptied some sweeps later, if it
is still so: whoever hears of us sooner than of the new owner must not see the instance blink, and should the new owner
let go at once, the lease goes on here. One instance, one owner.

A log may be forgotten: dropped by everybody some time after its origin's death. Per node the last such boot is
remembered for good, and no copy up to it is taken in again.

Not here: peers and time (`discovery.node`), and what a registration holds (`discovery.registry`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from discovery.guards import OwnerGuard
from discovery.hlc import Hlc
from discovery.image import Image, SavedSpace
from discovery.lease import Leases
from discovery.messages import Entry, epoch_of, node_of
from discovery.policy import Policy
from discovery.record import DROPPED, LEFT, POISON, Record
from discovery.space import MAX_DELTA_RECORDS, START, Delta, Position, Space
from discovery.view import Change, Held, View

Readable = Callable[[Record], bool]


class Replica:
    """Invariant: only `own` is written here; every other space is a copy that deltas continue."""

    def __init__(self, origin: str, policy: Policy, readable: Readable) -> None:
        self.own = Space(origin)
        self.spaces: dict[str, Space] = {origin: self.own}
        self.view = View(self.spaces)
        self.leases = Leases(policy.lease, policy.sweep_s)
        self.guard = OwnerGuard(policy.owner_guard)
        self.forgotten: dict[str, int] = {}
        self._policy = policy
        self._readable = readable
        self._hlc = Hlc()
        self._buried: list[tuple[float, int]] = []
        self._moved: set[str] = set()
        self._moved_before: set[str] = set()
        self._just_moved: list[str] = []
        self._changes: dict[str, Change] = {}
        self._poisoned: list[Record] = []

    def take_changes(self) -> list[Change]:
        """One an instance: what came and went within a step was never there."""
        changes, self._changes = self._changes, {}
        return [change for change in changes.values() if change.before != change.after]

    def take_poisoned(self) -> list[Record]:
        """Records that came and could not be read."""
        poisoned, self._poisoned = self._poisoned, []
        return poisoned

    def position(self, origin: str) -> Position:
        """From where this copy of an origin's log wants to be continued."""
        space = self.spaces.get(origin)
        return space.position if space else START

    def space(self, origin: str) -> Space:
        found = self.spaces.get(origin)
        if found is None:
            found = self.spaces[origin] = Space(origin)
        return found

    def is_forgotten(self, origin: str) -> bool:
        return epoch_of(origin) <= self.forgotten.get(node_of(origin), -1)

    # --- writing the own log

    def put(self, records: Iterable[Record], wall_ms: int, now: float) -> list[Record]:
        """Write live records (their rev and seq are given here) and take their leases."""
        written = []
        for record in records:
            known = self.view.known(record.key)
            placed = self.own.write(record, self._hlc.next(wall_ms, known[1].rev if known else 0))
            self.leases.grant(record.key, record.lease_s, now)
            written.append(placed)
        self._update([record.key for record in written], wall_ms)
        return written

    def leave(self, record: Record, wall_ms: int) -> None:
        """Deregister: final for this process of the instance, at whichever node it is written."""
        self._bury(record, LEFT, wall_ms)

    def expire(self, now: float, wall_ms: int) -> list[tuple[str, float]]:
        """Drop what has not beaten for its lease, as far as the guard lets it; returns (instance, seconds silent)."""
        due = self.leases.sweep(now)
        term_s = max((self.leases.term_s(key) for key in due), default=0.0)
        silent = sorted(((key, self.leases.age(key, now)) for key in due), key=lambda each: -each[1])
        admitted = set(self.guard.admit([key for key, _ in silent], term_s, len(self.leases), now))
        expired = [each for each in silent if each[0] in admitted]
        for key, _ in expired:
            self._bury(self.own.items[key], DROPPED, wall_ms)
        return expired

    def clear_moved(self, wall_ms: int) -> None:
        """Empty the slots of what moved to another owner before the last call; to be called every few seconds."""
        for key in sorted(self._moved_before):
            mine, held = self.own.items.get(key), self.view.get(key)
            if mine is not None and mine.live and (held is None or held[0] != self.own.origin):
                self._bury(mine, DROPPED, wall_ms)
        self._moved_before, self._moved = self._moved, set()

    @property
    def all_moved(self) -> set[str]:
        """Instances whose slots here are to be emptied."""
        return self._moved | self._moved_before

    def moved(self, key: str) -> bool:
        return key in self._moved or key in self._moved_before

    def take_moved(self, now: float) -> list[str]:
        """What has just moved and was heard here lately: the new owner should know that it lives."""
        moved, self._just_moved = self._just_moved, []
        owned = (key for key in moved if key in self.leases)
        return [key for key in owned if self.leases.age(key, now) < self.leases.term_s(key) / 2]

    def collect(self, grace_s: float, wall_ms: int) -> None:
        """Forget own tombstones that are old enough (`date` has dated them) and that nothing is left to hide behind."""
        ripe = [seq for buried_s, seq in self._buried if grace_s - buried_s > self._policy.gc_grace_s]
        if ripe:
            needed = (left.seq for left in self.own.tombstones_to(max(ripe)) if self.view.outranks(left))
            self._update(self.own.collect(min(needed, default=max(ripe) + 1) - 1), wall_ms)
            self._buried = [each for each in self._buried if each[1] > self.own.gc_seq]

    def date(self, grace_s: float) -> None:
        """Date the tombstones written since the last call."""
        if self._buried and self._buried[-1][1] == self.own.max_seq:
            return
        self._buried.append((grace_s, self.own.max_seq))

    # --- another log

    def reissue(self, origin: str, wall_ms: int) -> None:
        """Begin a new log and write again what the old one held, which nobody else is to keep."""
        old = self._begin(origin)
        del self.spaces[old.origin]
        for record in old.items.values():
            self.own.write(record, record.rev)
        self._update(list(self.own.items), wall_ms)

    def abandon(self, origin: str) -> None:
        """Begin a new, empty log; the old one becomes the copy of a dead origin's, its leases end here."""
        self._begin(origin)
        self.leases = Leases(self._policy.lease, self._policy.sweep_s)
        self.guard = OwnerGuard(self._policy.owner_guard)

    def _begin(self, origin: str) -> Space:
        old = self.own
        self.own = self.spaces[origin] = Space(origin)
        self._buried.clear()
        return old

    def drop(self, origin: str, wall_ms: int) -> None:
        """Let go of a copy."""
        space = self.spaces.pop(origin, None)
        if space is not None:
            self.view.show(origin)
            self._update(list(space.items), wall_ms)

    def forget(self, forgotten: Mapping[str, int], wall_ms: int) -> None:
        """Drop all copies up to those boots, for good. The own log is the caller's concern."""
        for node, epoch in forgotten.items():
            if epoch > self.forgotten.get(node, -1):
                self.forgotten[node] = epoch
        for origin in [each for each in self.spaces if each != self.own.origin and self.is_forgotten(each)]:
            self.drop(origin, wall_ms)

    # --- copying the others' logs

    def apply(self, deltas: Iterable[Delta], wall_ms: int) -> bool:
        """Take deltas in. True: something was new."""
        news = False
        touched: list[str] = []
        for delta in deltas:
            if delta.origin == self.own.origin or self.is_forgotten(delta.origin):
                continue  # only this node writes its log
            space = self.space(delta.origin)
            before = space.position
            touched += space.apply(self._clean(delta)) or []
            news = news or space.position > before
            if delta.records:
                self._hlc.witness(max(record.rev for record in delta.records), wall_ms)
        self._update(touched, wall_ms)
        return news

    def held(self, key: str) -> Held | None:
        """(origin, record) of an instance, visible or hidden with its dead owner (a heartbeat proves it lives)."""
        found = self.view.get(key) or self.view.known(key)
        return found if found is not None and found[1].live else None

    def unstage(self) -> None:
        """Whoever was sending whole logs may be gone: let another begin anew."""
        for space in self.spaces.values():
            space.unstage()

    def hide(self, origin: str, dead_s: float, wall_ms: int) -> None:
        self._update(self.view.hide(origin, dead_s), wall_ms)

    def show(self, origin: str, wall_ms: int) -> None:
        self._update(self.view.show(origin), wall_ms)

    def digest(self, dead_s: Mapping[str, float]) -> list[Entry]:
        return [
            Entry(origin, *space.position, space.sum64 if space.whole else 0, dead_s.get(origin, -1.0))
            for origin, space in self.spaces.items()
            if not self.is_forgotten(origin)
        ]

    def follow(self, entry: Entry, wall_ms: int) -> None:
        """Collect the tombstones that another's copy has collected, as far as ours goes."""
        space = self.space(entry.origin)
        if not space.staging and space.max_seq >= entry.gc_seq:
            self._update(space.collect(entry.gc_seq), wall_ms)

    def audit(self, entry: Entry, authority: bool) -> bool:
        """Compare with another's copy at the same position; False: they differ. The one with authority (the writer, or
        where it is gone the larger sum) keeps its copy, the other asks for the whole log anew."""
        space = self.spaces.get(entry.origin)
        if space is None or not space.whole or not entry.sum64 or space.sum64 == entry.sum64:
            return True
        if space.position != (entry.max_seq, entry.gc_seq):
            return True
        if space is not self.own and (authority or entry.sum64 > space.sum64):
            space.distrust()
        return False

    def deltas(self, positions: Mapping[str, Position], limit: int = MAX_DELTA_RECORDS) -> Iterator[Delta]:
        """What a reader at those positions lacks of those origins: at most `limit` records, one message's worth."""
        for origin, position in positions.items():
            space = self.spaces.get(origin)
            delta = space.delta_since(position, limit) if space is not None and limit > 0 else None
            if delta is not None:
                limit -= len(delta.records)
                yield delta

    # --- disk

    def saved(self, dead_s: Mapping[str, float]) -> list[SavedSpace]:
        return [
            SavedSpace(origin, space.max_seq, space.gc_seq, dead_s.get(origin, -1.0), list(space.items.values()))
            for origin, space in self.spaces.items()
            if not self.is_forgotten(origin)
        ]

    def load(self, image: Image, wall_ms: int) -> None:
        self.forgotten |= image.forgotten
        whole = [
            Delta(each.origin, 0, each.gc_seq, each.max_seq, True, each.max_seq, each.records) for each in image.spaces
        ]
        self.apply(whole, wall_ms)

    # --- inside

    def _bury(self, record: Record, state: int, wall_ms: int) -> None:
        self.own.write(record.buried(state), self._hlc.next(wall_ms, record.rev))
        self.leases.end(record.key)
        self._update([record.key], wall_ms)

    def _update(self, keys: Iterable[str], wall_ms: int) -> None:
        changes = self.view.update(keys)
        for change in changes:
            first = self._changes.get(change.key)
            self._changes[change.key] = change if first is None else Change(change.key, first.before, change.after)
            mine = self.own.items.get(change.key)
            if mine is None or not mine.live:
                continue
            if change.after is None:
                self._bury(mine, DROPPED, wall_ms)
            elif change.after[0] != self.own.origin and not self.moved(change.key):
                self._moved.add(change.key)
                self._just_moved.append(change.key)

    def _clean(self, delta: Delta) -> Delta:
        """The delta with what cannot be read set aside."""
        bad = {record.seq for record in delta.records if record.live and not self._readable(record)}
        bad |= {record.seq for record in delta.records if record.state == POISON}
        if not bad:
            return delta
        self._poisoned += [record for record in delta.records if record.seq in bad]
        records = [record.buried(POISON) if record.seq in bad else record for record in delta.records]
        return Delta(delta.origin, delta.from_seq, delta.gc_seq, delta.to_seq, delta.reset, delta.end, records)
