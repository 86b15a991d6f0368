"""The exchange's table, row by row: from a state, by an event, to the next one, and what is done on the way.

Transports are stand-ins that note what they are told; there is a loop (deadlines and the outbox belong to one), but
nothing waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any

import pytest

from gateway.config import GatewayConfig
from gateway.datapath import DataPath
from gateway.downstream import Downstream
from gateway.exchange import State
from gateway.snapshot import Snapshot, endpoint_of, upstream_of
from gateway.upstream import UpstreamConnection
from shared.events import Events
from shared.wire import Status
from tests.fakes import an_instance

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\n\r\nbody"
UPGRADE = b"GET /orders/ws/v1/x HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"


@dataclass
class Wire:
    """A transport and its socket."""

    out: bytes = b""
    closed: str = ""
    """How: "close" or "abort"."""
    reset: bool = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.out += data

    def close(self) -> None:
        self.closed = self.closed or "close"

    def abort(self) -> None:
        self.closed = "abort"

    def is_closing(self) -> bool:
        return bool(self.closed)

    def write_eof(self) -> None:
        self.out += b"<eof>"

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def setsockopt(self, *_: object) -> None:
        self.reset = True

    def recv(self, *_: object) -> bytes:
        raise BlockingIOError


@dataclass
class Rig:
    path: DataPath
    client: Wire
    down: Downstream
    opened: list[Any] = field(default_factory=list)
    """What the pools were asked to connect for."""

    @property
    def state(self) -> State:
        return self.down.exchange.state

    def connection(self, number: int = 0) -> tuple[UpstreamConnection, Wire]:
        """A connection to the instance with that number, made now."""
        endpoint = self.path.snapshot.upstreams[b"orders"].endpoints[number]
        wire = Wire()
        pool = self.path.pools.get(endpoint.key) or self.path.new_pool(endpoint)
        made = UpstreamConnection(pool, wire)  # type: ignore[arg-type]
        made.connection_made(wire)  # type: ignore[arg-type]
        return made, wire

    def resting(self, number: int = 0) -> Wire:
        made, wire = self.connection(number)
        made.pool.give(made, asyncio.get_running_loop().time())
        return wire

    def busy(self) -> tuple[UpstreamConnection, Wire]:
        found: Any = self.down.exchange._connection
        return found, found._transport

    def connect(self) -> Wire:
        """The connect under way succeeds."""
        exchange = self.down.exchange
        number = [each.key for each in self.path.snapshot.upstreams[b"orders"].endpoints].index(exchange.endpoint.key)
        made, wire = self.connection(number)
        assert exchange.connected(exchange.attempt, made)
        return wire

    def says(self, data: bytes) -> None:
        """The client."""
        self.down.data_received(data)
        self.path.outbox.flush()

    def answers(self, data: bytes) -> None:
        self.busy()[0].data_received(data)
        self.path.outbox.flush()

    def settled(self) -> bool:
        return not any(self.path.in_flight.values())


def rig(instances: int = 1, **metadata: str) -> Rig:
    async def never(*_: object) -> Any:
        raise AssertionError("nothing of its own is asked for")

    status: Status = "UP" if instances else "DOWN"
    config = GatewayConfig(host="127.0.0.1", access_log="off")
    path = DataPath(config, Events(logging.getLogger("test")), Random(1), never)
    known = {
        each.key: each
        for each in (
            an_instance("orders", 9000 + number, status=status, metadata=metadata)
            for number in range(max(instances, 1))
        )
    }
    upstream = upstream_of("orders", known)
    endpoints = {each.key: each for each in map(endpoint_of, known.values())}
    path.adopt(
        Snapshot(MappingProxyType({b"orders": upstream}), MappingProxyType(endpoints), MappingProxyType(known), {})
    )
    wire = Wire()
    down = Downstream(path, wire, "127.0.0.1", 7554)  # type: ignore[arg-type]
    down.connection_made(wire)  # type: ignore[arg-type]
    made = Rig(path, wire, down)
    for endpoint in upstream.endpoints:
        path.new_pool(endpoint).open = lambda exchange, _: made.opened.append(exchange.endpoint.key)  # type: ignore[method-assign]
    return made


def within_a_loop(test: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        async def body() -> None:
            test()

        asyncio.run(body())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def waiting(request: bytes = GET, instances: int = 1) -> Rig:
    """An exchange whose request was sent over a new connection."""
    made = rig(instances)
    made.says(request)
    assert made.state is State.CONNECTING
    made.connect()
    assert made.state is State.WAITING
    return made


# --- READY


@within_a_loop
def test_ready_and_a_head_with_no_connection_at_rest_is_connecting() -> None:
    made = rig()
    made.says(GET)
    assert made.state is State.CONNECTING
    assert len(made.opened) == 1
    assert made.client.out == b""


@within_a_loop
def test_ready_and_a_head_with_a_connection_at_rest_is_waiting_and_the_head_is_sent() -> None:
    made = rig()
    resting = made.resting()
    made.says(GET)
    assert made.state is State.WAITING
    assert resting.out.startswith(b"GET /x HTTP/1.1\r\nHost: 127.0.40.1:9000\r\n")
    assert resting.out.endswith(b"\r\n\r\n")


@within_a_loop
def test_ready_and_a_path_without_a_service_or_route_stays_ready_and_is_answered_404() -> None:
    for target in (b"/nobody/api/v1/x", b"/orders/other/v9/x"):
        made = rig()
        made.says(GET.replace(b"/orders/api/v1/x", target))
        assert made.state is State.READY
        assert made.client.out.startswith(b"HTTP/1.1 404 ")
        assert made.settled()


@within_a_loop
def test_ready_and_a_service_without_an_instance_stays_ready_and_is_answered_503() -> None:
    made = rig(instances=0)
    made.says(GET)
    assert made.state is State.READY
    assert made.client.out.startswith(b"HTTP/1.1 503 ")


# --- QUEUED


ONE_AT_ONCE = {"plexmesh.maxCalls": "1"}


def second(made: Rig) -> tuple[Wire, Downstream]:
    """Another client of the same gateway."""
    wire = Wire()
    down = Downstream(made.path, wire, "127.0.0.2", 7554)  # type: ignore[arg-type]
    down.connection_made(wire)  # type: ignore[arg-type]
    return wire, down


@within_a_loop
def test_ready_without_room_is_queued_and_goes_on_when_a_call_ends() -> None:
    made = rig(**ONE_AT_ONCE)
    made.says(GET)
    made.connect()
    _, waits = second(made)
    waits.data_received(GET)
    assert waits.exchange.state is State.QUEUED
    made.answers(OK)
    waits.exchange.its_turn(made.path.gates["orders"])
    assert waits.exchange.state is State.WAITING


@within_a_loop
def test_queued_for_too_long_is_answered_503_with_retry_after() -> None:
    made = rig(**ONE_AT_ONCE)
    made.says(GET)
    wire, waits = second(made)
    waits.data_received(GET)
    made.path.gates["orders"]._bulkhead.expired(float("inf"))
    waits.exchange.waited_too_long()
    made.path.outbox.flush()
    assert waits.exchange.state is State.READY
    assert wire.out.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in wire.out


@within_a_loop
def test_a_client_that_goes_while_queued_gives_back_a_turn_it_has_been_given() -> None:
    made = rig(**ONE_AT_ONCE)
    made.says(GET)
    made.connect()
    _, waits = second(made)
    waits.data_received(GET)
    made.answers(OK)
    waits.connection_lost(None)
    gate = made.path.gates["orders"]
    waits.exchange.its_turn(gate)
    made.says(GET)
    assert made.state is State.WAITING
    assert gate.waiting == 0


# --- CONNECTING


@within_a_loop
def test_connected_is_waiting_and_head_and_body_are_sent() -> None:
    made = rig()
    made.says(POST)
    wire = made.connect()
    made.path.outbox.flush()
    assert made.state is State.WAITING
    assert wire.out.endswith(b"\r\n\r\nbody")


@within_a_loop
def test_a_failed_connect_goes_elsewhere_also_for_a_post() -> None:
    made = rig(instances=2)
    made.says(POST)
    exchange = made.down.exchange
    exchange.connect_failed(exchange.attempt, "connect", "refused")
    assert made.state is State.CONNECTING
    assert len(set(made.opened)) == 2


@within_a_loop
def test_a_failed_connect_with_nowhere_else_to_go_is_answered_503() -> None:
    made = rig()
    made.says(GET)
    exchange = made.down.exchange
    for _ in range(2):  # one endpoint is tried twice
        assert made.state is State.CONNECTING
        exchange.connect_failed(exchange.attempt, "connect", "refused")
    made.path.outbox.flush()
    assert made.state is State.READY
    assert made.client.out.startswith(b"HTTP/1.1 503 ")
    assert made.settled()


@within_a_loop
def test_a_connect_that_comes_too_late_is_not_taken() -> None:
    made = rig()
    made.says(GET)
    exchange = made.down.exchange
    late, old = made.connection()[0], exchange.attempt
    exchange.connect_failed(old, "connect", "slow")
    assert not exchange.connected(old, late)
    assert made.state is State.CONNECTING


# --- WAITING


@within_a_loop
def test_waiting_and_an_interim_answer_waits_on_and_it_is_passed_on() -> None:
    made = waiting()
    made.answers(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert made.state is State.WAITING
    assert made.client.out == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


@within_a_loop
def test_waiting_and_a_head_with_a_part_of_the_body_is_answering() -> None:
    made = waiting()
    made.answers(HALF)
    assert made.state is State.ANSWERING
    assert made.client.out.endswith(b"\r\n\r\nha")
    made.answers(b"lf")
    assert made.state is State.READY
    assert made.client.out.endswith(b"\r\n\r\nhalf")


@within_a_loop
def test_waiting_and_a_whole_answer_is_ready_and_the_connection_rests() -> None:
    made = waiting()
    pool = made.busy()[0].pool
    made.answers(OK)
    assert made.state is State.READY
    assert made.client.out.endswith(b"\r\n\r\nok")
    assert pool.idle_count == 1
    assert made.settled()
    assert not made.client.closed


@within_a_loop
def test_waiting_and_101_is_a_tunnel_and_bytes_pass_both_ways() -> None:
    made = waiting(UPGRADE)
    made.answers(SWITCH + b"hello")
    wire = made.busy()[1]
    made.says(b"raw \x00")
    assert made.state is State.TUNNEL
    assert made.client.out.endswith(b"\r\n\r\nhello")
    assert wire.out.endswith(b"raw \x00")
    assert made.path.meters.tunnels == 1


@within_a_loop
def test_waiting_and_an_unasked_101_is_garbage() -> None:
    made = waiting(POST)
    made.answers(SWITCH)
    assert made.state is State.READY
    assert made.client.out.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("fault", ["died", "garbage", "put out"])
def test_waiting_and_trouble_goes_elsewhere_for_a_get(fault: Any) -> None:
    @within_a_loop
    def run() -> None:
        made = waiting(GET, instances=2)
        wire = made.busy()[1]
        made.down.exchange.attempt_failed(fault, "trouble")
        assert made.state is State.CONNECTING
        assert wire.closed == "abort"
        assert len(set(made.opened)) == 2

    run()


@pytest.mark.parametrize(("fault", "status"), [("died", b"503"), ("garbage", b"502"), ("slow", b"504")])
def test_waiting_and_trouble_is_answered_for_a_post_and_never_sent_twice(fault: Any, status: bytes) -> None:
    @within_a_loop
    def run() -> None:
        made = waiting(POST, instances=2)
        made.down.exchange.attempt_failed(fault, "trouble")
        made.path.outbox.flush()
        assert made.state is State.READY
        assert made.client.out.startswith(b"HTTP/1.1 " + status)
        assert len(made.opened) == 1
        assert made.settled()

    run()


@within_a_loop
def test_waiting_and_put_out_waits_on_for_a_post() -> None:
    made = waiting(POST, instances=2)
    made.down.exchange.attempt_failed("put out", "probes fail")
    assert made.state is State.WAITING


@within_a_loop
def test_a_resting_connection_that_was_dead_is_followed_by_a_new_one_to_the_same_instance() -> None:
    made = rig()
    made.resting()
    made.says(GET)
    made.busy()[0].connection_lost(None)
    assert made.state is State.CONNECTING
    assert len(made.opened) == 1


UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno"
LATER = UNAVAILABLE.replace(b"Content", b"Retry-After: 9\r\nContent", 1)


@within_a_loop
def test_waiting_and_503_goes_elsewhere_for_a_get_and_its_connection_rests() -> None:
    made = waiting(instances=2)
    first = made.down.exchange.endpoint.key
    made.answers(UNAVAILABLE)
    assert made.state is State.CONNECTING
    assert made.down.exchange.endpoint.key != first
    assert made.path.pools[first].idle_count == 1
    made.connect()
    made.answers(OK)
    assert made.client.out.startswith(b"HTTP/1.1 200 ")
    assert made.settled()


@pytest.mark.parametrize(
    ("request_bytes", "answer", "instances"),
    [(POST, UNAVAILABLE, 2), (GET, LATER, 2), (GET, UNAVAILABLE, 1)],
    ids=["not safe", "later", "nobody else"],
)
def test_waiting_and_503_is_passed_on(request_bytes: bytes, answer: bytes, instances: int) -> None:
    @within_a_loop
    def body() -> None:
        made = waiting(request_bytes, instances)
        made.answers(answer)
        assert made.state is State.READY
        assert made.client.out.startswith(b"HTTP/1.1 503 Service Unavailable")
        assert made.client.out.endswith(b"\r\n\r\nno")
        assert made.settled()

    body()


@within_a_loop
def test_when_all_answer_503_the_last_answer_is_passed_on_after_two_retries() -> None:
    made = waiting(instances=5)
    for _ in range(2):
        made.answers(UNAVAILABLE)
        made.connect()
    made.answers(UNAVAILABLE)
    assert made.state is State.READY
    assert made.client.out.startswith(b"HTTP/1.1 503 Service Unavailable")
    assert b"tries=3" in made.client.out


# --- ANSWERING


@pytest.mark.parametrize("fault", ["died", "garbage", "stalled"])
def test_answering_and_trouble_resets_the_client(fault: Any) -> None:
    @within_a_loop
    def run() -> None:
        made = waiting()
        made.answers(HALF)
        made.down.exchange.attempt_failed(fault, "trouble")
        assert made.state is State.READY
        assert made.client.reset
        assert made.client.closed == "abort"
        assert made.settled()

    run()


# --- TUNNEL


@within_a_loop
def test_a_tunnel_whose_instance_ends_it_closes_the_client_in_order() -> None:
    made = waiting(UPGRADE)
    made.answers(SWITCH)
    exchange = made.down.exchange
    exchange.started, exchange.first_byte_at = 100.0, 102.0
    made.busy()[0].connection_lost(None)
    assert made.path.meters.meter("orders", b"/orders/ws/v1").seconds == 2.0, "how long it was open is no latency"
    assert made.state is State.READY
    assert made.client.closed == "close"
    assert not made.client.reset
    assert made.path.meters.tunnels == 0
    assert made.settled()


# --- any state, and the client gone


@pytest.mark.parametrize("state", ["connecting", "waiting", "answering", "tunnel"])
def test_a_client_that_goes_takes_its_instances_connection_with_it(state: str) -> None:
    @within_a_loop
    def run() -> None:
        made = rig()
        made.says(UPGRADE if state == "tunnel" else GET)
        wire = Wire(closed="abort")
        if state != "connecting":
            wire = made.connect()
        if state in ("answering", "tunnel"):
            made.answers(HALF if state == "answering" else SWITCH)
        assert made.state.value == state
        made.down.connection_lost(None)
        assert made.state is State.READY
        assert wire.closed
        assert made.settled()
        assert made.path.meters.tunnels == 0

    run()
