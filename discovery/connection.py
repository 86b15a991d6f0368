"""One kept-alive HTTP/1.1 connection to a peer, one POST at a time: the least that a message between nodes costs.

    answer = await connection.post(head, body)

`head` is a whole request head without its Content-Length line. Answers have a body delimited by Content-Length or
chunks. Everything unexpected ends the connection: bytes after an answer, an answer nobody waits for, an answer that
ends with the connection, an upgrade, a body above the limit. An ended connection is never used again.

Why not aiohttp's client: a POST costs it 140 µs of processor time and this a third of that, and nodes do little else.

Source: RFC 9112; the parser is llhttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools

from discovery.auth import MAC, NONCE

WANTED = {MAC.lower().encode(): 0, NONCE.lower().encode(): 1}


class Answer(NamedTuple):
    status: int
    mac: str
    nonce: str
    body: bytes


class Broken(ConnectionError):
    """No whole answer came; `silent`: not a byte of one."""

    def __init__(self, reason: str, silent: bool) -> None:
        super().__init__(reason)
        self.silent = silent


class Connection(asyncio.Protocol):
    """`open` until it has ended; `used` once an answer has come over it."""

    def __init__(self, max_body_bytes: int, lost: Callable[[], None]) -> None:
        """`lost` is called when the connection ends from over there."""
        self.open = True
        self.used = False
        self._max_body_bytes = max_body_bytes
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        self._begun = False
        self._headers = ["", ""]
        self._body: list[bytes] = []
        self._body_bytes = 0

    async def post(self, head: bytes, body: bytes) -> Answer:
        """Raises Broken. When cancelled the connection ends: its next answer would be another request's."""
        if self._transport is None or not self.open or self._waiting is not None:
            raise Broken("the connection has ended", silent=True)
        self._waiting = waiting = asyncio.get_running_loop().create_future()
        self._begun = False
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        try:
            answer: Answer = await waiting
            return answer
        except asyncio.CancelledError:
            self.end("given up")
            raise

    def end(self, reason: str) -> None:
        """Close at once; whoever waits for an answer gets Broken."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(Broken(reason, silent=not self._begun))

    # --- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.open:
            self._lost()
        self.end(str(error) if error else "the peer closed the connection")

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.end("bytes that belong to no request")
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.end(f"not an answer: {error}")

    # --- httptools' callbacks

    def on_message_begin(self) -> None:
        if self._waiting is None:
            self.end("bytes after an answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        place = WANTED.get(name.lower())
        if place is not None:
            self._headers[place] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > self._max_body_bytes:
            self.end(f"an answer of more than {self._max_body_bytes} bytes")
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        waiting, self._waiting = self._waiting, None
        status = self._parser.get_status_code()
        mac, nonce = self._headers
        answer = Answer(status, mac, nonce, b"".join(self._body))
        self._headers = ["", ""]
        self._body, self._body_bytes = [], 0
        if waiting is None or waiting.done():
            self.end("an answer that belongs to no request")
        elif status < 200:
            self.end(f"answered {status}")
            waiting.set_exception(Broken(f"answered {status}", silent=False))
        else:
            self.used = True
            if not self._parser.should_keep_alive():
                self.end("the peer asks for it")
            waiting.set_result(answer)
