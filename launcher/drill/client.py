"""The drill's own HTTP client: one call, one try, and everything about it is known.

Well-known clients repeat a safe call by themselves when a kept connection turns out to be broken, which hides what a
drill is there to find. This one never does. It says how old the connection was, how many calls it had carried, and how
a call ended: answered, cut after so many bytes, refused, or without an answer in time.

Source: RFC 9112; the parser is httptools (llhttp).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field

import httptools

from shared.tls import failure

READ_BYTES = 65_536
MAX_KEPT = 200
KEEP_S = 4.0
"""A kept connection that was idle for longer is closed rather than used, as Node's client does."""

KEPT_BODY = 2_000


class Cut(Exception):
    """The call has no whole answer: why."""


@dataclass
class Answer:
    status: int = 0
    path: str = ""
    """X-Plexmesh-Path."""
    body: bytes = b""
    """Its first 2,000 bytes."""
    keep: bool = False
    done: bool = False


class _Reading:
    """httptools calls these."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.parser: httptools.HttpResponseParser | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-plexmesh-path":
            self.answer.path = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        if len(self.answer.body) < KEPT_BODY:
            self.answer.body += body

    def on_message_complete(self) -> None:
        assert self.parser is not None
        self.answer.done = True
        self.answer.status = self.parser.get_status_code()
        self.answer.keep = self.parser.should_keep_alive()


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    made: float
    used: float = 0.0
    carried: int = 0
    gateway: str = ""
    """The LPAR of the gateway at the other end, known from the first answer."""

    @property
    def usable(self) -> bool:
        """Nobody has closed it meanwhile, as far as can be known before a byte is sent."""
        idle_s = time.monotonic() - self.used
        return not self.reader.at_eof() and not self.writer.is_closing() and idle_s < KEEP_S

    async def call(self, head: bytes, body: bytes) -> Answer:
        """Raises Cut."""
        answer = Answer()
        reading = _Reading(answer)
        reading.parser = parser = httptools.HttpResponseParser(reading)
        try:
            self.writer.write(head + body)
            while not answer.done:
                part = await self.reader.read(READ_BYTES)
                if not part:
                    raise Cut("connection closed in the middle of an answer" if answer.body else "connection closed")
                parser.feed_data(part)
        except httptools.HttpParserError as error:
            raise Cut(f"not HTTP: {error}") from error
        except OSError as error:
            raise Cut(_reason(error)) from error
        self.carried += 1
        self.used = time.monotonic()
        self.gateway = answer.path.partition("/")[0] or self.gateway
        return answer

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class Client:
    """Calls to one address; kept connections are used last in, first out."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    _kept: list[Connection] = field(default_factory=list)

    async def connect(self) -> Connection:
        """Raises Cut."""
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        except OSError as error:
            raise Cut(f"cannot connect: {_reason(error)}") from error
        return Connection(reader, writer, time.monotonic())

    def kept(self) -> Connection | None:
        while self._kept:
            connection = self._kept.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection, answer: Answer) -> None:
        if answer.keep and len(self._kept) < MAX_KEPT:
            self._kept.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        for connection in self._kept:
            connection.close()
        self._kept.clear()


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return failure(error)
    return error.strerror or str(error) or type(error).__name__
