"""The wall clock that decides about expiry and dates the writes.

Instances of one sysplex have to agree about it roughly: an entry lives longer or shorter by what their clocks differ.
"""

from __future__ import annotations

import time


class Clock:
    def __init__(self, offset_s: float = 0.0) -> None:
        """`offset_s` is for drills and tests: this instance's clock is wrong by so much."""
        self._offset_ms = int(offset_s * 1000)

    def now_ms(self) -> int:
        """Since 1970."""
        return int(time.time() * 1000) + self._offset_ms
