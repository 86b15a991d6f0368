"""Instances that die: what is tried elsewhere, what is not, and what the client sees."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.fakes import Caller, RawInstance, an_instance, answer, answering, until
from tests.integration.gateway_rig import INSTANCES, QUICK, Answer, Rig, a_gateway, on_uvloop

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\nhello"


def instances(*behaviours: object) -> list[RawInstance]:
    return [
        RawInstance(host, 9000, behave)  # type: ignore[arg-type]
        for host, behave in zip(INSTANCES, behaviours, strict=False)
    ]


async def reads_and_resets(caller: Caller) -> None:
    await caller.head()
    caller.reset()


async def reads_and_closes(caller: Caller) -> None:
    await caller.head()


async def talks_garbage(caller: Caller) -> None:
    await caller.head()
    await caller.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    await caller.reader.read()


async def both_lengths(caller: Caller) -> None:
    await caller.head()
    await caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    await caller.reader.read()


async def load(rig: Rig, seen: Counter[str], stop: asyncio.Event, request: bytes = GET) -> None:
    """GETs over one kept connection until told to stop; counts statuses."""
    async with await rig.connect() as client:
        while not stop.is_set():
            got = await client.ask(request)
            seen[str(got.status)] += 1


@on_uvloop
async def test_no_get_fails_when_an_instance_is_killed_under_load_and_comes_back() -> None:
    both = instances(answering(b"a"), answering(b"b"))
    async with a_gateway(*both) as rig:
        seen, stop = Counter[str](), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(16):
                tasks.create_task(load(rig, seen, stop))
            for _ in range(3):
                before = seen["200"]
                await until(lambda at=before: seen["200"] > at + 300)
                await both[0].stop()
                before = seen["200"]
                await until(lambda at=before: seen["200"] > at + 300)
                await both[0].start()
                await until(lambda: not rig.gateway.path.health.records, "the instance is back")
            stop.set()
        assert set(seen) == {"200"}
        assert rig.gateway.path.meters.retries > 0
        assert rig.in_flight() == 0


@pytest.mark.parametrize("behave", [reads_and_resets, reads_and_closes, talks_garbage, both_lengths])
@on_uvloop
async def test_a_get_is_tried_elsewhere_when_no_byte_of_an_answer_came(behave: object) -> None:
    async with a_gateway(*instances(behave, behave, answering(b"good"))) as rig:
        tries = set()
        for _ in range(20):
            got = await rig.ask(GET)
            assert (got.status, got.body) == (200, b"good")
            tries.add((got.header("X-Plexmesh-Path") or "")[-7:])
        assert tries <= {"tries=1", "tries=2", "tries=3"}
        assert len(tries) > 1


@on_uvloop
async def test_a_refused_connect_is_tried_elsewhere_for_any_method_with_its_body() -> None:
    async def says_body(caller: Caller) -> None:
        while await caller.head():
            await caller.send(answer(await caller.reader.readexactly(5)))

    async with a_gateway(*instances(says_body)) as rig:
        rig.discovery.put(*(an_instance("orders", 9000, host) for host in INSTANCES[1:]))
        await until(lambda: len(rig.gateway.path.snapshot.endpoints) == 3)
        first = await rig.ask(POST)
        assert (first.status, first.body) == (200, b"hello")
        for _ in range(10):
            rig.gateway.path.health.records.clear()
            assert (await rig.ask(POST)).body == b"hello"
        assert rig.gateway.path.meters.refused_connects > 0


@on_uvloop
async def test_a_kept_alive_client_is_read_again_after_a_refused_connect() -> None:
    """The next attempt may take a connection at rest, and the one after it may be all that is left: an error answer."""
    good, bad = instances(answering(b"good"), answering(b"bad"))
    async with a_gateway(good, bad) as rig, await rig.connect() as client:
        await until_seen(rig, lambda: good.heads)
        await bad.stop()
        while not rig.gateway.path.meters.refused_connects:
            assert (await client.ask(GET)).status == 200
        assert (await client.ask(GET)).status == 200
        await good.stop()
        for _ in range(3):
            assert (await client.ask(GET)).status == 503


@on_uvloop
async def test_a_refused_instance_is_skipped_while_another_remains_and_found_again() -> None:
    good, bad = instances(answering(b"good"), answering(b"back"))
    async with a_gateway(good) as rig:
        rig.discovery.put(an_instance("orders", bad.port, bad.host))
        await until(lambda: len(rig.gateway.path.snapshot.endpoints) == 2)
        await until_seen(rig, lambda: rig.gateway.path.health.records)
        refused = rig.gateway.path.meters.refused_connects
        for _ in range(50):
            assert (
                (await rig.ask(GET))
                .header(
                    "X-Plexmesh-Path",
                )
                .endswith("tries=1")
            )  # type: ignore[union-attr]
        assert rig.gateway.path.meters.refused_connects == refused
        await bad.start()
        await until(lambda: not rig.gateway.path.health.records, "a probe found it")
        await until_seen(rig, lambda: bad.heads)
        await bad.stop()


async def until_seen(rig: Rig, condition: object) -> None:
    for _ in range(200):
        assert (await rig.ask(GET)).status == 200
        if condition():  # type: ignore[operator]
            return
    raise AssertionError("not in 200 requests")


@on_uvloop
async def test_a_post_that_had_reached_a_dying_instance_is_never_sent_again() -> None:
    both = instances(reads_and_resets, reads_and_resets)
    async with a_gateway(*both) as rig:
        got = await rig.ask(POST)
        assert got.status == 503
        assert got.number == "ZWEAO503E"
        assert got.content.startswith("outcome unknown")
        assert sum(len(each.heads) for each in both) == 1


@on_uvloop
async def test_a_post_does_not_use_a_connection_whose_other_end_has_closed() -> None:
    async def once(caller: Caller) -> None:
        await caller.head()
        await caller.reader.readexactly(5)
        await caller.send(answer(b"ok"))

    (instance,) = instances(once)
    async with a_gateway(instance) as rig, await rig.connect() as client:
        for _ in range(30):
            assert (await client.ask(POST)).status == 200
        assert instance.connections == 30


@on_uvloop
async def test_a_kept_alive_client_never_hears_of_connections_that_went_away_between_requests() -> None:
    (instance,) = instances(answering(b"ok"))
    async with a_gateway(instance) as rig, await rig.connect() as client:
        for _ in range(5):
            assert (await client.ask(GET)).status == 200
            await instance.stop()
            await instance.start()
            assert (await client.ask(POST)).status == 200


@on_uvloop
async def test_a_dead_resting_connection_does_not_count_against_its_instance() -> None:
    async def closes_late(caller: Caller) -> None:
        await caller.head()
        await caller.send(answer(b"good"))
        if await caller.head():
            caller.reset()

    (good,) = instances(closes_late)
    async with a_gateway(good) as rig, await rig.connect() as client:
        for _ in range(30):
            got = await client.ask(GET)
            assert (got.status, got.body) == (200, b"good")
        assert good.connections == 30


@on_uvloop
async def test_a_slow_client_gets_the_end_of_its_last_answer() -> None:
    size = 8_000_000

    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(answer(b"x" * size))

    async with a_gateway(*instances(behave), **QUICK) as rig:
        reader, writer = await asyncio.open_connection(rig.gateway.config.host, 7554, limit=1024)
        writer.write(b"GET /orders/api/v1/x HTTP/1.0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while data := await reader.read(400_000):
            got += len(data)
            await asyncio.sleep(0.04)
        assert got == size
        writer.transport.abort()


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nabc",
    ],
)
@on_uvloop
async def test_an_answer_that_breaks_off_never_looks_whole(start: bytes) -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(start)
        await asyncio.sleep(0.05)
        caller.reset()

    async with a_gateway(*instances(behave)) as rig:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await rig.ask(GET)
        assert rig.gateway.path.meters.meter("orders", b"/orders/api/v1").answers[6] == 1
        assert rig.in_flight() == 0


@on_uvloop
async def test_old_clients_too_can_tell_that_an_answer_broke_off() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        caller.reset()

    async with a_gateway(*instances(behave)) as rig:
        with pytest.raises(ConnectionError):
            await rig.ask(b"GET /orders/api/v1 HTTP/1.0\r\n\r\n")


@on_uvloop
async def test_bytes_behind_an_answer_cost_the_connection_only() -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(answer(b"ok") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    (instance,) = instances(behave)
    async with a_gateway(instance) as rig, await rig.connect() as client:
        for _ in range(3):
            assert (await client.ask(GET)).body == b"ok"
        assert instance.connections == 3


@on_uvloop
async def test_an_unasked_answer_on_a_resting_connection_is_never_given_to_a_client() -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(answer(b"ok"))
            await asyncio.sleep(0.02)
            await caller.send(answer(b"evil"))

    async with a_gateway(*instances(behave)) as rig, await rig.connect() as client:
        for _ in range(5):
            assert (await client.ask(GET)).body == b"ok"
            await until(lambda: not any(pool.idle_count for pool in rig.gateway.path.pools.values()))


@pytest.mark.parametrize("request_bytes", [GET, POST])
@on_uvloop
async def test_when_nothing_can_be_called(request_bytes: bytes) -> None:
    async with a_gateway() as rig:
        assert_error(await rig.ask(request_bytes), 404, "ZWEAO404E")
        rig.discovery.put(an_instance("orders", 9000, INSTANCES[0]))
        await until(lambda: rig.gateway.path.snapshot.upstreams)
        assert_error(await rig.ask(request_bytes), 503, "ZWEAG510E")
        assert_error(await rig.ask(request_bytes.replace(b"api/v1", b"api/v2")), 404, "ZWEAO404E")
        rig.discovery.put(an_instance("orders", 9000, INSTANCES[0], status="OUT_OF_SERVICE", rev=2))
        await until(lambda: not rig.gateway.path.snapshot.endpoints)
        assert_error(await rig.ask(request_bytes), 503, "ZWEAG510E")


def assert_error(got: Answer, status: int, number: str) -> None:
    assert (got.status, got.number) == (status, number)
    assert got.header("Content-Type") == "application/json"


@on_uvloop
async def test_an_instance_that_does_not_answer_in_time() -> None:
    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.reader.read()

    async with a_gateway(*instances(behave), **QUICK) as rig:
        assert_error(await rig.ask(GET), 504, "ZWEAG510E")


@on_uvloop
async def test_garbage_with_nobody_else_to_ask_is_502() -> None:
    async with a_gateway(*instances(talks_garbage)) as rig:
        assert_error(await rig.ask(GET), 502, "ZWEAG510E")
        assert_error(await rig.ask(POST), 502, "ZWEAG510E")


@on_uvloop
async def test_a_silent_discovery_node_makes_its_instances_prove_themselves() -> None:
    """Hung processes still accept connections: an HTTP probe finds them, and waiting GETs go elsewhere."""
    hang = asyncio.Event()

    async def hung(caller: Caller) -> None:
        while await caller.head():
            if hang.is_set():
                await caller.reader.read()
            await caller.send(answer(b"a"))

    hung_one, good = instances(hung, answering(b"b"))
    async with a_gateway(good) as rig:
        url = f"http://{hung_one.host}:9000/application/health"
        await hung_one.start()
        rig.discovery.put(an_instance("orders", 9000, hung_one.host, owner="LPAR2@1", health_check_url=url))
        await until(lambda: len(rig.gateway.path.snapshot.endpoints) == 2)
        hang.set()
        waiting = [asyncio.create_task(rig.ask(GET)) for _ in range(20)]
        posts = [asyncio.create_task(rig.ask(POST)) for _ in range(6)]
        await until(lambda: any(b"GET /x" in head for head in hung_one.heads))
        rig.discovery.owner("LPAR2@1", "suspect")
        for task in waiting:
            assert (await task).body == b"b"
        for _ in range(20):
            assert (await rig.ask(GET)).body == b"b"
        await hung_one.stop()
        for task in posts:
            assert (await task).status in (200, 503)


@on_uvloop
async def test_instances_of_a_dead_node_that_are_alive_stay_in_use() -> None:
    async with a_gateway(*instances(answering(b"a"), answering(b"b"))) as rig:
        rig.discovery.owner("LPAR1@1", "dead")
        await until(lambda: rig.gateway.path.snapshot.owners and not rig.gateway.path.health.records)
        assert {(await rig.ask(GET)).body for _ in range(40)} == {b"a", b"b"}
