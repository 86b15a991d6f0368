"""Choosing an endpoint: least requests by two random choices.

Of two endpoints drawn at random the one with fewer requests in flight is taken, ties by the draw. That keeps the
longest queue short (exponentially shorter than one random choice) without looking at all of them, and needs no
agreement between gateways. Source: Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 1996.

Not here: which endpoints are candidates (`snapshot`, `health`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from gateway.snapshot import Endpoint


class LeastRequests:
    def __init__(self, random: Random) -> None:
        self._random = random.random

    def pick(self, candidates: Sequence[Endpoint], in_flight: Mapping[str, int]) -> Endpoint:
        """One of the candidates; there is at least one."""
        count = len(candidates)
        if count == 1:
            return candidates[0]
        draw = self._random() * count
        first = int(draw)
        second = int((draw - first) * (count - 1))
        if second >= first:
            second += 1
        one, other = candidates[first], candidates[second]
        get = in_flight.get
        return one if get(one.key, 0) <= get(other.key, 0) else other
