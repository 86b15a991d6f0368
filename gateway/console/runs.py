"""Drills as `up` tells of them, mirrored while somebody watches: what can be run, the runs, and how each one went.

The course of a run, second by second, is kept of the last few; of older ones there are verdicts and the report. What is
mirrored of a run stays when `up` cannot be asked, and is made good when it can be again.

Source: `launcher.drills_api`, over HTTP. Not here: who may start one (`gateway.console.lab`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from gateway.fetching import TROUBLE
from shared import wire

KEPT = 3
"""Runs of which the course is kept."""

LOOK_S = 1.0
"""Whether somebody else has started one."""

ASK = aiohttp.ClientTimeout(total=3.0)
FOLLOW = aiohttp.ClientTimeout(total=None, sock_connect=1.0, sock_read=60.0)
"""A drill tells at least its slices; one without a load of its own, nothing for as long as a step takes."""

MAX_LINE = 256 * 1024

Entries = dict[str, dict[str, Any]]


class Runs:
    def __init__(self, up: str) -> None:
        """`up` is its URL."""
        self._up = up
        self._listed = wire.Drills(drills=[], runs=[])
        self._runs: dict[str, wire.Drill] = {}
        self._slices: dict[str, dict[int, wire.DrillSlice]] = {}
        self._moments: dict[str, dict[int, wire.DrillMoment]] = {}
        self._whole: set[str] = set()
        """Runs of which the course is known to its end."""
        self._look = asyncio.Event()
        self.trouble = ""
        """Why `up` does not tell; empty while it does."""

    @property
    def drills(self) -> list[dict[str, str]]:
        return [msgspec.to_builtins(each) for each in self._listed.drills]

    @property
    def running(self) -> str:
        return next((run.run for run in self._runs.values() if run.state == "running"), "")

    def sections(self) -> dict[str, Entries]:
        """Of the console's document: runs, slices, moments."""
        slices = {f"{run}/{n:06}": each for run, some in self._slices.items() for n, each in some.items()}
        moments = {f"{run}/{n:04}": each for run, some in self._moments.items() for n, each in some.items()}
        return {"runs": _entries(self._runs), "slices": _entries(slices), "moments": _entries(moments)}

    def look_now(self) -> None:
        """One has just been started."""
        self._look.set()

    async def follow(self, session: aiohttp.ClientSession, changed: Callable[[], None]) -> None:
        """For ever; `changed` is called after each change."""
        while True:
            try:
                await self._listen(session, changed)
                self.trouble = ""
            except TROUBLE as error:
                self.trouble = f"plexmesh up at {self._up} does not answer: {error or type(error).__name__}"
                changed()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._look.wait()
            self._look.clear()

    async def _listen(self, session: aiohttp.ClientSession, changed: Callable[[], None]) -> None:
        """Look once, and as long as a drill runs."""
        self.adopt(await _ask(session, f"{self._up}/v1/drills", wire.Drills))
        for run in self.unknown():
            self.learn(await _ask(session, f"{self._up}/v1/drills/{run.run}", wire.DrillCourse))
        changed()
        if running := self.running:
            self.begin(running)
            async for news in _progress(session, f"{self._up}/v1/drills/{running}/progress"):
                self.take(news)
                changed()

    def adopt(self, listed: wire.Drills) -> None:
        self._listed = listed
        self._runs = {run.run: run for run in listed.runs}
        kept = list(self._runs)[-KEPT:]
        for course in (self._slices, self._moments):
            for run in [each for each in course if each not in kept]:
                del course[run]
        self._whole &= set(kept)

    def unknown(self) -> list[wire.Drill]:
        """Runs that have ended, of which the course is to be kept and is not known whole."""
        kept = list(self._runs.values())[-KEPT:]
        return [run for run in kept if run.state != "running" and run.run not in self._whole]

    def begin(self, run: str) -> None:
        """It is going to be told from its beginning."""
        self._slices[run], self._moments[run] = {}, {}

    def learn(self, course: wire.DrillCourse) -> None:
        self._slices[course.run.run] = {each.n: each for each in course.slices}
        self._moments[course.run.run] = {each.n: each for each in course.moments}
        self._whole.add(course.run.run)

    def take(self, news: wire.DrillNews) -> None:
        match news:
            case wire.Drill():
                self._runs[news.run] = news
                if news.state != "running":
                    self._whole.add(news.run)
            case wire.DrillSlice():
                self._slices[news.run][news.n] = news
            case wire.DrillMoment():
                self._moments[news.run][news.n] = news


def _entries(told: Mapping[str, wire.DrillNews]) -> Entries:
    return {key: _entry(each) for key, each in told.items()}


def _entry(told: wire.DrillNews) -> dict[str, Any]:
    entry: dict[str, Any] = msgspec.to_builtins(told)
    del entry["type"]
    return entry


async def _ask(session: aiohttp.ClientSession, url: str, shape: type[Any]) -> Any:
    async with session.get(url, timeout=ASK, raise_for_status=True) as answer:
        return msgspec.json.decode(await answer.read(), type=shape)


async def _progress(session: aiohttp.ClientSession, url: str) -> AsyncIterator[wire.DrillNews]:
    rest = b""
    async with session.get(url, timeout=FOLLOW, raise_for_status=True) as answer:
        async for part in answer.content.iter_any():
            *lines, rest = (rest + part).split(b"\n")
            if len(rest) > MAX_LINE:
                raise ValueError(f"a line of more than {MAX_LINE} bytes")
            for line in lines:
                yield msgspec.json.decode(line, type=wire.DrillNews)
