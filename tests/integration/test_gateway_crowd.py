"""Many connections at one gateway process: at rest, as websockets, dripping, and more than it has descriptors for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from tests.fakes import RawInstance, an_instance, answering, until
from tests.integration.gateway_process_rig import (
    HOST,
    INSTANCE,
    OTHER,
    PORT,
    GatewayProcess,
    a_gateway_process,
    many_files,
    settled,
)
from tests.integration.gateway_rig import on_uvloop
from tests.integration.websocket_servers import Servers
from tests.integration.websocket_wire import HANDSHAKE, TEXT, close_frame, frame

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
GET_ONCE = GET.replace(b"Host", b"Connection: close\r\nHost")
UPGRADE = b"GET /chat/ws/v1/echo?id=%d HTTP/1.1\r\nHost: g\r\n%b\r\n\r\n"

AT_REST = 10_000
WEBSOCKETS = 1_000
DRIPPING = 500
GROUP = 50
QUICKLY_S = 1.0
"""On a machine that does other things too; it takes a few milliseconds."""


class Visitor(asyncio.Protocol):
    """A client without buffers of its own: thousands of them fit into the test's process."""

    def __init__(self, greeting: bytes = b"") -> None:
        self.got = b""
        self.open = False
        self.was_reset = False
        self._greeting = greeting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.open = True
        self.transport.write(self._greeting)

    def data_received(self, data: bytes) -> None:
        self.got += data

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self.was_reset = error is not None

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    @property
    def status(self) -> int:
        return int(self.got[9:12] or b"0")


@contextlib.asynccontextmanager
async def visitors(greetings: list[bytes], *, answered: bool = False) -> AsyncIterator[list[Visitor]]:
    """So many, each with its first bytes; in groups that fit into the queue of whoever listens. `answered`: each group
    has its answers before the next one comes."""
    loop = asyncio.get_running_loop()
    all_of_them = [Visitor(greeting) for greeting in greetings]
    try:
        for at in range(0, len(greetings), GROUP):
            group = all_of_them[at : at + GROUP]
            await asyncio.gather(*(loop.create_connection(lambda each=each: each, HOST, PORT) for each in group))
            await until(lambda some=group: not answered or all(each.got for each in some), "they are answered")
        yield all_of_them
    finally:
        for each in all_of_them:
            if each.open:
                each.transport.abort()
        await until(lambda: not any(each.open for each in all_of_them))


