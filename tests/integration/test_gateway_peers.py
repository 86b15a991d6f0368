"""Peers that close a half or all of their connection, kindly or not, in every state of an exchange.

Whoever leaves, and whenever: the other side hears of it at once, no counter is left over, a cut answer never looks
whole, and what cannot be repeated is sent once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.fakes import Caller, RawInstance, an_instance, answer, until
from tests.integration.gateway_process_rig import reset, settled
from tests.integration.gateway_rig import INSTANCES, Client, Rig, a_gateway, on_uvloop

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\nhello"
UPGRADE = b"GET /orders/ws/v1/x HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nabc"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nabc"

AT_ONCE_S = 2.0
"""Far below every time-out of a gateway with its own settings, far above what a busy machine needs."""

STATES: dict[str, tuple[bytes, bytes, bytes]] = {
    "waiting": (POST, b"", b""),
    "waiting for the body": (POST[:-2], b"", b""),
    "interim": (POST, INTERIM, b"\r\n\r\n"),
    "in the head": (POST, COUNTED[:20], b""),
    "counted": (POST, COUNTED, b"abc"),
    "chunked": (POST, CHUNKED, b"abc"),
    "until close": (POST, UNTIL_CLOSE, b"abc"),
    "tunnel": (UPGRADE, SWITCH, b"abc"),
}
"""State of the exchange → what the client has sent, what the instance has, and what the client has got of that."""


@pytest.fixture(autouse=True)
def nothing_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An exception in a callback of the loop is logged, and seen by nobody else."""
    yield
    assert [each.getMessage() for each in caplog.records if each.levelname in ("ERROR", "CRITICAL")] == []


