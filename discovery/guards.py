"""Self-preservation by evidence: two situations in which a node has more reason to doubt itself than the others.

    OwnerGuard       many own leases run out within one lease       none is ended for five leases, then 1 % a second
    IsolationGuard   less than half of the known members are there  the graces of dead members' instances stand still

Eureka counts renewals against an estimate per minute and stays in self-preservation until that is met again, in the
smallest registries too. Here real deadlines are counted, few leases or members never count, and both end by themselves.
Each guard says why it is on, in words.

Not here: what a lease is (`discovery.lease`), whose graces stand still (`discovery.owners`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from discovery.policy import IsolationGuardRule, OwnerGuardRule


@dataclass(frozen=True)
class GuardView:
    """One guard as people see it; `since_s`: for how long it has been on."""

    name: str
    on: bool
    why: str
    since_s: float


class OwnerGuard:
    """off ──too many──▶ holding ──hold_leases──▶ draining ──none left──▶ off; holding ends when they are back."""

    def __init__(self, rule: OwnerGuardRule | None) -> None:
        self._rule = rule
        self._ended: deque[tuple[float, int]] = deque()
        self._since: float | None = None
        self._ended_before = 0
        self._leases_then = 0
        self._drained_at = 0.0
        self.why = ""

    @property
    def on(self) -> bool:
        return self._since is not None

    def view(self, now: float) -> GuardView:
        return GuardView("owner", self.on, self.why, now - self._since if self._since is not None else 0.0)

    def admit(self, due: list[str], term_s: float, owned: int, now: float) -> list[str]:
        """Which of the leases that have run out may end now; `due`: longest silent first, `term_s`: their longest."""
        if self._rule is None:
            return due
        if self._since is None:
            return self._watch(self._rule, due, term_s, owned, now)
        if now - self._since < self._rule.hold_leases * term_s and due:
            if not self._many(self._rule, self._ended_before + len(due), self._leases_then):
                self._end()
                return due
            self._drained_at = now
            return []
        return self._drain(self._rule, due, now)

    def _watch(self, rule: OwnerGuardRule, due: list[str], term_s: float, owned: int, now: float) -> list[str]:
        if not due or not self._too_many(rule, len(due), term_s, owned, now):
            if due:
                self._ended.append((now, len(due)))
            return due
        recent = sum(count for _, count in self._ended)
        self._since, self._drained_at = now, now
        self._ended_before, self._leases_then = recent, recent + owned
        self.why = (
            f"{recent + len(due)} of {recent + owned} leases ran out within {term_s:.0f} s: the fault may be this "
            f"node's; nothing is expired for {rule.hold_leases * term_s:.0f} s, then {rule.drain_per_s:.0%} a second"
        )
        return []

    def _too_many(self, rule: OwnerGuardRule, due: int, term_s: float, owned: int, now: float) -> bool:
        """Counts what has run out within the last lease, ended or not."""
        while self._ended and now - self._ended[0][0] > term_s:
            self._ended.popleft()
        recent = sum(count for _, count in self._ended)
        return recent + owned >= rule.from_leases and self._many(rule, recent + due, recent + owned)

    @staticmethod
    def _many(rule: OwnerGuardRule, lost: int, of: int) -> bool:
        return lost >= rule.at_least and lost > rule.share * of

    def _drain(self, rule: OwnerGuardRule, due: list[str], now: float) -> list[str]:
        allowed = int(rule.drain_per_s * self._leases_then * (now - self._drained_at))
        if allowed or not due:
            self._drained_at = now
        if len(due) <= allowed:
            self._end()
        return due[:allowed]

    def _end(self) -> None:
        self._since, self.why = None, ""
        self._ended.clear()


class IsolationGuard:
    def __init__(self, rule: IsolationGuardRule | None) -> None:
        self._rule = rule
        self._seen: dict[str, float] = {}
        self._since: float | None = None
        self.why = ""

    @property
    def isolated(self) -> bool:
        return self._since is not None

    def view(self, now: float) -> GuardView:
        return GuardView("isolation", self.isolated, self.why, now - self._since if self._since is not None else 0.0)

    def look(self, alive: Iterable[str], now: float) -> None:
        """`alive`: the members that are there now, this node among them."""
        if self._rule is None:
            return
        there = set(alive)
        self._seen.update(dict.fromkeys(there, now))
        self._seen = {node: at for node, at in self._seen.items() if now - at <= self._rule.window_s}
        known = len(self._seen)
        if known < self._rule.from_members or len(there) >= self._rule.share * known:
            self._since, self.why = None, ""
        elif self._since is None:
            self._since = now
            self.why = (
                f"{len(there)} of {known} known members are there: this node may be cut off; "
                f"graces stand still for at most {self._rule.cap_s:.0f} s"
            )

    def forget(self, node: str) -> None:
        """It has said goodbye."""
        self._seen.pop(node, None)

    def frozen(self, now: float) -> bool:
        """Whether the graces stand still."""
        return self._rule is not None and self._since is not None and now - self._since <= self._rule.cap_s
