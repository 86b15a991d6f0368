"""The load's own client: one protocol per connection, for what wrk cannot do. It checks every answer.

One request at a time. `ask` sends bytes and calls back when the answer is whole: status 200, a Content-Length, and a
body of the length expected; anything else ends the measure. Bodies are counted, not kept, but for the last read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bench.gateway.heads import HOST


class Wrong(Exception):
    """An answer is not what was expected, or none came."""


def request(method: str, path: str, body: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench/1\r\n{length}\r\n".encode() + body


class Line(asyncio.Protocol):
    """`failed` gets the first trouble of any line that shares it."""

    def __init__(self, failed: asyncio.Future[None]) -> None:
        self.failed = failed
        self.closing = False
        self.body = b""
        self._head = b""
        self._missing = -1
        """Bytes of the body still to come; -1: in the head."""
        self._expected: int | None = None
        self._answered: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def ask(self, data: bytes, answered: Callable[[], None], expected: int | None = None) -> None:
        """`expected`: the length the body must have."""
        self._answered, self._expected, self._head, self._missing = answered, expected, b"", -1
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._missing = self._length(head)
        self.body = data
        self._missing -= len(data)
        if self._missing <= 0:
            answered, self._answered = self._answered, None
            if self._missing or answered is None:
                self.fail("more than one answer")
            else:
                answered()

    def _length(self, head: bytes) -> int:
        _, found, rest = head.lower().partition(b"\r\ncontent-length:")
        length = int(rest.split(b"\r\n", 1)[0]) if found else -1
        if head[9:12] != b"200" or length < 0 or (self._expected is not None and length != self._expected):
            self.fail(f"expected 200 and {self._expected} bytes: {head!r}")
            return 1 << 60
        return length

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closing:
            self.fail(f"a connection was lost: {exc}")

    def fail(self, why: str) -> None:
        if not self.failed.done():
            self.failed.set_exception(Wrong(why))

    def close(self) -> None:
        self.closing = True
        self.transport.abort()


class Lines:
    """Kept-alive connections to one proxy, for the length of a measure; a trouble of one ends the wait."""

    def __init__(
        self, address: tuple[str, int], count: int, protocol: Callable[[asyncio.Future[None]], Any] = Line
    ) -> None:
        self.lines: list[Any] = []
        self._address = address
        self._count = count
        self._protocol = protocol

    async def __aenter__(self) -> Lines:
        loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = loop.create_future()
        try:
            for _ in range(self._count):
                _, line = await loop.create_connection(lambda: self._protocol(self.failed), *self._address)
                self.lines.append(line)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self.lines:
            line.close()
        self.failed.cancel()

    async def wait(self, seconds: float) -> None:
        """Let the lines work. Raises the first trouble."""
        done, _ = await asyncio.wait([self.failed], timeout=seconds)
        for each in done:
            each.result()

    async def until(self, future: asyncio.Future[Any], deadline_s: float) -> None:
        done, _ = await asyncio.wait([self.failed, future], timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise Wrong(f"not in {deadline_s} s")
        if self.failed in done:
            self.failed.result()


async def asked(address: tuple[str, int], data: bytes, expected: int | None = None) -> bytes:
    """One answer's body, as far as it came in the last read."""
    answered = asyncio.get_running_loop().create_future()
    async with Lines(address, 1) as lines:
        line: Line = lines.lines[0]
        line.ask(data, lambda: answered.set_result(None), expected)
        await lines.until(answered, 5.0)
        return line.body
