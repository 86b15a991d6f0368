"""One client's connection: requests in, answers out, in order.

It reads one request at a time. While an exchange is under way, what the client sends beyond it (pipelined requests) is
held, and reading stops when that is more than a little; a client that does not read its answers gets no further request
begun. So the memory one client can take is bounded by its socket's buffers and ours.

Time-outs, one `deadline` for whatever is awaited: a head (408 when a part of it is here, else a quiet close), the next
bytes of a body (408), the first byte of an answer (504), room to write (reset). After an early answer the rest of the
request is read and thrown away for a moment, because closing with unread bytes would reset the connection and could
take the answer with it.

Not here: what happens to a request (`exchange`), what a head means (`heads`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import ssl
import struct
import termios
import time
from typing import cast

from gateway import forwarding, vouching
from gateway.chunked import ChunkedReader
from gateway.datapath import DataPath
from gateway.exchange import FOR_TURN, Exchange, State
from gateway.fields import Malformed
from gateway.heads import RequestFields, read_fields, read_target
from gateway.paths import normalised
from gateway.reader import CHUNKED, NONE, RequestReader
from gateway.replies import error_answer
from gateway.ticker import NEVER
from gateway.upstream import TLS_HIGH_BYTES
from shared.tls import peer

NO_LIMIT = 1 << 62

MAX_AHEAD_BYTES = 16_384
"""Of requests sent ahead of their turn; with more held, the client is not read from."""

TCP_CLOSE = 7  # linux/tcp_states.h
ACKNOWLEDGED = 120  # linux/tcp.h: where tcpi_bytes_acked is in struct tcp_info

READY, WAITING, ANSWERING, TUNNEL = State.READY, State.WAITING, State.ANSWERING, State.TUNNEL

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: close by RST, which no client takes for the end of a body."""


