"""What goes through: framing of every kind, both ways, streaming, back-pressure, keep-alive, pipelining."""

from __future__ import annotations

import asyncio
import hashlib
import os

import psutil
import pytest

from tests.fakes import Caller, RawInstance, answer, answering, content_length, until
from tests.integration.gateway_rig import INSTANCES, QUICK, VIPA, Client, a_gateway, on_uvloop

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
MB = 1 << 20


def one(behave: object) -> RawInstance:
    return RawInstance(INSTANCES[0], 9000, behave)  # type: ignore[arg-type]


@on_uvloop
async def test_a_request_goes_through_and_says_its_way() -> None:
    instance = one(answering(b"hello"))
    async with a_gateway(instance) as rig:
        got = await rig.get("/orders/api/v1/items?x=1")
        assert (got.status, got.body) == (200, b"hello")
        assert got.header("X-Plexmesh-Path") == "LPAR1/gateway > LPAR2/orders:9000; tries=1"
        (head,) = instance.heads
        assert head.startswith(b"GET /items?x=1 HTTP/1.1\r\nHost: %b:9000\r\n" % INSTANCES[0].encode())
        for line in (b"X-Forwarded-Prefix: /orders/api/v1", b"X-Forwarded-Host: g", b"X-Forwarded-Proto: http"):
            assert line + b"\r\n" in head
        assert head.count(b"X-Request-Id: ") == 1


@on_uvloop
async def test_the_way_can_be_kept_to_oneself() -> None:
    async with a_gateway(one(answering(b"")), path_header=False) as rig:
        assert (await rig.get("/orders/api/v1")).header("X-Plexmesh-Path") is None


@on_uvloop
async def test_connections_are_kept_on_both_sides() -> None:
    instance = one(answering(b"hello"))
    async with a_gateway(instance) as rig, await rig.connect() as client:
        for _ in range(20):
            assert (await client.ask(GET)).body == b"hello"
        assert instance.connections == 1
        assert rig.in_flight() == 0


@on_uvloop
async def test_clients_share_instances_and_pools_follow_them() -> None:
    instances = [RawInstance(host, 9000, answering(host.encode())) for host in INSTANCES]
    async with a_gateway(*instances) as rig, await rig.connect() as client:
        seen = {(await client.ask(GET)).body.decode() for _ in range(60)}
        assert seen == set(INSTANCES)


@on_uvloop
async def test_head_has_no_body_and_leaves_the_connection_in_step() -> None:
    async def behave(caller: Caller) -> None:
        while head := await caller.head():
            whole = answer(b"hello")
            await caller.send(whole.removesuffix(b"hello") if head.startswith(b"HEAD") else whole)

    instance = one(behave)
    async with a_gateway(instance) as rig, await rig.connect() as client:
        for _ in range(3):
            got = await client.ask(GET.replace(b"GET", b"HEAD"))
            assert got.header("Content-Length") == "5"
            assert (await client.ask(GET)).body == b"hello"
        assert instance.connections == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@on_uvloop
async def test_answers_without_a_body(status: str) -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(b"HTTP/1.1 %b\r\nEtag: e\r\n\r\n" % status.encode())

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        for _ in range(3):
            got = await client.ask(GET)
            assert got.status == int(status[:3])
            assert got.header("Transfer-Encoding") is None


@on_uvloop
async def test_chunked_answers_are_chunked_anew_and_the_connection_is_kept() -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await caller.send(b"3;a=b\r\nabc\r\n")
            await caller.send(b"4\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n")

    instance = one(behave)
    async with a_gateway(instance) as rig, await rig.connect() as client:
        for _ in range(3):
            assert (await client.ask(GET)).body == b"abcdefg"
        assert instance.connections == 1


@on_uvloop
async def test_an_answer_that_ends_with_its_connection_is_chunked_for_the_client() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(b"HTTP/1.0 200 OK\r\n\r\nabc")
        await caller.send(b"def")

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        for _ in range(2):
            got = await client.ask(GET)
            assert got.header("Transfer-Encoding") == "chunked"
            assert got.body == b"abcdef"


