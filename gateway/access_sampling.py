"""Which exchanges are recorded: all of them up to so many a second, and beyond that each k-th.

    rate ≤ per_s     k = 1: each is recorded, and stands for itself
    rate > per_s     each k-th is recorded, k = rate of the second before / per_s, rounded up, and stands for k
    a sudden burst   when a second has had its records, k doubles, and again with each eighth of them more

So a second has less than 2 per_s records even when calls rise from nothing to 50 per_s, and they come from all of the
second, not from its beginning only. What is skipped is owed: the next record stands for it too, whatever k was, so
sums over `stands_for` stay right, but for less than k exchanges at the very end.

Whoever has an exchange to record counts `skip` down itself, because this is done at every exchange:

    if sampling.skip and 0 < status < 500:
        sampling.skip -= 1
    else:
        …record it

Failed exchanges take no part: they are recorded beside the others, stand for themselves and change nothing here.
"""

from __future__ import annotations

import math

ENDLESS = 1 << 62
"""More than a process can ever count down."""

SECOND_S = 0.95
"""A little less than a second, because a timer may be early."""

NEVER_YET = -math.inf


class Sampling:
    __slots__ = ("_countdown", "_limit", "_owed", "_per_s", "_seen", "_since", "_stride", "_taken", "skip")

    def __init__(self, per_s: int) -> None:
        """`per_s` 0: none but the failed ones are recorded."""
        self.skip = 0 if per_s > 0 else ENDLESS
        """Exchanges to leave out before the next record."""
        self._per_s = per_s
        self._stride = 1
        self._countdown = self.skip
        """What `skip` was when it was last set."""
        self._owed = 0
        """Left out before that, and not yet stood for."""
        self._since = NEVER_YET
        self._seen = 0
        self._taken = 0
        self._limit = per_s
        """Records of this second at which the stride is doubled."""

    @property
    def skipping(self) -> bool:
        """`turn` must be called again, or calm would not be noticed."""
        return self._stride > 1

    def take(self) -> int:
        """One is recorded; how many it stands for."""
        passed = self._countdown - self.skip + 1
        stands_for = self._owed + passed
        self._owed = 0
        self._seen += passed
        self._taken += 1
        if self._taken >= self._limit:
            self._stride *= 2
            self._limit += max(1, self._per_s // 8)
        self.skip = self._countdown = self._stride - 1
        return stands_for

    def turn(self, now: float) -> None:
        """Called several times a second while there are calls: at the end of a second, what it teaches for the next."""
        elapsed_s = now - self._since
        if elapsed_s < SECOND_S or self._per_s <= 0:
            return
        skipped = self._countdown - self.skip
        rate = (self._seen + skipped) / elapsed_s
        self._owed += skipped
        self._stride = max(1, math.ceil(rate / self._per_s))
        self.skip = self._countdown = min(self.skip, self._stride - 1)
        self._since = now
        self._seen = self._taken = 0
        self._limit = self._per_s
