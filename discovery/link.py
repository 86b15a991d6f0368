"""One address at which a peer answers, or may: what the node there has, what is on the way to it, when to call again.

At most one message of each kind is on the way at a time. That bounds memory without a queue: a slow peer is not sent
more messages but larger, deduplicated ones, because a push is made from the log when it is sent.

A node that is not there is called again and again, first soon, then seldom, for a day; a seed for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from discovery.space import Position

NEVER = float("inf")

RETRY_S = 0.2
"""While joining, and after a push that failed."""

HINT_S = 1.0
"""Hearsay leads to a call at most this often."""

FIRST_PAUSE_S = 1.0
PAUSE_FACTOR = 1.5
SOON_PAUSE_S = 2.0
LATE_PAUSE_S = 30.0
SOON_S = 600.0
"""A node gone for less is looked for at least every SOON_PAUSE_S, so that a split heals quickly."""


@dataclass
class Link:
    """`acked` maps an origin to the peer's position in its log, as far as known; `lacking` are logs to repair there.

    `goal`: how far its logs went when it first answered; `synced`: we have been there.
    `touches` are heartbeats to forward, `forwarding` those on the way, each with the time of the first.
    `elsewhere`: the node that answers here is known at another address (or is this node itself). `told`: how much of
    the table of members it has been told.
    """

    address: str
    sync_at: float
    seed: bool = False
    origin: str | None = None
    elsewhere: bool = False
    covered: bool = False
    synced: bool = False
    goal: dict[str, int] | None = None
    refused: bool = False
    hinted_at: float = -NEVER
    failed_at: float = -NEVER
    lost_at: float | None = None
    pause_s: float = FIRST_PAUSE_S
    acked: dict[str, Position] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    touches: dict[str, float] = field(default_factory=dict)
    forwarding: dict[str, float] = field(default_factory=dict)
    told: int = 0
    telling: int = 0
    push_at: float = NEVER
    touch_at: float = NEVER
    pushed_at: float = -NEVER
    rest_until: float = -NEVER
    pushing: bool = False
    syncing: bool = False
    touching: bool = False

    def wake_push(self, at: float) -> None:
        self.push_at = max(min(self.push_at, at), self.rest_until)

    def call(self, at: float) -> None:
        self.sync_at = min(self.sync_at, at)

    def hint(self, now: float) -> None:
        """Somebody says that a node is there."""
        if now - self.hinted_at >= HINT_S:
            self.hinted_at = now
            self.call(now)

    def touch(self, key: str, now: float, pause_s: float) -> None:
        """A heartbeat to be forwarded, with others, after a pause."""
        self.touches.setdefault(key, now)
        self.touch_at = min(self.touch_at, now + pause_s)

    def take_touches(self) -> list[str]:
        self.touching, self.touch_at = True, NEVER
        self.forwarding, self.touches = self.touches, {}
        return sorted(self.forwarding)

    def touched(self) -> None:
        """They were taken."""
        self.touching = False
        self.forwarding.clear()

    def untouched(self) -> dict[str, float]:
        """They were not; returns each with the time of its first heartbeat that did not get there."""
        self.touching = False
        late, self.forwarding = self.forwarding, {}
        return late

    def answered(self) -> None:
        self.refused, self.failed_at, self.lost_at, self.pause_s = False, -NEVER, None, FIRST_PAUSE_S

    def call_later(self, now: float) -> None:
        """Nobody usable answered: call again, later each time."""
        self.lost_at = now if self.lost_at is None else self.lost_at
        self.sync_at = now + self.pause_s
        longest = SOON_PAUSE_S if now - self.lost_at < SOON_S else LATE_PAUSE_S
        self.pause_s = min(self.pause_s * PAUSE_FACTOR, longest)

    def deadline(self) -> float:
        """When this link wants something sent; only of what is not on the way already."""
        return min(
            NEVER if self.syncing else self.sync_at,
            NEVER if self.pushing else self.push_at,
            NEVER if self.touching else self.touch_at,
        )