class Downstream(asyncio.Protocol):
    __slots__ = (
        "_ahead", "_chunked", "_closing", "_config", "_dripping", "_eof", "_fields", "_full", "_idle_s",
        "_introduced", "_left", "_loops", "_minor", "_path", "_paused", "_port", "_reader", "_relayed", "_sock",
        "_transport", "_trusted", "_waiting", "_who", "_who_for", "block", "deadline", "exchange", "peer",
        "requests_left",
    )  # fmt: skip

    def __init__(self, path: DataPath, sock: socket.socket, peer: str, port: int) -> None:
        """`peer` is the client's address, `port` the one it came to."""
        config = path.config
        self._path = path
        self._config = config
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._reader = RequestReader(config.max_head_bytes, config.max_request_line_bytes)
        self._fields: RequestFields | None = None
        self.block = b""
        self._minor = 1
        """The last head's fields, as they came; what they mean is used again while the client sends the same ones."""
        self._chunked: ChunkedReader | None = None
        self._left = NONE
        """Of the body being read: bytes, or CHUNKED."""
        self._ahead = b""
        self._eof = self._full = self._closing = self._loops = self._dripping = False
        self._paused = 0
        """Reasons not to read, as bits."""
        self._relayed = self._waiting = 0
        self.requests_left = config.max_requests_per_connection or NO_LIMIT
        self._idle_s = 0.0
        """How long the answer or tunnel under way may rest; 0: for ever."""
        self._who = self._who_for = b""
        self._introduced: dict[tuple[str, ...], bytes] | None = None
        """What services are told of its certificate, by the headers they want; it stays the same one."""
        self._trusted = path.trusts(peer)
        self._port = port
        self.peer = peer.encode()
        self.deadline = NEVER
        self.exchange = Exchange(self, path)

    @property
    def certificate(self) -> str:
        """The common name of the one it has shown, if that is believed."""
        return peer(self._transport)

    def introduced(self, headers: tuple[str, ...]) -> bytes:
        """As `vouching.lines` has it."""
        known = self._introduced
        if known is None:
            known = self._introduced = {}
        said = known.get(headers)
        if said is None:
            said = known[headers] = vouching.lines(self.tls, headers, self._config.access)
        return said

    @property
    def tls(self) -> ssl.SSLObject | None:
        """Of its connection; None: in plain."""
        found = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        return found if isinstance(found, ssl.SSLObject) else None

    # --- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._config.tls:
            self._transport.set_write_buffer_limits(high=TLS_HIGH_BYTES)
        self.deadline = time.monotonic() + self._config.head_timeout_s
        self._path.ticker.add(self)
        if not self._path.client_came(self):
            self.reply(503, "this address has too many connections already", keep_alive=False)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        state = self.exchange.state
        if self._left != NONE:
            self._body(data)
        elif state is READY and not self._full:
            self._serve(self._ahead + data if self._ahead else data)
        elif state is TUNNEL:
            self.exchange.tunnel(data)
        else:
            self._ahead += data
            if len(self._ahead) > MAX_AHEAD_BYTES:
                self.pause(FOR_TURN)

    def eof_received(self) -> bool:
        """A client may close its sending side and still wait for its answer; not with TLS."""
        return self._half_closed() and not self._config.tls

    def _half_closed(self) -> bool:
        self._path.outbox.flush()  # the loop may close the connection now
        self._eof = True
        if self.exchange.state is TUNNEL:
            self.deadline = time.monotonic() + self._config.half_closed_s
            return self.exchange.client_eof()
        if self._closing or self._left != NONE or (self.exchange.state is READY and not self._ahead):
            return False
        if self.exchange.state is ANSWERING or self.deadline == NEVER:
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
        now = time.monotonic()
        self.exchange.client_writable()
        if self._closing:
            return
        if self.exchange.state is READY:
            self._rest(now)
        elif self.exchange.state is WAITING:
            self.await_answer(now)
        else:
            self.deadline = now + self._idle_s if self._idle_s else NEVER

    # --- requests

    def _serve(self, data: bytes) -> None:
        """Begin requests as long as they can be answered on the spot; otherwise one."""
        if self._ahead:
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
        except Malformed as error:
            self._malformed(error)
        self._loops = False
        if self._eof and (self._left != NONE or self._reader.holding):
            self.close()  # what is here of a request will never be more

    def _begin(self) -> None:
        reader = self._reader
        self._dripping = False
        fields = self._fields
        if fields is None or reader.block != self.block or reader.minor != self._minor:
            fields = self._fields = read_fields(reader.minor, reader.block, self._config.max_fields)
            self.block, self._minor = reader.block, reader.minor
        path, query = reader.path, reader.query
        if reader.target:
            path, query = read_target(reader.method, reader.target, fields.facts.host)
            path = normalised(path)
        length = self._left = fields.facts.length
        if length == CHUNKED:
            self._chunked = ChunkedReader()
        self.requests_left -= 1
        self.exchange.begin(reader.method, path, query, fields)

    def _await_head(self) -> None:
        """A part of a head is here: the rest of it must come in time, however slowly its bytes drip."""
        if not self._dripping:
            self._dripping = True
            self.deadline = time.monotonic() + self._config.head_timeout_s

    def _body(self, data: bytes) -> bytes:
        """Take bytes of a body; returns those after it (held already when a request is under way)."""
        try:
            rest = self._read_chunked(data) if self._left == CHUNKED else self._counted(data)
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
                self.await_answer(time.monotonic())
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

    def _read_chunked(self, data: bytes) -> bytes:
        assert self._chunked is not None
        pieces, rest = self._chunked.read(data)
        if self.exchange.too_large(self._chunked.body_bytes):
            raise Malformed(413, "the body is too large")
        if rest is not None:
            self._left = NONE
            self._chunked = None
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
        self.exchange.refuse_head(error.status)
        self.reply(error.status, str(error), keep_alive=False)

    # --- used by the exchange

    def who_asked(self, fields: RequestFields) -> bytes:
        """The lines that say so to an instance."""
        host = fields.facts.host
        if fields.aside and self._trusted:
            return forwarding.forwarded(self.peer, host, self._port, fields.aside, secure=self._config.tls)
        if host != self._who_for or not self._who:
            self._who_for = host
            self._who = forwarding.forwarded(self.peer, host, self._port, secure=self._config.tls)
        return self._who

    def caller(self, fields: RequestFields) -> bytes:
        """The address a call came from: the client's, or the one a trusted proxy says called it."""
        if self._trusted:
            for field in fields.aside:
                if field.key == b"x-forwarded-for":
                    return field.value.rpartition(b",")[2].strip()
        return self.peer

    @property
    def target(self) -> bytes:
        """Of the request under way, as it came."""
        return self._reader.target or self._reader.path + self._reader.query

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._path.outbox.put(self._transport, data)

    def write_eof(self) -> bool:
        """Pass on that the other end of a tunnel sends no more; True: the other direction stays open."""
        if self._transport is None or self._eof or not self._transport.can_write_eof():
            return False
        self._path.outbox.flush()
        self._transport.write_eof()
        return True

    def pause(self, reason: int) -> None:
        if not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._path.ticker.look_after(self)
        self._paused |= reason

    def resume(self, reason: int) -> None:
        if self._paused:
            self._paused &= ~reason
            if not self._paused and self._transport is not None:
                self._transport.resume_reading()
                self._path.ticker.leave_alone(self)

    def look(self) -> None:
        """While it is not read from, only the kernel knows that a client has reset its connection."""
        with contextlib.suppress(OSError):
            if self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE and self._transport:
                self._transport.abort()

    def await_answer(self, now: float) -> None:
        if self._left == NONE:
            exchange = self.exchange
            within_s = exchange.route.limits.response_s or self._config.response_timeout_s
            since = exchange.started if exchange.tries > 1 and exchange.repeatable else now
            self.deadline = since + within_s  # one time for all tries of a call
        else:
            self.deadline = now + self._config.body_timeout_s

    def await_body(self, now: float, idle_s: float | None, *, endless: bool) -> None:
        """The answer has begun; `endless`: it may rest for as long as it likes."""
        self._idle_s = 0.0 if endless else idle_s or self._config.answer_idle_s
        self._relayed = self.exchange.relay.moved_bytes
        rest_s = self._config.half_closed_s if self._eof else self._idle_s
        self.deadline = now + rest_s if rest_s else NEVER

    def tunnel(self, idle_s: float | None) -> None:
        self._idle_s = idle_s or self._config.tunnel_idle_s
        self._relayed = self.exchange.relay.moved_bytes
        self.deadline = time.monotonic() + self._idle_s if self._idle_s else NEVER
        ahead, self._ahead = self._ahead, b""
        if ahead:
            self.exchange.tunnel(ahead)
        self.resume(FOR_TURN)

    def answered(self, keep_alive: bool, now: float) -> None:
        """The answer is written; what next?"""
        if not keep_alive:
            self._finish(now)
        elif self._full:
            self._idle_s = 0.0
        else:
            self.deadline = now + self._config.idle_timeout_s
            if not self._loops and (self._ahead or self._eof):
                self._rest(now)

    def reply(self, status: int, content: str, number: str = "", *, keep_alive: bool, extra: bytes = b"") -> None:
        """An answer of the gateway's own; `extra` are more lines of its head."""
        keep_alive = keep_alive and not self._path.draining
        body_wanted = self._reader.method != b"HEAD"
        close = not keep_alive
        extra += self._path.told
        self.write(error_answer(status, content, number=number, close=close, body_wanted=body_wanted, extra=extra))
        self.answered(keep_alive, time.monotonic())

    def _rest(self, now: float) -> None:
        """Between requests: the next one is here already, or may take its time."""
        self.deadline = now + self._config.idle_timeout_s
        if self._loops:
            return
        if self._ahead:
            self._serve(self._ahead)
        if self._eof and not self._ahead and self.exchange.state is READY:
            self.close()

    def _finish(self, now: float) -> None:
        """Close after the last answer, without losing it."""
        self._ahead = b""
        if self._transport is None:
            return
        self._left = NONE
        if self._eof or not self._transport.can_write_eof():
            self.close()
            return
        self._closing = True
        self.deadline = now + self._config.linger_s
        self._path.outbox.flush()
        self._transport.write_eof()
        self._paused = 0
        self._path.ticker.leave_alone(self)
        self._transport.resume_reading()

    def close(self) -> None:
        """After what is written, which must go out in time."""
        self._closing = True
        self.deadline = time.monotonic() + self._config.body_timeout_s
        if self._transport is not None:
            self._path.outbox.flush()
            self._transport.close()

    def reset(self) -> None:
        """End the connection so that no client takes what it has for a whole answer."""
        if self._transport is not None:
            self._path.outbox.flush()
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()

    # --- time-outs

    def expire(self, now: float) -> None:
        self.deadline = NEVER
        state = self.exchange.state
        meters = self._path.meters
        if self._closing or self._full:
            self._check_flow(now)
        elif state is READY:
            self._no_request()
        elif self._left != NONE and not self._paused and state is not ANSWERING:
            self._left = NONE
            meters.body_timeouts += 1
            self.exchange.refuse(408, "the body of the request stopped arriving")
        elif state is WAITING:
            meters.response_timeouts += 1
            self.exchange.attempt_failed("slow", "no answer in time")
        elif self._eof:
            self._check_half_closed(now)
        elif self._idle_s:
            self._check_rest(now)

    def _no_request(self) -> None:
        meters = self._path.meters
        if self._reader.holding:
            meters.head_timeouts += 1
            self.exchange.refuse_head(408)
            self.reply(408, "the head of the request did not arrive in time", keep_alive=False)
        else:
            meters.idle_timeouts += 1
            self.close()

    def _check_rest(self, now: float) -> None:
        """An answer or a tunnel that moved goes on."""
        if self._relayed == self.exchange.relay.moved_bytes:
            self._path.meters.idle_timeouts += 1
            self.exchange.attempt_failed("stalled", f"nothing moved for {self._idle_s:g} s")
            return
        self._relayed = self.exchange.relay.moved_bytes
        self.deadline = now + self._idle_s

    def _check_flow(self, now: float) -> None:
        """Bytes wait to be sent: a slow client may have them, one that takes none is cut. Without any, it is over."""
        if self._transport is None:
            return
        waiting = mark = self._transport.get_write_buffer_size()
        if self._config.tls:  # such a transport knows of its own bytes only, not of those on the way below it
            waiting, mark = _below(self._sock)
        if mark != self._waiting and (waiting or self._config.tls):
            self._waiting = mark
            self.deadline = now + self._config.body_timeout_s
        elif waiting:
            self._path.meters.write_timeouts += 1
            self.reset()
        else:
            self._transport.abort()

    def _check_half_closed(self, now: float) -> None:
        """It cannot be seen whether a client that sends no more still reads; that the answer moves is a sign."""
        if self._relayed == self.exchange.relay.moved_bytes:
            self.reset()
        self._relayed = self.exchange.relay.moved_bytes
        self.deadline = now + self._config.half_closed_s

    # --- the end of the gateway, or of its place on the sysplex address

    def let_go(self, address: tuple[str, int]) -> None:
        """If it came to that address, its next call on this connection is the last one."""
        with contextlib.suppress(OSError):
            if self._sock.getsockname()[:2] == address:
                self.requests_left = min(self.requests_left, 1)

    def rest_is_over(self) -> bool:
        """While draining: close a connection at rest; False when an exchange is under way."""
        if self.exchange.state is not READY:
            return False
        self.close()
        return True


def _below(sock: socket.socket) -> tuple[int, int]:
    """Bytes that the kernel has not got rid of, and that the other end has acknowledged in all (tcp(7))."""
    try:
        (queued,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
        (acknowledged,) = struct.unpack_from(
            "Q", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128), ACKNOWLEDGED
        )
    except (OSError, struct.error):
        return 0, 0
    return queued, acknowledged