async def waits(gateway: GatewayProcess, times: int) -> list[float]:
    """How long so many calls take, one after the other, each on a connection of its own."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        assert await gateway.status("/orders/api/v1/x") == 200
        took.append(time.monotonic() - began)
    return sorted(took)


@on_uvloop
async def test_ten_thousand_connections_at_rest_do_not_slow_the_others(tmp_path: Path) -> None:
    with many_files() as most:
        if most < AT_REST + 500:
            pytest.skip(f"needs {AT_REST + 500} open files, the hard limit is {most}")
        instance = RawInstance(INSTANCE, 9000, answering(b"ok"))
        async with a_gateway_process(tmp_path, instance, max_connections=AT_REST + 100) as gateway:
            before = gateway.resident()
            async with visitors([GET] * AT_REST, answered=True) as crowd:
                assert Counter(each.got[-2:] for each in crowd) == {b"ok": AT_REST}
                assert await gateway.metric("connections") == AT_REST + 1
                assert gateway.files() < AT_REST + 400, "instances are not called once per client"
                print(f"{(gateway.resident() - before) // AT_REST} bytes a connection")
                cpu = gateway.cpu_s()
                took = await waits(gateway, 200)
                assert took[100] < QUICKLY_S / 20
                assert took[-1] < QUICKLY_S
                assert gateway.cpu_s() - cpu < 2.0
                for each in crowd[::100]:
                    each.got = b""
                    each.send(GET)
                await until(lambda: all(each.got.endswith(b"ok") for each in crowd[::100]), "they are still served")
                assert all(each.open for each in crowd)
            await gateway.until_metric("connections", 1)


@on_uvloop
async def test_a_thousand_websockets_do_not_notice_that_the_registry_changes(tmp_path: Path) -> None:
    servers = Servers()
    instance = RawInstance(INSTANCE, 9000, answering(b"ok"))
    with many_files():
        async with servers.echo(OTHER, 9001), a_gateway_process(tmp_path, instance) as gateway:
            registered = an_instance("chat", 9001, OTHER)
            gateway.discovery.put(registered)
            await gateway.until_metric("endpoints", 2)
            greetings = [UPGRADE % (number, HANDSHAKE) for number in range(WEBSOCKETS)]
            async with visitors(greetings, answered=True) as crowd:
                assert Counter(each.status for each in crowd) == {101: WEBSOCKETS}
                for swap in range(6):
                    change(gateway, swap, registered.key)
                    await echoes(crowd, b"swap %d" % swap)
                await gateway.until_metric("endpoints", 0)
                await echoes(crowd, b"nobody is registered any more")
                assert await gateway.metric("in_flight_requests") == WEBSOCKETS + 1
                for each in crowd:
                    each.send(close_frame())
                await until(lambda: len(servers.ends) == WEBSOCKETS, "the server sees all of them close")
            assert Counter(servers.ends.values()) == {(1000, ""): WEBSOCKETS}
            await gateway.until_metric("in_flight_requests", 1)


def change(gateway: GatewayProcess, swap: int, key: str) -> None:
    """A new snapshot: others come, change and go, at last everybody goes."""
    node = gateway.discovery
    match swap:
        case 0 | 1:
            node.put(an_instance("chat", 9100 + swap, OTHER))
        case 2:
            node.put(an_instance("chat", 9001, OTHER, rev=2, metadata={"colour": "blue"}))
        case 3:
            node.put(an_instance("chat", 9001, OTHER, rev=3, status="OUT_OF_SERVICE"))
        case 4:
            node.remove(key)
        case 5:
            node.remove(*node.instances)


async def echoes(crowd: list[Visitor], message: bytes) -> None:
    """All of them still echo."""
    for each in crowd:
        each.got = b""
        each.send(frame(TEXT, message))
    expected = frame(TEXT, message, mask=None)
    await until(lambda: all(each.got == expected for each in crowd), f"all echo {message!r}")


@on_uvloop
async def test_heads_that_drip_are_given_up_in_time_while_others_are_served(tmp_path: Path) -> None:
    """A byte of each every 50 ms would take the head 2 s; it has 1 s, looked at every 0.1 s."""
    with many_files():
        settings = {"head_timeout_s": 1.0, "tick_s": 0.1, "linger_s": 0.2}
        async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, answering(b"ok")), **settings) as gateway:
            async with visitors([GET[:1]] * DRIPPING) as crowd:
                dripping = asyncio.create_task(drip(crowd, GET[1:]))
                began = time.monotonic()
                took = await waits(gateway, 50)
                assert took[-1] < QUICKLY_S
                await until(lambda: not any(each.open for each in crowd), "all are closed")
                assert 0.5 < time.monotonic() - began < 5
                await dripping
                assert Counter(each.status for each in crowd) == {408: DRIPPING}
            await gateway.until_metric("connections", 1)
            assert await gateway.metric("in_flight_requests") == 1


async def drip(crowd: list[Visitor], rest: bytes) -> None:
    for byte in rest:
        for each in crowd:
            if each.open and not each.got:
                each.send(bytes((byte,)))
        await asyncio.sleep(0.05)


@on_uvloop
async def test_without_descriptors_new_clients_wait_and_nothing_spins(tmp_path: Path) -> None:
    files = 80

    async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, answering(b"ok")), files=files) as gateway:
        assert await gateway.status("/orders/api/v1/x") == 200
        await until(lambda: list(tmp_path.rglob("gateway-access.log")), "its log of calls is open")
        async with visitors([b""] * files * 2) as crowd:
            await until(lambda: gateway.logged("accept.paused"), "it says so")
            assert await settled(gateway.files) <= files
            cpu, began = gateway.cpu_s(), time.monotonic()
            await until(lambda: time.monotonic() - began > 2)
            assert gateway.cpu_s() - cpu < 0.4, "it spins"
            assert all(each.open for each in crowd), "nobody is dropped"
            said = len(gateway.logged("accept.paused"))
            assert said < 10, "it says so too often"
            for each in crowd[:files]:
                each.transport.abort()
            for each in crowd[files:]:
                each.send(GET_ONCE)
            await until(lambda: not any(each.open for each in crowd), "those who waited are answered")
            assert {each.status for each in crowd[files:]} <= {200, 503}
        assert (await waits(gateway, 20))[-1] < QUICKLY_S
        assert gateway.process.returncode is None


@on_uvloop
async def test_clients_that_are_in_are_served_while_there_are_no_descriptors_for_others(tmp_path: Path) -> None:
    """Accepting must not take the descriptors that the calls of those already accepted need."""
    files = 80
    instance = RawInstance(INSTANCE, 9000, answering(b"ok"))
    settings = {"upstream_idle_s": 0.2, "tick_s": 0.1}
    async with (
        a_gateway_process(tmp_path, instance, files=files, **settings) as gateway,
        visitors([GET] * 4, answered=True) as first,
        visitors([b""] * files * 2),
    ):
        await until(lambda: gateway.logged("accept.paused"))
        await settled(gateway.files)
        for each in first:
            each.got = b""
            each.send(GET)
        await until(lambda: all(each.got for each in first), "they are answered")
        assert [each.status for each in first] == [200] * 4
