"""A drill for programs: while it runs, one JSON object a line, as things happen.

    {"type": "begun", "drill": …, "title": …}
    {"type": "phase", "label": …}      what follows is of this side: plexmesh, or what stands beside it
    {"type": "moment", …}              `shared.wire.DrillMoment`: a step, or what a process told
    {"type": "slice", …}               `shared.wire.DrillSlice`: the calls that ended in a second
    {"type": "ended", "passed": …, "verdicts": […], "report": "/…/name.html"}

Lines that stop without `ended` are of a drill that did not come to its end; its standard error says why.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable

import msgspec

from launcher.drill.result import Slice
from shared.wire import DrillMoment, DrillSlice, DrillVerdict


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    drill: str
    title: str


class Phase(msgspec.Struct, frozen=True, tag="phase"):
    label: str


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    passed: bool
    verdicts: list[DrillVerdict]
    """Of the run that is judged."""
    report: str
    """Where the page is."""


Line = Begun | Phase | DrillMoment | DrillSlice | Ended

Write = Callable[[Line], None]


def to_stdout(line: Line) -> None:
    """That nobody listens any more does not end the drill."""
    with contextlib.suppress(OSError):
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()


class Side:
    """One run of the drill, shown as lines."""

    def __init__(self, label: str, write: Write) -> None:
        self._write = write
        self._told = Slice(at=0.0)
        """The calls that lines have been written about; `at`: up to which second."""
        self._last = (Slice(at=0.0), Slice(at=0.0))
        write(Phase(label))

    def step(self, at: float, text: str) -> None:
        self._write(DrillMoment(at=round(at, 2), kind="step", text=text))

    def event(self, at: float, lpar: str, text: str) -> None:
        self._write(DrillMoment(at=round(at, 2), kind="event", lpar=lpar, text=text))

    def tick(self, at: float, now: Slice, totals: Slice) -> None:
        """`now` are the calls of the last second, `totals` all there were."""
        self._last = (now, totals)
        if int(at) > self._told.at:
            self._tell(int(at))

    def close(self) -> None:
        """What is left over of a second."""
        _, totals = self._last
        if (totals.ok, totals.errors, totals.cut) != (self._told.ok, self._told.errors, self._told.cut):
            self._tell(int(self._told.at) + 1)

    def _tell(self, second: int) -> None:
        now, totals = self._last
        before = self._told
        self._write(
            DrillSlice(
                at=before.at,
                ok=totals.ok - before.ok,
                errors=totals.errors - before.errors,
                cut=totals.cut - before.cut,
                p99_ms=now.p99_ms,
                served=dict(Counter(totals.served) - Counter(before.served)),
            )
        )
        self._told = msgspec.structs.replace(totals, at=float(second))
