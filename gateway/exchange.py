"""One request and its answer: a state machine between a client's connection and an instance's.

    state       event                          next        what is done
    READY       request head                   CONNECTING  route it, pick an endpoint, open a connection
                                               WAITING     … or take one at rest: send the head
                no route, no instance          READY       answer 404, 503
                a user's, not known yet        SEEKING     ask which instance is his (`sticky_table`)
    SEEKING     told, or not in time           CONNECTING  that one, or one picked for him; or WAITING
    CONNECTING  connected                      WAITING     send the head and the body kept so far
                connect failed                 CONNECTING  another endpoint; or READY: answer 503
    WAITING     1xx                            WAITING     pass it on
                answer head                    ANSWERING   pass it on
                whole answer at once           READY       pass it on, give the connection back
                101                            TUNNEL      pass it on; raw bytes from now on
                died, garbage, put out         CONNECTING  another endpoint, if it may be repeated
                                               READY       … otherwise answer 503, 502
                nothing in time                READY       answer 504
    ANSWERING   answer whole                   READY       give the connection back, or close it
                died, garbage, stalled         READY       reset the client's connection
    TUNNEL      either side closes, or rests   READY       close the other one
    any         client gone                    READY       close the instance's connection

One `Exchange` per client connection is used again for each of its requests; `attempt` tells a late connect for an
earlier one from its own. While CONNECTING the client is not read from, so what is kept of a body is what came with the
head. Back-pressure: each side that cannot write stops the reading of the other.

The way of a request that meets nothing special is `begin`, `_try`, `_send`, `answer_whole`, `_over`; these are written
for speed: no object is made that is not needed, and what can be known beforehand is looked up.

Not here: bytes and framing (`downstream`, `upstream`), which endpoint (`datapath`), whether again (`retries`), what is
counted and recorded of it (`account`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING

import msgspec

from gateway import early_upgrade, forwarding, retries, routes, sticky
from gateway.answer_heads import AnswerHead
from gateway.fields import Malformed
from gateway.heads import BODY_EXPECTED, SAFE, RequestFields, read_fields
from gateway.meters import OTHER
from gateway.reader import NONE
from gateway.relay import Relay
from gateway.relocation import recookied, relocated
from gateway.replies import OTHER as NO_INSTANCE
from gateway.retries import Fault
from gateway.snapshot import Endpoint, Upstream, instance_id
from gateway.ticker import NEVER
from gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from gateway.datapath import DataPath
    from gateway.downstream import Downstream
    from gateway.pool import Pool


class State(enum.Enum):
    READY = "ready"
    SEEKING = "seeking"
    CONNECTING = "connecting"
    WAITING = "waiting"
    ANSWERING = "answering"
    TUNNEL = "tunnel"


READY, SEEKING, CONNECTING, WAITING, ANSWERING, TUNNEL = State

FOR_CONNECT, FOR_UPSTREAM, FOR_TURN = 1, 2, 4
"""Why a client is not read from: no connection yet, the instance is not reading, the answer before is not finished."""

MAX_KEPT_BYTES = 65_536
"""Of a safe request's body, kept so that it can be sent again."""

PATIENT_CONNECT_S = 1.3
"""For the only instance there is: a SYN that its kernel dropped is sent again after a second."""

EVENT_STREAM = b": text/event-stream"
"""Such an answer may rest for as long as nothing happens."""

NO_FIELDS = read_fields(0, b"")
NO_ROUTE = routes.Route(b"", b"", b"")
NOWHERE = Upstream(OTHER, (), (), 0)

Rule = Callable[[bytes, tuple[bytes, ...], tuple[routes.Route, ...], routes.Route], bytes]


