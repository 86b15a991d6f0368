"""Long answers: their bytes are counted, kept only where asked for, and the moment of the first one is noted."""

from __future__ import annotations

import asyncio
import functools
import gzip
import re
import time
from collections.abc import Callable
from typing import Any

Done = Callable[["Download"], None]

ANSWER_S = 60.0
LAST_CHUNK = b"\r\n0\r\n\r\n"
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: (\d+)\r\n")


class Download(asyncio.Protocol):
    """One connection, one request at a time. `busy`: an answer is under way."""

    def __init__(self) -> None:
        self.busy = False
        self.asked_ns = self.first_ns = self.last_ns = 0
        self.status = 0
        self.body_bytes = 0
        self.kept: list[bytes] | None = None
        self._head = b""
        self._left = 0
        self._chunked = False
        self._tail = b""
        self._then: Done | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def ask(self, request: bytes, then: Done, keep: bool = False) -> None:
        self.busy, self._then, self.kept = True, then, [] if keep else None
        self._head, self._tail, self.first_ns, self.body_bytes = b"", b"", 0, 0
        self.asked_ns = time.monotonic_ns()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self.first_ns:
            self.first_ns = time.monotonic_ns()
        if self._left or self._chunked:
            self._take(data)
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return
        head, body = self._head[: end + 2], self._head[end + 4 :]
        self.status = int(head[9:12])
        length = _LENGTH.search(head)
        self._chunked = length is None
        self._left = int(length[1]) if length else 0
        self._take(body)

    def connection_lost(self, error: Exception | None) -> None:
        self.status = 0
        self._end()

    def close(self) -> None:
        self._then = None
        self._transport.abort()

    def _take(self, data: bytes) -> None:
        self.body_bytes += len(data)
        if self.kept is not None:
            self.kept.append(data)
        if self._chunked:
            self._tail = (self._tail + data[-7:])[-7:]
            if not self._tail.endswith(LAST_CHUNK):
                return
            self._chunked = False
            if self.kept is not None:
                self.kept = [dechunked(b"".join(self.kept))]
        else:
            self._left -= len(data)
            if self._left > 0:
                return
        self._end()

    def _end(self) -> None:
        self.last_ns = time.monotonic_ns()
        self.busy = False
        then, self._then = self._then, None
        if then is not None:
            then(self)


async def open_all(address: tuple[str, int], count: int) -> list[Download]:
    loop = asyncio.get_running_loop()
    made = [Download() for _ in range(count)]
    for each in made:
        await loop.create_connection(functools.partial(_same, each), *address)
    return made


async def answered(download: Download, request: bytes, keep: bool = False) -> int:
    """The status; what else there is to know is in `download`."""
    done = asyncio.get_running_loop().create_future()
    download.ask(request, lambda _: done.set_result(None), keep)
    async with asyncio.timeout(ANSWER_S):
        await done
    return download.status


async def one(download: Download, request: bytes) -> bytes:
    """Ask once and keep the body."""
    assert await answered(download, request, keep=True) == 200, download.status
    return b"".join(download.kept or [])


def plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def dechunked(body: bytes) -> bytes:
    parts, at = [], 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + size + 4


def _same(download: Download) -> Download:
    return download
