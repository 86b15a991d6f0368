"""Zowe's endpoints of a real gateway, over HTTP."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from gateway.config import GatewayConfig
from tests.fakes import FakeDiscovery, an_instance, running, until
from tests.integration.gateway_crew_rig import INSTANCE, a_crew
from tests.integration.gateway_rig import INSTANCES, LPAR1, PORT, VIPA, Answer, Rig, a_gateway, on_uvloop, started

SOUND = {
    "apiml.routes.api-v1.gatewayUrl": "api/v1",
    "apiml.routes.api-v1.serviceUrl": "/",
    "apiml.apiInfo.0.apiId": "test.orders",
    "apiml.apiInfo.0.version": "1.0.0",
    "apiml.apiInfo.0.gatewayUrl": "api/v1",
    "apiml.service.title": "Orders",
    "apiml.service.description": "Takes orders",
    "apiml.catalog.tile.id": "shop",
    "region": "west",
}

ORDERS = an_instance("orders", 9000, INSTANCES[0], metadata=SOUND)
LEGACY = an_instance("legacy", 9100, INSTANCES[1], status="DOWN")
HIDDEN = an_instance("discovery", 7553, LPAR1), an_instance("launcher", 7550, LPAR1)

HOMES = pytest.mark.parametrize("home", ["/gateway", "/gateway/api/v1"])


async def known(rig: Rig) -> None:
    """Some services are registered."""
    rig.discovery.put(ORDERS, LEGACY, *HIDDEN)
    await until(lambda: len(rig.gateway.path.snapshot.instances) == 4, "the gateway knows them")


def read(got: Answer) -> Any:
    assert (got.header("Content-Type") or "").startswith("application/json")
    return json.loads(got.body)


async def post(rig: Rig, path: str, body: bytes) -> Answer:
    head = f"POST {path} HTTP/1.1\r\nHost: g\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return await rig.ask(head.encode() + body)


@HOMES
@on_uvloop
async def test_services(home: str) -> None:
    async with a_gateway(vipa=VIPA) as rig:
        none = await rig.get(f"{home}/services")
        assert (none.status, none.body, none.header("Content-Version")) == (404, b"", "1")
        await known(rig)
        got = await rig.get(f"{home}/services")
        assert (got.status, got.header("Content-Version")) == (200, "1")
        assert [(each["serviceId"], each["status"]) for each in read(got)] == [("legacy", "DOWN"), ("orders", "UP")]
        assert [each["serviceId"] for each in read(await rig.get(f"{home}/services?apiId=test.orders"))] == ["orders"]
        other = await rig.get(f"{home}/services?apiId=test.other")
        assert (other.status, other.body) == (404, b"")


@HOMES
@on_uvloop
async def test_one_service(home: str) -> None:
    async with a_gateway(vipa=VIPA) as rig:
        await known(rig)
        got = await rig.get(f"{home}/services/orders")
        assert (got.status, got.header("Content-Version")) == (200, "1")
        (api,) = read(got)["apiml"]["apiInfo"]
        assert (api["basePath"], api["baseUrl"]) == ("/orders/api/v1", f"http://{VIPA}/orders/api/v1")
        (instance,) = read(got)["instances"].values()
        assert instance["customMetadata"] == {"region": "west", "zos.lpar": "LPAR1"}
        for id in ("nobody", "discovery", "launcher"):
            missing = await rig.get(f"{home}/services/{id}")
            assert (missing.status, missing.header("Content-Version")) == (404, "1")
            assert read(missing) == {"serviceId": id, "status": "UNKNOWN"}


async def test_what_a_worker_routes_is_shown_at_once(tmp_path: Path) -> None:
    """The pages are the parent's, who is told five times a second how far its workers are, unless it asks them. Both
    hear of the registry for themselves, so a single answer may come too early."""
    shown = 0
    async with a_crew(tmp_path, workers=1) as rig:
        for number in range(10):
            service = f"late{number}"
            rig.discovery.put(an_instance(service, 9000, INSTANCE))
            async with asyncio.timeout(10):
                while (await rig.get(f"/{service}/api/v1/x")).status != 200:
                    continue
            shown += (await rig.get(f"/gateway/services/{service}")).status == 200
    assert shown > 5


@HOMES
@on_uvloop
async def test_conformance_by_either_call(home: str) -> None:
    expected = {"orders": (200, None), "legacy": (400, "ZWEAG719I"), "nobody": (400, "ZWEAG718E")}
    expected["Orders_1"] = (400, "ZWEAG717E")
    async with a_gateway() as rig:
        await known(rig)
        for id, (status, number) in expected.items():
            for got in (
                await rig.get(f"{home}/conformance/{id}"),
                await post(rig, f"{home}/validate", f"serviceID={id}".encode()),
            ):
                assert (got.status, read(got).get("messageNumber")) == (status, number)
        assert "there are no routes" in read(await rig.get(f"{home}/conformance/legacy"))["messageContent"]
        escaped = await rig.get(f"{home}/conformance/%3Cb%3E%FF")
        assert (escaped.status, read(escaped)["messageNumber"]) == (400, "ZWEAG717E")
        assert b"<" not in escaped.body
        assert (await post(rig, f"{home}/validate", b"\xff\xfe")).status == 400


@pytest.mark.parametrize("path", ["/application/version", "/gateway/version", "/gateway/api/v1/version"])
@on_uvloop
async def test_version(path: str) -> None:
    async with a_gateway() as rig:
        said = read(await rig.get(path))
        assert list(said) == ["apiml"]
        assert said["apiml"]["version"] == version("plexmesh-sysplex")
        assert set(said["apiml"]) == {"version", "buildNumber", "commitHash"}


@HOMES
@on_uvloop
async def test_without_tls_the_chain_of_certificates_is_empty(home: str) -> None:
    async with a_gateway() as rig:
        got = await rig.get(f"{home}/certificates")
        assert (got.status, got.body) == (200, b"")
        assert (got.header("Content-Type") or "").startswith("text/plain")


@on_uvloop
async def test_the_registry_is_off_unless_it_is_wanted() -> None:
    async with a_gateway() as rig:
        await known(rig)
        for path in ("/gateway/api/v1/registry", "/gateway/api/v1/registry/PLEX1"):
            got = await rig.get(path)
            assert (got.status, got.number) == (404, "ZWEAO404E")


@on_uvloop
async def test_the_registry_where_it_is_on() -> None:
    custom = {"region": "west", "zos.lpar": "LPAR1"}
    orders = {"serviceId": "orders", "status": "UP", "apiId": ["test.orders"], "customMetadata": custom}
    async with a_gateway(registry_endpoint=True) as rig:
        await known(rig)
        base = "/gateway/api/v1/registry"
        (domain,) = read(await rig.get(base))
        assert (domain["apimlId"], len(domain["services"])) == ("PLEX1", 2)
        for path in (f"{base}/PLEX1?serviceId=orders", f"{base}?apiId=test.orders"):
            assert read(await rig.get(path)) == [{"apimlId": "PLEX1", "services": [orders]}]
        assert read(await rig.get(f"{base}/PLEX2")) == []


@on_uvloop
async def test_health_with_what_stands_behind_the_gateway() -> None:
    async with a_gateway() as rig:
        rig.discovery.put(
            an_instance("gateway", 7554, LPAR1),
            an_instance("gateway", 7554, INSTANCES[0]),
            an_instance("cachingservice", 7555, LPAR1),
        )
        await until(lambda: len(rig.gateway.path.snapshot.instances) == 3)
        got = await rig.get("/application/health")
        part = {
            "status": "UP",
            "details": {
                "lpar": "LPAR1",
                "why": [],
                "discovery": "UP",
                "zaas": "DOWN",
                "gatewayCount": 2,
                "zaasCount": 0,
                "apicatalog": "DOWN",
                "caching": "UP",
            },
        }
        said = read(got)
        assert (got.status, said["status"], said["components"]["gateway"]) == (200, "UP", part)
        assert said["components"].keys() == {"gateway", "login"}


@on_uvloop
async def test_health_is_down_before_a_registry_was_seen_and_stays_up_when_it_is_lost() -> None:
    node = FakeDiscovery(LPAR1)
    node.covered = False
    config = GatewayConfig(host=LPAR1, port=PORT, vipa="", discovery=(node.url,), access_log="off")
    async with running(node), started(config) as gateway:
        await until(lambda: gateway.watch.trouble, "the node has refused")
        rig = Rig(gateway, node)
        got = await rig.get("/application/health")
        assert (got.status, read(got)["status"]) == (503, "DOWN")
        assert read(got)["components"]["gateway"]["details"]["discovery"] == "DOWN"
        node.covered = True
        await until(lambda: gateway.watch.whole, "the registry is seen")
        assert (await rig.get("/application/health")).status == 200
        await node.stop()
        await until(lambda: not gateway.watch.following, "the node is lost")
        got = await rig.get("/application/health")
        assert (got.status, read(got)["status"]) == (200, "UP")
        assert read(got)["components"]["gateway"]["details"]["discovery"] == "DOWN"


@on_uvloop
async def test_the_gateway_registers_as_one_of_zowes() -> None:
    async with a_gateway(vipa=VIPA) as rig:
        rig.discovery.registrations = True
        await until(lambda: rig.discovery.registered, "the gateway has registered")
        method, path, body = rig.discovery.registered[0]
        assert (method, path) == ("POST", "/eureka/apps/GATEWAY")
        said = json.loads(body)["instance"]["metadata"]
        routes = {key: value for key, value in said.items() if key.startswith("apiml.routes.")}
        assert routes == {"apiml.routes.root.gatewayUrl": "/", "apiml.routes.root.serviceUrl": "/"}
        assert said["apiml.service.externalUrl"] == f"http://{VIPA}"
        assert said["apiml.apiBasePath"] == "/gateway/api/v1"
        assert said["apiml.service.title"] == "Gateway"
