"""Why a call is answered as it is: what a real gateway explains against what it then does, and whom it asks for that.

Addresses besides those of `gateway_rig` lie in 127.0.170.x to 127.0.175.x.

Not here: the commands (`test_launcher_explain`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import web

from gateway.config import GatewayConfig
from gateway.inquiry import AT_ONCE
from tests.fakes import FakeDiscovery, RawInstance, an_instance, answering, running, until
from tests.integration.discovery_rig import DiscoveryNode
from tests.integration.discovery_rig import running as nodes_running
from tests.integration.gateway_rig import INSTANCES, LPAR1, LPAR2, PORT, Client, N, a_gateway, on_uvloop, started

LISTING, REFUSING, SILENT, NONSENSE, UP, REAL = (f"127.0.{third}.{N}" for third in range(170, 176))
URL = f"http://{LPAR1}:{PORT}"


async def explained(gateway: str, url: str, method: str = "GET") -> dict[str, Any]:
    path = f"/gateway/v1/explain?url={quote(url, safe='')}&method={method}"
    async with await Client.to(gateway, PORT) as client:
        got = await client.get(path)
    assert got.status == 200, got.body
    found: dict[str, Any] = json.loads(got.body)
    return found


@contextlib.asynccontextmanager
async def serving(host: str, *routes: web.RouteDef, port: int = 7553) -> AsyncIterator[None]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def never(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


async def nonsense(_: web.Request) -> web.Response:
    return web.json_response({"instances": "many"})


# --- what is explained is what is done

PATHS = (
    "/orders/api/v1",
    "/orders/api/v1/items/7?full=yes&of=/../x",
    "/orders/./ui/%76%31/../v1/x%2Fy",
    "/orders/api/v10",
    "/orders",
    "/orders/",
    "/orders//api/v1",
    "/Orders/api/v1",
    "/orders/API/v1",
    "/api/v1/orders",
    "/none/api/v1",
    "/discovery/api/v1",
    "/eureka/apps",
    "/idle/api/v1",
    "/strict/api/v1/plain",
    "/strict/api/v1/a%2Cb",
    "/orders/../..",
    "/orders/api/v1/..%2fx",
    "/orders/api/v1/%00",
    "/orders/api/v1/%zz",
    "/orders/api/v1/a|b",
    "/",
    "/application/info",
    "/gateway/v1/workers",
)


@on_uvloop
async def test_what_is_explained_is_what_is_answered() -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(instance) as rig:
        strict = {"apiml.enableUrlEncodedCharacters": "false"}
        rig.discovery.put(
            an_instance("strict", 9000, INSTANCES[0], metadata=strict),
            an_instance("idle", 9001, INSTANCES[0], status="DOWN"),
            an_instance("discovery", 7553, LPAR1),
        )
        await until(lambda: len(rig.gateway.path.snapshot.instances) == 4)
        for path in PATHS:
            told = (await explained(LPAR1, path))["answer"]
            instance.heads.clear()
            got = await rig.get(path)
            if told["status"] is None:
                assert got.status == 200, path
            else:
                assert (got.status, got.number) == (told["status"], told["number"]), path
            assert len(instance.heads) == bool(told["instances"]), path


@on_uvloop
async def test_the_instance_is_asked_for_what_was_foretold() -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(
        instance, metadata={"apiml.routes.a.gatewayUrl": "api/v1", "apiml.routes.a.serviceUrl": "/o"}
    ) as rig:
        for path in ("/orders/api/v1", "/orders/x/../api/v1/a%2Fb?c=%7e"):
            (url,) = (await explained(LPAR1, path))["request"]["urls"]
            await rig.get(path)
            line = instance.heads[-1].split(b"\r\n")[0].decode()
            assert f"http://{INSTANCES[0]}:9000{line.split()[1]}" == url


@on_uvloop
async def test_methods_that_nobody_knows_and_questions_that_are_none() -> None:
    async with a_gateway() as rig:
        assert (await explained(LPAR1, "/orders/api/v1", "BREW"))["answer"]["status"] == 501
        for query in ("", "url=orders", "url=/x&b=1", "url=http://ada:secret@h/"):
            got = await rig.get(f"/gateway/v1/explain?{query}")
            assert (got.status, got.number) == (400, "ZWEAO400E")
            assert "url" in got.content
            assert "secret" not in got.content


# --- whom it asks


@on_uvloop
async def test_each_discovery_node_and_each_other_gateway_is_asked() -> None:
    discovery = FakeDiscovery(LPAR1)
    gone = an_instance("orders", 9000, INSTANCES[0], lpar="LPAR2")

    async def listed(request: web.Request) -> web.Response:
        assert request.query == {"service": "orders"}
        return web.json_response({"instances": [msgspec.to_builtins(each) for each in (gone, newer)], "stale": True})

    newer = an_instance("orders", 9001, INSTANCES[1], status="STARTING")
    hosts = (LPAR1, LISTING, REFUSING, SILENT, NONSENSE)
    nodes = tuple(f"http://{host}:7553" for host in hosts)
    configs = [
        GatewayConfig(host=host, lpar=lpar, port=PORT, vipa="", discovery=nodes, access_log="off", probe_rounds=False)
        for host, lpar in ((LPAR1, "LPAR1"), (LPAR2, "LPAR2"))
    ]
    async with (
        running(discovery),
        serving(LISTING, web.get("/v1/instances", listed)),
        serving(SILENT, web.get("/v1/instances", never), web.get("/gateway/v1/upstreams", never)),
        serving(NONSENSE, web.get("/v1/instances", nonsense)),
        started(configs[0]) as one,
        started(configs[1]) as two,
    ):
        discovery.put(
            gone,
            an_instance("gateway", PORT, LPAR1, lpar="LPAR1"),
            an_instance("gateway", PORT, LPAR2, lpar="LPAR2"),
            an_instance("gateway", 7553, SILENT, lpar="LPAR3"),
            an_instance("discovery", 7553, LISTING, lpar="LPAR4"),
        )
        await until(lambda: all(len(each.path.snapshot.instances) == 5 for each in (one, two)))
        async with await Client.to(LPAR2, PORT) as client:
            assert (await client.get("/orders/api/v1")).status == 503  # and so it learns that nobody is there
        found = await explained(LPAR1, "/orders/api/v1")

    service = found["service"]
    assert [(each["reachable"], each["lpar"]) for each in service["nodes"]] == [
        (False, ""), (True, "LPAR4"), (False, ""), (False, ""), (False, ""),
    ]  # fmt: skip
    answered, listing, refusing, silent, broken = (each["says"] for each in service["nodes"])
    assert "answers 404" in answered
    assert f"lists 2 instances: 1 UP, 1 STARTING, from its disk; not heard of here: {newer.instance}" in listing
    assert "cannot be reached: Connection refused" in refusing
    assert "is silent: no answer within 1 s" in silent
    assert "answers something else than expected" in broken
    gateways = [(each["lpar"], each["reachable"], each["known"]) for each in service["gateways"]]
    assert sorted(gateways) == [("LPAR2", True, True), ("LPAR3", False, False)]
    (instance,) = found["instances"]["instances"]
    assert (instance["view"], [each["view"] for each in instance["elsewhere"]]) == ("fine", ["UNREACHABLE"])
    assert "the gateway of LPAR2 says UNREACHABLE (" in instance["says"]
    assert found["answer"]["instances"] == [gone.instance]


@on_uvloop
async def test_no_more_inquiries_at_once_than_may_be() -> None:
    discovery = FakeDiscovery(LPAR1)
    nodes = (discovery.url, f"http://{SILENT}:7553")
    config = GatewayConfig(host=LPAR1, port=PORT, vipa="", discovery=nodes, access_log="off")
    async with running(discovery), serving(SILENT, web.get("/v1/instances", never)), started(config) as gateway:
        await until(lambda: not gateway.why_not_ready())

        async def ask() -> int:
            async with await Client.to(LPAR1, PORT) as client:
                return (await client.get("/gateway/v1/explain?url=/orders")).status

        statuses = await asyncio.gather(*(ask() for _ in range(AT_ONCE + 2)))
        assert sorted(statuses) == [200] * AT_ONCE + [503, 503]
        assert await ask() == 200


@on_uvloop
async def test_a_real_discovery_node_is_understood(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", REAL)
    with nodes_running(node):
        await asyncio.to_thread(node.register, "one", "two")
        config = GatewayConfig(host=LPAR1, port=PORT, vipa="", discovery=(node.url,), access_log="off")
        async with started(config) as gateway:
            await until(lambda: b"orders" in gateway.path.snapshot.upstreams)
            found = await explained(LPAR1, "/orders/api/v1")
    (word,) = found["service"]["nodes"]
    assert (word["reachable"], word["statuses"], word["missing"], word["unheard"]) == (True, {"UP": 2}, [], [])
    assert sorted(found["answer"]["instances"]) == ["one", "two"]
