"""Probing the members in turn: directly, then through helpers, and what follows when nobody gets an answer.

    Ping ──Pong──▶ well
      └─time-out or refused──▶ Ask some helpers ──Found(answered)──▶ well
                                   └─end of the round──▶ suspect        refused here and there ──▶ dead

Members come in a shuffled order, each once per round through the table, so the time to the first probe is bounded.
A member that others suspect, or whose connection has ended, is probed at once. A refused connection is evidence
(nobody listens there), silence only a hint: with a refusal of one's own and a helper's, or some in a row of one's own,
no time of suspicion is needed.

All times are in running time: a node that was stopped does not wake up to rounds that have long ended.

Source: SWIM (2002), section 3; Lifeguard (2017), sections IV-A, IV-C.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from discovery.effects import Send
from discovery.membership import Member, Membership
from discovery.messages import Ask, Found, Outcome, Ping, Request, node_of
from discovery.policy import Policy

if TYPE_CHECKING:
    import random

AGAIN_S = 0.2
"""A refused probe is repeated after this."""

MAX_REFUSALS = 3
"""In a row, without a word of the helpers'; one less where there is no helper."""

MAX_TIMEOUT_S = 1.0
ROUND_TRIPS = 4
ROUND_TIMEOUTS = 2.5
"""A round is at least so many time-outs long: one for the probe, one for the helpers', and some."""


@dataclass
class Round:
    """One member's probing; `asked`: helpers' addresses still to answer."""

    address: str
    ask_at: float
    end_at: float
    again_at: float | None = None
    refusals: int = 0
    helpers: int = 0
    answers: int = 0
    asked: set[str] = field(default_factory=set)


