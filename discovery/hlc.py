"""A hybrid logical clock: versions that grow with every write and with every version seen, and follow wall time.

A value is 48 bits of milliseconds and 16 bits of counter. A peer's value far ahead of our wall clock is still ordered
rightly but does not drag ours along, so one wrong clock does not spoil all others for good.

Source: Kulkarni, Demirbas et al., "Logical Physical Clocks" (2014).
"""

from __future__ import annotations

MAX_DRIFT_MS = 60_000


class Hlc:
    def __init__(self) -> None:
        self._last = 0

    def next(self, wall_ms: int, above: int = 0) -> int:
        """A value greater than any returned, witnessed, or given as `above`."""
        self._last = max(self._last + 1, above + 1, wall_ms << 16)
        return self._last

    def witness(self, value: int, wall_ms: int) -> None:
        if value >> 16 <= wall_ms + MAX_DRIFT_MS:
            self._last = max(self._last, value)


def written_ms(value: int) -> int:
    """The wall clock's milliseconds in a value."""
    return value >> 16