class Stage:
    """An instance that gets into a state and stays there, until told to leave or left by the gateway."""

    def __init__(self, sends: bytes = b"") -> None:
        self.instance = RawInstance(INSTANCES[0], 9000, self._behave)
        self.reached = asyncio.Event()
        self.left = asyncio.Event()
        """The gateway has ended the connection."""
        self.leave: Callable[[Caller], Awaitable[None]] | None = None
        self.leaving = asyncio.Event()
        self.goes_on = False
        """It sends a byte now and then."""
        self._sends = sends

    async def _behave(self, caller: Caller) -> None:
        if not await caller.head():
            return
        await caller.send(self._sends)
        self.reached.set()
        reading = asyncio.ensure_future(caller.reader.read())
        waiting = asyncio.ensure_future(self.leaving.wait())
        while not reading.done() and not waiting.done():
            if self.goes_on and not caller.writer.is_closing():
                with contextlib.suppress(ConnectionError):
                    await caller.send(b"1\r\nx\r\n" if b"chunked" in self._sends else b"x")
            await asyncio.wait((reading, waiting), timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            reading.cancel()
            await asyncio.wait((reading,))
            assert self.leave is not None
            await self.leave(caller)
            return
        waiting.cancel()
        with contextlib.suppress(ConnectionError):
            reading.result()
        self.left.set()


async def by_reset(caller: Caller) -> None:
    caller.reset()


async def by_close(caller: Caller) -> None:
    """The handler returns, and the connection is closed."""


def counters(rig: Rig) -> dict[str, int]:
    path = rig.gateway.path
    return {
        "in flight": rig.in_flight(),
        "clients": len(path.clients),
        "connections": sum(len(pool.connections) for key, pool in path.pools.items() if key),
    }


async def nothing_left(rig: Rig) -> None:
    await until(lambda: not any(counters(rig).values()), f"no counter is left over: {counters(rig)}", AT_ONCE_S)


@pytest.mark.parametrize("state", STATES)
@on_uvloop
async def test_when_a_client_resets_its_instance_hears_of_it_at_once(state: str) -> None:
    request, sends, seen = STATES[state]
    stage = Stage(sends)
    async with a_gateway(stage.instance) as rig:
        client = await rig.connect()
        await client.send(request)
        await asyncio.wait_for(stage.reached.wait(), 5)
        if seen:
            await client.reader.readuntil(seen)
        reset(client)
        await asyncio.wait_for(stage.left.wait(), AT_ONCE_S)
        await nothing_left(rig)
        assert len(stage.instance.heads) == 1


@pytest.mark.parametrize("state", ["waiting for the body", "counted", "chunked", "until close", "tunnel"])
@on_uvloop
async def test_when_a_client_closes_its_instance_hears_of_it_with_the_next_bytes(state: str) -> None:
    """A FIN behind a whole request may be a client that still reads; bytes that it refuses tell."""
    request, sends, seen = STATES[state]
    stage = Stage(sends)
    stage.goes_on = state not in ("waiting for the body", "tunnel")
    async with a_gateway(stage.instance) as rig:
        client = await rig.connect()
        await client.send(request)
        await asyncio.wait_for(stage.reached.wait(), 5)
        if seen:
            await client.reader.readuntil(seen)
        client.writer.transport.abort()
        await asyncio.wait_for(stage.left.wait(), AT_ONCE_S)
        await nothing_left(rig)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("leave", [by_reset, by_close])
@on_uvloop
async def test_when_an_instance_leaves_nothing_is_sent_twice_and_nothing_looks_whole(
    state: str, leave: Callable[[Caller], Awaitable[None]]
) -> None:
    request, sends, seen = STATES[state]
    stage = Stage(sends)
    stage.leave = leave
    async with a_gateway(stage.instance) as rig:
        client = await rig.connect()
        await client.send(request)
        await asyncio.wait_for(stage.reached.wait(), 5)
        if seen:
            await client.reader.readuntil(seen)
        stage.leaving.set()
        if state.startswith("waiting") or state in ("interim", "in the head"):
            got = await asyncio.wait_for(client.answer(), AT_ONCE_S)
            assert (got.status, got.content[:15]) == (503, "outcome unknown")
        elif state == "tunnel":
            assert await asyncio.wait_for(client.ended(), AT_ONCE_S)
        elif state == "until close" and leave is by_close:
            assert await client.reader.readuntil(b"0\r\n\r\n")
        else:
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(client.reader.read(), AT_ONCE_S)
        client.close()
        await nothing_left(rig)
        assert len(stage.instance.heads) == 1


@pytest.mark.parametrize("sends", [COUNTED, CHUNKED], ids=["counted", "chunked"])
@on_uvloop
async def test_an_instance_that_ends_its_sending_side_inside_a_body_cuts_it(sends: bytes) -> None:
    stage = Stage(sends)

    async def leave(caller: Caller) -> None:
        caller.writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await caller.reader.read()
        stage.left.set()

    stage.leave = leave
    async with a_gateway(stage.instance) as rig:
        client = await rig.connect()
        await client.send(POST)
        await client.reader.readuntil(b"abc")
        stage.leaving.set()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(client.reader.read(), AT_ONCE_S)
        await asyncio.wait_for(stage.left.wait(), AT_ONCE_S)
        await nothing_left(rig)


@contextlib.asynccontextmanager
async def a_full_queue(rig: Rig) -> AsyncIterator[socket.socket]:
    """An instance whose kernel answers no handshake: who calls it stays connecting."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((INSTANCES[0], 9000))
        listening.listen(0)
        while True:
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((INSTANCES[0], 9000))
            if not await connects(filler):
                break
        rig.discovery.put(an_instance("orders", 9000, INSTANCES[0]))
        await until(lambda: rig.gateway.path.snapshot.endpoints)
        yield listening


async def connects(sock: socket.socket) -> bool:
    """In 0.2 s, which on loopback is for ever."""
    end = asyncio.get_running_loop().time() + 0.2
    while asyncio.get_running_loop().time() < end:
        with contextlib.suppress(OSError):
            sock.getpeername()
            return True
        await asyncio.sleep(0.005)
    return False


@on_uvloop
async def test_a_client_that_leaves_while_its_instance_is_connected_costs_nothing() -> None:
    async with a_gateway(connect_timeout_s=20.0) as rig, a_full_queue(rig) as listening:
        client = await rig.connect()
        await client.send(POST)
        await until(lambda: rig.in_flight() == 1)
        reset(client)
        await until(lambda: rig.in_flight() == 0 and not rig.gateway.path.clients, "it is noticed", AT_ONCE_S)
        await nothing_is_sent(listening)


async def nothing_is_sent(listening: socket.socket) -> None:
    """The connections that were waiting for this instance carry no byte. (A handshake is sent again after 1 s.)"""
    listening.setblocking(False)
    accepted: list[socket.socket] = []
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.5):
            while True:
                accepted.append((await loop.sock_accept(listening))[0])
    for sock in accepted:
        with sock, contextlib.suppress(BlockingIOError):
            assert sock.recv(100) == b""


@on_uvloop
async def test_a_connect_that_takes_too_long_is_503_and_leaves_nothing_behind() -> None:
    async with a_gateway(connect_timeout_s=0.3) as rig, a_full_queue(rig) as listening:
        async with await rig.connect() as client:
            got = await client.ask(POST)
            assert got.status == 503
            assert not got.content.startswith("outcome unknown")
        await nothing_left(rig)
        await nothing_is_sent(listening)


@on_uvloop
async def test_a_connection_at_rest_that_its_instance_resets_is_forgotten() -> None:
    go, gone = asyncio.Event(), asyncio.Event()

    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.reader.readexactly(5)
        await caller.send(answer(b"ok"))
        await go.wait()
        caller.reset()
        gone.set()

    instance = RawInstance(INSTANCES[0], 9000, behave)
    async with a_gateway(instance) as rig, await rig.connect() as client:
        assert (await client.ask(POST)).status == 200
        assert counters(rig) == {"in flight": 0, "clients": 1, "connections": 1}
        go.set()
        await gone.wait()
        await until(lambda: counters(rig)["connections"] == 0)
        assert (await client.ask(POST)).status == 200
        assert len(instance.heads) == 2


@on_uvloop
async def test_a_connection_at_rest_outlives_its_client() -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(answer(b"ok"))

    instance = RawInstance(INSTANCES[0], 9000, behave)
    async with a_gateway(instance) as rig:
        for leave in (reset, lambda client: client.close(), reset):
            client = await rig.connect()
            assert (await client.ask(GET)).status == 200
            leave(client)
            await until(lambda: not rig.gateway.path.clients)
            assert counters(rig) == {"in flight": 0, "clients": 0, "connections": 1}
        assert instance.connections == 1


# --- clients that leave while they are not read from


@on_uvloop
async def test_a_client_with_a_pipeline_that_leaves_is_noticed_at_once() -> None:
    stage = Stage()
    async with a_gateway(stage.instance) as rig:
        client = await rig.connect()
        await client.send(POST + POST)
        await asyncio.wait_for(stage.reached.wait(), 5)
        reset(client)
        await asyncio.wait_for(stage.left.wait(), AT_ONCE_S)
        await nothing_left(rig)
        assert len(stage.instance.heads) == 1


@on_uvloop
async def test_a_client_that_leaves_in_an_upload_that_is_not_read_is_noticed_at_once() -> None:
    left = asyncio.Event()

    async def behave(caller: Caller) -> None:
        await caller.head()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await left.wait()

    async with a_gateway(RawInstance(INSTANCES[0], 9000, behave)) as rig:
        client = await rig.connect()
        size = 40_000_000
        client.writer.write(POST.replace(b": 5", b": %d" % size)[:-5])
        client.writer.write(b"x" * size)
        await settled(lambda: size - _unsent(client))
        reset(client)
        try:
            await until(lambda: not rig.in_flight() and not rig.gateway.path.clients, "it is noticed", AT_ONCE_S)
        finally:
            left.set()


@on_uvloop
async def test_a_client_that_leaves_without_reading_its_answer_is_noticed_at_once() -> None:
    sent = 0
    gone = asyncio.Event()

    async def behave(caller: Caller) -> None:
        nonlocal sent
        await caller.head()
        await caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        try:
            for _ in range(1000):
                await caller.send(b"x" * 100_000)
                sent += 100_000
        except ConnectionError:
            gone.set()

    async with a_gateway(RawInstance(INSTANCES[0], 9000, behave)) as rig:
        client = await rig.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(GET)
        await settled(lambda: sent)
        reset(client)
        await asyncio.wait_for(gone.wait(), AT_ONCE_S)
        await nothing_left(rig)


def _unsent(client: Client) -> int:
    transport: Any = client.writer.transport
    return int(transport.get_write_buffer_size())
