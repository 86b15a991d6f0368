"""What one client may cost the others: bounds, and what is said when they are reached.

    body, metadata, batch   400, 413   the request is at fault
    instances of a service  409        the service is
    registrations a second  429        this node's pace: try again after a while (told, with jitter)
    requests in flight      503        this node is busy: try again, or elsewhere

Eureka's clients know none of the last two and would take them badly: there everything is done, only slower.

Not here: watchers (`discovery.watch`), a watcher's lag (`discovery.watcher`).
"""

from __future__ import annotations

import math
import random

from shared.errors import PlexmeshError, Unavailable

MAX_BATCH = 1000
"""Instances in a registration, keys in a heartbeat."""
MAX_METADATA = 256
MAX_METADATA_KEY_CHARS = 255
MAX_METADATA_VALUE_CHARS = 4096
MAX_WAIT_S = 55.0
"""Of a long poll; many proxies give up at 60."""
MAX_SERVICES = 100
"""In a watcher's filter."""

JITTER_S = 3.0


class TooMany(PlexmeshError):
    status = 429

    def __init__(self, text: str, retry_after_s: int) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Busy(Unavailable):
    def __init__(self, text: str, retry_after_s: int = 1) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Bucket:
    """A token bucket: `rate_per_s` in the long run, `burst` at once. Rate 0: no limit."""

    def __init__(self, rate_per_s: float, burst: float, rng: random.Random) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._rng = rng
        self._held = burst
        self._at = 0.0

    def take(self, count: int, now: float) -> None:
        """Take all or nothing. Raises TooMany, saying when there will be enough."""
        if self._rate_per_s <= 0:
            return
        self._held = min(self._held + (now - self._at) * self._rate_per_s, self._burst)
        self._at = now
        lacking = min(count, self._burst) - self._held
        if lacking > 0:
            pause_s = lacking / self._rate_per_s + self._rng.uniform(0.0, JITTER_S)
            raise TooMany(
                f"registrations: {count} more now, expected at most {self._rate_per_s:g} a second", math.ceil(pause_s)
            )
        self._held -= count
