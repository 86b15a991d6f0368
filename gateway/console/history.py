"""The lines of the timeline that a gateway knows, each once, in the order in which they came.

Processes are followed one by one, so what comes late may have happened early: whoever shows lines sorts them by time.

Not here: what a line says (`words`).
"""

from __future__ import annotations

from gateway.console.words import Line

KEPT = 2000


class History:
    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lines: dict[str, Line] = {}
        self._came = 0

    def add(self, line: Line) -> bool:
        """False: it is known."""
        if line.id in self._lines:
            return False
        self._lines[line.id] = line
        self._came += 1
        if len(self._lines) > self._kept:
            del self._lines[next(iter(self._lines))]
        return True

    @property
    def came(self) -> int:
        """How many there have been."""
        return self._came

    def since(self, came: int) -> list[Line]:
        """Those that came after that many, sorted by time."""
        count = min(self._came - came, len(self._lines))
        found = list(self._lines.values())[-count:] if count > 0 else []
        return sorted(found, key=lambda line: line.time)
