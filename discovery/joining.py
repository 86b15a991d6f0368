"""Whether a node may serve yet, and what it makes of the state it finds on its disk.

    joining ──a covered peer's digest is reached──▶ covered
       └─every seed refuses for ALONE, or HOLD is over──▶ covered, alone

Registrations and heartbeats are taken from the first moment; lists wait (clients take an error badly). What comes from
disk is provisional: the first covered peer is believed instead, and what that lacks is dropped; with no peer to ask it
is served, marked stale, as owned by the dead. A node that the mesh refuses does not become covered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from discovery.link import Link
from discovery.policy import Policy


class Joining:
    def __init__(self, policy: Policy, now: float) -> None:
        self.covered = False
        self.refusal = ""
        self.fenced = False
        """Not to trust what it has: covered again first."""
        self.provisional: set[str] = set()
        self._policy = policy
        self._started = now

    def again(self, now: float) -> None:
        """This node was stopped for long: what it has may be old."""
        self.covered, self.fenced, self._started = False, True, now

    def deadline(self, now: float) -> float:
        """When waiting ends by itself."""
        if self.covered or self.refusal:
            return float("inf")
        alone_at, hold_at = self._started + self._policy.alone_s, self._started + self._policy.hold_s
        return alone_at if now < alone_at else max(hold_at, now)

    def look(self, links: Collection[Link], now: float) -> tuple[bool, float] | None:
        """(alone, seconds since the start) when the node has just become covered."""
        if self.covered or self.refusal:
            return None
        waited_s = now - self._started
        asked = [link for link in links if not link.elsewhere]
        resolved = all(link.synced or (link.refused and waited_s >= self._policy.alone_s) for link in asked)
        if resolved or waited_s >= self._policy.hold_s or any(link.synced and link.covered for link in asked):
            self.covered, self.fenced = True, False
            return not any(link.synced for link in asked), waited_s
        return None

    def take_over(self, known: Iterable[str]) -> list[str]:
        """A covered peer tells which origins there are; returns the provisional ones to be dropped."""
        gone = sorted(self.provisional.difference(known))
        self.provisional.clear()
        return gone

    def why_not(self) -> list[str]:
        if self.refusal:
            return [self.refusal]
        return [] if self.covered else ["joining its peers"]