@on_uvloop
async def test_old_clients_get_no_chunks() -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    async with a_gateway(one(behave)) as rig:
        got = await rig.ask(b"GET /orders/api/v1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert got.header("Transfer-Encoding") is None
        assert got.header("Connection") == "close"
        assert (got.body, got.closed) == (b"abc", True)


@on_uvloop
async def test_old_clients_are_kept_when_they_ask_for_it() -> None:
    async with a_gateway(one(answering(b"hello"))) as rig, await rig.connect() as client:
        old = b"GET /orders/api/v1 HTTP/1.0\r\n%b\r\n"
        for _ in range(2):
            got = await client.ask(old % b"Connection: keep-alive\r\n")
            assert got.header("Connection") == "keep-alive"
        assert (await client.ask(old % b"")).header("Connection") == "close"
        assert await client.ended()


async def echo(caller: Caller) -> None:
    """Answers with the body, whatever its framing, chunked."""
    while head := await caller.head():
        if b"Transfer-Encoding: chunked\r\n" in head:
            body = await Client(caller.reader, caller.writer)._chunked()
        else:
            body = await caller.reader.readexactly(content_length(head))
        await caller.send(answer(body))


@on_uvloop
async def test_bodies_of_both_framings_arrive_whole() -> None:
    instance = one(echo)
    async with a_gateway(instance) as rig, await rig.connect() as client:
        for _ in range(2):
            got = await client.ask(b"POST /orders/api/v1 HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\nhello")
            assert got.body == b"hello"
            await client.send(b"PUT /orders/api/v1 HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
            await client.send(b"lo\r\n6\r\n world\r\n0\r\n\r")
            await client.send(b"\n")
            assert (await client.answer()).body == b"hello world"
        assert instance.connections == 1


@on_uvloop
async def test_100_continue_goes_end_to_end() -> None:
    async def behave(caller: Caller) -> None:
        head = await caller.head()
        assert b"Expect: 100-continue\r\n" in head
        await caller.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await caller.send(answer(await caller.reader.readexactly(content_length(head))))

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        got = await client.ask(
            b"POST /orders/api/v1 HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert got.status == 100
        await client.send(b"hello")
        assert (await client.answer()).body == b"hello"


@on_uvloop
async def test_an_early_refusal_reaches_the_client_before_its_body_is_sent() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(answer(b"no", "413 Content Too Large"))
        await caller.reader.read()

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        got = await client.ask(
            b"POST /orders/api/v1 HTTP/1.1\r\nHost: g\r\nContent-Length: 500000\r\n\r\n" + b"x" * 1000
        )
        assert (got.status, got.body) == (413, b"no")
        assert got.header("Connection") == "close"
        await client.send(b"x" * 100_000)
        assert await client.ended()


@on_uvloop
async def test_interim_answers_are_passed_on() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(b"hello"))

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        got = await client.ask(GET)
        assert (got.status, got.header("Link")) == (103, "</a>")
        assert (await client.answer()).body == b"hello"


@on_uvloop
async def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    busy = most = 0

    async def behave(caller: Caller) -> None:
        nonlocal busy, most
        while head := await caller.head():
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0)
            busy -= 1
            await caller.send(answer(head.split(b" ")[1]))

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        paths = [f"/orders/api/v1/{n}" if n % 3 else "/none" for n in range(200)]
        await client.send("".join(f"GET {path} HTTP/1.1\r\nHost: g\r\n\r\n" for path in paths).encode())
        for n, path in enumerate(paths):
            got = await client.answer()
            assert (got.status, got.body) == (200, f"/{n}".encode()) if n % 3 else got.status == 404, path
        assert most == 1


@on_uvloop
async def test_a_pipeline_may_end_with_a_half_close() -> None:
    async with a_gateway(one(answering(b"hello"))) as rig, await rig.connect() as client:
        client.writer.write(GET * 3)
        client.writer.write_eof()
        for _ in range(3):
            assert (await client.answer()).body == b"hello"
        assert await client.ended()


@on_uvloop
async def test_ten_megabytes_each_way_arrive_unchanged_with_flat_memory() -> None:
    body = os.urandom(MB) * 10
    digest = hashlib.sha256(body).digest()

    async def behave(caller: Caller) -> None:
        head = await caller.head()
        got = hashlib.sha256()
        left = content_length(head)
        while left:
            piece = await caller.reader.read(min(left, 65_536))
            got.update(piece)
            left -= len(piece)
        assert got.digest() == digest
        await caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 65_536):
            await caller.send(body[at : at + 65_536])

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        head = b"POST /orders/api/v1 HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n" % len(body)
        got = await client.ask(head + body)
        assert hashlib.sha256(got.body).digest() == digest


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


