"""Time-outs of clients, limits of connections, and the end of a gateway."""

from __future__ import annotations

import asyncio
import contextlib

from tests.fakes import Caller, RawInstance, answer, answering, until
from tests.integration.gateway_rig import INSTANCES, QUICK, a_gateway, on_uvloop

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\n"


def one(behave: object) -> RawInstance:
    return RawInstance(INSTANCES[0], 9000, behave)  # type: ignore[arg-type]


@on_uvloop
async def test_a_head_that_drips_is_given_up_however_often_it_drips() -> None:
    async with a_gateway(one(answering(b"ok")), **QUICK) as rig, await rig.connect() as client:

        async def drip() -> None:
            for byte in GET:
                client.writer.write(bytes((byte,)))
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert (await client.answer()).status == 408
        assert await client.ended()
        dripping.cancel()


@on_uvloop
async def test_silent_connections_are_closed_without_a_word() -> None:
    async with a_gateway(one(answering(b"ok")), **QUICK) as rig:
        async with await rig.connect() as client:
            assert await client.ended()
        async with await rig.connect() as client:
            assert (await client.ask(GET)).status == 200
            assert await client.ended()


@on_uvloop
async def test_a_body_that_stops_is_408_and_the_instance_is_told() -> None:
    gone = asyncio.Event()

    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.reader.read()
        gone.set()

    async with a_gateway(one(behave), **QUICK) as rig, await rig.connect() as client:
        assert (await client.ask(POST + b"he")).status == 408
        assert await client.ended()
        async with asyncio.timeout(5):
            await gone.wait()


@on_uvloop
async def test_an_instance_that_does_not_read_the_body_is_504_not_the_clients_fault() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(20)

    upload = POST.replace(b": 5", b": 20000000") + b"x" * 20_000_000
    settings = {**QUICK, "body_timeout_s": 1.5}
    async with a_gateway(one(behave), **settings) as rig, await rig.connect() as client:
        sending = asyncio.create_task(client.send(upload))
        assert (await client.answer()).status == 504
        client.close()
        await asyncio.wait([sending])


@on_uvloop
async def test_a_slow_answer_has_all_the_time_once_it_has_begun() -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(3):
                await asyncio.sleep(0.4)
                await caller.send(b"1\r\nx\r\n")
            await caller.send(b"0\r\n\r\n")

    async with a_gateway(one(behave), **QUICK) as rig:
        assert (await rig.ask(GET)).body == b"xxx"


@on_uvloop
async def test_a_stream_is_passed_on_as_it_comes() -> None:
    go = asyncio.Event()

    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await go.wait()
        await caller.send(b"data: 2\n\n")

    async with a_gateway(one(behave)) as rig, await rig.connect() as client:
        await client.send(GET)
        await client.reader.readuntil(b"data: 1\n\n")
        go.set()
        await client.reader.readuntil(b"data: 2\n\n")
        await client.reader.readuntil(b"0\r\n\r\n")


@on_uvloop
async def test_connections_beyond_the_limit_wait_and_are_then_served() -> None:
    async with a_gateway(one(answering(b"ok")), max_connections=3) as rig:
        await until(lambda: not rig.gateway.path.clients)
        clients = [await rig.connect() for _ in range(5)]
        await until(lambda: rig.gateway.path.meters.accept_pauses)
        await until(lambda: len(rig.gateway.path.clients) == 3)
        for client in clients:
            assert (await client.ask(GET)).status == 200
            client.close()


@on_uvloop
async def test_the_end_lets_calls_finish_and_says_close() -> None:
    go = asyncio.Event()

    async def behave(caller: Caller) -> None:
        while head := await caller.head():
            if b"/slow" in head:
                await go.wait()
            await caller.send(answer(b"ok"))

    async with a_gateway(one(behave), drain_s=5.0) as rig:
        resting, busy = await rig.connect(), await rig.connect()
        assert (await resting.ask(GET)).header("Connection") is None
        await busy.send(GET.replace(b"/x", b"/slow"))
        await until(lambda: rig.in_flight() == 1)
        stopping = asyncio.create_task(rig.gateway.stop())
        await until(lambda: rig.gateway.why_not_ready())
        assert (await resting.ask(GET)).header("Connection") == "close"
        assert await resting.ended()
        go.set()
        got = await busy.answer()
        assert (got.status, got.header("Connection")) == (200, "close")
        await stopping
        resting.close()
        busy.close()


@on_uvloop
async def test_what_is_left_at_the_deadline_is_cut() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.reader.read()

    async with a_gateway(one(behave), drain_s=0.1) as rig, await rig.connect() as client, await rig.connect() as idle:
        await client.send(GET)
        await until(lambda: rig.in_flight() == 1)
        await rig.gateway.stop()
        assert await idle.ended()
        with contextlib.suppress(ConnectionError):
            assert await client.ended()
        assert rig.in_flight() == 0