class Probing:
    def __init__(self, membership: Membership, policy: Policy, rng: random.Random, now: float) -> None:
        self._membership = membership
        self._policy = policy
        self._rng = rng
        self._order: list[str] = []
        self._rounds: dict[str, Round] = {}
        self._pinged: dict[str, float] = {}
        self._asked_by: dict[str, set[str]] = {}
        self._refusals: dict[str, int] = {}
        self._next_at = now + rng.uniform(0, policy.probe_s)
        self._worst_rtt_s = 0.0
        self._sends: list[Send] = []

    def take_sends(self) -> list[Send]:
        """Pings among them are to be filled in."""
        sends, self._sends = self._sends, []
        return sends

    # --- time

    def next_deadline(self) -> float:
        """With nobody to probe there is nothing to wait for."""
        return min(self._deadlines(), default=1e18)

    def tick(self, now: float) -> None:
        for round in list(self._rounds.values()):
            if now >= round.end_at:
                self._fail(round, now)
            elif now >= round.ask_at:
                self._ask(round)
            elif round.again_at is not None and now >= round.again_at:
                round.again_at = None
                self._ping(round.address, now)
        if now >= self._next_at:
            self._next_at = now + self._period_s
            self._begin_next(now)

    def _deadlines(self) -> list[float]:
        found = [self._next_at] if any(each.there for each in self._membership.members.values()) else []
        for round in self._rounds.values():
            found.append(min(round.ask_at, round.end_at))
            if round.again_at is not None:
                found.append(round.again_at)
        return found

    def late(self, by_s: float) -> None:
        """The loop ran that much later than was asked for."""
        if by_s > self._policy.probe_timeout_s:
            self._membership.awareness.worse()

    # --- what comes back

    def answered(self, address: str, now: float) -> None:
        """A ping was answered."""
        rtt_s = now - self._pinged.pop(address, now)
        self._worst_rtt_s = max(rtt_s, self._worst_rtt_s * 0.98)
        round = self._rounds.get(address)
        if round is not None:
            self._well(round)
        self._report(address, "answered")

    def failed(self, address: str, refused: bool, now: float) -> None:
        """A ping got no answer."""
        self._pinged.pop(address, None)
        self._report(address, "refused" if refused else "silent")
        round = self._rounds.get(address)
        if round is None:
            return
        self._ask(round)
        if refused:
            self._refused(round, now)

    def asked(self, address: str, by: str, now: float) -> None:
        """A member asks us to probe another one for it."""
        if self._membership.at(address) is not None:
            self._asked_by.setdefault(address, set()).add(by)
            self._ping(address, now)

    def found(self, address: str, helper: str, outcome: Outcome, now: float) -> None:
        """A helper tells what its probe brought."""
        round = self._rounds.get(address)
        if round is None or helper not in round.asked:
            return
        round.asked.discard(helper)
        round.answers += 1
        if outcome == "answered":
            self._well(round)
        elif outcome == "refused" and round.refusals:
            self._bury(round, now)

    # --- rounds

    def look_at(self, address: str, now: float) -> None:
        """Probe that member now."""
        member = self._membership.at(address)
        if member is not None and member.there and address not in self._rounds:
            self._begin(member, now)

    def drop(self) -> None:
        """Forget the rounds under way: this node was stopped meanwhile."""
        self._rounds.clear()

    @property
    def _timeout_s(self) -> float:
        grown = max(self._policy.probe_timeout_s, min(ROUND_TRIPS * self._worst_rtt_s, MAX_TIMEOUT_S))
        return grown * self._membership.awareness.patience

    @property
    def _period_s(self) -> float:
        return max(self._policy.probe_s * self._membership.awareness.patience, ROUND_TIMEOUTS * self._timeout_s)

    def _begin_next(self, now: float) -> None:
        there = {member.address: member for member in self._membership.there()}
        for _ in range(2):
            while self._order:
                member = there.get(self._order.pop())
                if member is not None and member.address not in self._rounds:
                    self._begin(member, now)
                    return
            self._order = sorted(there)
            self._rng.shuffle(self._order)

    def _begin(self, member: Member, now: float) -> None:
        self._rounds[member.address] = Round(member.address, now + self._timeout_s, now + self._period_s)
        self._ping(member.address, now)

    def _ping(self, address: str, now: float) -> None:
        """One at a time to each; another wish for it shares the outcome of the one under way."""
        if address not in self._pinged:
            self._pinged[address] = now
            self._sends.append(Send(address, Ping(0, [])))

    def _ask(self, round: Round) -> None:
        round.ask_at = float("inf")
        if round.helpers:
            return
        others = [each.address for each in self._membership.there() if each.state == "alive"]
        others = sorted(address for address in others if address != round.address)
        helpers = self._rng.sample(others, min(self._policy.helpers, len(others)))
        round.helpers, round.asked = len(helpers), set(helpers)
        self._sends += [Send(helper, Ask(round.address)) for helper in helpers]

    def _well(self, round: Round) -> None:
        del self._rounds[round.address]
        self._refusals.pop(round.address, None)
        self._membership.awareness.better()

    def _refused(self, round: Round, now: float) -> None:
        """Enough refusals need no other's word: the helpers may have gone with it."""
        round.refusals += 1
        refusals = self._refusals[round.address] = self._refusals.get(round.address, 0) + 1
        if refusals >= (MAX_REFUSALS if round.helpers else MAX_REFUSALS - 1):
            self._bury(round, now)
        else:
            round.again_at = now + AGAIN_S

    def _fail(self, round: Round, now: float) -> None:
        """Helpers that did not answer speak against us; a refused connection or answering helpers do not."""
        del self._rounds[round.address]
        if round.helpers:
            self._membership.awareness.worse(round.helpers - round.answers)
        elif not round.refusals:
            self._membership.awareness.worse()
        member = self._membership.at(round.address)
        if member is not None:
            self._membership.suspect(member, node_of(self._membership.own.origin), now)

    def _bury(self, round: Round, now: float) -> None:
        del self._rounds[round.address]
        self._refusals.pop(round.address, None)
        member = self._membership.at(round.address)
        if member is not None:
            self._membership.bury(member, now)

    def _report(self, address: str, outcome: Outcome) -> None:
        found: Request = Found(address, outcome)
        self._sends += [Send(by, found) for by in sorted(self._asked_by.pop(address, ()))]
