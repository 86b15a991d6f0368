"""Which instances the page shows: the first of those that match, in order of service and instance id.

A search is fed the registry in pieces, so that whoever does it can let others have a turn. It counts all on the way:
the numbers above the table cost no walk of their own.

A word of the text matches what has it in its service or instance id, or is in that status; written as the statuses are
("DOWN"), it means the status only. All words must match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from discovery.record import STATE_OF, STATUS_OF
from discovery.view import Held

SHOWN = 500
"""More rows than anybody reads, and few enough to be made and sent each second."""

TEXT_CHARS = 255


class Search:
    """`shown`: the first `most` that match of `matching`; `statuses` counts all by state."""

    def __init__(self, text: str = "", most: int = SHOWN) -> None:
        self.shown: list[Held] = []
        self.matching = 0
        self._most = most
        self._states: Counter[int] = Counter()
        words = text.split()
        self._in_state = [STATE_OF[word] for word in words if word in STATE_OF]
        self._words = [word.casefold() for word in words if word not in STATE_OF]

    @property
    def total(self) -> int:
        return self._states.total()

    @property
    def statuses(self) -> dict[str, int]:
        """Those that occur."""
        return {status: self._states[state] for state, status in STATUS_OF.items() if self._states[state]}

    def look_at(self, instances: Iterable[Held]) -> None:
        """The next ones, in order."""
        for held in instances:
            record = held[1]
            self._states[record.state] += 1
            if self._matches(record.key, record.state):
                self.matching += 1
                if len(self.shown) < self._most:
                    self.shown.append(held)

    def _matches(self, key: str, state: int) -> bool:
        if any(state != wanted for wanted in self._in_state):
            return False
        if not self._words:
            return True
        text, status = key.casefold(), STATUS_OF[state].casefold()
        return all(word in text or word == status for word in self._words)
