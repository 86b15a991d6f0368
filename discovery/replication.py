"""How the logs get to all nodes: pushed at once, and repaired by comparing digests.

    own write ──5 ms──▶ Push to every peer, from the position it acknowledged last
    news from others ──20 ms──▶ Sync with one peer in turn     (idle: every second)
    a reply that shows us behind ──▶ Sync again at once, with one peer at a time
    a reply that shows the peer behind ──▶ Push of what it lacks

Every node pushes only its own log, so each byte crosses each link once; what a stalled or cut link holds up comes by
another node's digest. What is younger than a few pushes take is not repaired: it is on its way. A link that fails is
left to the next offer; one to a node that is not there is called again later and later.

Source: delta-interval anti-entropy (Almeida, Shoker, Baquero 2018); scuttlebutt (van Renesse et al. 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from discovery.effects import Send
from discovery.growth import Growth, Pace
from discovery.link import NEVER, RETRY_S, Link
from discovery.membership import Membership
from discovery.messages import Entry, Push, PushReply, Request, Sender, Sync, SyncReply, Touch
from discovery.policy import Policy
from discovery.replica import Replica
from discovery.space import MAX_DELTA_RECORDS, START, Delta, Position

if TYPE_CHECKING:
    import random

FAILING_S = 5.0
"""A link that failed so recently is offered nothing while there are others."""

MAX_REST_S = 0.02
"""Between two pushes to a peer lies the time the last one took, up to this: under load they become larger, not more."""

PUSH_WEIGHT = 0.1
"""Of the last push in the mean time that a push takes."""

PUSH_STEP_S = 0.005
PUSHES = 3.0
MAX_PATIENCE_S = 0.5

LATE_SHARE = 1 / 3
"""Of a lease: when a heartbeat could not be forwarded for longer, the node that heard it takes the lease over."""

MakeSync = Callable[[], Sync]


class Replication:
    """`links` by address."""

    def __init__(
        self, replica: Replica, membership: Membership, policy: Policy, rng: random.Random, make_sync: MakeSync
    ) -> None:
        self.links: dict[str, Link] = {}
        self._replica = replica
        self._membership = membership
        self._policy = policy
        self._rng = rng
        self._make_sync = make_sync
        self._offer_at = NEVER
        self._pulling: str | None = None
        self._order: list[str] = []
        self._sends: list[Send] = []
        self._growth: dict[str, Growth] = {}
        self._pace = Pace()
        self._push_s = 0.0

    # --- links

    def link(self, address: str, now: float, seed: bool = False) -> Link:
        """The link to an address, made and called at once if it is new."""
        found = self.links.get(address)
        if found is None:
            found = self.links[address] = Link(address, sync_at=now, seed=seed)
        return found

    def link_of(self, origin: str) -> Link | None:
        return next((link for link in self.links.values() if link.origin == origin and not link.elsewhere), None)

    def meet(self, link: Link, sender: Sender) -> bool:
        """A node speaks at this address. True: it is a new one there."""
        if link.origin == sender.origin:
            return False
        link.origin, link.told = sender.origin, 0
        link.acked.clear()
        link.lacking.clear()
        self._replica.space(sender.origin)
        return True

    def there(self, link: Link) -> bool:
        """Whether messages to it make sense: a member that is alive or suspect."""
        member = self._membership.of(link.origin) if link.origin is not None and not link.elsewhere else None
        return member is not None and member.there and member.address == link.address

    def lost(self, link: Link, now: float) -> None:
        """Its member has died: look for it."""
        link.sync_at = NEVER
        link.call_later(now)
        if self._pulling == link.address:
            self._pulling = None

    def forward(self, key: str, now: float) -> None:
        """Tell its owner of a sign of life."""
        held = self._replica.view.get(key)
        link = self.link_of(held[0]) if held is not None else None
        if link is not None:
            link.touch(key, now, 0.0)

    # --- what is to be sent

    def next_deadline(self) -> float:
        at = self._offer_at
        for link in self.links.values():
            at = min(at, link.deadline())
        return at

    def take_sends(self) -> list[Send]:
        sends, self._sends = self._sends, []
        return sends

    def changed(self, now: float) -> None:
        """The own log has grown."""
        self.news([self._replica.own.origin], now)
        crowded = self._pace.of(self._replica.own.max_seq, now) > self._policy.crowd_per_s
        self.wake(now + (self._policy.crowd_coalesce_s if crowded else self._policy.coalesce_s))

    def news(self, origins: Iterable[str], now: float) -> None:
        """Those logs have grown here."""
        for origin in origins:
            seq = self._replica.position(origin)[0]
            self._growth.setdefault(origin, Growth()).note(seq, now, self._patience_s)

    def offer_soon(self, now: float) -> None:
        """There is news from others."""
        self._offer_at = min(self._offer_at, now + self._patience_s)

    def repairs(self, digest: Iterable[Entry], now: float) -> list[Delta]:
        """What a peer with that digest lacks and is not on its way to it."""
        positions = {entry.origin: (entry.max_seq, entry.gc_seq) for entry in digest}
        held = ((origin, positions.get(origin, START)) for origin in self._replica.spaces)
        wanted = {origin: position for origin, position in held if self._settled(origin, position, now)}
        return list(self._replica.deltas(wanted))

    @property
    def _patience_s(self) -> float:
        """What is younger is on its way: repairs would only double it. Under load a push takes longer to arrive."""
        return max(self._policy.offer_busy_s, min(PUSHES * self._push_s, MAX_PATIENCE_S))

    def _settled(self, origin: str, position: Position, now: float) -> bool:
        """Whether a peer at that position should have more by now: the log is not forgotten, what it lacks is old."""
        if self._replica.is_forgotten(origin):
            return False
        space = self._replica.spaces[origin]
        growth = self._growth.get(origin)
        old = growth.settled(now, self._patience_s) if growth is not None else space.max_seq
        return position[0] < old or position[1] < space.gc_seq or position[0] + MAX_DELTA_RECORDS < space.max_seq

    def wake(self, at: float) -> None:
        """There may be something to push."""
        for link in self.links.values():
            if link.push_at > at and self._wants_push(link):
                link.wake_push(at)

    @property
    def told(self) -> bool:
        """Whether every peer that is there has all this node has written, and its table of members."""
        return not any(self._wants_push(link) for link in self.links.values())

    def tick(self, now: float) -> None:
        if now >= self._offer_at or self._offer_at == NEVER:
            self._offer_at = now + self._policy.offer_idle_s
            self._offer(now)
        for link in self.links.values():
            self._send_due(link, now)

    def _offer(self, now: float) -> None:
        """To the peers in a shuffled round, so that none stays without news for long; a link that fails waits."""
        there = [link for link in self.links.values() if not link.syncing and self.there(link)]
        well = [link for link in there if now - link.failed_at > FAILING_S]
        peers = {link.address: link for link in well or there}
        for _ in range(2):
            while self._order:
                link = peers.get(self._order.pop())
                if link is not None:
                    link.call(now)
                    return
            self._order = sorted(peers)
            self._rng.shuffle(self._order)

    def _send_due(self, link: Link, now: float) -> None:
        if not link.syncing and now >= link.sync_at:
            link.syncing, link.sync_at = True, NEVER
            self._sends.append(Send(link.address, self._make_sync()))
        if not link.pushing and now >= link.push_at:
            self._send_push(link, now)
        if not link.touching and now >= link.touch_at:
            self._sends.append(Send(link.address, Touch(link.take_touches())))

    def _send_push(self, link: Link, now: float) -> None:
        link.push_at = NEVER
        if not self._wants_push(link):
            return
        own = self._replica.own.origin
        wanted = {own: link.acked.get(own, START)}
        wanted |= {each: link.acked.get(each, START) for each in sorted(link.lacking)}
        version = self._membership.version
        facts = self._membership.facts() if link.told < version else []
        link.pushing, link.telling, link.pushed_at = True, version, now
        self._sends.append(Send(link.address, Push(list(self._replica.deltas(wanted)), facts)))

    def _wants_push(self, link: Link) -> bool:
        own = self._replica.own
        behind = link.acked.get(own.origin, START)[0] < own.max_seq
        return (behind or bool(link.lacking) or link.told < self._membership.version) and self.there(link)

    # --- what comes back

    def pushed(self, link: Link, reply: PushReply, now: float) -> None:
        """Go on at once if the push was of use; a peer that could not take it is left to the next sync."""
        link.pushing, link.told = False, max(link.told, link.telling)
        link.rest_until = now + min(now - link.pushed_at, MAX_REST_S)
        took_s = min(now - link.pushed_at, 2 * self._push_s + PUSH_STEP_S)  # one that stalled says nothing of the rest
        self._push_s += (took_s - self._push_s) * PUSH_WEIGHT
        advanced = any(position > link.acked.get(origin, START) for origin, position in reply.positions.items())
        for origin, (seq, gc_seq) in reply.positions.items():
            link.acked[origin] = (seq, gc_seq)
        link.lacking.clear()
        if self._wants_push(link):
            link.wake_push(now + (self._policy.coalesce_s if advanced else RETRY_S))

    def synced(self, link: Link, reply: SyncReply, news: bool, now: float) -> None:
        """Compare where the peer stands with where we do, after its deltas were applied; `news`: they helped."""
        link.covered = reply.covered
        if link.goal is None:
            link.goal = {entry.origin: entry.max_seq for entry in reply.digest}
        link.synced = link.synced or not self._behind(link.goal.items())
        behind = news and self._behind((entry.origin, entry.max_seq) for entry in reply.digest)
        if behind and self._pulling in (None, link.address):
            self._pulling = link.address
            link.call(now)
        elif self._pulling == link.address:
            self._pulling = None
        link.lacking = {
            origin
            for origin in self._replica.spaces
            if origin != self._replica.own.origin and self._settled(origin, link.acked.get(origin, START), now)
        }
        if self._wants_push(link):
            link.wake_push(now)

    def failed(self, link: Link, message: Request, now: float) -> list[str]:
        """No answer came. An offer to a member is not repeated: the next one goes elsewhere. Returns instances whose
        heartbeats could not be forwarded for too long."""
        link.failed_at = now
        if self._pulling == link.address:
            self._pulling = None
        match message:
            case Sync():
                link.syncing = False
                if not self.there(link):
                    link.call_later(now)
            case Push():
                link.pushing = False
                if self._wants_push(link):
                    link.wake_push(now + RETRY_S)
            case Touch():
                return self._not_forwarded(link, now)
        return []

    def _not_forwarded(self, link: Link, now: float) -> list[str]:
        """Queue them again; returns those whose lease would be too far gone by the next time."""
        late = []
        for key, since in link.untouched().items():
            held = self._replica.view.get(key)
            if held is not None and now - since >= held[1].lease_s * LATE_SHARE:
                late.append(key)
            else:
                link.touches[key] = since
        if link.touches:
            link.touch_at = min(link.touch_at, now + self._policy.touch_s)
        return late

    def outdated(self, now: float) -> list[str]:
        """Give up the links to nodes not heard of for too long; returns their addresses."""
        old = [
            link.address
            for link in self.links.values()
            if not link.seed and link.lost_at is not None and now - link.lost_at > self._policy.forget_s
        ]
        for address in old:
            del self.links[address]
        return old

    def _behind(self, positions: Iterable[tuple[str, int]]) -> bool:
        own = self._replica.own.origin
        return any(
            self._replica.position(origin)[0] < seq
            for origin, seq in positions
            if origin != own and not self._replica.is_forgotten(origin)
        )
