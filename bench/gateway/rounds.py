"""Rounds: each visits every proxy once, one place further on each time, so that what drifts on the machine hits all."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.gateway.process import Process
from bench.gateway.table import Figures
from bench.registry.cpu import busy_s

Visit = Callable[[Process], Awaitable[None]]


@dataclass
class Bench:
    """What a measure is given: who is measured, who helps, how often and how long."""

    folder: Path
    proxies: list[Process]
    helpers: list[Process]
    rounds: int
    seconds: float
    figures: Figures = field(default_factory=Figures)
    others: list[float] = field(default_factory=list)
    """What everything else on the machine took during each visit, in cores."""

    async def visit(self, one: Visit, *more: Process) -> None:
        """`more` are visited as well, such as the upstream itself."""
        visited = [*more, *self.proxies]
        for number in range(self.rounds):
            start = number % len(visited)
            for proxy in visited[start:] + visited[:start]:
                with self._watched():
                    await one(proxy)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        begun, machine, own = time.monotonic(), busy_s(), self._own_cpu_s()
        yield
        passed = time.monotonic() - begun
        self.others.append(max(busy_s() - machine - (self._own_cpu_s() - own), 0.0) / passed)

    def _own_cpu_s(self) -> float:
        times = psutil.Process().cpu_times()
        ended = times.children_user + times.children_system
        return times.user + times.system + ended + sum(each.cpu_s() for each in (*self.proxies, *self.helpers))


def say(text: str) -> None:
    print(text, flush=True)
