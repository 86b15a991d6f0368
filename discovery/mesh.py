"""A node among its peers: what is said and answered, who is there, and what that means for the registry.

Here the parts meet that are about others: the table of members and its probing, replication, joining, and the
judgement of owners. Their wishes to send are collected after each step; everything else happens to the replica.

Not here: clients, time and fencing (`discovery.node`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from discovery.awareness import Awareness
from discovery.clocks import Clocks
from discovery.effects import Effect, OwnerChanged, Said, Send
from discovery.joining import Joining
from discovery.judgement import Judgement
from discovery.link import NEVER, Link
from discovery.membership import Membership
from discovery.messages import (
    Ask,
    Entry,
    Fact,
    Found,
    Ping,
    Pong,
    Push,
    PushReply,
    Refused,
    Reply,
    Request,
    Sender,
    Sync,
    SyncReply,
    Touch,
    TouchReply,
    epoch_of,
    node_of,
)
from discovery.policy import Policy
from discovery.probing import Probing
from discovery.record import Record
from discovery.replica import Replica
from discovery.replication import Replication
from discovery.space import Delta

if TYPE_CHECKING:
    import random

BOOT_STEPS = 100_000
CLOCKS_DIFFER_MS = 60_000
ELSEWHERE_S = 30.0
REFUSED_S = 5.0
ROUNDING_S = 1e-6
"""Running time is a sum of small steps: it may miss a deadline made from it by a little."""


class Mesh:
    def __init__(
        self, name: str, address: str, replica: Replica, policy: Policy, clocks: Clocks, rng: random.Random, now: float
    ) -> None:
        self.awareness = Awareness()
        self.membership = Membership(Sender(replica.own.origin, address), policy.probe_s, self.awareness)
        self.probing = Probing(self.membership, policy, rng, clocks.running_s)
        self.replication = Replication(replica, self.membership, policy, rng, self._sync)
        self.joining = Joining(policy, now)
        self.judgement = Judgement(self.membership, replica, policy, clocks)
        self._name = name
        self._address = address
        self._replica = replica
        self._policy = policy
        self._clocks = clocks
        self._boot_ms = epoch_of(replica.own.origin)
        self._told_version = 0
        self._clock_said: set[str] = set()
        self._kept_out: set[str] = set()
        self._audit_said: set[str] = set()
        self._effects: list[Effect] = []

    @property
    def origin(self) -> str:
        return self._replica.own.origin

    def say(self, event: str, **fields: object) -> None:
        self._effects.append(Said(event, fields))

    # --- messages in

    def receive(self, sender: Sender, message: Request, now: float) -> Reply:
        refusal = self.membership.refusal(sender, self._policy.members_max)
        if refusal is not None:
            return refusal
        self._meet(sender, now)
        match message:
            case Ping(wall_ms, facts):
                self._look_at_clock(sender, wall_ms, now)
                self._merge(facts, sender, now)
                return Pong(self._clocks.wall_ms(now), self.membership.facts())
            case Ask(address):
                self.probing.asked(address, sender.address, self._clocks.running_s)
                return Pong(self._clocks.wall_ms(now), [])
            case Found(address, outcome):
                self.probing.found(address, sender.address, outcome, self._clocks.running_s)
                return Pong(self._clocks.wall_ms(now), [])
            case Push(deltas, facts):
                self._apply(deltas, now)
                self._merge(facts, sender, now)
                return PushReply({delta.origin: self._replica.position(delta.origin) for delta in deltas})
            case Sync(covered, digest, facts, forgotten):
                self._read(sender, covered, digest, facts, forgotten, now)
                deltas = self.replication.repairs(digest, now)
                return SyncReply(*self._state(), deltas)
            case Touch(keys):
                return TouchReply([key for key in keys if not self._touched(key, now)])

    def replied(self, address: str, message: Request, sender: Sender, reply: Reply, now: float) -> None:
        link = self.replication.link(address, now)
        if isinstance(reply, Refused):
            self._was_refused(link, message, sender, reply, now)
            return
        refusal = self.membership.refusal(sender, self._policy.members_max)
        if refusal is not None:
            self._keep_out(link, message, sender, refusal, now)
            return
        link.answered()
        self.joining.refusal = ""
        link.elsewhere = sender.address != address or sender.origin == self.origin
        self._meet(sender, now)
        met = link if sender.origin == self.origin else self.replication.link(sender.address, now)
        match reply:
            case Pong(wall_ms, facts):
                self._look_at_clock(sender, wall_ms, now)
                self._merge(facts, sender, now)
                if isinstance(message, Ping):
                    self.probing.answered(address, self._clocks.running_s)
            case PushReply():
                self.replication.pushed(link, reply, now)
            case SyncReply(covered, digest, facts, forgotten, deltas):
                link.syncing = False
                self._take_over(covered, digest, now)
                news = self._apply(deltas, now)
                self._read(sender, covered, digest, facts, forgotten, now)
                self.replication.synced(met, reply, news, now)
            case TouchReply():
                link.touched()
        if link.elsewhere:
            link.call(now + ELSEWHERE_S)
        elif not self.replication.there(link) and link.sync_at == NEVER and not link.syncing:
            link.call_later(now)  # it has left, and the next one there is to be found

    def failed(self, address: str, message: Request, refused: bool, now: float) -> None:
        link = self.replication.link(address, now)
        link.refused = refused
        if isinstance(message, Ping):
            self.probing.failed(address, refused, self._clocks.running_s)
        elif not isinstance(message, Ask | Found):
            for key in self.replication.failed(link, message, now):
                self._adopt_from(link.origin, key, now)

    # --- time

    def running_deadline(self) -> float:
        return min(self.probing.next_deadline(), self.membership.next_deadline())

    def deadline(self, now: float) -> float:
        return min(self.replication.next_deadline(), self.joining.deadline(now))

    def tick(self, now: float) -> None:
        running_s = self._clocks.running_s + ROUNDING_S
        self.membership.expire(running_s)
        self.probing.tick(running_s)
        self.settle(now)
        self.look_covered(now)
        self.replication.tick(now)

    def settle(self, now: float) -> None:
        """What follows from a step: judgements, and news of members for all."""
        self._judge(now)
        for key in self._replica.take_moved(now):
            self.replication.forward(key, now)
        if self.membership.version != self._told_version:
            self._told_version = self.membership.version
            self.replication.wake(now)

    def take_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def take_sends(self, now: float) -> list[Send]:
        """What is to be sent; pings are filled in."""
        sends = self.probing.take_sends()
        ping = Ping(self._clocks.wall_ms(now), self.membership.facts()) if sends else None
        sends = [Send(each.address, ping) if ping and isinstance(each.message, Ping) else each for each in sends]
        sends += self.replication.take_sends()
        return sends

    def sweep(self, now: float) -> None:
        """Hide what has outlived its grace, drop what is to be forgotten."""
        wall_ms = self._clocks.wall_ms(now)
        self.judgement.look_around(self._name)
        self.judgement.hide(wall_ms, self._replica.spaces)
        if self.joining.covered:
            self.joining.provisional = {each for each in self.joining.provisional if self.judgement.shows(each)}
        for node, epoch in self.judgement.forget(wall_ms).items():
            self.say("log.forgotten", origin=f"{node}@{epoch}")
        for address in self.replication.outdated(now):
            self.say("peer.given_up", peer=address)

    def look_covered(self, now: float) -> None:
        found = self.joining.look(self.replication.links.values(), now)
        if found is not None:
            alone, after_s = found
            self.say("node.covered", alone=alone, after_s=round(after_s, 2), stale=bool(self.joining.provisional))

    # --- another boot

    def begin(self, epoch: int, now: float, keep: bool) -> None:
        """Become another boot; `keep`: its log goes on with what the old one held."""
        before, origin = self.origin, f"{self._name}@{epoch}"
        if keep:
            self._replica.reissue(origin, self._clocks.wall_ms(now))
            self.judgement.owners.forget(before)
        else:
            self._replica.abandon(origin)
            self.judgement.dies(before)
            self.probing.drop()
        self.judgement.owners.own = origin
        self.membership.reborn(Sender(origin, self._address))

    def rejoin(self, now: float) -> None:
        """Compare with the peers before lists are served again."""
        met = [link for link in self.replication.links.values() if self.replication.there(link)]
        for link in met:
            link.synced, link.goal = False, None
            link.call(now)
        if met:
            self.joining.again(now)

    def adopt(self, record: Record, now: float) -> None:
        """Take over the lease of an instance whose owner is dead, and which beats."""
        self._replica.put([record], self._clocks.wall_ms(now), now)
        self.say("lease.adopted", key=record.key)

    # --- inside: who speaks

    def _was_refused(self, link: Link, message: Request, sender: Sender, reply: Refused, now: float) -> None:
        if not self.joining.covered:
            if self.joining.refusal != reply.text:
                self.say("node.refused", by=sender.address, why=reply.text)
            self.joining.refusal = reply.text
        self.failed(link.address, message, False, now)
        link.sync_at = now + REFUSED_S

    def _keep_out(self, link: Link, message: Request, sender: Sender, refusal: Refused, now: float) -> None:
        """One answers that we would not have for a peer: nothing it says is used."""
        if sender.origin not in self._kept_out:
            self._kept_out.add(sender.origin)
            self.say("peer.refused", peer=sender.address, origin=sender.origin, why=refusal.text)
        self.failed(link.address, message, False, now)
        link.sync_at = now + REFUSED_S

    def _meet(self, sender: Sender, now: float) -> None:
        if sender.origin == self.origin:
            return
        new = self.membership.heard(sender, self._clocks.running_s)
        link = self.replication.link(sender.address, now)
        if self.replication.meet(link, sender):
            self.say("peer.met", peer=sender.address, origin=sender.origin)
        member = self.membership.of(sender.origin)
        if new or (member is not None and member.state in ("suspect", "dead")):
            link.call(now)  # it speaks, so it is worth a call

    def _look_at_clock(self, sender: Sender, wall_ms: int, now: float) -> None:
        differs_ms = wall_ms - self._clocks.wall_ms(now)
        if abs(differs_ms) > CLOCKS_DIFFER_MS and sender.origin not in self._clock_said:
            self._clock_said.add(sender.origin)
            self.say("clock.differs", peer=sender.address, by_s=round(differs_ms / 1000))

    # --- inside: what is said

    def _sync(self) -> Sync:
        return Sync(*self._state())

    def _state(self) -> tuple[bool, list[Entry], list[Fact], dict[str, int]]:
        digest = self._replica.digest(self.judgement.dead_s())
        return (
            self.joining.covered and not self.joining.provisional,
            digest,
            self.membership.facts(),
            dict(self._replica.forgotten),
        )

    def _apply(self, deltas: list[Delta], now: float) -> bool:
        news = self._replica.apply(deltas, self._clocks.wall_ms(now))
        if news:
            self.replication.news([delta.origin for delta in deltas], now)
            self.replication.offer_soon(now)
            self.judgement.hide(self._clocks.wall_ms(now), {delta.origin for delta in deltas})
        return news

    def _merge(self, facts: Iterable[Fact], sender: Sender, now: float) -> None:
        for address in self.membership.merge(facts, node_of(sender.origin), self._clocks.running_s):
            member = self.membership.at(address)
            if member is not None and member.there:
                self.probing.look_at(address, self._clocks.running_s)
            elif address != self._address:
                self.replication.link(address, now).hint(now)

    def _read(
        self,
        sender: Sender,
        covered: bool,
        digest: list[Entry],
        facts: list[Fact],
        forgotten: dict[str, int],
        now: float,
    ) -> None:
        """Learn from a peer's state: positions, tombstones collected, the dead, the forgotten, other boots of us."""
        wall_ms = self._clocks.wall_ms(now)
        self._replica.forget(forgotten, wall_ms)
        self._outlive(digest, now)
        self._merge(facts, sender, now)
        acked = self.replication.link(sender.address, now).acked
        for entry in digest:
            if self._replica.is_forgotten(entry.origin):
                continue
            acked[entry.origin] = (entry.max_seq, entry.gc_seq)
            if entry.origin == self.origin:
                continue
            self._replica.follow(entry, wall_ms)
            if not self._replica.audit(entry, entry.origin == sender.origin) and entry.origin not in self._audit_said:
                self._audit_said.add(entry.origin)
                self.say("log.audit_failed", origin=entry.origin, peer=sender.address, at=entry.max_seq)
            self.judgement.hear(entry, covered, entry.origin == sender.origin)

    def _take_over(self, covered: bool, digest: Iterable[Entry], now: float) -> None:
        if not covered or not self.joining.provisional:
            return
        dropped = self.joining.take_over(entry.origin for entry in digest)
        for origin in [] if self.joining.covered else dropped:
            self._replica.drop(origin, self._clocks.wall_ms(now))

    def _outlive(self, digest: Iterable[Entry], now: float) -> None:
        """Go on above later boots of this node that peers know (its clock went back), and above a forgotten one.

        So too when peers have more of this log than was written. The step is this boot's own: two boots that outlive
        the same third one do not meet.
        """
        boots = [entry for entry in digest if node_of(entry.origin) == self._name]
        latest = max((epoch_of(entry.origin) for entry in boots), default=0)
        latest = max(latest, self._replica.forgotten.get(self._name, 0))
        more = any(each.origin == self.origin and each.max_seq > self._replica.own.max_seq for each in boots)
        if latest > epoch_of(self.origin) or more or self._replica.is_forgotten(self.origin):
            before = self.origin
            self.begin(latest + 1 + self._boot_ms % BOOT_STEPS, now, keep=True)
            self.say("node.reborn", before=before, now=self.origin)

    def _touched(self, key: str, now: float) -> bool:
        """A heartbeat that a peer forwarded. False: the instance is not known."""
        if self._replica.leases.renew(key, now) and not self._replica.moved(key):
            return True
        if self.joining.fenced:
            return False  # it may have waited for as long as this node was stopped
        held = self._replica.held(key)
        if held is not None and self.judgement.owners.state(held[0]) == "dead":
            self.adopt(held[1], now)
        return held is not None

    # --- inside: judgements

    def _judge(self, now: float) -> None:
        news = self.judgement.new()
        for origin, state in news or ():
            self._effects.append(OwnerChanged(origin, state))
            if state == "dead":
                self._bury(origin, now)
            else:
                self.judgement.returns(origin)
        if news is not None:
            self.judgement.hide(self._clocks.wall_ms(now), self._replica.spaces)
        for origin in self.judgement.caught_up():
            self._replica.show(origin, self._clocks.wall_ms(now))

    def _bury(self, origin: str, now: float) -> None:
        """Heartbeats still queued for an owner that has died are signs of life: take those leases over."""
        self._replica.unstage()
        link = self.replication.link_of(origin)
        if link is None:
            return
        for key in sorted(link.touches | link.forwarding):
            self._adopt_from(origin, key, now)
        link.touches.clear()
        if not self.replication.there(link):
            self.replication.lost(link, now)

    def _adopt_from(self, origin: str | None, key: str, now: float) -> None:
        held = self._replica.view.get(key)
        if held is not None and held[0] == origin:
            self.adopt(held[1], now)
