"""Choosing one of the candidates. Each picker is told the candidates when they change, and asked at each call.

    leastRequests   the less busy of two drawn at random, by their weights; ties to the draw. The longest queue stays
                    short without looking at all of them, and gateways need not agree on anything
    peakEwma        of two drawn, the one whose latency times calls under way is less: slow ones get next to nothing
    roundRobin      each in turn, as often as its weight says (earliest deadline first)
    random          by weight alone
    ringHash        the same key leads to the same candidate, at every gateway; when one goes, only its keys move. A
                    candidate with more than 1.25 times the mean of calls under way is passed by (bounded load)

Sources: Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 1996; Twitter Finagle (peak EWMA);
Karger et al., Consistent Hashing and Random Trees, 1997; Mirrokni, Thorup, Zadimoghaddam, Consistent Hashing with
Bounded Loads, 2016.

Not here: which endpoints are candidates (`balancer`, `health`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b
from heapq import heapify, heapreplace
from itertools import accumulate
from random import Random
from typing import Protocol

from gateway.standing import Standing

NOBODY: frozenset[str] = frozenset()
"""No candidate is excluded."""

POINTS = 64
"""Of a candidate of mean weight on the ring."""
MAX_POINTS = 1024

BOUND = 1.25


class Picker(Protocol):
    def renew(self, candidates: Sequence[Standing]) -> None:
        """These are chosen from now on; there is at least one."""

    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        """One of the candidates whose key is not excluded; any, when all are. `key`: what the call is known by."""


class _Drawn:
    """By weight: the candidates, and where each ends on a line of all weights."""

    def __init__(self, random: Random) -> None:
        self._random = random.random
        self._candidates: Sequence[Standing] = ()
        self._ends: list[int] = []
        """Empty when all weigh the same."""
        self._total = 0

    def renew(self, candidates: Sequence[Standing]) -> None:
        self._candidates = candidates
        weights = [each.weight for each in candidates]
        self._ends = list(accumulate(weights)) if len(set(weights)) > 1 else []
        self._total = self._ends[-1] if self._ends else 0

    def _draw(self) -> Standing:
        if self._ends:
            return self._candidates[bisect_right(self._ends, self._random() * self._total)]
        return self._candidates[int(self._random() * len(self._candidates))]

    def _two(self, excluded: Collection[str]) -> tuple[Standing, Standing]:
        """Two different ones, if there are."""
        candidates = self._candidates
        if excluded:
            candidates = [each for each in candidates if each.key not in excluded] or candidates
        count = len(candidates)
        if count <= 2:
            return self._of_few(candidates)
        if excluded or not self._ends:
            draw = self._random() * count
            first = int(draw)
            second = int((draw - first) * (count - 1))
            return candidates[first], candidates[second + (second >= first)]
        one = self._draw()
        for _ in range(3):
            other = self._draw()
            if other is not one:
                return one, other
        return one, candidates[0] if candidates[0] is not one else candidates[1]

    def _of_few(self, candidates: Sequence[Standing]) -> tuple[Standing, Standing]:
        one, other = candidates[0], candidates[-1]
        if self._random() * (one.weight + other.weight) < one.weight:
            return one, other
        return other, one


class LeastRequests(_Drawn):
    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        candidates = self._candidates
        if excluded or self._ends or len(candidates) <= 2:
            one, other = self._two(excluded)
            return one if one.in_flight * other.weight <= other.in_flight * one.weight else other
        count = len(candidates)
        draw = self._random() * count
        first = int(draw)
        second = int((draw - first) * (count - 1))
        if second >= first:
            second += 1
        one, other = candidates[first], candidates[second]
        return one if one.in_flight <= other.in_flight else other


class PeakEwma(_Drawn):
    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        one, other = self._two(excluded)
        here, there = cost(one, now), cost(other, now)
        return one if here <= there else other


def cost(standing: Standing, now: float) -> float:
    """What a call there is to be expected to take: latency by calls before it."""
    waiting = standing.in_flight
    latency_s = standing.latency(now)
    if not latency_s and waiting:
        latency_s = 1.0  # it has not answered yet: nobody else need find out why
    return latency_s * (waiting + 1) / standing.weight


class ByWeight(_Drawn):
    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        if excluded:
            return self._two(excluded)[0]
        return self._draw()


class RoundRobin:
    """Each candidate has a deadline, and the earliest one is next: it is set one period on, which is 1/weight."""

    def __init__(self, random: Random) -> None:
        self._random = random.random
        self._queue: list[tuple[float, int, Standing]] = []

    def renew(self, candidates: Sequence[Standing]) -> None:
        known = {standing.key: deadline for deadline, _, standing in self._queue}
        begin = min(known.values(), default=0.0)
        start = self._random()  # or all gateways would begin with the same one
        self._queue = [
            (known.get(each.key, begin + (start + number / len(candidates)) % 1 / each.weight), number, each)
            for number, each in enumerate(candidates)
        ]
        heapify(self._queue)

    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        deadline, number, standing = self._queue[0]
        if excluded and standing.key in excluded:
            rest = [each for each in self._queue if each[2].key not in excluded]
            if rest:
                return min(rest)[2]
        heapreplace(self._queue, (deadline + 1 / standing.weight, number, standing))
        return standing


class RingHash:
    def __init__(self, random: Random | None = None) -> None:
        self._candidates: Sequence[Standing] = ()
        self._points: list[int] = []
        self._owners: list[Standing] = []

    def renew(self, candidates: Sequence[Standing]) -> None:
        self._candidates = candidates
        mean = sum(each.weight for each in candidates) / len(candidates)
        ring = [
            (point, each.key, each)
            for each in candidates
            for point in points(each.key, min(max(round(POINTS * each.weight / mean), 1), MAX_POINTS))
        ]
        ring.sort(key=lambda entry: entry[:2])
        self._points = [point for point, _, _ in ring]
        self._owners = [owner for _, _, owner in ring]

    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        owners = self._owners
        at = bisect_left(self._points, hashed(key)) % len(owners)
        owner = owners[at]
        if owner.in_flight < 2 and not excluded:
            return owner
        return self._walk(at, excluded) or owner

    def _walk(self, at: int, excluded: Collection[str]) -> Standing | None:
        """From there on, the first that is neither excluded nor overloaded; or excluded at least."""
        candidates = self._candidates
        most = BOUND * (sum(each.in_flight for each in candidates) + 1) / len(candidates)
        seen: dict[str, Standing] = {}
        for owner in self._owners[at:] + self._owners[:at]:
            if owner.key in seen:
                continue
            seen[owner.key] = owner
            if owner.key not in excluded and owner.in_flight < max(most, 2):
                return owner
            if len(seen) == len(candidates):
                break
        return next((each for each in seen.values() if each.key not in excluded), None)


def hashed(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=4).digest())


def points(key: str, count: int) -> list[int]:
    """Where a candidate stands on the ring; the same at every gateway."""
    found: list[int] = []
    number = 0
    while len(found) < count:
        digest = blake2b(b"%d|%b" % (number, key.encode())).digest()
        found += [int.from_bytes(digest[at : at + 4]) for at in range(0, 64, 4)]
        number += 1
    return found[:count]


PICKERS: dict[str, Callable[[Random], Picker]] = {
    "leastRequests": LeastRequests,
    "roundRobin": RoundRobin,
    "peakEwma": PeakEwma,
    "ringHash": RingHash,
    "random": ByWeight,
}
