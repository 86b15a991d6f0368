"""What goes wrong, how it is brought about, and what plexmesh's gateway is to make of it.

The kernel kills and stops; the rest an instance does to itself when it gets SIGUSR1 (`instance`).
"""

from __future__ import annotations

import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """Of one figure of `figures.Figures`, by its name, in its unit."""

    figure: str
    says: str
    at_most: float = float("inf")
    at_least: float = float("-inf")

    def verdict(self, value: float) -> str:
        return f"{self.says}: {'met' if self.at_least <= value <= self.at_most else 'missed'}"


LITTLE = Goal("share_2_to_4", "share < 3 % after 2 s", at_most=0.03)
NO_GET = Goal("gets_lost", "no GET lost", at_most=0)


@dataclass(frozen=True)
class Fault:
    """`behaviour` is what SIGUSR1 makes of an instance; `everywhere`: of each one, not only of the first."""

    name: str
    signal: signal.Signals
    behaviour: str = "well"
    instances: int = 2
    dead: bool = False
    everywhere: bool = False
    goals: tuple[Goal, ...] = ()

    @property
    def unreachable(self) -> bool:
        return self.behaviour == "unreachable"


FAULTS = {
    each.name: each
    for each in (
        Fault("kill", signal.SIGKILL, dead=True, goals=(NO_GET, Goal("p99_ms", "p99 ≤ 5 ms", at_most=5))),
        Fault("hang", signal.SIGSTOP, goals=(LITTLE,)),
        Fault("black-hole", signal.SIGUSR1, "unreachable", goals=(LITTLE,)),
        Fault("503", signal.SIGUSR1, "refusing", goals=(LITTLE, NO_GET)),
        Fault("slow", signal.SIGUSR1, "slow", instances=3, goals=(LITTLE,)),
        Fault(
            "overload",
            signal.SIGUSR1,
            "narrow",
            everywhere=True,
            goals=(
                Goal("of_capacity", "≥ 90 % of capacity", at_least=0.9),
                Goal("lost_p99_ms", "the rest refused in < 5 ms", at_most=5),
            ),
        ),
        Fault(
            "all-503",
            signal.SIGUSR1,
            "refusing",
            everywhere=True,
            goals=(Goal("tries", "≤ 1.1 tries a call", at_most=1.1),),
        ),
    )
}
