"""One client's connection: requests in, answers out, in order.

It reads one request at a time. While an exchange is under way, what the client sends beyond it (pipelined requests) is
held, at most one read of it, and reading stops; a client that does not read its answers gets no further request begun.
So the memory one client can take is bounded by its socket's buffers and ours.

Time-outs, one `deadline` for whatever is awaited: a head (408 when a part of it is here, else a quiet close), the next
bytes of a body (408), the first byte of an answer (504), room to write (reset). After an early answer the rest of the
request is read and thrown away for a moment, because closing with unread bytes would reset the connection and could
take the answer with it.

Not here: what happens to a request (`exchange`), what a head means (`heads`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import cast

from gateway import forwarding
from gateway.datapath import DataPath
from gateway.exchange import FOR_TURN, Exchange, State
from gateway.heads import RequestFields, read_fields, read_request
from gateway.reader import CHUNKED, NONE, Malformed, RequestReader
from gateway.replies import error_answer
from gateway.ticker import NEVER

READY, WAITING, TUNNEL = State.READY, State.WAITING, State.TUNNEL

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: close by RST, which no client takes for the end of a body."""


class Downstream(asyncio.Protocol):
    __slots__ = (
        "_ahead", "_body_bytes", "_closing", "_config", "_dripping", "_eof", "_fields", "_full", "_left", "_loops",
        "_path", "_paused", "_peer", "_port", "_reader", "_relayed", "_sock", "_transport", "_waiting", "_who",
        "_who_for", "deadline", "exchange",
    )  # fmt: skip

    def __init__(self, path: DataPath, sock: socket.socket) -> None:
        config = path.config
        self._path = path
        self._config = config
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._reader = RequestReader(config.max_head_bytes, config.max_fields, config.max_request_line_bytes)
        self._fields: RequestFields | None = None
        """Of the last head; used again while the client sends the same ones."""
        self._left = NONE
        """Of the body being read: bytes, or CHUNKED."""
        self._ahead = b""
        self._body_bytes = 0
        self._eof = self._full = self._closing = self._loops = self._dripping = False
        self._paused = 0
        """Reasons not to read, as bits."""
        self._relayed = self._waiting = 0
        self._who = self._who_for = b""
        self.deadline = NEVER
        self.exchange = Exchange(self, path)

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._peer = peer[0].encode() if peer else b"unknown"
        self._port = own[1] if own else 0
        self.deadline = time.monotonic() + self._config.head_timeout_s
        self._path.clients.add(self)
        self._path.ticker.add(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        state = self.exchange.state
        if self._left != NONE:
            self._body(data)
        elif state is READY and not self._full:
            self._requests(self._ahead + data if self._ahead else data)
        elif state is TUNNEL:
            self.exchange.tunnel(data)
        else:
            self._ahead += data
            self.pause(FOR_TURN)

    def eof_received(self) -> bool:
        """A client may close its sending side and still wait for its answer."""
        self._eof = True
        if self.exchange.state is TUNNEL:
            self.deadline = time.monotonic() + self._config.half_closed_s
            return self.exchange.client_eof()
        if self._closing or self._left != NONE or (self.exchange.state is READY and not self._ahead):
            return False
        if self.deadline == NEVER:
            self.deadline = time.monotonic() + self._config.half_closed_s
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._ahead = b""
        self._path.client_left(self)
        self.exchange.client_gone()

    def pause_writing(self) -> None:
        self._full = True
        self.deadline = time.monotonic() + self._config.body_timeout_s
        self.exchange.client_full()

    def resume_writing(self) -> None:
        self._full = False
        self.deadline = NEVER
        self.exchange.client_writable()
        if self.exchange.state is READY and not self._closing:
            self._rest(time.monotonic())

    # --- requests

    def _requests(self, data: bytes) -> None:
        """Begin requests as long as they can be answered on the spot; otherwise one."""
        if self._paused:
            self._ahead = b""
            self.resume(FOR_TURN)
        self._loops = True
        try:
            while data and self.exchange.state is READY and not self._full and not self._closing:
                rest = self._reader.read_head(data)
                if rest is None:
                    self._await_head()
                    break
                data = rest
                self._begin()
                if self._left != NONE and data:
                    data = self._body(data)
            else:
                if data and not self._closing:
                    self._ahead = data
                    self.pause(FOR_TURN)
        except Malformed as error:
            self._malformed(error)
        self._loops = False

    def _begin(self) -> None:
        reader = self._reader
        self._dripping = False
        fields = self._fields
        if fields is None or not reader.same:
            fields = self._fields = read_fields(reader.minor, reader.fields)
        head = read_request(reader.method, reader.target, fields)
        self._left = length = fields.length
        reader.expect(length)
        if length != NONE:
            self._check_length(length)
        self.exchange.begin(head)

    def _check_length(self, length: int) -> None:
        self._body_bytes = 0
        limit = self._config.max_body_bytes
        if limit and length > limit:
            raise Malformed(413, f"the body is larger than {limit} bytes")

    def _await_head(self) -> None:
        """A part of a head is here: the rest of it must come in time, however slowly its bytes drip."""
        if not self._dripping:
            self._dripping = True
            self.deadline = time.monotonic() + self._config.head_timeout_s

    def _body(self, data: bytes) -> bytes:
        """Take bytes of a body; returns those after it (held already when a request is under way)."""
        try:
            rest = self._chunked(data) if self._left == CHUNKED else self._counted(data)
        except Malformed as error:
            self._path.meters.malformed += 1
            self._left = NONE
            self.exchange.refuse(error.status, str(error))
            return b""
        if self._left != NONE:
            self._expect_more()
        elif not self._closing:
            self.exchange.request_done = True
            if self.exchange.state is WAITING:
                self.deadline = time.monotonic() + self._config.response_timeout_s
        if rest and not self._loops:
            self.data_received(rest)
        return rest

    def _counted(self, data: bytes) -> bytes:
        left, size = self._left, len(data)
        if size < left:
            self._left = left - size
            self.exchange.body(data)
            return b""
        self._left = NONE
        self.exchange.body(data if size == left else data[:left])
        return data[left:]

    def _chunked(self, data: bytes) -> bytes:
        pieces, rest = self._reader.read_chunked(data)
        self._body_bytes += sum(map(len, pieces))
        limit = self._config.max_body_bytes
        if limit and self._body_bytes > limit:
            raise Malformed(413, f"the body is larger than {limit} bytes")
        if rest is not None:
            self._left = NONE
        end = b"" if rest is None else b"0\r\n\r\n"
        if pieces or end:
            self.exchange.body(forwarding.chunks(pieces) + end)
        return rest or b""

    def _expect_more(self) -> None:
        if self.exchange.state is WAITING:
            self.deadline = time.monotonic() + self._config.body_timeout_s

    def _malformed(self, error: Malformed) -> None:
        self._path.meters.malformed += 1
        self._left = NONE
        self.reply(error.status, str(error), keep_alive=False)

    # --- used by the exchange

    def who_asked(self, host: bytes) -> bytes:
        """The lines that say so to an instance."""
        if host != self._who_for or not self._who:
            self._who_for = host
            self._who = forwarding.forwarded(self._peer, host, self._port)
        return self._who

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def write_eof(self) -> bool:
        """Pass on that the other end of a tunnel sends no more; True: the other direction stays open."""
        if self._transport is None or self._eof:
            return False
        self._transport.write_eof()
        return True

    def pause(self, reason: int) -> None:
        if not self._paused and self._transport is not None:
            self._transport.pause_reading()
        self._paused |= reason

    def resume(self, reason: int) -> None:
        if self._paused:
            self._paused &= ~reason
            if not self._paused and self._transport is not None:
                self._transport.resume_reading()

    def await_answer(self, now: float) -> None:
        config = self._config
        self.deadline = now + (config.response_timeout_s if self._left == NONE else config.body_timeout_s)

    def tunnel(self) -> None:
        self.deadline = NEVER
        ahead, self._ahead = self._ahead, b""
        if ahead:
            self.exchange.tunnel(ahead)
        self.resume(FOR_TURN)

    def answered(self, keep_alive: bool, now: float) -> None:
        """The answer is written; what next?"""
        if not keep_alive:
            self._finish(now)
        elif not self._full:
            self._rest(now)

    def reply(self, status: int, content: str, number: str = "", *, keep_alive: bool) -> None:
        """An answer of the gateway's own."""
        keep_alive = keep_alive and not self._path.draining
        body_wanted = self._reader.method != b"HEAD"
        self.write(error_answer(status, content, number=number, close=not keep_alive, body_wanted=body_wanted))
        self.answered(keep_alive, time.monotonic())

    def _rest(self, now: float) -> None:
        """Between requests: the next one is here already, or may take its time."""
        self.deadline = now + self._config.idle_timeout_s
        if self._loops:
            return
        if self._ahead:
            self._requests(self._ahead)
        if self._eof and not self._ahead and self.exchange.state is READY:
            self.close()

    def _finish(self, now: float) -> None:
        """Close after the last answer, without losing it."""
        self._ahead = b""
        if self._transport is None:
            return
        self._left = NONE
        if self._eof:
            self.close()
            return
        self._closing = True
        self.deadline = now + self._config.linger_s
        self._transport.write_eof()
        self._paused = 0
        self._transport.resume_reading()

    def close(self) -> None:
        """After what is written, which must go out in time."""
        self._closing = True
        self.deadline = time.monotonic() + self._config.body_timeout_s
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """End the connection so that no client takes what it has for a whole answer."""
        if self._transport is not None:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()

    # --- time-outs

    def expire(self, now: float) -> None:
        self.deadline = NEVER
        state = self.exchange.state
        if self._closing or self._full:
            self._check_flow(now)
        elif state is READY:
            if self._reader.holding:
                self.reply(408, "the head of the request did not arrive in time", keep_alive=False)
            else:
                self.close()
        elif self._left != NONE and not self._paused:
            self._left = NONE
            self.exchange.refuse(408, "the body of the request stopped arriving")
        elif state is WAITING:
            self.exchange.attempt_failed("slow", "no answer in time")
        elif self._eof:
            self._check_half_closed(now)

    def _check_flow(self, now: float) -> None:
        """Bytes wait to be sent: a slow client may have them, one that takes none is cut. Without any, it is over."""
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        if waiting and waiting != self._waiting:
            self._waiting = waiting
            self.deadline = now + self._config.body_timeout_s
        elif waiting:
            self.reset()
        elif self._transport is not None:
            self._transport.abort()

    def _check_half_closed(self, now: float) -> None:
        """It cannot be seen whether a client that sends no more still reads; that the answer moves is a sign."""
        if self._relayed == self.exchange.relayed_bytes:
            self.reset()
        self._relayed = self.exchange.relayed_bytes
        self.deadline = now + self._config.half_closed_s

    # --- the end of the gateway

    def rest_is_over(self) -> bool:
        """While draining: close a connection at rest; False when an exchange is under way."""
        if self.exchange.state is not READY:
            return False
        self.close()
        return True
