"""One request and its answer: a state machine between a client's connection and an instance's.

    state       event                          next        what is done
    READY       request head                   CONNECTING  route it, pick an endpoint, open a connection
                                               WAITING     … or take one at rest: send the head
                no route, no instance          READY       answer 404, 503
    CONNECTING  connected                      WAITING     send the head and the body kept so far
                connect failed                 CONNECTING  another endpoint; or READY: answer 503
    WAITING     1xx                            WAITING     pass it on
                answer head                    ANSWERING   pass it on
                101                            TUNNEL      pass it on; raw bytes from now on
                died, garbage, put out         CONNECTING  another endpoint, if it may be repeated
                                               READY       … otherwise answer 503, 502
                nothing in time                READY       answer 504
    ANSWERING   answer whole                   READY       give the connection back, or close it
                died, garbage                  READY       reset the client's connection
    TUNNEL      either side closes             READY       close the other one
    any         client gone                    READY       close the instance's connection

One `Exchange` per client connection is used again for each of its requests; `attempt` tells a late connect for an
earlier one from its own. While CONNECTING the client is not read from, so what is kept of a body is what came with the
head. Back-pressure: each side that cannot write stops the reading of the other.

Not here: bytes and framing (`downstream`, `upstream`), which endpoint (`datapath`), whether again (`retries`).
"""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING

from gateway import forwarding, retries, routes
from gateway.answer_heads import AnswerHead, relocated
from gateway.heads import RequestHead
from gateway.meters import CUT
from gateway.meters import OTHER as NO_SERVICE
from gateway.paths import normalised
from gateway.reader import NONE, Malformed
from gateway.replies import OTHER
from gateway.retries import Fault
from gateway.snapshot import Endpoint, Upstream
from gateway.ticker import NEVER
from gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from gateway.datapath import DataPath
    from gateway.downstream import Downstream


class State(enum.Enum):
    READY = "ready"
    CONNECTING = "connecting"
    WAITING = "waiting"
    ANSWERING = "answering"
    TUNNEL = "tunnel"


READY, CONNECTING, WAITING, ANSWERING, TUNNEL = State

FOR_CONNECT, FOR_UPSTREAM, FOR_TURN = 1, 2, 4
"""Why a client is not read from: no connection yet, the instance is not reading, the answer before is not finished."""

MAX_KEPT_BYTES = 65_536
"""Of a safe request's body, kept so that it can be sent again."""

JOIN_BYTES = 16_384
"""Up to this size a head and the first bytes of its body are written as one."""


