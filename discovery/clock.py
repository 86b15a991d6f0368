"""The clocks of a discovery node's shell; its core is given the time and never asks.

`now` is CLOCK_BOOTTIME: it never steps, and unlike CLOCK_MONOTONIC goes on while the machine sleeps, so a node that was
suspended finds out by itself for how long. The wall clock is looked at once, at boot; nothing is decided by it.

Source: clock_gettime(2).
"""

from __future__ import annotations

import time


def now() -> float:
    """Seconds since the machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wall_ms(offset_s: float = 0.0) -> int:
    """Milliseconds since 1970, `offset_s` off: how a test sets one node's clock wrong."""
    return int((time.time() + offset_s) * 1000)
