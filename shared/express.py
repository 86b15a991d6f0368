"""The short way for what clients send most: of a discovery node heartbeats and lists, of a cache its entries.

    plain head, whole body ──▶ the desk's answer, in the same step; a few take longer
    anything else ───────────▶ aiohttp, from that request on, with the connection

aiohttp's server costs some 200 µs a request, this way some 20, beside what the socket costs. It is no parser: it knows
one form of head and leaves the rest of HTTP to aiohttp, so both ways accept and refuse the same, in the same words. A
plain head is in the buffer as a whole, of at most 4 kB of ASCII, says what the desk finds an answer for, HTTP/1.1 and a
Content-Length below the limit, no field twice, and no field that asks for more (`UNUSUAL`). Clients repeat their heads,
so one that is as the last was is not looked at again.

A client that sends more before it is answered gets one answer a turn of the loop, in order; while it does not take
them, nothing is read from it. A body under way counts as a request in flight.

Source: RFC 9112. Not here: what the answers are (each service's desk), which connection comes here (`shared.doorway`).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple, Protocol

from aiohttp.tcp_helpers import tcp_keepalive

from shared.answer import Answer
from shared.outbox import Outbox
from shared.stream import Stream, Streams

Others = Callable[[], asyncio.Protocol]

HEAD_BYTES = 4096
KEPT_BLOCKS = 1024
"""Blocks of fields that are kept as they were understood."""
COPIED_BYTES = 65_536
"""A smaller body is written together with its head."""
PATIENCE = 60
"""A client may be silent so many rounds of the timer between two requests: an hour, as aiohttp lets it."""

UNUSUAL = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"trailer", b"http2-settings"})

_REQUEST = re.compile(rb"(GET|PUT|POST|DELETE) (/[!\"$-~]*) HTTP/1\.1")
_FIELDS = re.compile(rb"(?:[A-Za-z0-9-]+:[\t -~]*\r\n){1,64}\r\n")
_FIELD = re.compile(rb"([A-Za-z0-9-]+):[\t ]*(.*?)[\t ]*\r\n")
_LENGTH = re.compile(rb"[0-9]{1,12}")


Handler = Callable[[bytes], Answer | Awaitable[Answer]]
"""From a request's body to its answer, at once or later; never an error."""


class Head(NamedTuple):
    """Of a request. `block` is its fields as they came: clients repeat them, so what they mean is kept by it."""

    method: bytes
    target: bytes
    block: bytes
    length: int


class Desk(Protocol):
    """Who answers. Bodies are smaller than `body_bytes`."""

    body_bytes: int

    @property
    def beginnings(self) -> Iterable[bytes]:
        """What a connection that is for it begins with: method and path, or their first bytes."""

    def find(self, head: Head, transport: asyncio.BaseTransport) -> Handler | None:
        """For that connection. None: aiohttp is to answer."""

    def enter(self) -> bool:
        """Count one more request in flight; False: they are too many."""

    def leave(self) -> None:
        """One less."""


def plain(head: bytes) -> Head | None:
    """None: aiohttp is to read it."""
    line, _, block = head.partition(b"\r\n")
    request = _REQUEST.fullmatch(line)
    fields = fields_of(block) if request is not None else None
    if request is None or fields is None:
        return None
    length = fields.get(b"content-length", b"" if request[1] == b"POST" else b"0")
    return Head(request[1], request[2], block, int(length)) if _LENGTH.fullmatch(length) else None


@lru_cache(maxsize=KEPT_BLOCKS)
def fields_of(block: bytes) -> Mapping[bytes, bytes] | None:
    """The fields of a plain head, by name in lower case; None: it is not plain."""
    if not _FIELDS.fullmatch(block):
        return None
    lines = _FIELD.findall(block)
    fields = {name.lower(): value for name, value in lines}
    if len(fields) < len(lines) or not UNUSUAL.isdisjoint(fields) or b"sec-websocket-" in block.lower():
        return None
    return fields if fields.get(b"connection", b"keep-alive").lower() == b"keep-alive" else None


