"""Instances that are called with TLS: whose certificates are believed, what goes through, and how it fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.certificates import LONG_AGO, Drawer, a_drawer
from tests.fakes import Caller, RawInstance, an_instance, answer, answering, until
from tests.integration.gateway_rig import INSTANCES, LPAR1, PORT, Rig, a_gateway, on_uvloop

HOST, PORT_TLS = INSTANCES[0], 9443
GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"


@pytest.fixture(scope="module")
def drawer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawer]:
    return a_drawer(tmp_path_factory.mktemp("certificates"))


def believing(drawer: Drawer) -> dict[str, object]:
    return {"certificate_authorities": (drawer.folder / "ca.pem",)}


async def put(rig: Rig, host: str = HOST, **more: object) -> str:
    """Registered, and known to the gateway; its key."""
    instance = an_instance("orders", PORT_TLS, host, secure=True, **more)
    rig.discovery.put(instance)
    await until(lambda: instance.key in rig.gateway.path.snapshot.endpoints)
    return instance.key


@on_uvloop
async def test_calls_of_any_size_go_through_and_connections_are_kept(drawer: Drawer) -> None:
    body, sent = b"x" * 3_000_000, b"y" * 3_000_000

    async def behave(caller: Caller) -> None:
        while head := await caller.head():
            if head.startswith(b"POST"):
                assert await caller.reader.readexactly(len(sent)) == sent
            await caller.send(answer(body))

    instance = RawInstance(HOST, PORT_TLS, behave, drawer.tls("orders", HOST).server)
    async with a_gateway(instance, service="plain", **believing(drawer)) as rig, await rig.connect() as client:
        await put(rig)
        for _ in range(3):
            assert (await client.ask(GET)).body == body
        post = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n" % len(sent)
        assert (await client.ask(post + sent)).body == body
        assert instance.connections == 1
        assert b"\r\nHost: %b:%d\r\n" % (HOST.encode(), PORT_TLS) in instance.heads[0]


def refusals(folder: Path, drawer: Drawer) -> dict[str, tuple[ssl.SSLContext | None, str]]:
    """Instance → what the gateway says of it."""
    return {
        "of another name": (drawer.tls("other", "127.0.9.9").server, "IP address mismatch"),
        "of a stranger": (a_drawer(folder).tls("orders", HOST).server, "self-signed certificate in certificate chain"),
        "worn out": (worn(drawer), "certificate has expired"),
        "in plain": (None, "no TLS: wrong version number"),
        "silent": (None, "no TLS handshake in 0.3 s"),
    }


def worn(drawer: Drawer) -> ssl.SSLContext:
    files = drawer.lpar("worn", HOST, now=LONG_AGO)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


@pytest.mark.parametrize("which", ["of another name", "of a stranger", "worn out", "in plain", "silent"])
@on_uvloop
async def test_who_is_not_believed_is_not_called_and_the_reason_is_told(
    drawer: Drawer, tmp_path: Path, which: str
) -> None:
    tls, reason = refusals(tmp_path, drawer)[which]

    async def behave(caller: Caller) -> None:
        if which == "in plain":
            await caller.reader.read(1)
            await caller.send(answer(b"", "400 Bad Request"))
        await answering(b"secret")(caller)

    instance = RawInstance(HOST, PORT_TLS, behave, tls)
    with pytest.MonkeyPatch.context() as short:
        short.setattr("gateway.pool.HANDSHAKE_S", 0.3)
        await refused(instance, drawer, reason)


async def refused(instance: RawInstance, drawer: Drawer, reason: str) -> None:
    async with a_gateway(instance, service="plain", **believing(drawer)) as rig:
        key = await put(rig)
        got = await rig.ask(GET.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"))
        assert (got.status, got.number) == (503, "ZWEAG510E")
        assert reason in got.content
        assert rig.gateway.path.health.records[key].state == "out"
        assert instance.heads == []


@on_uvloop
async def test_names_and_authorities_may_be_left_unchecked(drawer: Drawer, tmp_path: Path) -> None:
    other = RawInstance(HOST, PORT_TLS, answering(b"ok"), drawer.tls("other", "127.0.9.9").server)
    async with a_gateway(other, service="plain", verify_certificates="NONSTRICT", **believing(drawer)) as rig:
        await put(rig)
        assert (await rig.ask(GET)).body == b"ok"
    stranger = RawInstance(HOST, PORT_TLS, answering(b"ok"), a_drawer(tmp_path).tls("orders", HOST).server)
    async with a_gateway(stranger, service="plain", verify_certificates="DISABLED") as rig:
        await put(rig)
        assert (await rig.ask(GET)).body == b"ok"


@on_uvloop
async def test_its_health_url_is_asked_with_tls_too(drawer: Drawer) -> None:
    asked: list[str] = []

    async def health(request: web.Request) -> web.Response:
        asked.append(request.scheme)
        return web.Response(text="well")

    app = web.Application()
    app.add_routes([web.get("/health", health)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, PORT_TLS, ssl_context=drawer.tls("orders", HOST).server).start()
    try:
        async with a_gateway(probe_rounds=True, **believing(drawer)) as rig:
            key = await put(rig, health_check_url=f"https://{HOST}:{PORT_TLS}/health")
            await until(lambda: asked, "it is asked when it appears")
            assert asked[0] == "https"
            await until(lambda: rig.gateway.path.standings[key].reached)
            assert key not in rig.gateway.path.health.records
    finally:
        await runner.cleanup()


@on_uvloop
async def test_one_without_a_health_url_is_greeted_and_nothing_more(drawer: Drawer) -> None:
    instance = RawInstance(HOST, PORT_TLS, answering(b"ok"), drawer.tls("orders", HOST).server)
    async with a_gateway(instance, service="plain", probe_rounds=True, **believing(drawer)) as rig:
        key = await put(rig)
        await until(lambda: rig.gateway.path.standings[key].reached)
        await until(lambda: instance.connections == 1, "the handshake is made to its end")
        assert instance.heads == []


@on_uvloop
async def test_a_websocket_goes_through_and_ends_from_both_sides(drawer: Drawer) -> None:
    closed = asyncio.Event()

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        closed.set()
        return socket

    app = web.Application()
    app.add_routes([web.get("/orders/echo", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, PORT_TLS, ssl_context=drawer.tls("orders", HOST).server).start()
    try:
        async with a_gateway(**believing(drawer)) as rig, aiohttp.ClientSession() as session:
            await put(rig, routes={"ws/v1": "/orders"})
            async with session.ws_connect(f"http://{LPAR1}:{PORT}/orders/ws/v1/echo") as socket:
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"
            await until(closed.is_set, "its end is told")
    finally:
        await runner.cleanup()


@on_uvloop
async def test_an_instance_that_dies_is_as_one_without_tls(drawer: Drawer) -> None:
    one, other = (
        RawInstance(host, PORT_TLS, answering(b"ok"), drawer.tls(host, host).server) for host in INSTANCES[:2]
    )
    async with a_gateway(one, other, service="plain", **believing(drawer)) as rig:
        for each in (one, other):
            await put(rig, each.host)
        for _ in range(10):
            assert (await rig.ask(GET)).body == b"ok"
        await one.stop()
        for _ in range(20):
            assert (await rig.ask(GET)).body == b"ok"
