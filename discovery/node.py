"""One discovery node: its replica, its links to the peers, and the effects of each step.

A step is a client's operation, a message, a reply, a failed call, or `tick`. Each changes the node and leaves effects
behind (`discovery.effects`), which the shell collects with `ready()` and performs in order; the outcome of a `Send`
comes back through `replied` or `failed`.

The shell calls `tick(now)` no earlier than `next_deadline()`. `now` is monotonic seconds; wall time enters once, as
`wall_at_zero_ms` (wall clock minus monotonic clock at boot), so a step of the wall clock changes nothing.

Not here: what a registration holds and Eureka's rules of status (`discovery.registry`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from discovery.effects import Changed, Effect, OwnerChanged, Said, Send
from discovery.lease import MAX_STEP_S, SWEEP_S
from discovery.link import COALESCE_S, Link
from discovery.membership import RETRY_S
from discovery.messages import (
    Entry,
    Push,
    PushReply,
    Reply,
    Request,
    Sync,
    SyncReply,
    Touch,
    TouchReply,
    epoch_of,
    node_of,
)
from discovery.owners import Owners
from discovery.record import Record
from discovery.replica import Replica
from discovery.view import View
from shared.wire import OwnerState

ALONE_S = 1.0
"""All seeds refused for this long: there is nobody; serve."""

HOLD_S = 3.0
"""Serve after this long at the latest, whatever the seeds do."""

BOOT_STEPS = 100_000

Renewal = Literal["ours", "forwarded", "adopted", "unknown"]


class Node:
    def __init__(
        self, node: str, address: str, seeds: Iterable[str], epoch: int, wall_at_zero_ms: int, now: float
    ) -> None:
        """`address` is where this node answers its peers, `seeds` where they may be found (itself is skipped)."""
        self.address = address
        self.links = {seed: Link(seed, sync_at=now) for seed in seeds if seed != address}
        self._node = node
        self._boot_ms = epoch
        self._wall_at_zero_ms = wall_at_zero_ms
        self._replica = Replica(f"{node}@{epoch}")
        self._owners = Owners(self.origin)
        self._started = now
        self._covered = not self.links
        self._running_s = 0.0
        self._ticked_at = now
        self._sweep_at = now + SWEEP_S
        self._effects: list[Effect] = []

    # --- asked by anybody

    @property
    def origin(self) -> str:
        return self._replica.own.origin

    @property
    def view(self) -> View:
        return self._replica.view

    @property
    def covered(self) -> bool:
        """Whether lists may be served: all a covered peer had is here, or there is no such peer."""
        return self._covered

    @property
    def leases(self) -> int:
        """How many leases this node owns."""
        return len(self._replica.leases)

    @property
    def told(self) -> bool:
        """Whether every peer that is there has all this node has written."""
        return not any(self._wants_push(link) for link in self.links.values())

    def owners(self) -> dict[str, OwnerState]:
        return self._owners.states()

    def positions(self) -> dict[str, int]:
        """How far this node's copy of each origin's log goes."""
        return {origin: space.max_seq for origin, space in self._replica.spaces.items()}

    def wall_ms(self, now: float) -> int:
        return self._wall_at_zero_ms + int(now * 1000)

    def ready(self) -> list[Effect]:
        """The effects since the last call, in order."""
        effects, self._effects = self._effects, []
        return effects

    # --- clients

    def put(self, record: Record, now: float) -> Record:
        """Write a live record into the own log (rev and seq are given here) and take its lease."""
        written = self._replica.put(record, self.wall_ms(now), now)
        self._note_changes(now)
        return written

    def renew(self, key: str, now: float) -> Renewal:
        """One heartbeat. A living owner elsewhere is told (forwarded); a dead one's lease is taken over (adopted)."""
        held = self.view.get(key) or self._hidden(key)
        if held is None:
            return "unknown"
        origin, record = held
        if origin == self.origin:
            self._replica.leases.renew(key, now)
            return "ours"
        link = self._link_of(origin)
        if link is None or self._owners.state(origin) == "dead":
            self._adopt(record, now)
            return "adopted"
        link.touch(key, now)
        return "forwarded"

    def leave(self, key: str, now: float) -> bool:
        """Deregister, final for this process of the instance. False: nobody of that id is there."""
        held = self.view.get(key)
        if held is None:
            return False
        self._replica.leave(held[1], self.wall_ms(now))
        self._note_changes(now)
        return True

    # --- peers

    def receive(self, origin: str, message: Request, now: float) -> Reply:
        """Answer a peer; `origin` is the sender's."""
        match message:
            case Push(deltas):
                self._replica.apply(deltas, self.wall_ms(now))
                self._judge(now)
                self._note_changes(now)
                positions = self.positions()
                return PushReply({delta.origin: positions.get(delta.origin, 0) for delta in deltas})
            case Sync():
                return self._receive_sync(origin, message, now)
            case Touch(keys):
                return TouchReply([each for each in keys if self.renew(each, now) == "unknown"])

    def replied(self, address: str, origin: str, reply: Reply, now: float) -> None:
        """A peer has answered what was sent to `address`."""
        link = self.links[address]
        self._meet(link, origin)
        link.liveness.answered()
        match reply:
            case PushReply(positions):
                link.pushing = False
                self._pushed(link, positions, now)
            case SyncReply():
                link.syncing = False
                self._synced(link, reply, now)
            case TouchReply():
                link.touching = False
        self._judge(now)

    def failed(self, address: str, message: Request, refused: bool, now: float) -> None:
        """What was sent to `address` got no answer; `refused`: nobody listens there."""
        link = self.links[address]
        match message:
            case Push():
                link.pushing = False
            case Sync():
                link.syncing = False
            case Touch(keys):
                link.touching = False
                for key in keys:
                    link.touch(key, now)
        link.liveness.failed(refused)
        link.sync_at = self._next_probe(link, now)
        self._judge(now)

    # --- time

    def next_deadline(self) -> float:
        return min([self._sweep_at, *(at for link in self.links.values() for at in link.deadlines())])

    def tick(self, now: float) -> None:
        self._running_s += min(now - self._ticked_at, MAX_STEP_S)
        self._ticked_at = now
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._sweep(now)
        self._cover(now)
        for link in self.links.values():
            self._send_due(link, now)

    # --- inside: the replica

    def _hidden(self, key: str) -> tuple[str, Record] | None:
        """Something live, hidden with its dead owner: a heartbeat proves that it lives."""
        known = self.view.known(key)
        return known if known is not None and known[1].live else None

    def _adopt(self, record: Record, now: float) -> None:
        self.put(record, now)
        self._say("lease.adopted", key=record.key)

    def _note_changes(self, now: float) -> None:
        changes = self._replica.take_changes()
        if changes:
            self._effects.append(Changed(tuple(changes)))
        self._wake_pushes(now + COALESCE_S)

    def _sweep(self, now: float) -> None:
        for key, silent_s in self._replica.expire(now, self.wall_ms(now)):
            self._say("lease.expired", key=key, silent_s=round(silent_s, 1))
        for origin, dead_s in self._owners.dead(self._running_s):
            self._replica.hide(origin, dead_s, self.wall_ms(now))
        self._replica.date(self._running_s)
        self._replica.collect(self._running_s)
        self._note_changes(now)

    # --- inside: peers

    def _receive_sync(self, origin: str, message: Sync, now: float) -> SyncReply:
        link = self.links.get(message.address)
        if link is None:
            link = self.links[message.address] = Link(message.address, sync_at=now)
            self._say("peer.joined", peer=message.address, origin=origin)
        if link.origin != origin or link.liveness.state != "alive":
            link.sync_at = now  # it speaks, so it is worth a call
        self._read_digest(link, message.digest, now)
        return SyncReply(self._covered, self._digest(), self._replica.deltas_for(message.digest))

    def _synced(self, link: Link, reply: SyncReply, now: float) -> None:
        self._replica.apply(reply.deltas, self.wall_ms(now))
        self._read_digest(link, reply.digest, now)
        positions = self.positions()
        behind = any(positions.get(entry.origin, 0) < entry.max_seq for entry in reply.digest)
        link.sync_at = now if behind else self._next_probe(link, now)
        link.covered = reply.covered
        link.synced = not behind
        link.lacking = {origin for origin, seq in positions.items() if link.acked.get(origin, 0) < seq}
        self._note_changes(now)

    def _pushed(self, link: Link, positions: dict[str, int], now: float) -> None:
        """Go on at once if the push was of use; a peer that could not take it is left to the next sync."""
        advanced = any(seq > link.acked.get(origin, 0) for origin, seq in positions.items())
        link.acked.update(positions)
        link.lacking.clear()
        if advanced and self._wants_push(link):
            link.wake_push(now)

    def _read_digest(self, link: Link, digest: list[Entry], now: float) -> None:
        """Learn a peer's positions, collected tombstones, who it knows to be dead, and other boots of this node."""
        self._outlive(digest, now)
        for entry in digest:
            link.acked[entry.origin] = entry.max_seq
            if entry.origin == self.origin:
                continue
            space = self._replica.space(entry.origin)
            if space.max_seq >= entry.max_seq:
                space.collect(entry.gc_seq)
            if entry.dead_s >= 0 and self._link_of(entry.origin) is None:
                self._owners.told_dead(entry.origin, entry.dead_s, self._running_s)
        self._judge(now)

    def _outlive(self, digest: Iterable[Entry], now: float) -> None:
        """Go on above later boots of this node that peers know (its clock went back).

        So too when peers have more of this log than was written. The step is this boot's own: two boots that outlive
        the same third one do not meet.
        """
        boots = [entry for entry in digest if node_of(entry.origin) == self._node]
        latest = max((epoch_of(entry.origin) for entry in boots), default=0)
        forgotten = any(e.origin == self.origin and e.max_seq > self._replica.own.max_seq for e in boots)
        if latest > epoch_of(self.origin) or forgotten:
            before = self.origin
            self._replica.rebirth(f"{self._node}@{latest + 1 + self._boot_ms % BOOT_STEPS}", self.wall_ms(now))
            self._owners.own = self.origin
            self._say("node.reborn", before=before, now=self.origin)

    def _digest(self) -> list[Entry]:
        return self._replica.digest(dict(self._owners.dead(self._running_s)))

    def _link_of(self, origin: str) -> Link | None:
        return next((link for link in self.links.values() if link.origin == origin), None)

    def _meet(self, link: Link, origin: str) -> None:
        if link.origin != origin:
            link.origin = origin
            link.acked.clear()
            self._replica.space(origin)
            self._say("peer.met", peer=link.address, origin=origin)

    def _judge(self, now: float) -> None:
        """Bring the owners' states up to date with the links, newer boots and what was heard of the dead."""
        for origin, state in self._owners.judge(self._replica.spaces, self._linked, self._running_s):
            self._effects.append(OwnerChanged(origin, state))
            if state == "dead":
                self._adopt_touched(origin, now)
            else:
                self._replica.show(origin, self.wall_ms(now))
                self._note_changes(now)

    def _linked(self, origin: str) -> OwnerState | None:
        link = self._link_of(origin)
        return link.liveness.state if link else None

    def _adopt_touched(self, origin: str, now: float) -> None:
        """Heartbeats still queued for an owner that has died are signs of life: take those leases over."""
        link = self._link_of(origin)
        if link is None:
            return
        for key in sorted(link.touches):
            held = self.view.get(key)
            if held is not None and held[0] == origin:
                self._adopt(held[1], now)
        link.touches.clear()
        link.touch_at = None

    def _cover(self, now: float) -> None:
        if self._covered:
            return
        waited_s = now - self._started
        links = self.links.values()
        resolved = all(link.synced or (link.liveness.refused and waited_s >= ALONE_S) for link in links)
        if resolved or waited_s >= HOLD_S or any(link.synced and link.covered for link in links):
            self._covered = True
            self._say("node.covered", alone=not any(link.synced for link in links), after_s=round(waited_s, 2))

    def _say(self, event: str, **fields: object) -> None:
        self._effects.append(Said(event, fields))

    # --- inside: sending

    def _wake_pushes(self, at: float) -> None:
        for link in self.links.values():
            if self._wants_push(link):
                link.wake_push(at)

    def _wants_push(self, link: Link) -> bool:
        """A peer that is not there is told by the next sync that it answers."""
        if link.origin is None or link.liveness.state == "dead":
            return False
        return bool(link.lacking) or link.acked.get(self.origin, 0) < self._replica.own.max_seq

    def _send_due(self, link: Link, now: float) -> None:
        if not link.syncing and now >= link.sync_at:
            link.syncing = True
            self._effects.append(Send(link.address, Sync(self.address, self._covered, self._digest())))
        if link.push_at is not None and not link.pushing and now >= link.push_at:
            self._send_push(link)
        if link.touch_at is not None and not link.touching and now >= link.touch_at:
            link.touching, link.touch_at = True, None
            self._effects.append(Send(link.address, Touch(sorted(link.touches))))
            link.touches.clear()

    def _send_push(self, link: Link) -> None:
        link.push_at = None
        if not self._wants_push(link):
            return
        deltas = self._replica.deltas({each: link.acked.get(each, 0) for each in {self.origin, *link.lacking}})
        if deltas:
            link.pushing = True
            self._effects.append(Send(link.address, Push(deltas)))

    def _next_probe(self, link: Link, now: float) -> float:
        return now + (link.liveness.probe_after_s if self._covered else RETRY_S)
