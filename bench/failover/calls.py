"""The load: calls due at fixed times, whatever the answers do, and how each of them ended.

An open loop over kept connections. A call that finds none free opens one more, which is kept as well: calls that hang
must not hold up the others in the client, or a bad instance would look better the longer it hangs. A call's time counts
from when it was due.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Any

import httptools

from bench.gateway.latency import Ticks

GETS_PER_S = 300
POSTS_PER_S = 100
"""On average: chance says which GETs have a POST at their side. In a fixed order, proxies that take instances in turn
would send the POSTs always to the same."""

PER_S = GETS_PER_S + POSTS_PER_S
DEADLINE_S = 5.0
LINES = 16
"""Connections open from the start."""

PATH = "/orders/api/v1/items"


@dataclass(slots=True)
class Call:
    number: int
    method: str
    due_s: float
    """Counted from the start of the load."""
    took_s: float = DEADLINE_S
    status: int = 0
    """0: no answer, a broken one, or one that came too late."""
    instance: str = ""
    """Who says that he answered."""

    @property
    def lost(self) -> bool:
        return self.status != 200

    def request(self) -> bytes:
        start = f"{self.method} {PATH}?n={self.number} HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench/1\r\n"
        if self.method == "GET":
            return f"{start}\r\n".encode()
        body = f'{{"order":{self.number}}}'
        return f"{start}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class Load:
    def __init__(self, address: tuple[str, int], seconds: float) -> None:
        self.calls: list[Call] = []
        self._address = address
        self._count = round(seconds * GETS_PER_S)
        self._random = Random(1)  # the same for each proxy
        self._loop = asyncio.get_running_loop()
        self._free: deque[Line] = deque()
        self._lines: set[Line] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._all_sent = False
        self._done = asyncio.Event()

    async def open(self) -> None:
        for _ in range(LINES):
            self._free.append(await self._line())

    async def _line(self) -> Line:
        _, line = await self._loop.create_connection(lambda: Line(self), *self._address)
        self._lines.add(line)
        return line

    def begin(self) -> None:
        self._ticks = Ticks(1 / GETS_PER_S)
        self._ticked = 0
        self._begun = time.monotonic()
        self._loop.add_reader(self._ticks.fd, self._tick)

    def _tick(self) -> None:
        for _ in range(min(self._ticks.read(), self._count - self._ticked)):
            self._ticked += 1
            self._call("GET")
            if self._random.random() < POSTS_PER_S / GETS_PER_S:
                self._call("POST")
        if self._ticked == self._count:
            self._stop_ticking()

    def _stop_ticking(self) -> None:
        if not self._all_sent:
            self._all_sent = True
            self._loop.remove_reader(self._ticks.fd)
            self._ticks.close()

    def _call(self, method: str) -> None:
        call = Call(len(self.calls) + 1, method, self._ticked / GETS_PER_S)
        self.calls.append(call)
        self._under_way += 1
        if self._free:
            self._free.popleft().ask(call)
        else:
            task = self._loop.create_task(self._call_anew(call))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _call_anew(self, call: Call) -> None:
        try:
            async with asyncio.timeout(self.left_s(call)):
                line = await self._line()
        except OSError:  # TimeoutError is one
            self.ended(call)
        else:
            line.ask(call)

    def left_s(self, call: Call) -> float:
        return max(self._begun + call.due_s + DEADLINE_S - time.monotonic(), 0.0)

    def ended(self, call: Call, status: int = 0, instance: str = "") -> None:
        call.status, call.instance = status, instance
        call.took_s = time.monotonic() - self._begun - call.due_s
        self._under_way -= 1
        if self._all_sent and not self._under_way:
            self._done.set()

    def free(self, line: Line) -> None:
        self._free.append(line)

    def gone(self, line: Line) -> None:
        self._lines.discard(line)
        if line in self._free:
            self._free.remove(line)

    async def wait(self) -> None:
        """Until each call has ended; the deadline sees to that. All must have been due."""
        await self._done.wait()

    def close(self) -> None:
        self._stop_ticking()
        for task in self._opening:
            task.cancel()
        for line in list(self._lines):
            line.transport.abort()


class Line(asyncio.Protocol):
    """One kept connection; one call at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._call: Call | None = None
        self._instance = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def ask(self, call: Call) -> None:
        self._call, self._instance = call, ""
        self._late = self._loop.call_later(self._load.left_s(call), self.transport.abort)
        self.transport.write(call.request())

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-instance":
            self._instance = value.decode()

    def on_message_complete(self) -> None:
        call, keep = self._end(), self._parser.should_keep_alive()
        if call is None or not keep:
            self.transport.abort()
        else:
            self._load.free(self)
        if call is not None:
            self._load.ended(call, self._parser.get_status_code(), self._instance)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.gone(self)
        if (call := self._end()) is not None:
            self._load.ended(call)

    def _end(self) -> Call | None:
        call, self._call = self._call, None
        if call is not None:
            self._late.cancel()
        return call
