"""One request and its answer: a state machine between a client's connection and an instance's.

    state       event                          next        what is done
    READY       request head                   CONNECTING  route it, pick an endpoint, open a connection
                                               WAITING     … or take one at rest: send the head
                no route, no instance, limits  READY       answer 404, 503, 429, 403, 400
                no room for it now             QUEUED      wait for its turn (`gates`)
                a user's, not known yet        SEEKING     ask which instance is his (`sticky_table`)
    QUEUED      its turn                       as READY    go on
                not in time                    READY       answer 503
    SEEKING     told, or not in time           CONNECTING  that one, or one picked for him; or WAITING
    CONNECTING  connected                      WAITING     send the head and the body kept so far
                connect failed                 CONNECTING  another endpoint; or READY: answer 503
    WAITING     1xx                            WAITING     pass it on
                answer head                    ANSWERING   pass it on
                whole answer at once           READY       pass it on, give the connection back
                101                            TUNNEL      pass it on; raw bytes from now on
                503 to a safe method           CONNECTING  another endpoint, if one is worth it; or pass it on
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

Not here: bytes and framing (`downstream`, `upstream`), what is asked before an endpoint is picked, where that is more
than a look-up (`entrance`), which endpoint (`balancer`, `aim`), whether again (`retries`), what is counted and recorded
of it (`account`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from gateway import aim, cors, early_upgrade, entrance, forwarding, retries, routes
from gateway.aim import Aim
from gateway.answer_heads import ALL_HARDENED, AnswerHead
from gateway.balancer import Balancer
from gateway.fields import Malformed
from gateway.heads import BODY_EXPECTED, SAFE, RequestFields, read_fields
from gateway.meters import OTHER
from gateway.reader import NONE
from gateway.relay import Relay
from gateway.relocation import recookied, relocated
from gateway.replies import OTHER as NO_INSTANCE
from gateway.retries import Fault
from gateway.snapshot import Endpoint, Upstream, instance_id, own
from gateway.standing import Standing
from gateway.ticker import NEVER
from gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from gateway.datapath import DataPath
    from gateway.downstream import Downstream
    from gateway.gates import Gate
    from gateway.pool import Pool


class State(enum.Enum):
    READY = "ready"
    QUEUED = "queued"
    SEEKING = "seeking"
    CONNECTING = "connecting"
    WAITING = "waiting"
    ANSWERING = "answering"
    TUNNEL = "tunnel"


READY, QUEUED, SEEKING, CONNECTING, WAITING, ANSWERING, TUNNEL = State

FOR_CONNECT, FOR_UPSTREAM, FOR_TURN = 1, 2, 4
"""Why a client is not read from: no connection yet, the instance is not reading, the answer before is not finished."""

UNAVAILABLE = 503
FAILING = (502, 503, 504)
"""Answers by which an instance, or what it depends on, says that it cannot serve."""
WORTH_A_LOOK = 429
"""Below this status nothing is said about how the instance is."""

COUNTED = ("connect", "died", "garbage", "slow")
"""Faults that speak against an instance."""

MAX_KEPT_BYTES = 65_536
"""Of a safe request's body, kept so that it can be sent again."""

PATIENT_CONNECT_S = 1.3
"""For the only instance there is: a SYN that its kernel dropped is sent again after a second."""

EVENT_STREAM = b": text/event-stream"
"""Such an answer may rest for as long as nothing happens."""

MAX_TOLD = 256
"""Characters of a path in an answer."""

NO_FIELDS = read_fields(0, b"")
NO_ROUTE = routes.Route(b"", b"", b"")
NOWHERE = Upstream(OTHER, (), (), 0)

Rule = Callable[[bytes, tuple[bytes, ...], tuple[routes.Route, ...], routes.Route], bytes]


