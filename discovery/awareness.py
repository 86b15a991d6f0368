"""How well this node itself is: a slow node must not take the others for dead (Lifeguard's local health).

The score runs from 0 to 8. A probe that failed though helpers answered, helpers that did not answer, having had to
refute, and a loop that ran late add to it; a probe that succeeded takes one off. Probes are made slower and more
patient by (score + 1).

Source: Dadgar, Phillips, Currey, "Lifeguard: Local Health Awareness for More Accurate Failure Detection" (2017).
"""

from __future__ import annotations

MAX_SCORE = 8


class Awareness:
    def __init__(self) -> None:
        self.score = 0

    def worse(self, by: int = 1) -> None:
        self.score = min(self.score + by, MAX_SCORE)

    def better(self) -> None:
        self.score = max(self.score - 1, 0)

    @property
    def patience(self) -> int:
        return self.score + 1