class Exchange:
    __slots__ = (
        "_afresh", "_connection", "_early", "_keep_alive", "_kept", "_outgoing", "_path", "_preferred", "_tried",
        "_upstream_ended", "attempt", "body_bytes", "client", "endpoint", "fields", "first_byte_at", "method",
        "number", "pool", "query", "relay", "relayed_before", "request_done", "route", "started", "state", "status",
        "tries", "upstream",
    )  # fmt: skip

    upstream: Upstream
    endpoint: Endpoint
    route: routes.Route
    pool: Pool
    fields: RequestFields

    def __init__(self, client: Downstream, path: DataPath) -> None:
        self.client = client
        self._path = path
        self._connection: UpstreamConnection | None = None
        self._kept: list[bytes] = []
        self.body_bytes = 0
        self._tried: list[str] = []
        self._preferred = ""
        """The key of the endpoint to be tried first, if this is a user's request."""
        self._afresh = self._early = False
        """A resting connection turned out dead: from now on only new ones. A websocket was accepted already."""
        self.state = READY
        self.attempt = 0
        self.method = self.query = b""
        self.request_done = True
        self.relay = Relay(client.write)
        self.relayed_before = 0
        """What the relay had moved before this exchange."""
        self.tries = self.status = self.number = 0
        self.started = self.first_byte_at = 0.0

    # --- the request

    def begin(self, method: bytes, path: bytes, query: bytes, fields: RequestFields) -> None:
        """Route a request, whose path is in its one spelling, and send it on its way."""
        self.method = method
        self.query = query
        self.fields = fields
        self.tries = self.status = 0
        self.started = now = monotonic()
        self.relayed_before = self.relay.moved_bytes
        facts = fields.facts
        self._keep_alive = facts.keep_alive and self.client.requests_left > 0
        self.request_done = facts.length == NONE
        shared = self._path
        shared.requests = self.number = shared.requests + 1
        segment = routes.first_segment(path)
        upstream = shared.snapshot.upstreams.get(segment) or shared.own(segment)
        if upstream is None:
            self.upstream, self.route = NOWHERE, NO_ROUTE
            self._refuse(404, f"no service has the id {segment.decode('ascii', 'replace')!r}", reason="no route")
            return
        route = routes.match(path, upstream.routes)
        if route is None:
            self.upstream, self.route = upstream, NO_ROUTE
            self._refuse(404, f"the service {upstream.service} has no route for this path", reason="no route")
            return
        self.upstream, self.route = upstream, route
        self._outgoing = routes.outgoing_path(path, route)
        if facts.length > 0 and self.too_large(facts.length):
            self._refuse(413, f"a body of {facts.length} bytes is too large for this route", reason="malformed")
        elif upstream.endpoints:
            if route.early_upgrade and facts.upgrade:
                self._accept_early()
            user = sticky.user_of(fields.lines, time()) if upstream.sticky else ""
            if user:
                self._lead(sticky.key_of(user, upstream.service), now)
            else:
                self._try(now)
        else:
            self._refuse_for_lack()

    def _refuse_for_lack(self) -> None:
        why = f"none of the {self.upstream.known} instances of {self.upstream.service} can be called"
        self._refuse(503, why, NO_INSTANCE[0], reason="no instance")

    def _accept_early(self) -> None:
        self.client.write(early_upgrade.accepting(self.fields, b""))
        self.fields = msgspec.structs.replace(self.fields, lines=early_upgrade.without_wishes(self.fields.lines))
        self._early = True
        self._keep_alive = False

    def _lead(self, key: str, now: float) -> None:
        """To the user's own instance, known by that key."""
        table = self._path.sticky
        known = table.known(key)
        self._preferred = self._path.preferred(self.upstream, known) if known else ""
        if self._preferred:
            self._try(now)
            return
        self.state = SEEKING
        self.attempt += 1
        self.client.pause(FOR_CONNECT)
        self.client.deadline = NEVER
        table.seek(key, partial(self._led, self.attempt, key, known))

    def _led(self, attempt: int, key: str, known: str, instance: str) -> None:
        if attempt != self.attempt or self.state is not SEEKING:
            return
        path = self._path
        self.upstream = path.upstream(self.upstream)
        self.client.resume(FOR_CONNECT)
        if not self.upstream.endpoints:
            self._refuse_for_lack()
            return
        self._preferred = path.preferred(self.upstream, instance) if instance else ""
        if not self._preferred:
            self._preferred = path.pick(self.upstream, ()).key
            path.sticky.chose(key, instance_id(self._preferred), instance or known)
        self._try(monotonic())

    def _choose(self) -> Endpoint:
        path = self._path
        own = path.snapshot.endpoints.get(self._preferred) if self._preferred not in self._tried else None
        return own or path.pick(self.upstream, self._tried)

    def _try(self, now: float) -> None:
        """One attempt: an endpoint not tried yet, and a connection to it. There is an endpoint."""
        path = self._path
        self.endpoint = endpoint = self._choose() if self._preferred else path.pick(self.upstream, self._tried)
        key = endpoint.key
        self.tries += 1
        in_flight = path.in_flight
        in_flight[key] = in_flight.get(key, 0) + 1
        self.pool = pool = path.pools.get(key) or path.new_pool(endpoint)
        connection = None if self._afresh else pool.take(now, sure=self.method not in SAFE)
        if connection is not None:
            self._send(connection, now)
            return
        self.state = CONNECTING
        self.attempt += 1
        self.client.pause(FOR_CONNECT)
        self.client.deadline = NEVER
        connect_s = self.route.limits.connect_s
        if key in self._tried:  # there is no other
            connect_s = max(PATIENT_CONNECT_S, connect_s or 0.0)
        pool.open(self, connect_s)

    def connected(self, attempt: int, connection: UpstreamConnection) -> bool:
        """A connection was opened; False if it is not wanted any more."""
        if attempt != self.attempt or self.state is not CONNECTING:
            return False
        if not connection.open:
            self.attempt_failed("connect", "it closed the connection at once")
            return True
        self._path.connected(self.endpoint)
        self._send(connection, monotonic())
        self.client.resume(FOR_CONNECT)
        return True

    def connect_failed(self, attempt: int, fault: Fault, why: str, *, timed_out: bool = False) -> None:
        if attempt != self.attempt or self.state is not CONNECTING:
            return
        if fault == "connect":
            self._path.connect_failed(self.endpoint, why, timed_out=timed_out)
        self.attempt_failed(fault, why)

    def _send(self, connection: UpstreamConnection, now: float) -> None:
        client, fields, route = self.client, self.fields, self.route
        ids = self._path.ids
        self.state = WAITING
        self._connection = connection
        connection.start(
            self,
            b"".join((
                self.method, b" ", self._outgoing, self.query, self.pool.start_of_fields or self._start_of_fields(),
                fields.lines, fields.facts.framing or self._framing(), client.who_asked(fields),
                b"X-Forwarded-Prefix: %b\r\n" % route.cut if route.cut else b"",
                ids.lines(self.number, fields.request_id, fields.trace) if fields.request_id or fields.trace
                else ids.fresh(self.number),
            )),
        )  # fmt: skip
        if self._kept:
            connection.write(b"".join(self._kept))
            if not self._repeatable:
                self._kept.clear()
        client.await_answer(now)

    def _start_of_fields(self) -> bytes:
        return b" HTTP/1.1\r\nHost: %b\r\n" % (self.fields.facts.host or b"localhost")

    def _framing(self) -> bytes:
        return b"Content-Length: 0\r\n" if self.method in BODY_EXPECTED else b""

    def body(self, data: bytes) -> None:
        """Bytes of the body, framed as they go out."""
        self.body_bytes += len(data)
        if self._connection is None or self._repeatable:
            self._kept.append(data)
        elif self._kept:
            self._kept.clear()
        if self._connection is not None:
            self._connection.write(data)

    @property
    def _repeatable(self) -> bool:
        return self.method in SAFE and self.body_bytes <= MAX_KEPT_BYTES

    # --- the answer

    def interim(self, head: AnswerHead) -> None:
        if self.fields.facts.minor == 1 and not self._early:
            self.client.write(forwarding.interim_head(head))

    def answer_whole(self, head: AnswerHead, body: bytes, connection: UpstreamConnection | None) -> None:
        """Head and body at once; the connection is given when it can be used again."""
        if self._early:
            self._refused_late(head, connection)
            return
        plain = self._keep_alive and self.request_done and not (head.location or head.cookies)
        if not plain or self.fields.facts.minor == 0 or self._path.draining:
            self.answer(head)
            if body:
                self.relay.data(body)
            self.answer_done(connection)
            return
        self.status = head.status
        self.relay.whole((head.lines, self.pool.way if self.tries == 1 else self._way(), b"\r\n"), body)
        self.first_byte_at = now = monotonic()
        self._finish(connection, now)

    def answer(self, head: AnswerHead) -> None:
        """The head of the answer; its body follows."""
        if self._early:
            self._refused_late(head, None)
            return
        path, client = self._path, self.client
        minor = self.fields.facts.minor
        self.state = ANSWERING
        self.status = head.status
        self.first_byte_at = now = monotonic()
        client.await_body(now, self.route.limits.idle_s, endless=EVENT_STREAM in head.lines)
        if self._kept:
            self._kept.clear()
        unframed = head.length < 0
        if (unframed and minor == 0) or not self.request_done or path.draining:
            self._keep_alive = False
        told = forwarding.answer_head(
            head,
            way=self._way(),
            location=self._led_back(relocated, head.location) if head.location else b"",
            cookies=[self._led_back(recookied, each) for each in head.cookies],
            minor=minor,
            keep_alive=self._keep_alive,
        )
        self.relay.head(told, chunking=unframed and minor == 1)

    def _refused_late(self, head: AnswerHead, connection: UpstreamConnection | None) -> None:
        """The instance does not want the websocket that was accepted for it."""
        if connection is not None:
            connection.abort()
        self.refuse(502, f"the service answered {head.status}")

    def _way(self) -> bytes:
        return self.pool.way if self.tries == 1 else self._path.way(self.endpoint, self.tries)

    def _led_back(self, rule: Rule, value: bytes) -> bytes:
        return rule(value, self.endpoint.authorities, self.upstream.routes, self.route)

    def answer_done(self, connection: UpstreamConnection | None, trailers: bytes = b"") -> None:
        """The answer is whole; the connection is given when it can be used again."""
        self.relay.end(trailers if self.fields.facts.wants_trailers else b"")
        self.client.resume(FOR_UPSTREAM)
        self._finish(connection, monotonic())

    def _finish(self, connection: UpstreamConnection | None, now: float) -> None:
        self._connection = None
        if connection is not None:
            connection.pool.give(connection, now)
        self._path.ended(self.endpoint.key)
        self._path.account.settle(self, self.status, "", now)
        self.state = READY
        if self.body_bytes or self._tried or self._afresh or self._early or self._preferred:
            self._forget()
        self.client.answered(self._keep_alive and self.request_done, now)

    def _forget(self) -> None:
        """What concerned this request alone."""
        self._kept.clear()
        self._tried.clear()
        self.body_bytes = 0
        self._preferred = ""
        self._afresh = self._early = False

    # --- tunnels

    @property
    def tunnelled(self) -> bool:
        return self.state is TUNNEL

    def upgraded(self, head: AnswerHead, rest: bytes) -> None:
        if not self.fields.facts.upgrade:
            raise Malformed(502, "it changed the protocol unasked")
        if not self._early:
            self.client.write(forwarding.switching_head(head, self._way()))
        self.state = TUNNEL
        self.status = 101
        self.first_byte_at = monotonic()
        self._keep_alive = False
        self._upstream_ended = False
        self._path.meters.upgrades += 1
        self._path.meters.tunnels += 1
        self.client.tunnel(self.route.limits.idle_s)
        if rest:
            self.relay.data(rest)

    def tunnel(self, data: bytes) -> None:
        """Raw bytes from the client."""
        if self._connection is not None:
            self.relay.moved_bytes += len(data)
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
        return self.client.write_eof()

    # --- trouble

    def attempt_failed(self, fault: Fault, why: str) -> None:
        """The attempt's connection is closed already, or is closed here."""
        if self.state is ANSWERING or self.state is TUNNEL:
            self._cut(fault)
            return
        stale = fault == "died" and self._connection is not None and self._connection.reused
        upstream = self._path.upstream(self.upstream)
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
            self.upstream = upstream
            if stale:
                self._afresh = True
            else:
                self._tried.append(self.endpoint.key)
            self._path.meters.retries += 1
            self._try(monotonic())
            return
        self._give_up(verdict, fault, why)

    def _give_up(self, verdict: retries.Verdict, fault: Fault, why: str) -> None:
        self._path.meters.unknown_outcomes += verdict == "unknown"
        status, content = retries.told(verdict, self.endpoint.path_name.decode(), self.tries, why)
        self._refuse(status, content, reason=fault)

    def _leave(self) -> None:
        """Give the attempt up: close its connection, take it out of the counts."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(at_once=not self.tunnelled)
        self.client.resume(FOR_CONNECT | FOR_UPSTREAM)
        if self.state is not SEEKING:  # there, nothing was counted in yet
            self._path.ended(self.endpoint.key)

    def _cut(self, reason: str) -> None:
        """The answer broke off: the client must not take it for a whole one. Or a tunnel ended."""
        tunnelled = self.tunnelled
        self._leave()
        self.relay.drop()
        self._record(101 if tunnelled else 0, "" if tunnelled else reason)
        if tunnelled:
            self.client.close()
        else:
            self.client.reset()

    def _refuse(self, status: int, content: str, number: str = "", *, reason: str) -> None:
        """An answer of the gateway's own, in place of an instance's."""
        early = self._early
        self._record(status, reason)
        if early:
            self.client.write(early_upgrade.closing(content))
            self.client.close()
        else:
            self.client.reply(status, content, number, keep_alive=self._keep_alive and self.request_done)

    def _record(self, status: int, reason: str) -> None:
        """It is over without a whole answer of an instance."""
        tunnelled = self.tunnelled
        self.state = READY
        now = monotonic()
        if tunnelled:
            self._path.meters.tunnels -= 1
        self._path.account.settle(self, status, reason, now)
        self._forget()

    def refuse(self, status: int, content: str) -> None:
        """The request turned out wrong, or stopped, after it was begun."""
        if self.state is ANSWERING or self.state is TUNNEL:
            self._cut("malformed")
            return
        self._leave()
        self._refuse(status, content, reason="malformed")

    def refuse_head(self, status: int) -> None:
        """What came was no request: there is nothing to route, but something to record."""
        self.method, self.query, self.fields = b"", b"", NO_FIELDS
        self.upstream, self.route = NOWHERE, NO_ROUTE
        self.tries = self.status = 0
        self.relayed_before = self.relay.moved_bytes
        self._path.requests = self.number = self._path.requests + 1
        self.started = monotonic()
        self._record(status, "malformed")

    def too_large(self, size: int) -> bool:
        limit = self.route.limits.max_body_bytes or self._path.config.max_body_bytes
        return 0 < limit < size

    def put_out(self, endpoint: Endpoint, why: str) -> None:
        """Probes say that this endpoint is dead: whoever waits there, and may, goes elsewhere."""
        if self.state is WAITING and self.endpoint.key == endpoint.key:
            self.attempt_failed("put out", why)

    def client_gone(self) -> None:
        if self.state is READY:
            return
        self.attempt += 1
        self._leave()
        self.relay.drop()
        self._record(101 if self.tunnelled else 0, "" if self.tunnelled else "client gone")

    # --- back-pressure

    def upstream_full(self) -> None:
        self.client.pause(FOR_UPSTREAM)

    def upstream_writable(self) -> None:
        self.client.resume(FOR_UPSTREAM)

    def client_full(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def client_writable(self) -> None:
        if self._connection is not None:
            self._connection.resume()
