"""The gateway's own pages and endpoints, behind the same port as everything else."""

from __future__ import annotations

import json
import re

import pytest

from shared import simulated
from tests.fakes import RawInstance, an_instance, answering, until
from tests.integration.gateway_rig import INSTANCES, LPAR1, VIPA, N, Rig, a_gateway, on_uvloop


async def get_json(rig: Rig, path: str) -> dict[str, object]:
    got = await rig.get(path)
    assert got.status == 200, got.body
    data: dict[str, object] = json.loads(got.body)
    return data


async def put_vipa(rig: Rig, body: bytes) -> tuple[int, bytes]:
    head = b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    got = await rig.ask(head % len(body) + body)
    return got.status, got.body


@on_uvloop
async def test_the_home_page_works_alone_and_says_what_is_simulated() -> None:
    async with a_gateway() as rig:
        page = await rig.get("/")
        assert page.status == 200
        assert page.header("X-Plexmesh-Path") == "LPAR1/gateway"
        text = page.body.decode()
        assert simulated.IN_ONE_LINE in text
        pages = re.findall(r'href="(/console/[^"]+)"', text)
        assert {"/console/events", "/console/services", "/console/catalog", "/console/lab"} <= set(pages)
        for path in (*pages, *re.findall(r'(?:src|href)="(/static/[^"]+)"', text)):
            assert (await rig.get(path)).status == 200
        assert [(await rig.get(f"/console/{path}")).status for path in ("v1/nothing", "swagger/x")] == [404, 404]
        assert "://" not in text.replace(simulated.IN_ONE_LINE, ""), "no external resource"
        assert "default-src 'self'" in (page.header("Content-Security-Policy") or "")


@on_uvloop
async def test_the_sysplex_as_this_gateway_sees_it() -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(instance) as rig:
        rig.discovery.put(
            an_instance("gateway", 7554, LPAR1, lpar="LPAR1"),
            an_instance("launcher", 7550, LPAR1, lpar="LPAR1"),
            an_instance("legacy", 9100, INSTANCES[1], lpar=""),
            an_instance("orders", 9001, INSTANCES[2], lpar="LPAR2", status="OUT_OF_SERVICE"),
        )
        await until(lambda: len(rig.gateway.path.snapshot.instances) == 5)
        data = await get_json(rig, "/gateway/v1/sysplex")
        assert data["gateway"] == {"lpar": "LPAR1", "url": f"http://{LPAR1}:7554"}
        lpars = data["lpars"]
        assert isinstance(lpars, list)
        assert [each["id"] for each in lpars] == ["LPAR1", "LPAR2"]
        assert [each["service"] for each in lpars[0]["components"]] == ["gateway", "launcher"]
        assert [each["service"] for each in data["outside"]] == ["legacy"]  # type: ignore[attr-defined]
        services = {each["service"]: each["instances"] for each in data["services"]}  # type: ignore[attr-defined]
        assert set(services) == {"orders", "legacy"}
        assert [each["view"] for each in services["orders"]] == ["fine", "not a candidate"]


@on_uvloop
async def test_why_an_instance_is_skipped() -> None:
    async with a_gateway() as rig:
        rig.discovery.put(an_instance("orders", 9000, INSTANCES[0]), an_instance("odd", 9443, "a b"))
        await until(lambda: len(rig.gateway.path.snapshot.instances) == 2)
        assert (await rig.get("/orders/api/v1")).status == 503
        data = await get_json(rig, "/gateway/v1/upstreams")
        odd, orders = data["upstreams"]  # type: ignore[misc]
        assert orders["routes"][0] == {"gatewayUrl": "api/v1", "serviceUrl": "/"}
        assert orders["instances"][0]["view"] == "UNREACHABLE"
        assert orders["instances"][0]["why"] == f"{INSTANCES[0]}:9000: connection refused"
        assert odd["instances"][0]["why"] == "it has no usable address"


@on_uvloop
async def test_orders_are_not_taken_from_web_pages() -> None:
    async with a_gateway(vipa=VIPA) as rig:
        await until(lambda: rig.gateway.vipa.state == "in")
        body = b'{"state":"out"}'
        for origin in (b"https://elsewhere.test", b"http://g", b"null"):
            head = b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: g\r\nOrigin: %b\r\nContent-Length: %d\r\n\r\n"
            assert (await rig.ask(head % (origin, len(body)) + body)).status == 403
        assert rig.gateway.vipa.state == "in"


async def view_of(rig: Rig, service: str) -> tuple[str, str]:
    (found,) = [
        each
        for each in (await get_json(rig, "/gateway/v1/upstreams"))["upstreams"]
        if each["service"] == service  # type: ignore[attr-defined]
    ]
    return found["instances"][0]["view"], found["instances"][0]["why"]


