"""`plexmesh.instances` beside discovery nodes that come and go, and a registry that is none of ours."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

import plexmesh
from plexmesh.registry import RegistryUnreachable
from tests.fakes import FakeDiscovery, an_instance, running, until

N = os.getpid() % 250 + 1
HOST, OTHER = f"127.0.87.{N}", f"127.0.88.{N}"
NOBODY = f"http://{HOST}:1"


class Follower:
    """Keeps what `instances` yields, as ports and statuses."""

    def __init__(self) -> None:
        self.sets: list[list[tuple[int, str]]] = []

    @property
    def last(self) -> list[tuple[int, str]] | None:
        return self.sets[-1] if self.sets else None

    async def follow(self, *urls: str) -> None:
        async for found in plexmesh.instances("Orders", discovery=urls):
            self.sets.append([(each.port, each.status) for each in found])


@contextlib.asynccontextmanager
async def following(*urls: str) -> AsyncIterator[Follower]:
    follower = Follower()
    task = asyncio.create_task(follower.follow(*urls))
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


async def test_the_set_of_now_and_each_change() -> None:
    node = FakeDiscovery(HOST)
    async with running(node), following(node.url) as follower:
        await until(lambda: follower.last == [])
        node.put(an_instance(port=9000), an_instance("stock", port=9100))
        await until(lambda: follower.last == [(9000, "UP")])
        node.put(an_instance(port=9001), an_instance(port=9000, status="DOWN"))
        await until(lambda: follower.last == [(9000, "DOWN"), (9001, "UP")])
        node.remove("orders/127.0.40.1:orders:9000")
        await until(lambda: follower.last == [(9001, "UP")])
        node.put(an_instance("stock", port=9101))
        node.remove("orders/127.0.40.1:orders:9001")
        await until(lambda: follower.last == [])
    assert len(follower.sets) == 5, "nothing is told when only others changed"


async def test_moving_to_another_node_is_not_seen() -> None:
    first, second = FakeDiscovery(HOST), FakeDiscovery(OTHER)
    for node in (first, second):
        node.instances = {each.key: each for each in [an_instance(port=9000)]}
    async with running(first, second), following(first.url, second.url) as follower:
        await until(lambda: follower.last == [(9000, "UP")])
        await first.stop()
        await until(lambda: second.streams == 1)
        second.put(an_instance(port=9001))
        await until(lambda: follower.last == [(9000, "UP"), (9001, "UP")])
    assert len(follower.sets) == 2


async def test_a_joining_node_is_passed_by() -> None:
    first, second = FakeDiscovery(HOST), FakeDiscovery(OTHER)
    first.covered = False
    async with running(first, second), following(first.url, second.url) as follower:
        await until(lambda: follower.last == [])
    assert second.streams == 1


async def test_while_nobody_answers_the_last_set_stands(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexmesh.lookup.PAUSES_S", (0.05,) * 5)  # four seconds are long in a test
    node = FakeDiscovery(HOST)
    node.instances = {each.key: each for each in [an_instance()]}
    async with running(node), following(NOBODY, node.url) as follower:
        await until(lambda: follower.last == [(9000, "UP")])
        await node.stop()
        await until(lambda: "no registry says who serves orders" in caplog.text)
        await asyncio.sleep(0.3)
        node.remove("orders/127.0.40.1:orders:9000")
        await node.start()
        await until(lambda: follower.last == [])
    assert len(follower.sets) == 2
    assert [record.levelno for record in caplog.records if record.name == "plexmesh.lookup"] == [logging.WARNING]


async def test_any_eureka_server_is_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexmesh.lookup.POLL_S", 0.05)  # five seconds are long in a test
    instance = {
        "instanceId": "a",
        "hostName": "h.test",
        "status": "UP",
        "port": {"$": 9000, "@enabled": "true"},
        "metadata": {"zos.lpar": "LPAR1"},
    }
    known = False

    async def orders(request: web.Request) -> web.Response:
        assert request.headers["Accept"] == "application/json"
        return web.json_response({"application": {"instance": instance}}) if known else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/eureka/apps/ORDERS", orders)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 7553).start()
    try:
        async with following(NOBODY, f"http://{HOST}:7553/eureka") as follower:
            await until(lambda: follower.last == [])
            known = True
            await until(lambda: follower.last == [(9000, "UP")])
    finally:
        await runner.cleanup()
    assert len(follower.sets) == 2


async def test_a_server_that_makes_no_sense_is_passed_by() -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(text='event: put\ndata: {"instances": 7}\n\n', content_type="text/event-stream")

    app = web.Application()
    app.router.add_get("/v1/watch", nonsense)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 7553).start()
    node = FakeDiscovery(OTHER)
    try:
        async with running(node), following(f"http://{HOST}:7553", node.url) as follower:
            await until(lambda: follower.last == [])
    finally:
        await runner.cleanup()


async def test_breaking_off_leaves_nothing_open() -> None:
    node = FakeDiscovery(HOST)
    async with running(node):
        async with contextlib.aclosing(plexmesh.instances("orders", discovery=[node.url])) as sets:
            async for found in sets:
                assert found == []
                break
        assert node.streams == 1


async def test_without_a_registry_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXMESH_DISCOVERY", raising=False)
    with pytest.raises(RegistryUnreachable, match="PLEXMESH_DISCOVERY"):
        await anext(plexmesh.instances("orders"))