class Express(Stream):
    """`_held` is what has come and is not answered: part of one request, or more than one. `_later` makes the answer
    to the last one, which the next must wait for."""

    def __init__(self, streams: Streams, desk: Desk, others: Others) -> None:
        super().__init__(streams)
        self._desk = desk
        self._others = others
        self._head = b""
        self._length = 0
        self._answer: Handler | None = None
        self._held = bytearray()
        self._wanted = 0
        self._entered = False
        self._full = False
        self._next: asyncio.Handle | None = None
        self._later: asyncio.Task[None] | None = None

    # --- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self._transport is not None
        tcp_keepalive(self._transport)

    def data_received(self, data: bytes) -> None:
        self._silent = 0
        if not self._held and not self._busy:
            used = self._serve(data)
            if (used < len(data) or self._busy) and not self._gone:
                self._held += data[used:]
                self._go_on()
            return
        self._held += data
        if len(self._held) >= self._wanted and self._next is None and not self._busy:
            self._step()

    def pause_writing(self) -> None:
        self._full = True
        self._mind()

    def resume_writing(self) -> None:
        self._silent = 0
        self._full = False
        self._go_on()

    # --- inside

    @property
    def patience(self) -> int:
        return 1 if self._entered or self._full else PATIENCE

    @property
    def _busy(self) -> bool:
        """What was answered is not taken yet, or not ready."""
        return self._full or self._later is not None

    @property
    def _gone(self) -> bool:
        """It has ended, or is another's."""
        return self not in self._streams.open

    def _serve(self, data: bytes | bytearray) -> int:
        """Answer the first request of `data`; how many bytes it had. 0: its body is under way, or aiohttp has it."""
        assert self._transport is not None
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES) + 4
        head = bytes(data[:end])
        if head != self._head:
            found = plain(head) if end >= 4 else None
            answer = self._desk.find(found, self._transport) if found is not None else None
            if found is None or answer is None or found.length >= self._desk.body_bytes:
                self._pass_on(data)
                return 0
            self._head, self._length, self._answer = head, found.length, answer
        whole = end + self._length
        if len(data) < whole:
            self._await_body(data, whole)
            return 0
        self._arrived()
        assert self._answer is not None
        given = self._answer(bytes(data[end:whole]))
        if isinstance(given, Answer):
            write(self._transport, given, self._streams.outbox)
        else:
            self._later = asyncio.get_running_loop().create_task(self._await(given))
        return whole

    async def _await(self, given: Awaitable[Answer]) -> None:
        answer = await given
        assert self._transport is not None
        self._later = None
        self._silent = 0
        if not self._gone:
            write(self._transport, answer, self._streams.outbox)
            self._go_on()

    def _await_body(self, data: bytes | bytearray, whole: int) -> None:
        if not self._entered and not self._desk.enter():
            self._pass_on(data)
            return
        self._entered = True
        self._wanted = whole

    def _pass_on(self, data: bytes | bytearray) -> None:
        assert self._transport is not None
        self._transport.resume_reading()
        self.hand_over(self._others(), bytes(data))

    def _arrived(self) -> None:
        """No body is under way."""
        if self._entered:
            self._entered = False
            self._wanted = 0
            self._desk.leave()

    def _step(self) -> None:
        """Answer the first request of what is held."""
        self._next = None
        if self._busy or self._gone:
            return
        used = self._serve(self._held)
        if not self._gone:
            del self._held[:used]
            self._go_on()

    def _go_on(self) -> None:
        """The next request that is held has its turn; when there is none as a whole, read on."""
        assert self._transport is not None
        if not self._busy and self._next is None and self._held and len(self._held) >= self._wanted:
            self._next = asyncio.get_running_loop().call_soon(self._step)
        self._mind()

    def _mind(self) -> None:
        """Nothing is read while something is to be done first."""
        assert self._transport is not None
        if self._transport.is_closing():
            return
        if self._busy or self._next is not None:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _forget(self) -> None:
        super()._forget()
        self._arrived()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._later is not None:
            self._later.cancel()
            self._later = None


def write(transport: asyncio.Transport, answer: Answer, outbox: Outbox | None = None) -> None:
    """Small answers with those of others, at the end of this turn of the loop."""
    head = _head(answer.status, answer.media, int(time.time()))
    if answer.headers:
        head += b"".join(f"{name}: {value}\r\n".encode() for name, value in answer.headers.items())
    if len(answer.body) >= COPIED_BYTES:
        if outbox is not None:
            outbox.flush()
        transport.writelines((b"%bContent-Length: %d\r\n\r\n" % (head, len(answer.body)), answer.body))
        return
    if answer.status in (204, 304):
        data = head + b"\r\n"
    else:
        data = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(answer.body), answer.body)
    if outbox is None:
        transport.write(data)
    else:
        outbox.put(transport, data)


@lru_cache(maxsize=64)
def _head(status: int, media: str, second: int) -> bytes:
    kind = f"Content-Type: {media}\r\n" if media else ""
    date = formatdate(second, usegmt=True)
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{kind}Date: {date}\r\n".encode()
