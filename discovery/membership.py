"""Who is in the mesh: the table of members, and how what is said of them is weighed.

    (unknown) ──speaks to us──▶ alive ◀──refutes── suspect ──time, or refused twice──▶ dead
                                  └──its probes fail──▶ ┘            left: said goodbye, for good

One entry a node, about its latest boot. What others say is ordered by (epoch, incarnation, state): a later boot
outranks every rumour about an earlier one, and only the subject raises its incarnation, by which it refutes. Nobody
comes into the table by hearsay: an unknown member, or an unknown boot, is a hint to go and speak to it.

The judgement picks peers, and starts the grace of what a dead member owned; it removes no instance by itself.

Source: Das, Gupta, Motivala, "SWIM" (2002); Lifeguard (2017). Not here: probing (`discovery.probing`).
"""

from __future__ import annotations

from collections.abc import Iterable

from discovery.awareness import Awareness
from discovery.messages import Fact, MemberState, Refused, Sender, epoch_of, node_of
from discovery.suspicion import MIN_PROBES, timeout_s

STRENGTH: dict[MemberState, int] = {"alive": 0, "suspect": 1, "dead": 2, "left": 2}


class Member:
    """`since`: when its state began; `heard`: when it last spoke to us. Both in running time, as all times here."""

    def __init__(self, sender: Sender, now: float) -> None:
        self.origin = sender.origin
        self.address = sender.address
        self.incarnation = 0
        self.state: MemberState = "alive"
        self.by: set[str] = set()
        self.since = now
        self.heard = now

    @property
    def there(self) -> bool:
        return self.state in ("alive", "suspect")


class Membership:
    def __init__(self, own: Sender, probe_s: float, awareness: Awareness) -> None:
        self.own = own
        self.members: dict[str, Member] = {}
        self.version = 1
        """Grows with every change of what is held, so that news can be told once to each."""
        self.awareness = awareness
        self._probe_s = probe_s
        self._incarnation = 0
        self._leaving = False

    # --- asked

    def at(self, address: str) -> Member | None:
        return next((member for member in self.members.values() if member.address == address), None)

    def of(self, origin: str) -> Member | None:
        """The member whose latest boot this is."""
        member = self.members.get(node_of(origin))
        return member if member is not None and member.origin == origin else None

    def there(self) -> list[Member]:
        """Those that are alive or suspect."""
        return [member for member in self.members.values() if member.there]

    def facts(self) -> list[Fact]:
        own = Fact(self.own.origin, self.own.address, self._incarnation, "left" if self._leaving else "alive")
        return [own, *(_fact(member) for member in self.members.values())]

    @property
    def incarnation(self) -> int:
        return self._incarnation

    def next_deadline(self) -> float:
        return min((self._dead_at(each) for each in self.members.values() if each.state == "suspect"), default=1e18)

    def refusal(self, sender: Sender, members_max: int) -> Refused | None:
        """Why this sender is not to be had for a peer: its name is taken, or the mesh is full."""
        node = node_of(sender.origin)
        known = self.members.get(node)
        if known is not None and known.origin == sender.origin and known.there and known.address == sender.address:
            return None
        other = known.address if known is not None and known.there and known.origin != sender.origin else sender.address
        other = self.own.address if node == node_of(self.own.origin) else other
        if other != sender.address:
            return Refused("taken", f"another node named {node} is running at {other}; this one is at {sender.address}")
        nodes = len(self.there()) + 1
        own = node == node_of(self.own.origin)
        if nodes >= members_max and not own and (known is None or not known.there):
            return Refused("full", f"the mesh has {nodes} nodes, and at most {members_max} are possible")
        return None

    # --- this node

    def reborn(self, own: Sender) -> None:
        self.own, self._incarnation = own, 0
        self.version += 1

    def leave(self) -> None:
        self._leaving = True
        self._incarnation += 1
        self.version += 1

    # --- evidence of our own

    def heard(self, sender: Sender, now: float) -> bool:
        """It speaks to us. True: it was not in the table, or not in this boot."""
        known = self.members.get(node_of(sender.origin))
        if known is not None and epoch_of(known.origin) >= epoch_of(sender.origin):
            if known.origin == sender.origin:
                known.heard = now
            return False
        self.members[node_of(sender.origin)] = Member(sender, now)
        self.version += 1
        return True

    def suspect(self, member: Member, by: str, now: float) -> None:
        """A probe of it failed at node `by`."""
        if member.state == "alive":
            self._set(member, "suspect", now)
        if member.state == "suspect" and by not in member.by:
            member.by.add(by)
            self.version += 1

    def bury(self, member: Member, now: float) -> None:
        """Nobody listens there, seen twice."""
        if member.there:
            self._set(member, "dead", now)

    def expire(self, now: float) -> None:
        """Suspects whose time is over."""
        for member in self.members.values():
            if member.state == "suspect" and now >= self._dead_at(member):
                self._set(member, "dead", now)

    def forget(self, node: str) -> None:
        if self.members.pop(node, None) is not None:
            self.version += 1

    # --- hearsay

    def merge(self, facts: Iterable[Fact], teller: str, now: float) -> list[str]:
        """Weigh what node `teller` holds; returns addresses worth a call: of members or boots we have not met, and of
        those newly suspected by others, which we look at ourselves."""
        hints = []
        for fact in facts:
            node = node_of(fact.origin)
            if node == node_of(self.own.origin):
                self._defend(fact)
                continue
            known = self.members.get(node)
            if known is None or epoch_of(known.origin) < epoch_of(fact.origin):
                if STRENGTH[fact.state] < STRENGTH["dead"]:
                    hints.append(fact.address)
            elif known.origin == fact.origin and self._weigh(known, self._doubted(known, fact, teller, now), now):
                hints.append(fact.address)
        return hints

    def _doubted(self, member: Member, fact: Fact, teller: str, now: float) -> Fact:
        """A death told of a member that spoke to us just now is a suspicion: the teller may have been cut off."""
        if fact.state == "dead" and member.there and now - member.heard < MIN_PROBES * self._probe_s:
            return Fact(fact.origin, fact.address, fact.incarnation, "suspect", [teller])
        return fact

    def _weigh(self, member: Member, fact: Fact, now: float) -> bool:
        """True: it is newly suspect."""
        said, held = (fact.incarnation, STRENGTH[fact.state]), (member.incarnation, STRENGTH[member.state])
        if said < held or member.state == "left":
            return False
        if said == held:
            if fact.state == "suspect" and not member.by.issuperset(fact.by):
                member.by.update(fact.by)
                self.version += 1
            return False
        member.incarnation = fact.incarnation
        newly = fact.state == "suspect" and member.state != "suspect"
        self._set(member, fact.state, now)
        member.by.update(fact.by)
        return newly

    def _defend(self, fact: Fact) -> None:
        """Somebody doubts this boot: raise the incarnation, which outranks it."""
        doubted = fact.origin == self.own.origin and fact.state != "alive" and fact.incarnation >= self._incarnation
        if doubted and not self._leaving:
            self._incarnation = fact.incarnation + 1
            self.awareness.worse()
            self.version += 1

    def _set(self, member: Member, state: MemberState, now: float) -> None:
        if member.state != state:
            member.since = now
        member.state = state
        member.by.clear()
        self.version += 1

    def _dead_at(self, member: Member) -> float:
        return member.since + timeout_s(len(member.by), 1 + len(self.there()), self._probe_s)


def _fact(member: Member) -> Fact:
    return Fact(member.origin, member.address, member.incarnation, member.state, sorted(member.by))
