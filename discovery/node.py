"""One discovery node: its copy of the registry, its peers, and the effects of each step.

A step is a client's operation, a message, a reply, a failed call, or `tick`. Each changes the node and leaves effects
behind (`discovery.effects`), which the shell collects with `ready()` and performs in order; the outcome of a `Send`
comes back through `replied` or `failed`.

The shell calls `tick(now)` no earlier than `next_deadline()`. `now` is seconds of a clock that goes on while the
machine is suspended (CLOCK_BOOTTIME); the times made from it are in `discovery.clocks`.

A node that finds it was stopped for longer than `fence_s` begins a new, empty log before it does anything else: its
peers have taken it for dead, and may have what it had.

Not here: what a registration holds and Eureka's rules of status (`discovery.registry`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from discovery.clocks import Clocks
from discovery.effects import Changed, Effect
from discovery.guards import GuardView
from discovery.image import FORMAT, Image
from discovery.link import Link
from discovery.mesh import BOOT_STEPS, Mesh
from discovery.messages import Reply, Request, Sender, epoch_of
from discovery.peer_view import PeerView, peer_views
from discovery.policy import Policy
from discovery.record import Record
from discovery.registration import readable
from discovery.replica import Replica
from discovery.space import Space
from discovery.view import View
from shared.wire import OwnerState

if TYPE_CHECKING:
    import random

CLEAR_MOVED_S = 2.0

Renewal = Literal["ours", "forwarded", "adopted", "unknown"]


class Node:
    def __init__(
        self,
        name: str,
        address: str,
        seeds: Iterable[str],
        *,
        sysplex: str,
        now: float,
        wall_ms: int,
        rng: random.Random,
        policy: Policy | None = None,
        image: Image | None = None,
    ) -> None:
        """`address` is where this node answers its peers, `seeds` where they may be found (itself is skipped);
        `wall_ms` is the wall clock at `now`; `image` is what the last boot of this node saved."""
        self.address = address
        self.policy = policy or Policy()
        self._name = name
        self._sysplex = sysplex
        self._clocks = Clocks(now, wall_ms)
        boot_ms = wall_ms
        if image is not None and image.epoch >= wall_ms:  # its clock went back; two such boots must not meet
            boot_ms = image.epoch + 1 + rng.randrange(BOOT_STEPS)
        self._replica = Replica(f"{name}@{boot_ms}", self.policy, readable)
        self._mesh = Mesh(name, address, self._replica, self.policy, self._clocks, rng, now)
        self._sweep_at = now + self.policy.sweep_s
        self._clear_at = now + CLEAR_MOVED_S
        self._wanted_at = now
        self._written_seq = 0
        self._guards_on: set[str] = set()
        self._effects: list[Effect] = []
        for seed in seeds:
            if seed != address:
                self._mesh.replication.link(seed, now, seed=True)
        if image is not None:
            self._load(image, now)
        self._mesh.look_covered(now)

    # --- asked by anybody

    @property
    def origin(self) -> str:
        return self._replica.own.origin

    @property
    def sender(self) -> Sender:
        return Sender(self.origin, self.address)

    @property
    def view(self) -> View:
        return self._replica.view

    @property
    def spaces(self) -> Mapping[str, Space]:
        return self._replica.spaces

    @property
    def links(self) -> Mapping[str, Link]:
        return self._mesh.replication.links

    @property
    def covered(self) -> bool:
        """Whether lists may be served: all a covered peer had is here, or there is no such peer."""
        return self._mesh.joining.covered

    @property
    def stale(self) -> bool:
        """Whether something of what is served comes from disk, and no peer has confirmed it."""
        return bool(self._mesh.joining.provisional)

    @property
    def leases(self) -> int:
        """How many leases this node owns."""
        return len(self._replica.leases)

    def lease_left(self, key: str, now: float) -> float | None:
        """Seconds until an own lease runs out, below zero while a guard keeps it; None: it is not this node's."""
        return self._replica.leases.left(key, now)

    def lease_age(self, key: str, now: float) -> float | None:
        """Seconds since an own lease was renewed; None: it is not this node's."""
        leases = self._replica.leases
        return leases.age(key, now) if key in leases else None

    @property
    def told(self) -> bool:
        """Whether every peer that is there has all this node has written."""
        return self._mesh.replication.told

    @property
    def health_score(self) -> int:
        """How much this node doubts itself (`discovery.awareness`)."""
        return self._mesh.awareness.score

    def owners(self) -> dict[str, OwnerState]:
        return self._mesh.judgement.owners.states()

    def evidence(self, origin: str) -> dict[str, object]:
        """What the judgement of another node's boot rests on, for people; `former`: this node is not, or no longer, in
        contact with it, since a newer boot is there or since it knows of it by hearsay only."""
        member = self._mesh.membership.of(origin)
        if member is None:
            return {"former": True}
        silent_s = round(self._clocks.running_s - member.heard, 1)
        return {"silent_s": silent_s, "by": sorted(member.by), "left": member.state == "left"}

    def positions(self) -> dict[str, int]:
        """How far this node's copy of each origin's log goes, as a whole."""
        return {origin: space.whole_seq for origin, space in self.spaces.items()}

    def hidden(self) -> Mapping[str, int]:
        """Per dead origin, the longest lease whose records are hidden."""
        return self.view.hidden()

    def peers(self) -> list[PeerView]:
        own = (self.origin, self._replica.own.max_seq)
        return peer_views(self.links.values(), self._mesh.membership, own, self._clocks.running_s)

    def guards(self, now: float) -> list[GuardView]:
        return [self._replica.guard.view(now), self._mesh.judgement.isolation.view(self._clocks.running_s)]

    def why_not_ready(self) -> list[str]:
        return self._mesh.joining.why_not()

    def wall_ms(self, now: float) -> int:
        return self._clocks.wall_ms(now)

    def image(self, now: float) -> Image:
        """What to save, cheap to make: lists of immutable records."""
        facts, forgotten = self._mesh.membership.facts(), dict(self._replica.forgotten)
        epoch, saved = epoch_of(self.origin), self._replica.saved(self._mesh.judgement.dead_s())
        return Image(FORMAT, self._sysplex, self._name, epoch, facts, forgotten, saved)

    def ready(self) -> list[Effect]:
        """The effects since the last call, in order."""
        effects, self._effects = self._effects, []
        return effects

    # --- clients

    def put(self, record: Record, now: float) -> Record:
        """Write a live record into the own log (rev and seq are given here) and take its lease."""
        return self.put_all([record], now)[0]

    def put_all(self, records: Iterable[Record], now: float) -> list[Record]:
        """As `put`, for many in one step."""
        self._enter(now)
        written = self._replica.put(records, self.wall_ms(now), now)
        self._leave(now)
        return written

    def renew(self, key: str, now: float) -> Renewal:
        """One heartbeat. A living owner elsewhere is told (forwarded); a dead one's lease is taken over (adopted)."""
        self._enter(now)
        if self._replica.leases.renew(key, now) and not self._replica.moved(key):
            return "ours"
        held = self._replica.held(key)
        if held is None or self._mesh.joining.fenced:
            return "unknown"
        origin, record = held
        link = self._mesh.replication.link_of(origin)
        if link is None or self._mesh.judgement.owners.state(origin) == "dead":
            self._mesh.adopt(record, now)
            self._leave(now)
            return "adopted"
        link.touch(key, now, self.policy.touch_s)
        return "forwarded"

    def renew_all(self, keys: Sequence[str], now: float) -> dict[str, Renewal]:
        """Many heartbeats in one step; returns the outcomes that are not "ours"."""
        self._enter(now)
        others = self._replica.leases.renew_all(keys, now)
        others += self._replica.all_moved.intersection(keys)
        return {key: self.renew(key, now) for key in others}

    def leave(self, key: str, now: float) -> bool:
        """Deregister, final for this process of the instance. False: nobody of that id is there."""
        self._enter(now)
        held = self.view.get(key)
        if held is None:
            return False
        self._replica.leave(held[1], self.wall_ms(now))
        self._leave(now)
        return True

    def depart(self, now: float) -> None:
        """This node stops: tell everybody; `told` is True when they know."""
        self._enter(now)
        self._mesh.membership.leave()
        self._leave(now)

    # --- peers

    def receive(self, sender: Sender, message: Request, now: float) -> Reply:
        """Answer a peer."""
        self._enter(now)
        reply = self._mesh.receive(sender, message, now)
        self._leave(now)
        return reply

    def replied(self, address: str, message: Request, sender: Sender, reply: Reply, now: float) -> None:
        """A peer has answered what was sent to `address`."""
        self._enter(now)
        self._mesh.replied(address, message, sender, reply, now)
        self._leave(now)

    def failed(self, address: str, message: Request, refused: bool, now: float) -> None:
        """What was sent to `address` got no answer; `refused`: nobody listens there."""
        self._enter(now)
        self._mesh.failed(address, message, refused, now)
        self._leave(now)

    def look_at(self, address: str, now: float) -> None:
        """There is a reason to think that the peer at `address` has died: probe it now."""
        self._enter(now)
        self._mesh.probing.look_at(address, self._clocks.running_s)
        self._leave(now)

    # --- time

    def next_deadline(self) -> float:
        now = self._clocks.stepped_at
        running_at = self._clocks.at(self._mesh.running_deadline())
        self._wanted_at = min(self._sweep_at, self._mesh.deadline(now), running_at)
        return self._wanted_at

    def tick(self, now: float) -> None:
        self._mesh.probing.late(now - self._wanted_at)
        self._enter(now)
        if now >= self._sweep_at:
            self._sweep_at = now + self.policy.sweep_s
            self._sweep(now)
        self._mesh.tick(now)
        self._leave(now)

    # --- inside

    def _load(self, image: Image, now: float) -> None:
        """Begin with what was saved: provisional, its owners dead since now or longer."""
        self._replica.load(image, self.wall_ms(now))
        for saved in image.spaces:
            self._mesh.judgement.dies(saved.origin, max(saved.dead_s, 0.0))
            self._mesh.joining.provisional.add(saved.origin)
        for fact in image.facts:
            if fact.state != "left" and fact.address != self.address:
                self._mesh.replication.link(fact.address, now)
        self._mesh.settle(now)
        self._replica.take_changes()

    def _enter(self, now: float) -> None:
        """A step begins."""
        gap_s = self._clocks.step(now, self._mesh.judgement.isolation.frozen(self._clocks.running_s))
        if gap_s > self.policy.fence_s:
            before = self.origin
            self._mesh.begin(max(self.wall_ms(now), epoch_of(before) + 1), now, keep=False)
            self._mesh.rejoin(now)
            self._mesh.say("node.fenced", before=before, now=self.origin, stopped_s=round(gap_s, 1))
            self._leave(now)

    def _leave(self, now: float) -> None:
        """A step ends: judgements, changes, and what is to be sent."""
        self._mesh.settle(now)
        changes = self._replica.take_changes()
        if changes:
            self._effects.append(Changed(tuple(changes)))
        if self._replica.own.max_seq != self._written_seq:
            self._written_seq = self._replica.own.max_seq
            self._mesh.replication.changed(now)
        for record in self._replica.take_poisoned():
            self._mesh.say("record.quarantined", key=record.key, seq=record.seq)
        self._effects += self._mesh.take_effects()
        self._effects += self._mesh.take_sends(now)

    def _sweep(self, now: float) -> None:
        wall_ms = self.wall_ms(now)
        for key, silent_s in self._replica.expire(now, wall_ms):
            self._mesh.say("lease.expired", key=key, silent_s=round(silent_s, 1))
        self._mesh.sweep(now)
        if now >= self._clear_at:
            self._clear_at = now + CLEAR_MOVED_S
            self._replica.clear_moved(wall_ms)
        self._replica.date(self._clocks.grace_s)
        self._replica.collect(self._clocks.grace_s, wall_ms)
        for guard in self.guards(now):
            if guard.on != (guard.name in self._guards_on):
                self._guards_on ^= {guard.name}
                self._mesh.say(f"guard.{guard.name}", on=guard.on, why=guard.why)