@on_uvloop
async def test_a_client_that_does_not_read_stops_the_instance() -> None:
    sent = 0

    async def behave(caller: Caller) -> None:
        nonlocal sent
        await caller.head()
        await caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * MB))
        block = b"x" * 65_536
        for _ in range(1600):
            await caller.send(block)
            sent += len(block)

    async with a_gateway(one(behave)) as rig:
        reader, writer = await asyncio.open_connection(rig.gateway.config.host, 7554, limit=1024)
        before = resident()
        writer.write(GET)
        last = -1
        while last != sent or not sent:
            last = sent
            await asyncio.sleep(0.3)
        assert sent < 30 * MB, "the instance is stopped long before it has sent everything"
        assert resident() - before < 40 * MB
        await reader.readuntil(b"\r\n\r\n")
        left = 100 * MB
        while left:
            left -= len(await reader.read(1 << 18))
        assert sent == 1600 * 65_536
        writer.transport.abort()


@on_uvloop
async def test_an_instance_that_does_not_read_stops_the_client() -> None:
    go = asyncio.Event()
    got = 0

    async def behave(caller: Caller) -> None:
        nonlocal got
        head = await caller.head()
        await go.wait()
        while got < content_length(head):
            got += len(await caller.reader.read(1 << 18))
        await caller.send(answer(b"done"))

    instance = one(behave)
    async with a_gateway(instance) as rig, await rig.connect() as client:
        sent = 0

        async def upload() -> None:
            nonlocal sent
            await client.send(b"POST /orders/api/v1 HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n" % (100 * MB))
            for _ in range(1600):
                await client.send(b"x" * 65_536)
                sent += 65_536

        before = resident()
        task = asyncio.create_task(upload())
        last = -1
        while last != sent or not sent:
            last = sent
            await asyncio.sleep(0.3)
        assert sent < 30 * MB
        assert resident() - before < 40 * MB
        go.set()
        assert (await client.answer()).body == b"done"
        await task
        assert got == 1600 * 65_536


@on_uvloop
async def test_a_client_that_leaves_is_noticed_by_the_instance() -> None:
    gone = asyncio.Event()

    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await caller.reader.read()
        gone.set()

    async with a_gateway(one(behave), **QUICK) as rig:
        client = await rig.connect()
        await client.send(GET)
        await client.reader.readuntil(b"abc")
        client.close()
        async with asyncio.timeout(5):
            await gone.wait()
        await until(lambda: rig.in_flight() == 0)


@on_uvloop
async def test_locations_lead_back_through_the_gateway() -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(
                answer(b"", "302 Found", b"Location: http://%b:9000/next?a=b\r\n" % INSTANCES[0].encode())
            )

    async with a_gateway(one(behave)) as rig:
        got = await rig.get("/orders/ui/v1/x")
        assert got.header("Location") == "/orders/ui/v1/next?a=b"


@on_uvloop
async def test_the_sysplex_address_leads_to_the_same_gateway() -> None:
    async with a_gateway(one(answering(b"hello")), vipa=VIPA) as rig:
        host, _, port = VIPA.partition(":")
        await until(lambda: rig.gateway.vipa.state == "in")
        async with await Client.to(host, int(port)) as client:
            assert (await client.ask(GET)).body == b"hello"
