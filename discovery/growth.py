"""How far a log went some moments ago: what is younger is still on its way to the others and needs no repair.

Two marks suffice. A window begins with a growth and lasts until the first one that comes after its time; what was there
when it began is then settled. When growth ceases, all of it is.

The pace of a log is measured over spans of half a second.
"""

from __future__ import annotations


class Growth:
    def __init__(self) -> None:
        self._settled = 0
        self._window_at = float("-inf")
        self._window_seq = 0
        self._newest_at = float("-inf")
        self._newest_seq = 0

    def note(self, seq: int, now: float, pace_s: float) -> None:
        """The log goes to `seq` now."""
        if now - self._window_at >= pace_s:
            self._settled = self._window_seq
            self._window_at, self._window_seq = now, seq
        self._newest_at, self._newest_seq = now, seq

    def settled(self, now: float, pace_s: float) -> int:
        """How far it went `pace_s` ago, or somewhat earlier."""
        if now - self._newest_at >= pace_s:
            return self._newest_seq
        return self._window_seq if now - self._window_at >= pace_s else self._settled


class Pace:
    SPAN_S = 0.5

    def __init__(self) -> None:
        self._since = float("-inf")
        self._from_seq = 0
        self._per_s = 0.0

    def of(self, seq: int, now: float) -> float:
        """Growth per second over the last whole span; to be called whenever the log has grown."""
        if now - self._since >= self.SPAN_S:
            self._per_s = (seq - self._from_seq) / (now - self._since)
            self._since, self._from_seq = now, seq
        return self._per_s
