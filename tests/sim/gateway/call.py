"""One call and its answer: what `gateway.exchange` does of it, as far as the balancing core is told or asked.

From `begin` to the whole answer, method by method; see `gateway` for how this is kept true. What to do after a failure
is decided by `gateway.retries` and `Balancer.may_retry`, as there. Not modelled: bodies too large to be sent again,
answers that break off, callers that give up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from gateway import retries
from gateway.config import GatewayConfig
from gateway.exchange import COUNTED, FAILING, PATIENT_CONNECT_S, UNAVAILABLE, WORTH_A_LOOK
from gateway.gates import Gate
from gateway.snapshot import Endpoint
from gateway.standing import Standing
from gateway.ticker import NEVER
from tests.sim.gateway.pool import Pool
from tests.sim.gateway.server import Connection

if TYPE_CHECKING:
    from tests.sim.gateway.gateway import Gateway

CONFIG = GatewayConfig()

State = Literal["ready", "queued", "connecting", "waiting"]
Reason = Literal[retries.Verdict, "crowded", "lack", ""]


class Call:
    """`over` is told when there is an answer, of an instance or the gateway's own."""

    __slots__ = (
        "_afresh", "_attempt", "_charged", "_connection", "_gate", "_gateway", "_judged", "_over", "_pool", "_sent_at",
        "_state", "_tried", "deadline", "method", "reason", "sent", "standing", "started", "status", "tries",
    )  # fmt: skip

    standing: Standing
    _pool: Pool

    def __init__(self, gateway: Gateway, method: str, over: Callable[[Call], None]) -> None:
        self._gateway = gateway
        self._over = over
        self.method = method
        self.started = gateway.world.now
        self.deadline = NEVER
        self.status = self.tries = self._attempt = 0
        self.reason: Reason = ""
        """Why the answer is the gateway's own."""
        self.sent = False
        """An instance may have got it."""
        self._state: State = "ready"
        self._connection: Connection | None = None
        self._gate: Gate | None = None
        self._tried: list[str] = []
        self._charged = 0
        self._afresh = self._judged = False
        self._sent_at = 0.0

    @property
    def repeatable(self) -> bool:
        return self.method == "GET"

    # --- on its way

    def begin(self) -> None:
        gateway = self._gateway
        gateway.calls[self] = None
        gate = gateway.gate
        if gate is None:
            self._go()
            return
        self._gate = gate
        match gate.enter(self, self.started):
            case "in":
                self._go()
            case "wait":
                self._state = "queued"
            case "full":
                self._gate = None
                self._refuse("crowded")

    def its_turn(self, gate: Gate) -> None:
        if self._state != "queued":
            gate.leave(self._gateway.world.now)
            return
        self._state = "ready"
        self._go()

    def waited_too_long(self) -> None:
        self._state, self._gate = "ready", None
        self._refuse("crowded")

    def _go(self) -> None:
        balancer = self._gateway.balancer
        if balancer is None or not balancer.candidates:
            self._refuse("lack")
            return
        self._try(self._gateway.world.now)

    def _try(self, now: float) -> None:
        gateway = self._gateway
        balancer = gateway.balancer
        if balancer is None or not balancer.candidates:
            self._refuse("lack")
            return
        self.standing = standing = balancer.pick(now, b"", self._tried)
        self.tries += 1
        gateway.tried(gateway, standing)
        self._sent_at = now
        if not standing.in_flight:
            standing.last_answer = now
        standing.in_flight += 1
        self._pool = pool = gateway.pool(standing.endpoint)
        connection = None if self._afresh else pool.take(now)
        if connection is not None:
            self._send(connection, now)
            return
        self._state = "connecting"
        self._attempt += 1
        self.deadline = NEVER
        patient = standing.key in self._tried
        pool.server.connect(
            PATIENT_CONNECT_S if patient else CONFIG.connect_timeout_s,
            partial(self._connected, self._attempt),
            partial(self._connect_failed, self._attempt),
        )

    def _connected(self, attempt: int, connection: Connection) -> None:
        now = self._gateway.world.now
        if attempt != self._attempt or self._state != "connecting":
            self._pool.give(connection, now)
            return
        self._gateway.connected(self.standing)
        self._send(connection, now)

    def _connect_failed(self, attempt: int, why: str) -> None:
        if attempt != self._attempt or self._state != "connecting":
            return
        self._gateway.connect_failed(self.standing.endpoint, why)
        self._attempt_failed("connect", why)

    def _send(self, connection: Connection, now: float) -> None:
        self._state = "waiting"
        self.sent = True
        self._connection = connection
        connection.call = self
        connection.server.send(connection)
        since = self.started if self.tries > 1 and self.repeatable else now
        self.deadline = since + CONFIG.response_timeout_s

    # --- the answer

    def answered(self, status: int, connection: Connection) -> None:
        now = self._gateway.world.now
        if status >= WORTH_A_LOOK and not self._judged and self._elsewhere(status, now):
            return
        self.status = status
        if not self._judged:
            standing = self.standing
            standing.answered(now, now - self._sent_at)
            if standing.trial:
                self._gateway.succeeded(standing)
            if self._gate is not None:
                self._gate.sample(now - self._sent_at, now, failed=False)
        self._connection = None
        self._pool.give(connection, now)
        self.standing.in_flight -= 1
        self._end()

    def _elsewhere(self, status: int, now: float) -> bool:
        gateway, standing = self._gateway, self.standing
        failing = status in FAILING
        self._judged = True
        standing.answered(now, now - self._sent_at, failed=failing, slow=True)
        if self._gate is not None:
            self._gate.sample(now - self._sent_at, now, failed=failing)
        if not failing:
            if standing.trial:
                gateway.succeeded(standing)
            return False
        gateway.failed(standing, f"it answered {status}", now)
        if status != UNAVAILABLE or self._verdict("refused", now) != "again":
            return False
        if self._connection is not None:
            self._pool.give(self._connection, now)
            self._connection = None
        self._leave()
        self._next(now, stale=False, charged=True)
        return True

    # --- trouble

    def died(self, connection: Connection) -> None:
        if connection is self._connection:
            self._attempt_failed("died", "it closed the connection")

    def expire(self) -> None:
        self.deadline = NEVER
        if self._state == "waiting":
            self._attempt_failed("slow", "no answer in time")

    def put_out(self, endpoint: Endpoint, why: str) -> None:
        if self._state == "waiting" and self.standing.key == endpoint.key:
            self._attempt_failed("put out", why)

    def waits_at(self, late: float) -> str:
        return self.standing.key if self._state == "waiting" and self._sent_at < late else ""

    def _attempt_failed(self, fault: retries.Fault, why: str) -> None:
        gateway = self._gateway
        now = gateway.world.now
        stale = fault == "died" and self._connection is not None and self._connection.reused
        if fault in COUNTED and not stale:
            self.standing.answered(now, now - self._sent_at, failed=True)
            if fault != "connect":
                gateway.failed(self.standing, why, now)
            if self._gate is not None:
                self._gate.sample(now - self._sent_at, now, failed=True)
        again = stale and self.repeatable and not self._afresh
        verdict = "again" if again else self._verdict(fault, now)
        if verdict == "wait":
            return
        self._leave()
        if verdict == "again":
            self._next(now, stale=stale, charged=fault in ("died", "garbage"))
            return
        self._refuse(verdict)

    def _verdict(self, fault: retries.Fault, now: float) -> retries.Verdict:
        return retries.after(fault, repeatable=self.repeatable, more=self._more(fault, now))

    def _more(self, fault: retries.Fault, now: float) -> bool:
        balancer = self._gateway.balancer
        tried = len(self._tried) + 1
        if not self._gateway.guards.retries or balancer is None or not balancer.candidates:
            return False
        known = len(balancer.upstream.endpoints) or 1
        if fault == "connect":
            return tried < max(known, retries.MIN_TRIES) and (self.repeatable or self._gateway.guards.reroute)
        if fault == "put out":
            return known > 1 and tried < known
        if not self.repeatable:
            return False
        if known == 1:
            return fault == "died" and tried < retries.MIN_TRIES
        excluded = (*self._tried, self.standing.key)
        policy = balancer.upstream.policy
        return self._charged < policy.retries and self._gateway.retry_elsewhere(excluded, now)

    def _next(self, now: float, *, stale: bool, charged: bool) -> None:
        self._judged = False
        if stale:
            self._afresh = True
        else:
            self._tried.append(self.standing.key)
            self._charged += charged
        self._try(now)

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._state in ("connecting", "waiting"):
            self.standing.in_flight -= 1

    # --- its end

    def _refuse(self, reason: Reason) -> None:
        self.reason = reason
        if reason in ("crowded", "lack", ""):
            self.status = UNAVAILABLE
        else:
            self.status, _ = retries.told(cast(retries.Verdict, reason), "", self.tries, "")
        self._end()

    def _end(self) -> None:
        self._state = "ready"
        self.deadline = NEVER
        del self._gateway.calls[self]
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave(self._gateway.world.now)
        self._over(self)
