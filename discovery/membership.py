"""Is a peer there? A plain liveness check over the calls made to it.

    alive ──a call failed──▶ suspect ──REFUSED or SILENT in a row──▶ dead ──any answer──▶ alive

A refused connection is evidence (nobody listens), silence is only a hint (a slow loop, a paused process), so the second
takes more failures. The judgement picks whom to hand leases to and starts the grace of orphans; it never removes an
instance by itself.
"""

from __future__ import annotations

from shared.wire import OwnerState

REFUSED = 2
SILENT = 3

PROBE_S = 1.0
RETRY_S = 0.2


class Liveness:
    def __init__(self) -> None:
        self.state: OwnerState = "alive"
        self.refused = 0
        self.silent = 0

    def answered(self) -> None:
        self.state, self.refused, self.silent = "alive", 0, 0

    def failed(self, refused: bool) -> None:
        """One more failed call; `refused`: the connection was refused or reset, nobody listens there."""
        self.refused = self.refused + 1 if refused else 0
        self.silent += 1
        dead = self.refused >= REFUSED or self.silent >= SILENT
        if self.state != "dead":
            self.state = "dead" if dead else "suspect"

    @property
    def probe_after_s(self) -> float:
        """How long to wait before the next probe."""
        return RETRY_S if self.state == "suspect" else PROBE_S
