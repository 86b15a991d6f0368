"""One connection to an instance: it sends what an exchange gives it, and cuts what comes back into an answer.

    idle ──start──► busy: head ──► body (counted, chunked, or until the connection closes) ──► idle
                      └── 101 ──► tunnel: raw bytes until either side closes

Invariant: a connection serves one exchange at a time, and goes back to its pool only after a whole answer to a wholly
sent request, with nothing behind it. Anything else closes it: bytes that nobody asked for, a malformed or incomplete
answer, `Connection: close`, an answer that came before the request had ended.

Not here: what is done with the answer (`exchange`), keeping connections (`pool`).
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, cast

from gateway.answer_heads import AnswerHead, read_answer, trailer_lines
from gateway.chunked import ChunkedReader
from gateway.fields import Malformed
from gateway.reader import CHUNKED, UNTIL_CLOSE, AnswerReader
from gateway.ticker import NEVER

if TYPE_CHECKING:
    from gateway.exchange import Exchange
    from gateway.pool import Pool

HEAD = -3
"""`_left` while the head is awaited."""

MAX_INTERIM = 64
"""1xx answers before the real one; more is garbage."""

TLS_HIGH_BYTES = 65_536
"""Of what waits to be written, as without TLS; uvloop's own is 512 KiB."""
FLUSH_S = 5.0
"""A closed connection may take this long to send what is written."""

MAX_ANSWER_HEAD_BYTES = 65_536
MAX_ANSWER_FIELDS = 200


class UpstreamConnection(asyncio.Protocol):
    __slots__ = (
        "_chunked", "_head", "_interim", "_keep", "_left", "_method", "_paused", "_reader", "_sock", "_transport",
        "born", "deadline", "exchange", "pool", "reused",
    )  # fmt: skip

    def __init__(self, pool: Pool, sock: socket.socket) -> None:
        self.pool = pool
        self.exchange: Exchange | None = None
        self.deadline = NEVER
        self.born = time.monotonic()
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._reader = AnswerReader(MAX_ANSWER_HEAD_BYTES)
        self._chunked: ChunkedReader | None = None
        self._left = HEAD
        self._keep = False
        self._interim = 0
        self._paused = False
        self._head: AnswerHead | None = None
        self._method = b""
        """The head of the last answer, and what it answered; used again while the instance sends the same one."""
        self.reused = False
        """It has rested: its other end may have gone."""

    # --- used by the exchange

    def start(self, exchange: Exchange, head: bytes) -> None:
        self.exchange = exchange
        self.deadline = NEVER
        self._left = HEAD
        self._interim = 0
        self.write(head)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self.pool.outbox.put(self._transport, data)

    def write_eof(self) -> bool:
        """False: its end cannot be told alone (TLS)."""
        if self._transport is None or not self._transport.can_write_eof():
            return False
        self.pool.outbox.flush()
        self._transport.write_eof()
        return True

    def pause(self) -> None:
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()

    def abort(self) -> None:
        self.close(at_once=True)

    def close(self, *, at_once: bool) -> None:
        """At once, or after what is written; the exchange hears nothing more."""
        self.exchange = None
        if self._transport is None:
            return
        if at_once:
            self._transport.abort()
        else:
            self.pool.outbox.flush()
            self.deadline = time.monotonic() + FLUSH_S
            self._transport.close()

    def alive(self) -> bool:
        """Asks the kernel: a connection whose other end has closed, or that has unread bytes, is not usable."""
        if self._transport is None or self._transport.is_closing():
            return False
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def expire(self, now: float) -> None:
        """Idle, or closing, for too long."""
        self.deadline = NEVER
        self.pool.forget(self)
        self.abort()

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.pool.endpoint.secure:
            self._transport.set_write_buffer_limits(high=TLS_HIGH_BYTES)
        self.pool.opened(self)

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.pool.forget(self)
            self.abort()
            return
        try:
            if self._left == HEAD:
                self._read_head(exchange, data)
            else:
                self._read_body(exchange, data)
        except Malformed as error:
            self.abort()
            exchange.attempt_failed("garbage", str(error))

    def eof_received(self) -> bool:
        self.pool.outbox.flush()
        exchange = self.exchange
        if exchange is None:
            self.pool.forget(self)
            return False
        return exchange.tunnelled and exchange.upstream_eof() and not self.pool.endpoint.secure

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.pool.closed(self)
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if self._left == UNTIL_CLOSE and error is None and not exchange.tunnelled:
            exchange.answer_done(None)
        else:
            exchange.attempt_failed("died", str(error) if error else "it closed the connection")

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.upstream_full()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.upstream_writable()

    # --- the answer

    def _read_head(self, exchange: Exchange, data: bytes) -> None:
        reader = self._reader
        rest: bytes | None = data
        while rest:
            rest = reader.read_head(rest)
            if rest is None:
                return
            head = self._head
            if head is None or not reader.same or exchange.method != self._method:
                self._method = exchange.method
                head = self._head = read_answer(
                    reader.status, reader.reason, reader.minor, reader.block, exchange.method, MAX_ANSWER_FIELDS
                )
            if head.status >= 200:
                break
            if head.status == 101:
                self._left = UNTIL_CLOSE
                exchange.upgraded(head, rest)
                return
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise Malformed(502, "too many interim answers")
            exchange.interim(head)
        else:
            return
        self._keep = head.keep_alive
        if head.length >= 0 and len(rest) >= head.length:
            self._whole(exchange, head, rest)
            return
        self._left = head.length
        exchange.answer(head)
        if self.exchange is None:
            return
        if head.length == CHUNKED:
            self._chunked = ChunkedReader()
        if rest:
            self._read_body(exchange, rest)
        else:
            exchange.relay.flush()

    def _whole(self, exchange: Exchange, head: AnswerHead, rest: bytes) -> None:
        """Head and body came at once, as most answers do."""
        surplus = len(rest) - head.length
        if surplus:
            rest = rest[: head.length]
        exchange.answer_whole(head, rest, self._free(exchange, surplus > 0))

    def _read_body(self, exchange: Exchange, data: bytes) -> None:
        left = self._left
        if left > 0:
            size = len(data)
            if size < left:
                self._left = left - size
                exchange.relay.data(data)
                return
            exchange.relay.data(data if size == left else data[:left])
            exchange.answer_done(self._free(exchange, size > left))
        elif self._chunked is not None:
            self._read_chunked(exchange, self._chunked, data)
        else:
            exchange.relay.data(data)

    def _read_chunked(self, exchange: Exchange, chunked: ChunkedReader, data: bytes) -> None:
        pieces, rest = chunked.read(data)
        exchange.relay.pieces(pieces)
        if rest is None:
            exchange.relay.flush()
            return
        trailers = trailer_lines(chunked.trailers) if chunked.trailers else b""
        self._chunked = None
        exchange.answer_done(self._free(exchange, bool(rest)), trailers)

    def _free(self, exchange: Exchange, surplus: bool) -> UpstreamConnection | None:
        """The answer is whole: this connection, if nothing speaks against its being used again, else closed."""
        self.exchange = None
        if self._paused:
            self.resume()
        transport = self._transport
        again = self._keep and not surplus and exchange.request_done
        if again and transport is not None and not transport.is_closing():
            return self
        self.abort()
        return None
