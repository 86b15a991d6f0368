"""Added latency at 1,000 requests a second: each is due at a fixed time, whatever the answers do.

A latency counts from when the request was due, so a stall is paid for by every request it holds up (an open loop; a
closed one would just ask less). The proxy's median and 99th percentile are told over those of the upstream asked
directly in the same round.

The clock is a timer of the kernel (timerfd) that the loop waits for: uvloop's own timers are exact to a millisecond.
Python reaches it from 3.13 on, so libc is asked.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections import deque
from functools import partial

from bench.gateway import heads
from bench.gateway.client import Line, Lines
from bench.gateway.process import Process
from bench.gateway.rounds import Bench, say
from bench.gateway.table import DIRECT, Row
from bench.registry.report import percentile

PER_S = 1_000
LINES = 64
WARM_UP = PER_S // 10
"""Requests left out at the start: connections are new."""

P50 = Row(f"added latency at {PER_S:,}/s: p50", "ms", at_most=0.15, compared=False)
P99 = Row(f"added latency at {PER_S:,}/s: p99", "ms", at_most=0.5, compared=False)


class Ticks:
    """A file descriptor that becomes readable every `interval_s`; `read` says how often it did since the last time."""

    def __init__(self, interval_s: float) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        whole, rest = int(interval_s), int(interval_s % 1 * 1e9)
        first_and_every = (ctypes.c_long * 4)(whole, rest, whole, rest)
        if self.fd < 0 or libc.timerfd_settime(self.fd, 0, first_and_every, None):
            raise OSError(ctypes.get_errno(), "timerfd")

    def read(self) -> int:
        return int.from_bytes(os.read(self.fd, 8), "little")

    def close(self) -> None:
        os.close(self.fd)


class OpenLoop:
    """Requests by number; number n is due at `begun + n / PER_S`. One that finds no free line waits for one."""

    def __init__(self, lines: list[Line], count: int, done: asyncio.Future[None]) -> None:
        self.latencies: list[float] = []
        self._free = deque(lines)
        self._waiting: deque[int] = deque()
        self._count = count
        self._done = done
        self._heads = [(head.before.encode(), head.after.encode()) for head in heads.shapes()]
        self._sent = 0
        self._ticks = Ticks(1 / PER_S)
        self._begun = time.monotonic()
        asyncio.get_running_loop().add_reader(self._ticks.fd, self._tick)

    def _tick(self) -> None:
        for _ in range(self._ticks.read()):
            self._sent += 1
            self._waiting.append(self._sent)
        self._send()

    def _send(self) -> None:
        while self._free and self._waiting:
            line, number = self._free.popleft(), self._waiting.popleft()
            before, after = self._heads[number % len(self._heads)]
            line.ask(b"%b%d%b" % (before, number, after), partial(self._answered, line, number))

    def _answered(self, line: Line, number: int) -> None:
        self.latencies.append(time.monotonic() - self._begun - number / PER_S)
        self._free.append(line)
        self._send()
        if len(self.latencies) >= self._count and not self._done.done():
            self._done.set_result(None)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ticks.fd)
        self._ticks.close()


async def latencies(proxy: Process, seconds: float) -> list[float]:
    done = asyncio.get_running_loop().create_future()
    async with Lines(proxy.address, LINES) as lines:
        loop = OpenLoop(lines.lines, WARM_UP + int(seconds * PER_S), done)
        try:
            await lines.until(done, 10 + 2 * seconds)
        finally:
            loop.close()
    return loop.latencies[WARM_UP:]


async def measure(bench: Bench) -> None:
    """Ends with each round's differences; the column of the upstream itself holds its own latency."""
    upstream, *_ = bench.helpers
    seconds = bench.seconds * 1.5
    seen: dict[str, list[tuple[float, float]]] = {}
    say(f"latency at {PER_S:,}/s")

    async def one(proxy: Process) -> None:
        values = await latencies(proxy, seconds)
        p50, p99 = percentile(values, 0.5) * 1e3, percentile(values, 0.99) * 1e3
        seen.setdefault(proxy.name, []).append((p50, p99))
        say(f"  {proxy.name:9} p50 {p50:6.3f}  p99 {p99:6.3f} ms")

    await bench.visit(one, upstream)
    direct = seen.pop(upstream.name)
    for row, index in ((P50, 0), (P99, 1)):
        for number, base in enumerate(direct):
            bench.figures.note(row, DIRECT, base[index])
            for name, values in seen.items():
                bench.figures.note(row, name, values[number][index] - base[index])
