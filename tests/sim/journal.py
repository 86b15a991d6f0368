"""What happened: a story for people to read after a failure, and lists for scenarios to measure by."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from discovery.view import Change
from shared.wire import OwnerState

if TYPE_CHECKING:
    from tests.sim.host import Process
    from tests.sim.simulator import Sim

STORY_LINES = 50


class Judged(NamedTuple):
    """A node has a new opinion of a boot of another."""

    time: float
    by: str
    origin: str
    state: OwnerState


class Gone(NamedTuple):
    """An instance is no longer listed at a node that may serve lists."""

    time: float
    at: str
    key: str


class Saying(NamedTuple):
    time: float
    by: str
    event: str
    fields: dict[str, object]


class Journal:
    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self.story: deque[str] = deque(maxlen=2_000)
        self.judged: list[Judged] = []
        self.gone: list[Gone] = []
        self.sayings: list[Saying] = []
        self.arrivals: defaultdict[tuple[str, int], dict[str, float]] = defaultdict(dict)
        """(instance, rev) to the time at which that was visible at each node."""

    def note(self, text: str) -> None:
        self.story.append(f"{self._sim.now:9.3f} {text}")

    def changed(self, process: Process, changes: Iterable[Change]) -> None:
        now, name = self._sim.now, process.host.name
        for key, _, after in changes:
            if after is None:
                if process.node.covered:
                    self.gone.append(Gone(now, name, key))
                self.note(f"{name}: {key} is gone")
            else:
                self.arrivals[key, after[1].rev][name] = now

    def owner_changed(self, process: Process, origin: str, state: OwnerState) -> None:
        self.judged.append(Judged(self._sim.now, process.host.name, origin, state))
        self.note(f"{process.host.name}: {origin} is {state}")

    def said(self, process: Process, event: str, fields: dict[str, object]) -> None:
        self.sayings.append(Saying(self._sim.now, process.host.name, event, fields))
        self.note(f"{process.host.name}: {event} {fields}")

    # --- measures

    def events(self, name: str, since: float = 0.0) -> list[Saying]:
        return [each for each in self.sayings if each.event == name and each.time >= since]

    def opinions(self, state: OwnerState, since: float = 0.0) -> list[Judged]:
        return [each for each in self.judged if each.state == state and each.time >= since]

    def removals(self, since: float = 0.0) -> list[Gone]:
        return [each for each in self.gone if each.time >= since]

    def spread_s(self, nodes: int, since: float = 0.0) -> list[float]:
        """For each change since then that reached so many nodes: seconds from the first to the last, ascending."""
        spans = [
            max(times.values()) - min(times.values())
            for times in self.arrivals.values()
            if len(times) == nodes and min(times.values()) >= since
        ]
        return sorted(spans)


def percentile(ascending: list[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    return ascending[min(int(len(ascending) * share), len(ascending) - 1)]
