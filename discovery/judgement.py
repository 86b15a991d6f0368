"""What a node holds of every boot of every node, and what follows for the registry.

From the table of members, newer boots and what peers tell comes a state per origin (`discovery.owners`). A dead one's
instances are hidden as their leases pass, in grace time, which stands still while this node seems cut off; long after
its death its log is forgotten.
"""

from __future__ import annotations

from collections.abc import Container

from discovery.clocks import Clocks
from discovery.forgetting import ripe
from discovery.guards import IsolationGuard
from discovery.membership import Membership
from discovery.messages import Entry, epoch_of, node_of
from discovery.owners import Owners
from discovery.policy import Policy
from discovery.replica import Replica
from shared.wire import OwnerState

CATCH_UP_S = 2.0


class Judgement:
    def __init__(self, membership: Membership, replica: Replica, policy: Policy, clocks: Clocks) -> None:
        self.owners = Owners(replica.own.origin)
        self.isolation = IsolationGuard(policy.isolation_guard)
        self._membership = membership
        self._replica = replica
        self._policy = policy
        self._clocks = clocks
        self._seen: object = None
        self._returned: dict[str, tuple[float, int | None]] = {}

    def dead_s(self) -> dict[str, float]:
        """Seconds of grace time since each dead origin's death."""
        return dict(self.owners.dead(self._clocks.grace_s))

    def dies(self, origin: str, dead_s: float = 0.0) -> None:
        self.owners.told_dead(origin, dead_s, self._clocks.grace_s)

    def new(self) -> list[tuple[str, OwnerState]] | None:
        """Judge again; returns the origins whose state is new. None: there was no reason to."""
        seen = (self._membership.version, len(self._replica.spaces), self.owners.heard, self.owners.own)
        if seen == self._seen:
            return None
        self._seen = seen
        origins = {*self._replica.spaces, *(member.origin for member in self._membership.members.values())}
        return self.owners.judge(sorted(origins), self._held, self._clocks.grace_s)

    def returns(self, origin: str) -> None:
        """It was dead and is not. What was hidden of it stays so until our copy of its log has caught up."""
        if origin in self._replica.view.hidden():
            self._returned[origin] = (self._clocks.running_s, None)

    def caught_up(self) -> list[str]:
        """The returned origins whose log is here as far as they said; one that cannot be asked gets a while."""
        now = self._clocks.running_s
        ready = [
            origin
            for origin, (since, goal) in self._returned.items()
            if (now - since > CATCH_UP_S if goal is None else self._replica.position(origin)[0] >= goal)
        ]
        for origin in ready:
            del self._returned[origin]
        return [origin for origin in ready if self.owners.state(origin) != "dead"]

    def hear(self, entry: Entry, covered: bool, itself: bool) -> None:
        """A peer's word about an origin we are not in contact with; it cannot have died before it last spoke to us."""
        if itself and entry.origin in self._returned:
            self._returned[entry.origin] = (self._returned[entry.origin][0], entry.max_seq)
        member = self._membership.of(entry.origin)
        if entry.dead_s < 0:
            if member is None and covered:
                self.owners.told_alive(entry.origin)
        elif member is None:
            self.dies(entry.origin, entry.dead_s)
        elif not member.there:
            self.dies(entry.origin, min(entry.dead_s, self._clocks.running_s - member.heard))

    def look_around(self, own: str) -> None:
        """Whether this node is cut off: a suspect does not count as there, or graces would end before this is seen."""
        for member in self._membership.members.values():
            if member.state == "left":
                self.isolation.forget(node_of(member.origin))
        alive = (node for node, member in self._membership.members.items() if member.state == "alive")
        self.isolation.look([own, *alive], self._clocks.running_s)

    def hide(self, wall_ms: int, origins: Container[str]) -> None:
        """Hide what has outlived its grace."""
        for origin, dead_s in self.owners.dead(self._clocks.grace_s):
            if origin in origins:
                self._replica.hide(origin, dead_s, wall_ms)

    def forget(self, wall_ms: int) -> dict[str, int]:
        """Drop the logs that are old enough; returns the last boot of each node that went."""
        if self.isolation.isolated:
            return {}
        forgotten = ripe(self.dead_s().items(), self._final, self._policy)
        for node, epoch in forgotten.items():
            member = self._membership.members.get(node)
            if member is not None and epoch_of(member.origin) <= epoch:
                self._membership.forget(node)
        self._replica.forget(forgotten, wall_ms)
        return forgotten

    def shows(self, origin: str) -> bool:
        """Whether instances of a dead origin are still listed."""
        return self.owners.state(origin) == "dead" and self._replica.view.shows(origin)

    def _held(self, origin: str) -> OwnerState | None:
        """What the table of members says of an origin."""
        member = self._membership.of(origin)
        if member is None:
            return None
        return "dead" if member.state == "left" else member.state

    def _final(self, origin: str) -> bool:
        """Whether that boot will not come back: it has a successor, or said goodbye."""
        member = self._membership.members.get(node_of(origin))
        left = member is not None and member.origin == origin and member.state == "left"
        later = max(epoch_of(each) for each in [*self._replica.spaces, origin] if node_of(each) == node_of(origin))
        return left or later > epoch_of(origin)
