"""How often each caller may call: a token bucket for each route and caller.

    held      tokens in the bucket: at first, and at most, `capacity`; each call takes one, and without one it must wait
    refill    `tokens` come back over `per_s` seconds, evenly: one each per_s / tokens

So in any stretch of t seconds a caller gets in at most capacity + tokens * t / per_s times: `capacity` is how many may
come at once, tokens / per_s how many in the long run. No timer fills the buckets: what has come back is worked out when
somebody takes.

As many callers are remembered as there is room for; the one that has been away longest is forgotten, and finds a full
bucket when it is back. Of the callers of one route that is the one whose bucket is fullest, and forgetting a full
bucket changes nothing. One that is refused has not been away: asking on and on does not get it a new bucket. Only more
callers than there is room for, each in turn, get more than they should.

Source: the token bucket of RFC 2697 (there: CIR and CBS); Zowe API Mediation Layer's rate limiter
(rateLimiterCapacity, rateLimiterTokens, rateLimiterRefillDuration), where all tokens of a period come back at its end.
Not here: who the caller is, and the answer 429.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cachetools import LRUCache

FORM = re.compile(r"([0-9]{1,7})/([0-9]{1,7})(s|m|h)(?:, ?([0-9]{1,7}))?")
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}

WHOLE = 1 - 1e-6
"""So much of a token is one. Who waits exactly as long as he was told must not lack a rounding error then."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Each is more than 0."""

    capacity: int
    tokens: int
    per_s: float

    @classmethod
    def parse(cls, text: str) -> Rate:
        """`20/1m` is 20 a minute, and at most 20 at once; `20/1m,40`: at most 40 at once. Raises ValueError."""
        found = FORM.fullmatch(text.strip())
        tokens, periods, capacity = (int(found[1]), int(found[2]), int(found[4] or found[1])) if found else (0, 0, 0)
        if found is None or not (tokens and periods and capacity):
            raise ValueError(
                f"{text!r}: expected calls per time, such as 100/1s, 20/1m or 5/1h, "
                "and after a comma how many at once if it is another number: 20/1m,40"
            )
        return cls(capacity, tokens, periods * UNITS_S[found[3]])


class _Bucket:
    """It held `held` tokens at the time `at`."""

    __slots__ = ("at", "held")

    def __init__(self, held: float, at: float) -> None:
        self.held = held
        self.at = at


class Buckets:
    def __init__(self, max_callers: int) -> None:
        """`max_callers` is at least 1: of all routes together."""
        self._buckets: LRUCache[str, _Bucket] = LRUCache(max_callers)

    def take(self, rate: Rate, key: str, now: float) -> float:
        """0: let in, and one token taken. Otherwise nothing is taken, and one will be there in so many seconds, if
        nobody takes it before. `key` is route and caller. A key that comes with another rate than before keeps what it
        holds, up to the new capacity."""
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = _Bucket(rate.capacity - 1.0, now)
            return 0.0
        held = bucket.held + (now - bucket.at) * rate.tokens / rate.per_s
        if held > rate.capacity:
            held = rate.capacity
        bucket.at = now
        if held >= WHOLE:
            bucket.held = held - 1.0
            return 0.0
        bucket.held = held
        return (1.0 - held) * rate.per_s / rate.tokens
