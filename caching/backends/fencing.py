"""When a stopped holder of the lock is to be ended, judged by whoever waits for it.

Only after the wait has lasted longer than a write waits, and only by this side's own clock: an opener is silent for as
long as its beat has stood still *while we looked*. One that beats is slow, and slowness is never a reason. Whoever
notices that it was itself away (the machine slept, or it was stopped too) has seen nothing in that time and starts
again. Nobody takes the lock: the kernel frees it when the holder's process is gone.

Source: Sysplex Failure Management, which isolates a system whose status is not updated within its INTERVAL.

Not here: how one is ended (`fence`), where the beats stand (`status`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from caching.backends.openers import HOLDS, WANTS, Opener, Seen

AWAY_S = 2.5
"""A longer time between two looks, which come every second, means that we were stopped ourselves."""
AGAIN_S = 5.0
"""From one verdict to the next."""


class Silent(NamedTuple):
    opener: Opener
    slot: int
    for_s: float


class _Sign(NamedTuple):
    opener: Opener
    beat: int
    since: float


class Watch:
    def __init__(self, deadline_s: float, fence_after_s: float) -> None:
        """Longest wait of a write; how long a holder may be silent, 0: for ever."""
        self._deadline_s = deadline_s
        self._fence_after_s = fence_after_s
        self._signs: dict[int, _Sign] = {}
        self._looked = float("-inf")
        self._judged = float("-inf")

    def look(self, now: float, blocked_s: float, others: Sequence[Seen]) -> Silent | None:
        """Who is to be ended now, if anybody; to be asked about once a second. `blocked_s`: how long we have waited."""
        away = now - self._looked > AWAY_S
        self._looked = now
        if blocked_s <= self._deadline_s or not self._fence_after_s:
            self._signs.clear()
            return None
        before = {} if away else self._signs
        self._signs = {each.slot: _sign(each, before.get(each.slot), now) for each in others}
        silent = self._holder(now, others)
        if silent is None or now - self._judged < AGAIN_S:
            return None
        self._judged = now
        return silent

    def _holder(self, now: float, others: Sequence[Seen]) -> Silent | None:
        said = [each for each in others if each.lock == HOLDS]
        silent = [Silent(each.opener, each.slot, now - self._signs[each.slot].since) for each in said]
        if any(each.for_s < self._fence_after_s for each in silent):
            return None
        for each in [] if said else others:
            if each.lock == WANTS:
                silent.append(Silent(each.opener, each.slot, now - self._signs[each.slot].since))
        return next((each for each in silent if each.for_s >= self._fence_after_s), None)


def _sign(seen: Seen, before: _Sign | None, now: float) -> _Sign:
    if before is not None and (before.opener, before.beat) == (seen.opener, seen.beat):
        return before
    return _Sign(seen.opener, seen.beat, now)