class Exchange:
    __slots__ = (
        "_afresh", "_chunking", "_client", "_connection", "_endpoint", "_head", "_held", "_keep_alive", "_kept",
        "_kept_bytes", "_outgoing", "_path", "_request_id", "_route", "_started", "_status", "_tried", "_tries",
        "_upstream", "_upstream_ended", "attempt", "method", "relayed_bytes", "request_done", "state",
    )  # fmt: skip

    _head: RequestHead
    _upstream: Upstream
    _endpoint: Endpoint
    _route: routes.Route

    def __init__(self, client: Downstream, path: DataPath) -> None:
        self._client = client
        self._path = path
        self._connection: UpstreamConnection | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._tried: list[str] = []
        self._tries = 0
        self._held = b""
        self._chunking = False
        self.state = READY
        self.attempt = 0
        self.method = b""
        self._afresh = False
        """A resting connection turned out dead: from now on only new ones."""
        self.request_done = True
        self.relayed_bytes = 0

    # --- the request

    def begin(self, head: RequestHead) -> None:
        """Route a request and send it on its way. Raises Malformed before anything is done."""
        fields = head.fields
        self._head = head
        self.method = head.method
        self._started = now = time.monotonic()
        self._tries = self._kept_bytes = 0
        self._keep_alive = fields.keep_alive
        self._afresh = False
        if self._tried:
            self._tried.clear()
        self.request_done = fields.length == NONE
        path = normalised(head.path)
        service = routes.first_segment(path)
        upstream = self._path.upstream(service)
        if upstream is None:
            self._refuse(404, f"no service has the id {service.decode('ascii', 'replace')!r}")
            return
        route = routes.match(path, upstream.routes)
        if route is None:
            self._refuse(404, f"the service {upstream.service} has no route for this path")
            return
        self._upstream, self._route = upstream, route
        self._outgoing = routes.outgoing_path(path, route)
        self._request_id = fields.request_id or self._path.next_request_id()
        if not upstream.endpoints:
            count = upstream.known
            self._refuse(503, f"none of the {count} instances of {upstream.service} can be called", OTHER[0])
            return
        self._try(now)

    def _try(self, now: float) -> None:
        """One attempt: an endpoint not tried yet, and a connection to it. There is an endpoint."""
        path = self._path
        self._endpoint = endpoint = path.pick(self._upstream, self._tried)
        self._tries += 1
        path.started(endpoint)
        pool = path.pool(endpoint)
        connection = None if self._afresh else pool.take(now, sure=not self._head.safe)
        if connection is not None:
            self._send(connection, now)
            return
        self.state = CONNECTING
        self.attempt += 1
        self._client.pause(FOR_CONNECT)
        self._client.deadline = NEVER
        pool.open(self)

    def connected(self, attempt: int, connection: UpstreamConnection) -> bool:
        """A connection was opened; False if it is not wanted any more."""
        if attempt != self.attempt or self.state is not CONNECTING:
            return False
        if not connection.open:
            self.attempt_failed("connect", "it closed the connection at once")
            return True
        self._path.connected(self._endpoint)
        self._send(connection, time.monotonic())
        self._client.resume(FOR_CONNECT)
        return True

    def connect_failed(self, attempt: int, fault: Fault, why: str) -> None:
        if attempt != self.attempt or self.state is not CONNECTING:
            return
        if fault == "connect":
            self._path.connect_failed(self._endpoint, why)
        self.attempt_failed(fault, why)

    def _send(self, connection: UpstreamConnection, now: float) -> None:
        head, client = self._head, self._client
        host = head.fields.host
        authority = self._endpoint.authority or host or b"localhost"
        self.state = WAITING
        self._connection = connection
        connection.start(
            self,
            forwarding.request_head(
                head, self._outgoing, authority, self._route.cut, client.who_asked(host), self._request_id
            ),
        )
        if self._kept:
            connection.write(b"".join(self._kept))
        client.await_answer(now)

    def body(self, data: bytes) -> None:
        """Bytes of the body, framed as they go out."""
        if self.state is CONNECTING or (self._head.safe and self._kept_bytes <= MAX_KEPT_BYTES):
            self._kept.append(data)
        self._kept_bytes += len(data)
        if self._connection is not None:
            self._connection.write(data)

    @property
    def _repeatable(self) -> bool:
        return self._head.safe and self._kept_bytes <= MAX_KEPT_BYTES

    # --- the answer

    def interim(self, head: AnswerHead) -> None:
        if self._head.fields.minor == 1:
            self._client.write(forwarding.interim_head(head))

    def answer(self, head: AnswerHead) -> None:
        """The head of the answer; it is held until the first bytes of its body or `flush`."""
        minor, path = self._head.fields.minor, self._path
        self.state = ANSWERING
        self._status = head.status
        self._client.deadline = NEVER
        if self._kept:
            self._kept.clear()
        unframed = head.length < 0
        self._chunking = unframed and minor == 1
        if (unframed and minor == 0) or not self.request_done or path.draining:
            self._keep_alive = False
        self._held = forwarding.answer_head(
            head,
            way=path.way(self._endpoint, self._tries),
            location=self._location(head.location) if head.location else b"",
            minor=minor,
            keep_alive=self._keep_alive,
        )

    def _location(self, location: bytes) -> bytes:
        return relocated(location, self._endpoint.authorities, self._upstream.routes, self._route)

    def relay(self, data: bytes) -> None:
        if self.state is ANSWERING and self._chunking:
            data = forwarding.chunks([data])
        self._write(data)

    def relay_pieces(self, pieces: list[bytes]) -> None:
        if pieces:
            self._write(forwarding.chunks(pieces) if self._chunking else b"".join(pieces))

    def _write(self, data: bytes) -> None:
        self.relayed_bytes += len(data)
        if self._held:
            if len(data) > JOIN_BYTES:
                self.flush()
            else:
                data, self._held = self._held + data, b""
        self._client.write(data)

    def flush(self) -> None:
        held, self._held = self._held, b""
        self._client.write(held)

    def answer_done(self, connection: UpstreamConnection | None) -> None:
        """The answer is whole; the connection is given when it can be used again."""
        if self._chunking:
            self._write(b"0\r\n\r\n")
        elif self._held:
            self.flush()
        self._connection = None
        self._client.resume(FOR_UPSTREAM)
        now = time.monotonic()
        if connection is not None:
            connection.pool.give(connection, now)
        self._path.ended(self._endpoint)
        self._path.meter(self._upstream.service).answered(self._status // 100, now - self._started)
        self.state = READY
        self._client.answered(self._keep_alive and self.request_done, now)

    # --- tunnels

    @property
    def tunnelled(self) -> bool:
        return self.state is TUNNEL

    def upgraded(self, head: AnswerHead, rest: bytes) -> None:
        if not self._head.fields.upgrade:
            raise Malformed(502, "it changed the protocol unasked")
        self._client.write(forwarding.switching_head(head, self._path.way(self._endpoint, self._tries)))
        self.state = TUNNEL
        self._keep_alive = False
        self._upstream_ended = False
        self._path.meters.upgrades += 1
        self._path.meter(self._upstream.service).answered(1, time.monotonic() - self._started)
        self._client.tunnel()
        if rest:
            self._client.write(rest)

    def tunnel(self, data: bytes) -> None:
        """Raw bytes from the client."""
        if self._connection is not None:
            self._connection.write(data)

    def client_eof(self) -> bool:
        """The client of a tunnel sends no more; True: the instance still does."""
        if self._connection is None or self._upstream_ended:
            return False
        self._connection.write_eof()
        return True

    def upstream_eof(self) -> bool:
        """The instance sends no more; True: the client still does."""
        self._upstream_ended = True
        return self._client.write_eof()

    # --- trouble

    def attempt_failed(self, fault: Fault, why: str) -> None:
        """The attempt's connection is closed already, or is closed here."""
        if self.state is ANSWERING or self.state is TUNNEL:
            self._cut()
            return
        stale = fault == "died" and self._connection is not None and self._connection.reused
        upstream = self._path.upstream(self._upstream.service.encode()) or self._upstream
        verdict = retries.after(
            fault,
            repeatable=self._repeatable,
            tries=len(self._tried) + (not stale),
            endpoints=len(upstream.endpoints),
        )
        if verdict == "wait":
            return
        self._leave()
        if verdict == "again":
            self._upstream = upstream
            if stale:
                self._afresh = True
            else:
                self._tried.append(self._endpoint.key)
            self._path.meters.retries += 1
            self._try(time.monotonic())
            return
        self._give_up(verdict, why)

    def _give_up(self, verdict: retries.Verdict, why: str) -> None:
        self._path.meters.unknown_outcomes += verdict == "unknown"
        self._refuse(*retries.told(verdict, self._endpoint.path_name.decode(), self._tries, why))

    def _leave(self) -> None:
        """Give the attempt up: close its connection, take it out of the counts."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(at_once=not self.tunnelled)
        self._client.resume(FOR_CONNECT | FOR_UPSTREAM)
        self._path.ended(self._endpoint)

    def _cut(self) -> None:
        """The answer broke off: the client must not take it for a whole one."""
        tunnelled = self.tunnelled
        self._leave()
        self._held = b""
        self._chunking = False
        self.state = READY
        if tunnelled:
            self._client.close()
            return
        self._path.meter(self._upstream.service).answered(CUT, time.monotonic() - self._started)
        self._client.reset()

    def _refuse(self, status: int, content: str, number: str = "") -> None:
        """An answer of the gateway's own, in place of an instance's."""
        self.state = READY
        self._kept.clear()
        self._tried.clear()
        now = time.monotonic()
        service = self._upstream.service if self._tries else NO_SERVICE
        self._path.meter(service).answered(status // 100, now - self._started)
        self._client.reply(status, content, number, keep_alive=self._keep_alive and self.request_done)

    def refuse(self, status: int, content: str) -> None:
        """The request turned out wrong, or stopped, after it was begun."""
        if self.state is ANSWERING or self.state is TUNNEL:
            self._cut()
            return
        self._leave()
        self._refuse(status, content)

    def put_out(self, endpoint: Endpoint, why: str) -> None:
        """Probes say that this endpoint is dead: whoever waits there, and may, goes elsewhere."""
        if self.state is WAITING and self._endpoint.key == endpoint.key:
            self.attempt_failed("put out", why)

    def client_gone(self) -> None:
        if self.state is READY:
            return
        self.attempt += 1
        self._leave()
        self._held = b""
        self.state = READY

    # --- back-pressure

    def upstream_full(self) -> None:
        self._client.pause(FOR_UPSTREAM)

    def upstream_writable(self) -> None:
        self._client.resume(FOR_UPSTREAM)

    def client_full(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def client_writable(self) -> None:
        if self._connection is not None:
            self._connection.resume()