class Exchange:
    __slots__ = (
        "_afresh", "_charged", "_connection", "_early", "_judged", "_keep_alive", "_kept", "_path", "_tried",
        "_upstream_ended", "aim", "attempt", "body_bytes", "client", "dressing", "endpoint", "fields",
        "first_byte_at", "gate", "method", "number", "outgoing", "pool", "query", "relay", "relayed_before",
        "request_done", "route", "sent_at", "standing", "started", "state", "status", "tries", "upstream",
    )  # fmt: skip

    upstream: Upstream
    endpoint: Endpoint
    standing: Standing
    outgoing: bytes
    """The path an instance is asked for."""
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
        self._charged = 0
        """Retries that are limited in number, and by the budget."""
        self.aim: Aim | None = None
        """Where it is meant to go, if that is not the balancer's alone to say."""
        self.gate: Gate | None = None
        """Where it is counted in, or waits."""
        self.dressing = b""
        """Lines of the gateway's own for the answer."""
        self._afresh = self._early = self._judged = False
        """A resting connection turned out dead: from now on only new ones. A websocket was accepted already. What is
        answered has been counted already."""
        self.state = READY
        self.attempt = 0
        self.method = self.query = b""
        self.request_done = True
        self.relay = Relay(client.write)
        self.relayed_before = 0
        """What the relay had moved before this exchange."""
        self.tries = self.status = self.number = 0
        self.started = self.first_byte_at = self.sent_at = 0.0

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
        steering = fields.steering
        if steering is not None and steering.forward_to:
            entrance.forwarded(self, shared, path, steering, now)
            return
        segment = routes.first_segment(path)
        upstream = shared.snapshot.upstreams.get(segment) or own(segment)
        route = routes.match(path, upstream.routes) if upstream is not None else None
        if upstream is None or route is None:
            self.refuse_unknown(segment, upstream)
            return
        self.upstream, self.route = upstream, route
        self.outgoing = routes.outgoing_path(path, route)
        if steering is not None:
            entrance.steered(self, shared, path, steering, now)
        elif upstream.special or shared.strict or facts.length > 0 or facts.upgrade:
            entrance.plain(self, shared, path, now)
        else:
            self.go(now)

    def refuse_unknown(self, segment: bytes, upstream: Upstream | None) -> None:
        """There is no such service, or it has no route for this path."""
        self.upstream, self.route = upstream or NOWHERE, NO_ROUTE
        what = f"no service has the id {segment.decode('ascii', 'replace')!r}"
        if upstream is not None:
            what = f"the service {upstream.service} has no route for this path"
        self.refuse_early(404, f"{what}; see: {self._explain}", reason="no route")

    def go(self, now: float) -> None:
        """It is let in: to an endpoint, if there is one."""
        balancer = self._path.balancers.get(self.upstream.service)
        if balancer is None or not (balancer.candidates or self.aim):
            self.refuse_for_lack()
            return
        if self.route.early_upgrade and self.fields.facts.upgrade:
            self._accept_early()
        if self.upstream.policy.sticky == "user" and self.aim is None and entrance.led(self, self._path, now):
            return
        self._try(now)

    def refuse_for_lack(self) -> None:
        upstream = self.upstream
        where = f" in {self._lpar}" if upstream.policy.scope_lpar or (self.aim and self.aim.lpar) else ""
        why = f"none of the {upstream.known} instances of {upstream.service} can be called{where}"
        self.refuse_early(503, f"{why}; see: {self._explain}", NO_INSTANCE[0], reason="no instance")

    @property
    def _explain(self) -> str:
        """The command that walks the way of this call."""
        path = self.client.target.partition(b"?")[0].decode("ascii", "replace")
        return f"plexmesh explain {path if len(path) <= MAX_TOLD else 'URL'}"

    @property
    def _lpar(self) -> str:
        return (self.aim.lpar if self.aim else "") or self._path.config.lpar

    def _accept_early(self) -> None:
        self.client.write(early_upgrade.accepting(self.fields, b""))
        self.fields = msgspec.structs.replace(self.fields, lines=early_upgrade.without_wishes(self.fields.lines))
        self._early = True
        self._keep_alive = False

    def preferred(self, instance: str, now: float) -> str:
        """The key of that instance, if a session may stay there; else empty."""
        return self._path.preferred(self.upstream, instance, now) if instance else ""

    def _wait(self, state: State) -> None:
        self.state = state
        self.attempt += 1
        self.client.pause(FOR_CONNECT)
        self.client.deadline = NEVER

    # --- waiting for its turn

    def wait_for_turn(self) -> None:
        self._wait(QUEUED)

    def its_turn(self, gate: Gate) -> None:
        """It is counted in there."""
        if self.state is not QUEUED or self.gate is not gate:
            gate.leave(monotonic())
            return
        self.state = READY
        self.client.resume(FOR_CONNECT)
        self.upstream = self._path.upstream(self.upstream)
        try:
            self.go(monotonic())
        except Malformed as error:
            self.refuse_early(error.status, str(error), reason="malformed")

    def waited_too_long(self) -> None:
        self.state, self.gate = READY, None
        self.client.resume(FOR_CONNECT)
        self.refuse_crowded()

    def refuse_crowded(self) -> None:
        self._path.meters.shed += 1
        why = f"{self.upstream.service} has as many calls as it may have"
        self.refuse_early(503, why, reason="crowded", retry_after_s=1)

    # --- waiting for word of its user

    def seek(self) -> int:
        """The number of this waiting, for `seeks`."""
        self._wait(SEEKING)
        return self.attempt

    def seeks(self, attempt: int) -> bool:
        """It still does, and is not wanted for another call by now; if so, its waiting is over."""
        if attempt != self.attempt or self.state is not SEEKING:
            return False
        self.upstream = self._path.upstream(self.upstream)
        self.client.resume(FOR_CONNECT)
        return True

    def lead(self, preferred: str, user: str, now: float) -> None:
        """To that instance, if it can be called; `user`: the key of the user's record."""
        self.aim = Aim(preferred=preferred, user=user)
        self._try(now)

    def waits_at(self, late: float) -> str:
        """The key of the instance whose answer it has awaited since before `late`, or empty."""
        return self.standing.key if self.state is WAITING and self.sent_at < late and self.request_done else ""

    def _choose(self, now: float) -> Standing | None:
        path = self._path
        balancer = path.balancers.get(self.upstream.service)
        if balancer is None:
            return None
        if self.aim is not None and isinstance(balancer, Balancer):
            return self.aim.choose(balancer, path.standings, self._tried, now)
        return balancer.pick(now, b"", self._tried) if balancer.candidates else None

    def _try(self, now: float) -> None:
        """One attempt: an endpoint not tried yet, and a connection to it."""
        path = self._path
        standing = self._choose(now)
        if standing is None:
            self.refuse_for_lack()
            return
        self.standing = standing
        self.endpoint = endpoint = standing.endpoint
        key = standing.key
        self.tries += 1
        self.sent_at = now
        if not standing.in_flight:
            standing.last_answer = now
        standing.in_flight += 1
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
        self._path.connected(self.standing)
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
                self.method, b" ", self.outgoing, self.query, self.pool.start_of_fields or self._start_of_fields(),
                fields.lines, fields.facts.framing or self._framing(), client.who_asked(fields),
                b"X-Forwarded-Prefix: %b\r\n" % route.cut if route.cut else b"",
                ids.lines(self.number, fields.request_id, fields.trace) if fields.request_id or fields.trace
                else ids.fresh(self.number),
            )),
        )  # fmt: skip
        if self._kept:
            connection.write(b"".join(self._kept))
            if not self.repeatable:
                self._kept.clear()
        client.await_answer(now)

    def _start_of_fields(self) -> bytes:
        return b" HTTP/1.1\r\nHost: %b\r\n" % (self.fields.facts.host or b"localhost")

    def _framing(self) -> bytes:
        return b"Content-Length: 0\r\n" if self.method in BODY_EXPECTED else b""

    def body(self, data: bytes) -> None:
        """Bytes of the body, framed as they go out."""
        self.body_bytes += len(data)
        if self._connection is None or self.repeatable:
            self._kept.append(data)
        elif self._kept:
            self._kept.clear()
        if self._connection is not None:
            self._connection.write(data)

    @property
    def repeatable(self) -> bool:
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
        if head.status >= WORTH_A_LOOK and not self._judged and self._elsewhere(head, connection):
            return
        plain = (
            self._keep_alive and self.request_done and not (head.location or head.cookies or self.dressing or self.aim)
        )
        if not plain or self.fields.facts.minor == 0 or self._path.draining:
            self.answer(head)
            if body:
                self.relay.data(body)
            self.answer_done(connection)
            return
        self.status = head.status
        self.relay.whole((head.lines, self.pool.way if self.tries == 1 else self._way(), b"\r\n"), body)
        self.first_byte_at = now = monotonic()
        if not self._judged:
            standing = self.standing
            standing.answered(now, now - self.sent_at)
            if standing.trial or self.gate is not None:
                self._noticed(now)
        self._finish(connection, now)

    def _elsewhere(self, head: AnswerHead, connection: UpstreamConnection | None) -> bool:
        """An answer that speaks of trouble is counted; True: it is not passed on, because another endpoint is tried."""
        now = monotonic()
        path, standing = self._path, self.standing
        failing = head.status in FAILING
        self._judged = True
        standing.answered(now, now - self.sent_at, failed=failing, slow=True)
        if self.gate is not None:
            self.gate.sample(now - self.sent_at, now, failed=failing)
        if not failing:
            if standing.trial:
                path.succeeded(standing)
            return False
        path.failed(standing, f"it answered {head.status}", now, max(head.retry_after_s, 0))
        if head.status != UNAVAILABLE or head.retry_after_s > 0 or self._verdict("refused", now) == "pass":
            return False
        path.meters.retried_answers += 1
        if connection is not None:
            connection.pool.give(connection, now)
            self._connection = None
        self._leave()
        self._next(now, stale=False, charged=True)
        return True

    def answer(self, head: AnswerHead) -> None:
        """The head of the answer; its body follows."""
        if self._early:
            self._refused_late(head, None)
            return
        if head.status >= WORTH_A_LOOK and not self._judged and self._elsewhere(head, None):
            return
        path, client = self._path, self.client
        minor = self.fields.facts.minor
        self.state = ANSWERING
        self.status = head.status
        self.first_byte_at = now = monotonic()
        if not self._judged:
            self._answered(now)
        endless = EVENT_STREAM in head.lines
        client.await_body(now, self.route.limits.idle_s, endless=endless)
        if endless:
            self._leave_gate(now)
        if self._kept:
            self._kept.clear()
        unframed = head.length < 0
        if (unframed and minor == 0) or not self.request_done or path.draining:
            self._keep_alive = False
        if self.dressing.startswith(b"Access-Control"):
            head = msgspec.structs.replace(head, lines=cors.without_said(head.lines))
        told = forwarding.answer_head(
            head,
            way=self._way() + self.dressing + self._session_line(),
            location=self._led_back(relocated, head.location) if head.location else b"",
            cookies=[self._led_back(recookied, each) for each in head.cookies],
            minor=minor,
            keep_alive=self._keep_alive,
        )
        self.relay.head(told, chunking=unframed and minor == 1)

    def _answered(self, now: float) -> None:
        """An answer has begun: nothing speaks against its instance."""
        self.standing.answered(now, now - self.sent_at)
        self._noticed(now)
        wanted = self.aim
        if wanted is not None and wanted.user and wanted.preferred != self.standing.key:
            self._path.sticky.chose(wanted.user, instance_id(self.standing.key), instance_id(wanted.preferred))

    def _noticed(self, now: float) -> None:
        if self.standing.trial:
            self._path.succeeded(self.standing)
        if self.gate is not None:
            self.gate.sample(now - self.sent_at, now, failed=False)

    def _session_line(self) -> bytes:
        """A cookie for a new session, or one that moved."""
        wanted = self.aim
        if wanted is None or not wanted.gives_cookie or wanted.preferred == self.standing.key:
            return b""
        return b"Set-Cookie: %b\r\n" % aim.cookie_for(self.upstream, self.endpoint)

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
        self.standing.in_flight -= 1
        self._path.account.settle(self, self.status, "", now)
        self.state = READY
        if self.body_bytes or self._tried or self._afresh or self._judged or self.dressing or self.aim or self.gate:
            self._forget()
        self.client.answered(self._keep_alive and self.request_done, now)

    def _forget(self) -> None:
        """What concerned this request alone."""
        self._kept.clear()
        self._tried.clear()
        self.body_bytes = self._charged = 0
        self.aim = None
        self.dressing = b""
        self._afresh = self._early = self._judged = False
        if self.gate is not None:
            self._leave_gate(monotonic())

    def _leave_gate(self, now: float) -> None:
        """Its end, or that of what is counted: how long a tunnel or an event stream is open says nothing about room."""
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.leave(now)

    # --- tunnels

    @property
    def tunnelled(self) -> bool:
        return self.state is TUNNEL

    def upgraded(self, head: AnswerHead, rest: bytes) -> None:
        if not self.fields.facts.upgrade:
            raise Malformed(502, "it changed the protocol unasked")
        if not self._early:
            self.client.write(forwarding.switching_head(head, self._way() + self._session_line()))
        self.state = TUNNEL
        self.status = 101
        self.first_byte_at = now = monotonic()
        self._answered(now)
        self.standing.in_flight -= 1
        self.standing.tunnels += 1
        self._leave_gate(now)
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
        return self._connection.write_eof()

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
        path, now = self._path, monotonic()
        stale = fault == "died" and self._connection is not None and self._connection.reused
        if fault in COUNTED and not stale:
            self.standing.answered(now, now - self.sent_at, failed=True)
            if fault != "connect":
                path.failed(self.standing, why, now)
            if self.gate is not None:
                self.gate.sample(now - self.sent_at, now, failed=True)
        verdict = self._verdict(fault, now, stale=stale)
        if verdict == "wait":
            return
        self._leave()
        if verdict == "again":
            self._next(now, stale=stale, charged=fault in ("died", "garbage"))
            return
        self._give_up(verdict, fault, why)

    def _verdict(self, fault: Fault, now: float, *, stale: bool = False) -> retries.Verdict:
        if stale and self.repeatable and not self._afresh:
            return "again"  # it says nothing about its endpoint
        return retries.after(fault, repeatable=self.repeatable, more=self._more(fault, now))

    def _more(self, fault: Fault, now: float) -> bool:
        """Another try may be worth it, and is allowed."""
        path, policy = self._path, self.upstream.policy
        balancer = path.balancers.get(self.upstream.service)
        tried = len(self._tried) + 1
        if not path.guards.retries or balancer is None or not balancer.candidates:
            return False
        known = 1 if self.aim is not None and self.aim.alone else len(balancer.upstream.endpoints) or 1
        if fault == "connect":
            return tried < max(known, retries.MIN_TRIES) and (self.repeatable or path.guards.reroute)
        if fault == "put out":
            return known > 1 and tried < known
        if not self.repeatable:
            return False
        if known == 1:
            return fault == "died" and tried < retries.MIN_TRIES
        excluded = (*self._tried, self.endpoint.key)
        return self._charged < policy.retries and path.retry_elsewhere(self.upstream, excluded, now)

    def _next(self, now: float, *, stale: bool, charged: bool) -> None:
        self.upstream = self._path.upstream(self.upstream)
        self._judged = False
        if stale:
            self._afresh = True
        else:
            self._tried.append(self.endpoint.key)
            self._charged += charged
        self._path.meters.retries += 1
        self._try(now)

    def _give_up(self, verdict: retries.Verdict, fault: Fault, why: str) -> None:
        self._path.meters.unknown_outcomes += verdict == "unknown"
        status, content = retries.told(verdict, self.endpoint.path_name.decode(), self.tries, why)
        nobody = fault == "connect" and not self._charged  # nothing of it was ever sent
        self.refuse_early(status, content, NO_INSTANCE[0] if nobody else "", reason=fault)

    def _leave(self) -> None:
        """Give the attempt up: close its connection, take it out of the counts."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(at_once=not self.tunnelled)
        self.client.resume(FOR_CONNECT | FOR_UPSTREAM)
        if self.state is QUEUED and self.gate is not None:
            self.gate.withdraw(self)
            self.gate = None
        elif self.state is TUNNEL:
            self.standing.tunnels -= 1
        elif self.state not in (READY, QUEUED, SEEKING):  # in these, nothing is counted in yet
            self.standing.in_flight -= 1

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

    def refuse_early(self, status: int, content: str, number: str = "", *, reason: str, retry_after_s: int = 0) -> None:
        """An answer of the gateway's own, in place of an instance's."""
        early, extra = self._early, self.dressing
        if retry_after_s:
            extra += b"Retry-After: %d\r\n" % retry_after_s
        self._record(status, reason)
        if early:
            self.client.write(early_upgrade.closing(content))
            self.client.close()
        else:
            self.client.reply(status, content, number, keep_alive=self._keep_alive and self.request_done, extra=extra)

    def answer_here(self, head: bytes, status: int) -> None:
        """A whole answer without a body, made by the gateway; `head` lacks its empty line."""
        keep_alive = self._keep_alive and self.request_done and not self._path.draining
        self._record(status, "")
        self.client.write(
            head + ALL_HARDENED + self._path.told + (b"\r\n" if keep_alive else b"Connection: close\r\n\r\n")
        )
        self.client.answered(keep_alive, monotonic())

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
        self.refuse_early(status, content, reason="malformed")

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
