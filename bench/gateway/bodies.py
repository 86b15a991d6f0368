"""Large bodies down and up: 1 MiB at a time over a few kept-alive connections, in bytes per second of the clock and per
second of the proxy's processor time.

The client counts what comes and looks at every length; what went up is counted by the upstream, which must have read
all of it before it answers.
"""

from __future__ import annotations

import time
from functools import partial

from bench.gateway.client import Line, Lines, request
from bench.gateway.peers import ROUTES
from bench.gateway.process import Process
from bench.gateway.rounds import Bench, say
from bench.gateway.table import Row
from bench.gateway.upstream import LARGE_BYTES

LINES = 8
GOALS = (("nginx", 0.8),)
DOWN = request("GET", f"{ROUTES['orders']}/large")
UP = request("POST", f"{ROUTES['sink']}/upload", bytes(LARGE_BYTES))
TOLD = b'{"bytes":%d}' % LARGE_BYTES
MB = 1_000_000


class Loop:
    """Every line asks again as soon as it is answered."""

    def __init__(self, lines: list[Line], data: bytes, expected: int, told: bytes = b"") -> None:
        self.done = 0
        self._data = data
        self._expected = expected
        self._told = told
        for line in lines:
            self._ask(line)

    def _ask(self, line: Line) -> None:
        line.ask(self._data, partial(self._answered, line), self._expected)

    def _answered(self, line: Line) -> None:
        if self._told and line.body != self._told:
            line.fail(f"the upstream says {line.body!r}")
        self.done += 1
        self._ask(line)


async def measure(bench: Bench) -> None:
    for way, data, expected, told in (("down", DOWN, LARGE_BYTES, b""), ("up", UP, len(TOLD), TOLD)):
        say(f"1 MiB {way}")

        async def one(proxy: Process, way=way, data=data, expected=expected, told=told) -> None:  # type: ignore[no-untyped-def]
            async with Lines(proxy.address, LINES) as lines:
                cpu_s, begun = proxy.cpu_s(), time.monotonic()
                loop = Loop(lines.lines, data, expected, told)
                await lines.wait(bench.seconds)
                moved, passed, cpu_s = loop.done * LARGE_BYTES / MB, time.monotonic() - begun, proxy.cpu_s() - cpu_s
            bench.figures.note(Row(f"1 MiB {way}: MB/s"), proxy.name, moved / passed)
            bench.figures.note(Row(f"1 MiB {way}: MB per CPU second", goals=GOALS), proxy.name, moved / cpu_s)
            say(f"  {proxy.name:9}{moved / passed:7,.0f} MB/s {moved / cpu_s:7,.0f} MB per CPU second")

        await bench.visit(one)
