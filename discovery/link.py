"""One peer as this node deals with it: what it has, what is on the way to it, whether it is there.

At most one message of each kind is on the way at a time. That bounds memory without a queue: a slow peer is not sent
more messages but larger, deduplicated ones, because a push is made from the log when it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from discovery.membership import Liveness

COALESCE_S = 0.005
"""Wait this long after a change before pushing, so that a burst travels in one message."""

TOUCH_S = 0.2
"""Collect forwarded heartbeats for this long."""


@dataclass
class Link:
    """`acked` maps an origin to the peer's position in its log, as far as known; `lacking` are logs to repair there."""

    address: str
    sync_at: float
    origin: str | None = None
    covered: bool = False
    synced: bool = False
    liveness: Liveness = field(default_factory=Liveness)
    acked: dict[str, int] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    touches: set[str] = field(default_factory=set)
    push_at: float | None = None
    touch_at: float | None = None
    pushing: bool = False
    syncing: bool = False
    touching: bool = False

    def wake_push(self, at: float) -> None:
        self.push_at = at if self.push_at is None else min(self.push_at, at)

    def touch(self, key: str, now: float) -> None:
        self.touches.add(key)
        if self.touch_at is None:
            self.touch_at = now + TOUCH_S

    def deadlines(self) -> list[float]:
        """When this link wants something sent; only of what is not on the way already."""
        wanted = [] if self.syncing else [self.sync_at]
        if self.push_at is not None and not self.pushing:
            wanted.append(self.push_at)
        if self.touch_at is not None and not self.touching:
            wanted.append(self.touch_at)
        return wanted
