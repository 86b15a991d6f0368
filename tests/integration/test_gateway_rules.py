"""What a service or an operator may ask of the gateway: limits, time-outs, trust, traces, trailers, cookies, pools."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest

from tests.fakes import Caller, RawInstance, an_instance, answering, until
from tests.integration.gateway_rig import INSTANCES, Rig, a_gateway, on_uvloop

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def one(behave: object) -> RawInstance:
    return RawInstance(INSTANCES[0], 9000, behave)  # type: ignore[arg-type]


def recording(heads: list[bytes]) -> RawInstance:
    async def behave(caller: Caller) -> None:
        while head := await caller.head():
            heads.append(head)
            await caller.send(OK)

    return one(behave)


async def asked(heads: list[bytes], more: bytes, **settings: object) -> str:
    async with a_gateway(recording(heads), **settings) as rig:
        assert (await rig.ask(GET[:-2] + more + b"\r\n")).status == 200
    return heads[-1].decode()


async def silent(caller: Caller) -> None:
    await caller.head()
    await asyncio.sleep(20)


# --- limits of a route


@on_uvloop
async def test_a_service_says_how_long_its_answers_may_take() -> None:
    quick = {"apiml.readTimeout": "200"}
    async with a_gateway(one(silent), metadata=quick, tick_s=0.02) as rig:
        begun = asyncio.get_running_loop().time()
        assert (await rig.ask(GET)).status == 504
        post = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n"
        async with await rig.connect() as client:
            await client.send(post)
            await asyncio.sleep(0.05)
            await client.send(b"ab")
            assert (await client.answer()).status == 504
        assert asyncio.get_running_loop().time() - begun < 5


@on_uvloop
async def test_a_route_says_how_large_a_body_may_be_and_nothing_of_it_is_sent() -> None:
    heads: list[bytes] = []
    small = {"plexmesh.maxBodyBytes": "10"}
    async with a_gateway(recording(heads), metadata=small) as rig:
        post = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n"
        assert (await rig.ask(post + b"Content-Length: 11\r\n\r\n01234567890")).status == 413
        assert heads == []
        assert (await rig.ask(post + b"Content-Length: 10\r\n\r\n0123456789")).status == 200
        chunked = b"Transfer-Encoding: chunked\r\n\r\n"
        assert (await rig.ask(post + chunked + b"1\r\na\r\n" * 10 + b"0\r\n\r\n")).status == 200
        assert (await rig.ask(post + chunked + b"6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n")).status == 413


@on_uvloop
async def test_a_route_says_how_long_its_connects_may_take() -> None:
    full = socket.create_server((INSTANCES[1], 9000), backlog=0)
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex((INSTANCES[1], 9000))
    try:
        async with a_gateway(connect_timeout_s=20.0) as rig:
            rig.discovery.put(an_instance("orders", 9000, INSTANCES[1], metadata={"plexmesh.connectTimeoutMs": "100"}))
            await until(lambda: b"orders" in rig.gateway.path.snapshot.upstreams)
            assert (await rig.ask(GET)).status == 503
            assert rig.gateway.path.meters.connect_timeouts >= 1
    finally:
        for each in (full, *waiting):
            each.close()


# --- rests


@on_uvloop
async def test_an_answer_that_stops_is_cut_and_an_event_stream_may_rest() -> None:
    async def behave(caller: Caller) -> None:
        kind = b"text/event-stream" if b"events" in await caller.head() else b"text/plain"
        await caller.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
        )
        await asyncio.sleep(1)
        await caller.send(b"1\r\nb\r\n0\r\n\r\n")

    async with a_gateway(one(behave), answer_idle_s=0.2, tick_s=0.02) as rig:
        assert (await rig.get("/orders/api/v1/events")).body == b"ab"
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await rig.get("/orders/api/v1/plain")
        assert rig.gateway.path.meters.idle_timeouts == 1
        await until(lambda: rig.in_flight() == 0)


@on_uvloop
async def test_an_answer_that_moves_slowly_is_not_cut() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await asyncio.sleep(0.06)
            await caller.send(b"x")

    async with a_gateway(one(behave), answer_idle_s=0.3, tick_s=0.02) as rig:
        assert (await rig.ask(GET)).body == b"x" * 10


@on_uvloop
async def test_a_tunnel_at_rest_is_closed_after_its_time_and_one_that_moves_is_not() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
        while data := await caller.reader.read(100):
            await caller.send(data)

    upgrade = b"GET /orders/ws/v1/x HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
    async with a_gateway(one(behave), tunnel_idle_s=0.4, tick_s=0.02) as rig, await rig.connect() as client:
        assert (await client.ask(upgrade)).status == 101
        for _ in range(10):
            await asyncio.sleep(0.1)
            await client.send(b"ping")
            assert await client.reader.readexactly(4) == b"ping"
        assert rig.gateway.path.meters.tunnels == 1
        assert await client.ended()
        await until(lambda: rig.in_flight() == 0)
        assert rig.gateway.path.meters.tunnels == 0


# --- connections of clients


@on_uvloop
async def test_the_last_request_a_connection_may_make_is_told() -> None:
    async with a_gateway(recording([]), max_requests_per_connection=2) as rig, await rig.connect() as client:
        assert (await client.ask(GET)).header("Connection") is None
        assert (await client.ask(GET)).header("Connection") == "close"
        assert await client.ended()


# --- who is believed


@on_uvloop
async def test_a_strangers_word_about_the_client_is_replaced_and_a_trusted_proxys_kept() -> None:
    said = b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nVia: 1.0 edge\r\n"
    stranger = await asked([], said)
    assert "6.6.6.6" not in stranger
    assert "X-Forwarded-Proto: http\r\n" in stranger
    trusted = await asked([], said, trusted_proxies=("127.0.0.0/8",))
    assert re.search(r"X-Forwarded-For: 6\.6\.6\.6, 127\.", trusted)
    assert "X-Forwarded-Proto: https\r\n" in trusted
    assert "Via: 1.0 edge, 1.1 plexmesh-gateway\r\n" in trusted


# --- traces


@on_uvloop
async def test_a_trace_is_continued_or_begun() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    continued = await asked([], f"traceparent: 00-{trace}-b7ad6b7169203331-01\r\ntracestate: a=1\r\n".encode())
    step = re.search(rf"\r\ntraceparent: 00-{trace}-([0-9a-f]{{16}})-01\r\n", continued)
    assert step
    assert step[1] != "b7ad6b7169203331"
    assert "tracestate: a=1\r\n" in continued
    begun = await asked([], b"traceparent: nonsense\r\ntracestate: a=1\r\n")
    assert re.search(r"\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n", begun)
    assert "tracestate" not in begun


# --- trailers and cookies


@on_uvloop
async def test_trailers_reach_a_client_that_asked_for_them_and_no_other() -> None:
    heads: list[bytes] = []

    async def behave(caller: Caller) -> None:
        while head := await caller.head():
            heads.append(head)
            await caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
            await caller.send(b"2\r\nok\r\n0\r\nX-Sum: 7\r\nExpires: 0\r\n\r\n")

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        await client.send(GET[:-2] + b"TE: trailers\r\nConnection: TE\r\n\r\n")
        await client.reader.readuntil(b"\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"
        assert b"TE: trailers\r\n" in heads[-1]
        assert (await client.ask(GET)).body == b"ok"
        assert b"TE:" not in heads[-1]


@on_uvloop
async def test_cookies_and_redirects_of_the_instance_become_the_gateways() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(
            b"HTTP/1.1 302 Found\r\nLocation: http://%b:9000/app/next\r\nSet-Cookie: a=b; Path=/app; Domain=%b\r\n"
            b"Set-Cookie: c=d; Path=/app/deep\r\nContent-Length: 0\r\n\r\n"
            % (INSTANCES[0].encode(), INSTANCES[0].encode())
        )

    routes = {"apiml.routes.a.gatewayUrl": "api/v1", "apiml.routes.a.serviceUrl": "/app"}
    async with a_gateway(one(behave), metadata=routes) as rig:
        answer = await rig.ask(GET)
        assert answer.header("Location") == "/orders/api/v1/next"
        assert answer.headers("Set-Cookie") == ["a=b; Path=/orders/api/v1", "c=d; Path=/orders/api/v1/deep"]


# --- pools


async def burst(rig: Rig, count: int) -> list[int]:
    return [answer.status for answer in await asyncio.gather(*(rig.ask(GET) for _ in range(count)))]


@on_uvloop
async def test_more_connections_than_allowed_to_one_instance_are_refused_and_none_is_ejected() -> None:
    go = asyncio.Event()

    async def behave(caller: Caller) -> None:
        await caller.head()
        await go.wait()
        await caller.send(OK)

    async with a_gateway(one(behave), max_connections_per_endpoint=3) as rig:
        calls = asyncio.create_task(burst(rig, 5))
        await until(lambda: rig.in_flight() == 3)
        go.set()
        assert sorted(await calls) == [200, 200, 200, 503, 503]
        assert rig.gateway.path.health.records == {}


@on_uvloop
async def test_an_old_connection_is_not_used_again() -> None:
    heads: list[bytes] = []
    async with a_gateway(recording(heads), upstream_age_s=0.1) as rig, await rig.connect() as client:
        await client.ask(GET)
        await asyncio.sleep(0.15)
        await client.ask(GET)
        await client.ask(GET)
        assert rig.gateway.path.meters.pools["orders"].opened == 2
        assert rig.gateway.path.meters.pools["orders"].reused == 1


@on_uvloop
async def test_connections_are_opened_beforehand_when_that_is_wanted() -> None:
    async with a_gateway(one(answering(b"ok")), warm_connections=3) as rig:
        await until(lambda: sum(pool.idle_count for pool in rig.gateway.path.pools.values()) >= 3)
        assert (await rig.ask(GET)).status == 200
        assert rig.gateway.path.meters.pools["orders"].reused == 1


@on_uvloop
async def test_names_are_looked_up_before_they_are_needed_and_what_they_meant_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """(The machine's resolver is replaced: there is no name server that a test could change.)"""
    looked_up: list[str] = []
    meaning = {"shop.example": INSTANCES[0]}

    async with a_gateway(one(answering(b"ok"))) as rig:

        async def getaddrinfo(name: str) -> list[object]:
            looked_up.append(name)
            if name not in meaning:
                raise OSError("no such name")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (meaning[name], 0))]

        monkeypatch.setattr("gateway.dialing.RESOLVED_S", 0.05)
        monkeypatch.setattr("gateway.dialing._getaddrinfo", getaddrinfo)
        rig.discovery.put(an_instance("named", 9000, "shop.example"))
        await until(lambda: looked_up)
        await until(lambda: b"named" in rig.gateway.path.snapshot.upstreams)
        named = GET.replace(b"orders", b"named")
        assert (await rig.ask(named)).status == 200
        del meaning["shop.example"]
        for _ in range(3):
            await asyncio.sleep(0.06)
            for pool in rig.gateway.path.pools.values():
                pool.close_idle()
            assert (await rig.ask(named)).status == 200
        assert len(looked_up) >= 3
