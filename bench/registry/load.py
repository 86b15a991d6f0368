"""The load: prepared HTTP/1.1 bytes over kept-alive connections, one request at a time on each.

`flood` asks as fast as it is answered; `Pacer` asks at a given rate whatever the answers do, and counts a request from
the moment it was due, so that a slow server cannot hide behind a load that waits for it.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Then = Callable[[int, bytes], None]

TICK_S = 0.002


class Line(asyncio.Protocol):
    """One connection. A lost one answers what it was asked with status 0."""

    def __init__(self) -> None:
        self._then: Then | None = None
        self._data = b""
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def ask(self, request: bytes, then: Then) -> None:
        if self._lost:
            asyncio.get_running_loop().call_soon(then, 0, b"")
            return
        self._then = then
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        data = self._data + data if self._data else data
        head = data.find(b"\r\n\r\n")
        at = data.find(b"Content-Length: ", 0, head)
        length = int(data[at + 16 : data.find(b"\r", at)]) if at >= 0 else 0
        chunked = at < 0 and data.find(b"chunked\r\n", 0, head + 2) >= 0
        if head < 0 or len(data) < head + 4 + length or (chunked and not data.endswith(b"0\r\n\r\n")):
            self._data = data
            return
        self._data = b""
        self._answer(int(data[9:12]), data[head + 4 :])

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._answer(0, b"")

    def close(self) -> None:
        self._then = None
        if not self._lost:
            self._transport.abort()

    def _answer(self, status: int, body: bytes) -> None:
        then, self._then = self._then, None
        if then is not None:
            then(status, body)


async def connect(address: tuple[str, int], count: int) -> list[Line]:
    """Connections; where nobody listens, they are as if lost already."""
    loop, lines = asyncio.get_running_loop(), [Line() for _ in range(count)]
    for line in lines:
        try:
            await loop.create_connection(functools.partial(_same, line), *address)
        except ConnectionRefusedError as error:
            line.connection_lost(error)
    return lines


def _same(line: Line) -> Line:
    return line


@dataclass
class Outcome:
    """`wrong`: answered with anything but 200, 202 or 204, or not at all. `begun_ns` is the first request's moment."""

    answered: int = 0
    wrong: int = 0
    begun_ns: int = 0
    seconds: float = 0.0
    sample: bytes = b""

    def note(self, status: int, body: bytes) -> None:
        self.answered += 1
        if status not in (200, 202, 204):
            self.wrong += 1
            self.sample = b"%d %b" % (status, body[:200])


async def flood(lines: Sequence[Sequence[Line]], requests: Sequence[Iterable[bytes]], seconds: float) -> Outcome:
    """Ask `requests[i]` over the connections `lines[i]` until they or the time are used up."""
    outcome = Outcome(begun_ns=time.monotonic_ns())
    end_ns = outcome.begun_ns + int(seconds * 1e9)
    done = asyncio.Event()
    asking = sum(map(len, lines))

    def go_on(line: Line, waiting: Iterator[bytes]) -> None:
        nonlocal asking
        request = next(waiting, None) if time.monotonic_ns() < end_ns else None
        if request is None:
            asking -= 1
            if asking == 0:
                done.set()
            return
        line.ask(request, answered_on(line, waiting))

    def answered_on(line: Line, waiting: Iterator[bytes]) -> Then:
        def answered(status: int, body: bytes) -> None:
            outcome.note(status, body)
            go_on(line, waiting)

        return answered

    for group, each in zip(lines, requests, strict=True):
        waiting = iter(each)
        for line in group:
            go_on(line, waiting)
    await done.wait()
    outcome.seconds = (time.monotonic_ns() - outcome.begun_ns) / 1e9
    return outcome


class Pacer:
    """Asks over some connections at a steady rate; when all are busy, what is due waits in a queue."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._free = list(lines)
        self._due: deque[tuple[bytes, Then]] = deque()

    def ask(self, request: bytes, then: Then) -> None:
        if self._free:
            self._send(self._free.pop(), request, then)
        else:
            self._due.append((request, then))

    def _send(self, line: Line, request: bytes, then: Then) -> None:
        def answered(status: int, body: bytes) -> None:
            if self._due:
                self._send(line, *self._due.popleft())
            else:
                self._free.append(line)
            then(status, body)

        line.ask(request, answered)


async def steadily(per_s: float, step: Callable[[], object]) -> None:
    """Call `step` that often, for ever; what was missed is made up for at once."""
    begun, steps = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - begun) * per_s)
        for _ in range(due - steps):
            step()
        steps = due
        await asyncio.sleep(max(TICK_S, begun + (steps + 1) / per_s - time.monotonic()))
