"""Choosing one of the candidates. Each picker is told the candidates when they change, and asked at each call.

    leastRequests   the less busy of two drawn at random, by their weights. The longest queue stays short without a look
                    at all of them, and gateways need not agree on anything. Ties go to the draw, but neither a tie nor
                    one call less is a reason for one that is much slower: where calls are few, nobody is busy, and a
                    slow or failing one would get its share
    peakEwma        of two drawn, the one whose latency times calls under way is less: slow ones get next to nothing
    roundRobin      each in turn, as often as its weight says (earliest deadline first)
    random          by weight alone
    ringHash        the same key leads to the same candidate, at every gateway; when one goes, only its keys move. A
                    candidate with more than 1.25 times its share of calls under way is passed by (bounded load)

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
"""Of a candidate of mean weight on the ring, or up to twice as many."""
MAX_POINTS = 1024

BOUND = 1.25
BOUND_FOR = 4
"""Picks for which the bound is taken for what it was: it is a sum over all candidates."""

NEAR = 1.25
"""Costs that differ by less are alike, and the draw decides: who was called last is measured last, and looks dearer."""

MUCH = 3.0
SLOW_S = 0.02
"""Below it, nobody is much slower than others."""


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

    def renew(self, candidates: Sequence[Standing]) -> None:
        self._candidates = candidates
        weights = [each.weight for each in candidates]
        self._ends = list(accumulate(weights)) if len(set(weights)) > 1 else []

    def _draw(self) -> Standing:
        return self._one_of(self._candidates, self._ends)

    def _one_of(self, candidates: Sequence[Standing], ends: Sequence[int]) -> Standing:
        if ends:
            return candidates[bisect_right(ends, self._random() * ends[-1])]
        return candidates[int(self._random() * len(candidates))]

    def _two(self, excluded: Collection[str]) -> tuple[Standing, Standing]:
        """Two different ones, if there are."""
        candidates, ends = self._candidates, self._ends
        if excluded:
            candidates = [each for each in candidates if each.key not in excluded] or candidates
            ends = list(accumulate([each.weight for each in candidates])) if ends else ends
        count = len(candidates)
        if count <= 2:
            one, other = candidates[0], candidates[-1]
            if self._random() * (one.weight + other.weight) < one.weight:
                return one, other
            return other, one
        if ends:
            return self._two_by_weight(candidates, ends)
        draw = self._random() * count
        first = int(draw)
        second = int((draw - first) * (count - 1))
        return candidates[first], candidates[second + (second >= first)]

    def _two_by_weight(self, candidates: Sequence[Standing], ends: Sequence[int]) -> tuple[Standing, Standing]:
        one = self._one_of(candidates, ends)
        for _ in range(3):
            other = self._one_of(candidates, ends)
            if other is not one:
                return one, other
        return one, candidates[0] if candidates[0] is not one else candidates[1]


class LeastRequests(_Drawn):
    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        one, other = self._two(excluded)
        if one.weight == other.weight:
            if other.in_flight < one.in_flight:
                one, other = other, one
        elif one.in_flight * other.weight > (other.in_flight + 1) * one.weight:
            one, other = other, one  # the draw was by weight: it holds unless that would be more than its share
        if one.latency_s > SLOW_S and other.in_flight - one.in_flight <= 1 and much_slower(one, other, now):
            return other
        return one


def much_slower(one: Standing, other: Standing, now: float) -> bool:
    latency_s = one.latency(now)
    return latency_s > SLOW_S and latency_s > MUCH * other.latency(now)


class PeakEwma(_Drawn):
    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        one, other = self._two(excluded)
        here, there = expected_s(one, now), expected_s(other, now)
        if one.weight == other.weight:
            return one if here * (one.in_flight + 1) <= NEAR * there * (other.in_flight + 1) else other
        if here > SLOW_S and here > MUCH * there:
            return other
        return one if here * one.in_flight * other.weight <= there * (other.in_flight + 1) * one.weight else other


def expected_s(standing: Standing, now: float) -> float:
    """How long an answer takes there, as far as is known. One that was asked and has not answered yet need not be asked
    by anybody else to find out."""
    latency_s = standing.latency(now)
    return 1.0 if not latency_s and standing.in_flight else latency_s


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
        self._queue = []
        for number, each in enumerate(candidates):
            period = 1 / each.weight
            new = begin + (start + number / len(candidates)) % 1 * period
            self._queue.append((min(known.get(each.key, new), begin + period), number, each))
        heapify(self._queue)

    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        deadline, number, standing = self._queue[0]
        if excluded and standing.key in excluded:
            rest = [entry for entry in self._queue if entry[2].key not in excluded]
            if rest:
                return self._next(min(rest))
        heapreplace(self._queue, (deadline + 1 / standing.weight, number, standing))
        return standing

    def _next(self, entry: tuple[float, int, Standing]) -> Standing:
        """That one is taken out of its turn."""
        deadline, number, standing = entry
        self._queue[self._queue.index(entry)] = (deadline + 1 / standing.weight, number, standing)
        heapify(self._queue)
        return standing


class RingHash:
    def __init__(self, random: Random) -> None:
        self._random = random.random
        self._candidates: Sequence[Standing] = ()
        self._weight = 0
        """Of all candidates together."""
        self._bound = 0.0
        self._bound_for = 0
        """Most calls under way for each unit of weight, and for how many picks that holds."""
        self._points: list[int] = []
        self._owners: list[Standing] = []

    def renew(self, candidates: Sequence[Standing]) -> None:
        self._candidates = candidates
        self._weight = sum(each.weight for each in candidates)
        self._bound_for = 0
        unit = 1 << (self._weight // len(candidates)).bit_length() - 1  # seldom another one when a candidate goes
        ring = [
            (point, each.key, each)
            for each in candidates
            for point in points(each.key, min(max(round(POINTS * each.weight / unit), 1), MAX_POINTS))
        ]
        ring.sort(key=lambda entry: entry[:2])
        self._points = [point for point, _, _ in ring]
        self._owners = [owner for _, _, owner in ring]

    def pick(self, now: float, key: bytes = b"", excluded: Collection[str] = NOBODY) -> Standing:
        owners = self._owners
        if not key:  # nothing to know it by: anybody
            return self._walk(int(self._random() * len(owners)), excluded) or owners[0]
        at = bisect_left(self._points, hashed(key)) % len(owners)
        owner = owners[at]
        if owner.in_flight < 2 and not excluded:
            return owner
        return self._walk(at, excluded) or owner

    def _walk(self, at: int, excluded: Collection[str]) -> Standing | None:
        """From there on, the first that is neither excluded nor overloaded; or excluded at least."""
        self._bound_for -= 1
        if self._bound_for < 0:
            self._bound_for = BOUND_FOR
            self._bound = BOUND * (sum([each.in_flight for each in self._candidates]) + 1) / self._weight
        owners, bound = self._owners, self._bound
        seen: dict[str, Standing] = {}
        for place in range(at, at + len(owners)):
            owner = owners[place % len(owners)]
            if owner.key in seen:
                continue
            seen[owner.key] = owner
            if owner.key not in excluded and owner.in_flight < max(bound * owner.weight, 2):
                return owner
            if len(seen) == len(self._candidates):
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
