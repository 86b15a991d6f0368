"""What was seen during a drill: the calls, the steps, and everybody's view over time. Plain data, asked by `verdict`.

All times are seconds since the load began. Views are kept as changes: (time, what was seen from then on).
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from launcher.drill.result import Kind
from launcher.drill.scenario import Step

T = TypeVar("T")

SAFE = ("GET", "HEAD")
OUTCOME_UNKNOWN = "outcome unknown"


@dataclass(frozen=True, slots=True)
class Call:
    """One try of a call. `at` is when it was due, so waiting for a slow caller counts as latency."""

    at: float
    took_s: float
    method: str
    url: str
    kind: Kind
    status: int | None
    why: str
    age_s: float
    """Of the connection when the call began; 0 = a new one."""
    carried: int
    """Calls the connection had carried before."""
    gateway: str
    """The LPAR of the gateway, as far as known: from the answer, or from an earlier one on this connection."""
    served: str
    """The LPAR of the instance that answered; empty when none did."""
    path: str
    attempt: int = 1

    @property
    def end(self) -> float:
        return self.at + self.took_s

    @property
    def new(self) -> bool:
        return self.carried == 0


@dataclass(frozen=True)
class Done:
    """A step, when it began and ended, and what it failed with."""

    step: Step
    begin: float
    end: float
    error: str = ""


class Track(Generic[T]):
    """A value over time, kept as its changes."""

    def __init__(self) -> None:
        self._at: list[float] = []
        self._values: list[T] = []

    def note(self, at: float, value: T) -> None:
        if not self._values or self._values[-1] != value:
            self._at.append(at)
            self._values.append(value)

    def __iter__(self) -> Iterator[tuple[float, T]]:
        return zip(self._at, self._values, strict=True)

    @property
    def last(self) -> T | None:
        return self._values[-1] if self._values else None

    def at(self, when: float) -> T | None:
        """As it was then."""
        place = bisect.bisect_right(self._at, when)
        return self._values[place - 1] if place else None

    def first(self, since: float, wanted: Callable[[T], bool]) -> float | None:
        """When it was first as wanted, at `since` or later; None: never."""
        held = self.at(since)
        if held is not None and wanted(held):
            return since
        return next((at for at, value in self if at >= since and wanted(value)), None)


@dataclass(frozen=True)
class Member:
    """A registered instance, as a registry or a gateway names it."""

    service: str
    instance: str
    lpar: str


Rotation = Mapping[Member, bool]
"""Whether a gateway calls it."""


@dataclass(frozen=True)
class Registry:
    """One discovery node's view."""

    records: Mapping[Member, tuple[int, int]] = field(default_factory=dict)
    """gen and rev of each record."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """State (alive, suspect, dead) of each LPAR's discovery node."""


@dataclass(frozen=True)
class Process:
    state: str
    pid: int | None


@dataclass
class Evidence:
    lpars: list[str]
    behaviour: str = "plexmesh"
    external: bool = False
    """Somebody else makes the calls: nothing is known about them."""
    calls: list[Call] = field(default_factory=list)
    steps: list[Done] = field(default_factory=list)
    gateways: dict[str, Track[Rotation | None]] = field(default_factory=dict)
    """By LPAR; None: it did not answer."""
    registries: dict[str, Track[Registry | None]] = field(default_factory=dict)
    """By LPAR; None: its stream was broken."""
    processes: dict[tuple[str, str], Track[Process]] = field(default_factory=dict)
    """By LPAR and component."""
    acknowledged: int = 0
    """Writes to the cache."""
    lost: list[str] = field(default_factory=list)
    """Those that were not there at the end, or with another value: key, and who said so."""
    unread: int = 0
    """Keys that could not be asked for."""
    storm: set[Member] = field(default_factory=set)
    """What the drill itself has registered."""
    storm_at: float = 0.0
    """When the last of them was registered."""
    duration_s: float = 0.0

    def step(self, mark: str = "") -> Done | None:
        """The first step of that mark; without one, the first that broke something."""
        return next((done for done in self.steps if (mark in done.step.marks if mark else done.step.breaks)), None)

    def called(self, wanted: Callable[[Call], bool]) -> list[Call]:
        return [call for call in self.calls if wanted(call)]

    def begun_before_a_step_was_done(self, call: Call) -> bool:
        return any(call.at <= done.end and call.end >= done.begin for done in self.steps if done.step.breaks)

    def cut_off(self) -> set[str]:
        """LPARs that the steps have left without a network."""
        cut = set()
        for done in self.steps:
            if done.step.action in ("partition", "silence"):
                cut.add(done.step.lpar)
            elif done.step.action == "heal":
                cut.discard(done.step.lpar)
        return cut

    def slowed(self) -> set[str]:
        """LPARs whose sample the steps have left slow."""
        last = {done.step.lpar: done.step.number for done in self.steps if done.step.action == "slow"}
        return {lpar for lpar, seconds in last.items() if seconds}

    def down(self, lpar: str, component: str, at: float) -> bool:
        """Whether an order of the scenario has taken that component, or its LPAR, down or away by then."""
        down = False
        for done in self.steps:
            if done.begin <= at and done.step.lpar == lpar and done.step.component in ("", component):
                if done.step.action in ("kill", "pause", "stop", "silence"):
                    down = True
                elif done.step.action in ("start", "resume", "heal"):
                    down = at < done.end
        return down


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank percentile, `share` from 0 to 100."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(int(len(ordered) * share / 100), len(ordered) - 1)]


def gap(calls: Iterable[Call], begin: float, end: float) -> tuple[float, float]:
    """The longest time without a good answer within those times, and when it began."""
    worst, at, before = 0.0, begin, begin
    for arrived in [*sorted(call.end for call in calls if call.kind == "ok" and begin <= call.end <= end), end]:
        if arrived - before > worst:
            worst, at = arrived - before, before
        before = arrived
    return worst, at
