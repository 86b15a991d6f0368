"""One run of a drill as `up` knows it: what its process has told, kept from the beginning for whoever comes later.

Not here: the process (`launcher.drills`), what it tells and when (`launcher.drill.progress`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from launcher.drill import progress
from shared import wire

MAX_MOMENTS = 1000
"""Later ones are in the report only."""

STOPPING = "being stopped: everything that is broken is mended"


class Course:
    def __init__(self, run: str, drill: str, title: str, began: float) -> None:
        """`began`: seconds since 1970."""
        self.now = wire.Drill(run=run, drill=drill, title=title, began=began)
        self.slices: list[wire.DrillSlice] = []
        self.moments: list[wire.DrillMoment] = []
        self.page: Path | None = None
        self._words = ""
        self._told: list[wire.DrillNews] = [self.now]
        self._news = asyncio.Event()

    @property
    def running(self) -> bool:
        return self.now.state == "running"

    def whole(self) -> wire.DrillCourse:
        return wire.DrillCourse(run=self.now, slices=self.slices, moments=self.moments)

    async def follow(self) -> AsyncIterator[wire.DrillNews]:
        """Everything from the beginning, in order, until the run has ended."""
        count = 0
        while True:
            news = self._news
            while count < len(self._told):
                count += 1
                yield self._told[count - 1]
            if not self.running:
                return
            if news is self._news:
                await news.wait()

    # --- what its process tells

    def take(self, line: bytes) -> wire.DrillMoment | None:
        """A line of it; the step, if it is one. What is no line of a drill's are its words on standard error."""
        try:
            told = msgspec.json.decode(line, type=progress.Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._words = line.decode(errors="replace").strip().removeprefix("plexmesh: ") or self._words
            return None
        match told:
            case progress.Phase(label):
                self._set(phase=label)
            case wire.DrillSlice():
                self._slice(told)
            case wire.DrillMoment():
                return self._moment(told)
            case progress.Ended():
                self.page = Path(told.report)
                self._set(state="passed" if told.passed else "failed", verdicts=told.verdicts, report=True, step="")
        return None

    def stopping(self) -> None:
        self._set(step=STOPPING)

    def end(self, stopped: bool) -> None:
        """Its process has ended; `stopped`: by an order."""
        if self.running:
            why = "stopped by order" if stopped else self._words or "its process ended without a word"
            self._set(state="interrupted" if stopped else "error", why=why, step="")

    def outcome(self) -> str:
        """How it ended, as the rest of a sentence."""
        missed = sum(each.passed is False for each in self.now.verdicts)
        return {
            "passed": "passed: everything was as expected",
            "failed": f"was not as expected: {missed} of {len(self.now.verdicts)} expectations did not hold",
            "interrupted": f"did not come to its end: {self.now.why}",
            "error": f"could not be done: {self.now.why}",
        }.get(self.now.state, "goes on")

    def _slice(self, told: wire.DrillSlice) -> None:
        placed = msgspec.structs.replace(told, run=self.now.run, n=len(self.slices), phase=self.now.phase)
        self.slices.append(placed)
        self._tell(placed)

    def _moment(self, told: wire.DrillMoment) -> wire.DrillMoment | None:
        if len(self.moments) < MAX_MOMENTS:
            placed = msgspec.structs.replace(told, run=self.now.run, n=len(self.moments), phase=self.now.phase)
            self.moments.append(placed)
            self._tell(placed)
        if told.kind != "step":
            return None
        self._set(step=told.text)
        return told

    def _set(self, **changed: object) -> None:
        self.now = msgspec.structs.replace(self.now, **changed)
        self._tell(self.now)

    def _tell(self, news: wire.DrillNews) -> None:
        self._told.append(news)
        self._news.set()
        self._news = asyncio.Event()
