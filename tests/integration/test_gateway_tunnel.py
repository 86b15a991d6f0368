"""Upgrades: websockets and any other protocol through a tunnel, refused and failed ones."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from tests.fakes import Caller, RawInstance, an_instance, answer, answering, until
from tests.integration.gateway_rig import INSTANCES, PORT, QUICK, a_gateway, on_uvloop

UPGRADE = b"GET /orders/ws/v1/x HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"


def one(behave: object) -> RawInstance:
    return RawInstance(INSTANCES[0], 9000, behave)  # type: ignore[arg-type]


async def chat(caller: Caller) -> None:
    head = await caller.head()
    assert b"Connection: Upgrade\r\nUpgrade: chat\r\n" in head
    await caller.send(SWITCH + b"welcome")
    while data := await caller.reader.read(65_536):
        await caller.send(data.upper())
    await caller.send(b"bye")


@on_uvloop
async def test_bytes_flow_both_ways_and_half_closing_is_passed_on() -> None:
    async with a_gateway(one(chat)) as rig, await rig.connect() as client:
        got = await client.ask(UPGRADE % b"chat" + b"early")
        assert got.status == 101
        assert got.header("Upgrade") == "chat"
        assert await client.reader.readexactly(12) == b"welcomeEARLY"
        for _ in range(5):
            await client.send(b"abc" * 1000)
            assert await client.reader.readexactly(3000) == b"ABC" * 1000
        client.writer.write_eof()
        assert await client.reader.read() == b"bye"
        await until(lambda: rig.in_flight() == 0)


@on_uvloop
async def test_a_websocket_survives_a_new_snapshot() -> None:
    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data + "!")
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/x", echo)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, INSTANCES[0], 9001).start()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        rig = await stack.enter_async_context(a_gateway())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        rig.discovery.put(an_instance("orders", 9001, INSTANCES[0]))
        await until(lambda: rig.gateway.path.snapshot.upstreams)
        url = f"ws://{rig.gateway.config.host}:{PORT}/orders/ws/v1/x"
        async with session.ws_connect(url) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str(timeout=5) == "hello!"
            big = bytes(range(256)) * 2000
            await socket.send_bytes(big)
            assert await socket.receive_bytes(timeout=5) == big
            rig.discovery.remove(*rig.discovery.instances)
            await until(lambda: not rig.gateway.path.snapshot.upstreams)
            await socket.send_str("still there")
            assert await socket.receive_str(timeout=5) == "still there!"
            await socket.close()
        await until(lambda: rig.in_flight() == 0)


@on_uvloop
async def test_a_refused_upgrade_is_an_ordinary_answer_and_the_connection_goes_on() -> None:
    async with a_gateway(one(answering(b"no"))) as rig, await rig.connect() as client:
        for _ in range(3):
            got = await client.ask(UPGRADE % b"chat")
            assert (got.status, got.body) == (200, b"no")
        assert (await client.get("/orders/api/v1")).status == 200


@on_uvloop
async def test_http2_is_not_let_through_a_tunnel() -> None:
    instance = one(answering(b"plain"))
    async with a_gateway(instance) as rig:
        assert (await rig.ask(UPGRADE % b"h2c")).body == b"plain"
        assert b"pgrade" not in instance.heads[0]


@on_uvloop
async def test_an_upgrade_with_a_body_is_refused() -> None:
    instance = one(answering(b""))
    async with a_gateway(instance) as rig:
        request = (UPGRADE % b"chat").replace(b"Host", b"Content-Length: 3\r\nHost") + b"abc"
        assert (await rig.ask(request)).status == 400
        assert not instance.heads


@on_uvloop
async def test_a_change_of_protocol_that_nobody_asked_for_is_garbage() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(SWITCH)
        await caller.reader.read()

    async with a_gateway(one(behave)) as rig:
        assert (await rig.get("/orders/api/v1")).status == 502


@pytest.mark.parametrize("side", ["client", "instance"])
@on_uvloop
async def test_when_one_side_goes_the_other_is_closed(side: str) -> None:
    gone, leave = asyncio.Event(), asyncio.Event()

    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(SWITCH)
        if side == "instance":
            await leave.wait()
            caller.reset()
        else:
            await caller.reader.read()
            gone.set()

    async with a_gateway(one(behave), **QUICK) as rig:
        client = await rig.connect()
        assert (await client.ask(UPGRADE % b"chat")).status == 101
        leave.set()
        if side == "client":
            client.close()
            async with asyncio.timeout(5):
                await gone.wait()
        else:
            assert await client.ended()
        await until(lambda: rig.in_flight() == 0)
        client.close()


@on_uvloop
async def test_answers_before_the_upgrade_may_be_tried_elsewhere() -> None:
    async def dies(caller: Caller) -> None:
        await caller.head()
        caller.reset()

    instances = [RawInstance(INSTANCES[0], 9000, dies), RawInstance(INSTANCES[1], 9000, chat)]
    async with a_gateway(*instances) as rig:
        for _ in range(8):
            async with await rig.connect() as client:
                assert (await client.ask(UPGRADE % b"chat")).status == 101


def test_the_answer_of_the_fake_is_what_the_tests_think() -> None:
    assert answer(b"x") == b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"


EARLY = {"plexmesh.earlyUpgrade": "true"}
CLOSE_1011 = b"\x03\xf3"


@on_uvloop
async def test_zowes_way_accepts_a_websocket_before_its_instance_does() -> None:
    asked: list[bytes] = []

    async def behave(caller: Caller) -> None:
        asked.append(await caller.head())
        await caller.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
        await caller.send(await caller.reader.readexactly(4))

    async with a_gateway(RawInstance(INSTANCES[0], 9000, behave), metadata=EARLY) as rig, await rig.connect() as client:
        await client.send(
            handshake(b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n") + b"ping"
        )
        answer = await client.answer()
        assert answer.status == 101
        assert answer.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert await client.reader.readexactly(9) == b"helloping"
    assert b"Extensions" not in asked[0]
    assert b"Protocol" not in asked[0]
    assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in asked[0]


@pytest.mark.parametrize(
    "refusal",
    [b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", b"HTTP/1.1 403 No\r\n\r\nno", b"garbage\r\n\r\n"],
)
@on_uvloop
async def test_zowes_way_tells_a_refusal_by_a_close_frame(refusal: bytes) -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(refusal)

    async with a_gateway(RawInstance(INSTANCES[0], 9000, behave), metadata=EARLY) as rig, await rig.connect() as client:
        assert (await client.ask(handshake(b""))).status == 101
        opcode, length = await client.reader.readexactly(2)
        assert opcode == 0x88
        assert (await client.reader.readexactly(length)).startswith(CLOSE_1011)
        assert await client.ended()
        await until(lambda: rig.in_flight() == 0)


def handshake(more: bytes) -> bytes:
    return (
        b"GET /orders/ws/v1/x HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + more + b"\r\n"
    )