@on_uvloop
async def test_an_instance_that_cannot_be_reached_from_here_is_known_before_anybody_calls_it() -> None:
    async with a_gateway(probe_rounds=True) as rig:
        rig.discovery.put(
            an_instance("refusing", 9000, INSTANCES[0]),
            an_instance("nameless", 9000, "no-such-host.invalid"),
            an_instance(
                "asked", 9000, "no-such-host.invalid", health_check_url="http://no-such-host.invalid:9000/health"
            ),
        )
        await until(lambda: len(rig.gateway.path.health.records) == 3)
        unknown = "no-such-host.invalid:9000: the name 'no-such-host.invalid' is not known here"
        assert await view_of(rig, "refusing") == ("UNREACHABLE", f"{INSTANCES[0]}:9000: connection refused")
        assert await view_of(rig, "nameless") == ("UNREACHABLE", unknown)
        assert await view_of(rig, "asked") == ("UNREACHABLE", unknown)
        got = await rig.get("/nameless/api/v1/")
        assert (got.status, got.number) == (503, "ZWEAG510E")
        assert "not known here" in got.content


@on_uvloop
async def test_an_instance_that_only_probes_have_reached_is_out_when_it_is_gone() -> None:
    async with a_gateway(probe_rounds=True) as rig:
        instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
        await instance.start()
        rig.discovery.put(an_instance("orders", 9000, INSTANCES[0]))
        await until(lambda: rig.gateway.path.standings and next(iter(rig.gateway.path.standings.values())).reached)
        await instance.stop()
        assert (await rig.get("/orders/api/v1/")).status == 503
        assert (await view_of(rig, "orders"))[0] == "out"


@on_uvloop
async def test_leaving_and_rejoining_the_sysplex_address() -> None:
    async with a_gateway(vipa=VIPA) as rig:
        await until(lambda: rig.gateway.vipa.state == "in")
        assert await put_vipa(rig, b'{"state":"out"}') == (200, b'{"state":"out","address":"%b"}' % VIPA.encode())
        host, _, port = VIPA.partition(":")
        with pytest.raises(ConnectionRefusedError):
            await type(await rig.connect()).to(host, int(port))
        assert (await put_vipa(rig, b'{"state":"in"}'))[0] == 200
        assert await get_json(rig, "/gateway/v1/vipa") == {"state": "in", "address": VIPA}
        for wrong in (b'{"state":"away"}', b"{}", b"[", b'{"state":"in","x":1}'):
            status, body = await put_vipa(rig, wrong)
            assert status == 400
            assert b"ZWEAO400E" in body
        assert rig.gateway.vipa.state == "in"


@pytest.mark.parametrize(
    "path", ["/gateway/v1/none", "/static/../app.py", "/static/none.js", "/application/x", "/none"]
)
@on_uvloop
async def test_everything_else_is_404_in_zowes_form(path: str) -> None:
    async with a_gateway() as rig:
        got = await rig.get(path)
        assert (got.status, got.number) == (404, "ZWEAO404E")


@on_uvloop
async def test_metrics_count_what_was_answered() -> None:
    async with a_gateway(RawInstance(INSTANCES[0], 9000, answering(b"ok"))) as rig:
        for _ in range(3):
            await rig.get("/orders/api/v1")
        await rig.get("/none/api/v1")
        text = (await rig.get("/application/metrics")).body.decode()
        assert 'plexmesh_gateway_requests_total{route="api/v1",status="2xx",upstream="orders"} 3.0' in text
        assert 'plexmesh_gateway_requests_total{route="",status="4xx",upstream="other"} 1.0' in text
        assert 'plexmesh_gateway_request_seconds_count{route="api/v1",upstream="orders"} 3.0' in text
        assert "plexmesh_gateway_in_flight_requests 1.0" in text


@on_uvloop
async def test_own_pages_are_told_who_asks_and_nobody_can_pretend() -> None:
    async with a_gateway() as rig:
        got = await rig.ask(b"GET /application/info HTTP/1.1\r\nHost: g\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
        assert json.loads(got.body)["lpar"] == "LPAR1"


@on_uvloop
async def test_discovery_and_launcher_are_not_routed() -> None:
    async with a_gateway() as rig:
        rig.discovery.put(an_instance("discovery", 7553, LPAR1), an_instance("launcher", 7550, f"127.0.42.{N}"))
        await until(lambda: len(rig.gateway.path.snapshot.instances) == 2)
        for service in ("discovery", "launcher", "eureka"):
            assert (await rig.get(f"/{service}/api/v1")).status == 404


@on_uvloop
async def test_what_runs_beside_a_silent_discovery_node_is_shown_as_silent() -> None:
    async with a_gateway() as rig:
        launcher = an_instance("launcher", 7550, LPAR1, lpar="LPAR2")
        rig.discovery.put(launcher)
        rig.discovery.owner(launcher.owner, "dead")
        await until(lambda: rig.gateway.path.snapshot.owners.get(launcher.owner) == "dead")
        data = await get_json(rig, "/gateway/v1/sysplex")
        lpars = data["lpars"]
        assert isinstance(lpars, list)
        assert [(each["status"], each["view"]) for each in lpars[0]["components"]] == [("UP", "silent")]
