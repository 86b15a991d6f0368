"""The times a node lives by.

now          seconds, going on while the machine is suspended; given with each step
running_s    as long as this process ran: a stop of any length counts as MAX_STEP_S at most
grace_s      as running time, but standing still while the node seems cut off
wall_ms      the wall clock, as it was at the start plus what has passed: a later step of it changes nothing
"""

from __future__ import annotations

MAX_STEP_S = 2.0


class Clocks:
    def __init__(self, now: float, wall_ms: int) -> None:
        self.running_s = 0.0
        self.grace_s = 0.0
        self.stepped_at = now
        self._wall_at_zero_ms = wall_ms - int(now * 1000)

    def wall_ms(self, now: float) -> int:
        return self._wall_at_zero_ms + int(now * 1000)

    def step(self, now: float, frozen: bool) -> float:
        """Go on to `now`; returns how long that was. `frozen`: the graces stand still."""
        gap_s = max(now - self.stepped_at, 0.0)
        self.stepped_at = max(now, self.stepped_at)
        self.running_s += min(gap_s, MAX_STEP_S)
        if not frozen:
            self.grace_s += min(gap_s, MAX_STEP_S)
        return gap_s

    def at(self, running_s: float) -> float:
        """When that running time is reached, if the process is not stopped."""
        return self.stepped_at + max(running_s - self.running_s, 0.0)
