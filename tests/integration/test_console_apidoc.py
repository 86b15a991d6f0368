"""OpenAPI documents fetched from instances, and the orders and questions that go to discovery nodes, over HTTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from gateway.config import GatewayConfig
from gateway.console import apidoc
from gateway.console.apidoc import Apidocs
from gateway.console.leases import Leases
from gateway.console.operators import Operators
from gateway.console.statuses import Statuses
from gateway.console.swagger import SwaggerUi
from gateway.snapshot import Snapshot
from shared import problem
from shared.wire import Instance
from tests.fakes import an_instance
from tests.unit.test_gateway_snapshot import folded

HOST = f"127.0.111.{os.getpid() % 250 + 1}"
JSON = '{"openapi": "3.1.0", "info": {"title": "Orders", "version": "1"}, "paths": {"/items": {"get": {}}}}'
YAML = "swagger: '2.0'\ninfo: {title: Orders, version: '1'}\npaths: {/items: {get: {}}}\n"


def a_desk(nodes: tuple[str, ...]) -> Statuses:
    config = GatewayConfig(host=HOST, discovery=nodes)
    return Statuses(config, Operators(config))


def served(*routes: web.RouteDef) -> TestServer:
    """To be entered."""
    app = web.Application(middlewares=[problem.middleware()])
    app.add_routes(routes)
    return TestServer(app, host=HOST)


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


# --- documents


class Plane:
    """Of a gateway, as much as a document needs."""

    def __init__(self) -> None:
        self.snapshot = Snapshot({}, {}, {}, {})

    async def ask(self) -> None:
        return None

    def knows(self, *instances: Instance) -> None:
        self.snapshot = folded(*instances).snapshot


@pytest.fixture
async def orders() -> AsyncIterator[TestServer]:
    """An instance with documents of all kinds."""

    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"{")
        assert request.transport is not None
        request.transport.abort()
        return answer

    async def moved(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/json"})

    def text(body: str) -> Any:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=body)

        return answer

    bodies = {"json": JSON, "yaml": YAML, "html": "<html></html>", "broken": '{"openapi":', "large": " " * 5000 + JSON}
    texts = [web.get(f"/{name}", text(body)) for name, body in bodies.items()]
    async with served(*texts, web.get("/hang", hang), web.get("/cut", cut), web.get("/moved", moved)) as server:
        yield server


def instance(orders: TestServer, url: str, **more: Any) -> Instance:
    assert orders.port is not None
    api = {"gatewayUrl": "api/v1", "swaggerUrl": url.replace("HERE", f"{HOST}:{orders.port}")}
    metadata = {f"apiml.apiInfo.0.{name}": value for name, value in api.items()}
    metadata |= {"apiml.routes.a.gatewayUrl": "api/v1", "apiml.routes.a.serviceUrl": "/"}
    return an_instance("orders", orders.port, more.pop("host", HOST), metadata=metadata, **more)


@pytest.fixture
async def plane() -> Plane:
    return Plane()


@pytest.fixture
async def console(orders: TestServer, plane: Plane) -> AsyncIterator[str]:
    """Its URL. What it asks "this gateway" for goes to the instance."""
    config = GatewayConfig(host=HOST, port=orders.port, vipa="192.0.2.1:7554")
    async with served(*Apidocs(config, plane).routes()) as server:  # type: ignore[arg-type]
        yield str(server.make_url("/console/v1/apidoc/orders/0"))


@pytest.mark.parametrize("url", ["http://HERE/json", "/json", "json"])
async def test_a_document_is_set_to_call_through_here(
    url: str, session: ClientSession, console: str, plane: Plane, orders: TestServer
) -> None:
    plane.knows(instance(orders, url))
    async with session.get(console) as answer:
        found = await answer.json()
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert found["servers"] == [{"url": "/orders/api/v1"}]
    assert list(found["paths"]) == ["/items"]


async def test_so_is_yaml_of_swagger_2(session: ClientSession, console: str, plane: Plane, orders: TestServer) -> None:
    plane.knows(instance(orders, "http://HERE/yaml"))
    async with session.get(console.replace("orders", "Orders")) as answer:
        found = await answer.json()
    assert (found["basePath"], list(found["paths"])) == ("/orders/api/v1", ["/items"])


async def test_another_instance_is_asked_when_one_has_none(
    session: ClientSession, console: str, plane: Plane, orders: TestServer
) -> None:
    gone = instance(orders, "http://HERE/nothing", id="a")
    plane.knows(gone, instance(orders, "http://HERE/json", id="b"))
    async with session.get(console) as answer:
        assert answer.status == 200


async def test_a_url_at_the_sysplex_address_is_asked_for_at_this_gateway(
    session: ClientSession, console: str, plane: Plane, orders: TestServer
) -> None:
    plane.knows(instance(orders, "http://192.0.2.1:7554/orders/api/v1/json"))
    async with session.get(console) as answer:  # there is no data path here, so the instance gets the public path
        assert (await answer.json())["detail"].endswith("is answered 404")
    plane.knows(instance(orders, "http://192.0.2.1:7554/other/api/v1/json"))
    async with session.get(console) as answer:
        assert "is on neither" in (await answer.json())["detail"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://HERE/nothing", "is answered 404"),
        ("http://HERE/moved", "is answered 302"),
        ("http://HERE/html", "is neither OpenAPI 3 nor Swagger 2"),
        ("http://HERE/broken", "is neither JSON nor YAML"),
        ("http://HERE/large", "is longer than 4096 bytes"),
        ("http://HERE/hang", "is not there within 0.2 s"),
        ("http://HERE/cut", "breaks off: ClientPayloadError"),
        ("https://HERE/json", "cannot be reached: no TLS: wrong version number"),
        ("ftp://HERE/json", "is at no http or https URL"),
        ("http://192.0.2.9/latest/meta-data", "is on neither its instance's address nor a route of its own"),
        ("http://user@192.0.2.9/json", "is on neither its instance's address nor a route of its own"),
        ("//192.0.2.9/json", "is on neither its instance's address nor a route of its own"),
        ("http://[", "which is no URL"),
        ("http://HERE:99999/json", "which is no URL"),
    ],
)
async def test_each_way_to_fail_is_told_in_one_line(
    url: str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    session: ClientSession,
    console: str,
    plane: Plane,
    orders: TestServer,
) -> None:
    monkeypatch.setattr(apidoc, "WITHIN_S", 0.2)  # its bounds are constants, and a test would wait long for them
    monkeypatch.setattr(apidoc, "MAX_BYTES", 4096)
    plane.knows(instance(orders, url))
    async with session.get(console) as answer:
        said = (await answer.json())["detail"]
    assert answer.status == 503
    assert said.startswith("orders: its document ")
    assert why in said
    assert "\n" not in said


async def test_an_instance_that_is_gone_is_told(
    session: ClientSession, console: str, plane: Plane, orders: TestServer
) -> None:
    plane.knows(an_instance("orders", 1, HOST, metadata=instance(orders, "/json").metadata))
    async with session.get(console) as answer:
        assert (await answer.json())["detail"].endswith("cannot be reached: connection refused")
    async with session.get(console.replace("orders", "nobody")) as answer:
        assert answer.status == 404


# --- statuses


class Node:
    """A discovery node that takes one instance out of service, and knows the age of its lease."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/eureka/{rest:.*}", self.status), web.get("/v1/leases/{key:.*}", self.lease)]

    async def status(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.raw_path}")
        return web.Response(status=404 if "nobody" in request.path else 200)

    async def lease(self, request: web.Request) -> web.Response:
        self.asked.append(request.raw_path)
        if "nobody" in request.path:
            return web.Response(status=404)
        return web.json_response({"owner": "LPAR2@17", "lease_s": 15, "renewed_s": 2.5})


@pytest.fixture
async def node() -> Node:
    return Node()


@pytest.fixture
async def nodes(node: Node) -> AsyncIterator[tuple[str, ...]]:
    """URLs: one that nobody listens at, then the node."""
    async with served(*node.routes()) as server:
        yield f"http://{HOST}:1", str(server.make_url("")).rstrip("/")


async def ordered(session: ClientSession, server: TestServer, path: str, body: object, **more: Any) -> tuple[int, Any]:
    origin = str(server.make_url("")).rstrip("/")
    headers = {"Origin": origin} | more
    async with session.post(f"{origin}/console/v1/instances/{path}/status", json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_an_instance_goes_out_of_service_and_comes_back(
    session: ClientSession, node: Node, nodes: tuple[str, ...]
) -> None:
    async with served(*a_desk(nodes).routes()) as server:
        out, up = {"status": "OUT_OF_SERVICE"}, {"status": "UP"}
        assert await ordered(session, server, "orders/h:orders:9000", out) == (200, out)
        assert await ordered(session, server, "orders/a%2Fb", up) == (200, up)
        assert node.asked == [
            "PUT /eureka/apps/ORDERS/h:orders:9000/status?value=OUT_OF_SERVICE",
            "DELETE /eureka/apps/ORDERS/a%2Fb/status",
        ]


async def test_what_is_no_order_changes_nothing(session: ClientSession, node: Node, nodes: tuple[str, ...]) -> None:
    async with served(*a_desk(nodes).routes()) as server:
        out = {"status": "OUT_OF_SERVICE"}
        for path, body, more, status, why in (
            ("orders/i1", out, {"Origin": "http://evil.example.test"}, 403, "Origin: "),
            ("orders/i1", out, {"Host": "evil.example.test"}, 403, "Host: "),
            ("orders/i1", out, {"Content-Type": "text/plain"}, 403, "Content-Type: "),
            ("orders/i1", {"status": "DOWN"}, {}, 400, "Invalid enum value"),
            ("orders/i1", {"status": "UP", "x": 1}, {}, 400, "Object contains unknown field"),
            ("discovery/i1", out, {}, 409, "discovery: "),
        ):
            found, said = await ordered(session, server, path, body, **more)
            assert (found, said["detail"].startswith(why)) == (status, True), said
        assert node.asked == []
        found, said = await ordered(session, server, "orders/nobody", out)
        assert (found, said["detail"]) == (404, "orders/nobody: not registered")


async def test_no_node_takes_it(session: ClientSession) -> None:
    async with served(*a_desk((f"http://{HOST}:1",)).routes()) as server:
        status, said = await ordered(session, server, "orders/i1", {"status": "UP"})
        assert (status, said["detail"]) == (503, f"no discovery node takes the order: http://{HOST}:1 does not answer")


# --- leases


async def test_the_holder_of_a_lease_says_how_old_it_is(
    session: ClientSession, node: Node, nodes: tuple[str, ...], plane: Plane
) -> None:
    holder = an_instance("discovery", int(nodes[1].rpartition(":")[2]), HOST, lpar="LPAR2")
    kept, lost = (an_instance("orders", id=id, owner="LPAR2@17") for id in ("i 1", "nobody"))
    plane.knows(holder, kept, lost, an_instance("orders", id="alone", owner="LPAR3@1"))
    config = GatewayConfig(host=HOST, discovery=nodes[:1])
    async with served(*Leases(config, plane).routes()) as server:  # type: ignore[arg-type]

        async def asked(id: str) -> tuple[int, Any]:
            async with session.get(server.make_url(f"/console/v1/instances/orders/{id}/lease")) as answer:
                return answer.status, await answer.json(content_type=None)

        assert await asked("i%201") == (200, {"renewedS": 2.5, "leaseS": 15, "node": "LPAR2"})
        assert node.asked == ["/v1/leases/orders/i%201"]
        assert (await asked("nobody"))[0] == 404
        assert (await asked("unheard"))[0] == 404
        assert (await asked("alone"))[0] == 503


# --- Swagger UI


async def test_swagger_ui_is_served_below_its_version_for_ever(session: ClientSession) -> None:
    async with served(*SwaggerUi().routes()) as server:

        async def asked(path: str) -> tuple[int, Any]:
            async with session.get(server.make_url(f"/console/swagger/{path}"), allow_redirects=False) as answer:
                return answer.status, answer.headers

        for name, kind in (("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css")):
            status, headers = await asked(name)
            assert status == 302
            version = headers["Location"].split("/")[-2]
            status, headers = await asked(f"{version}/{name}")
            assert (status, headers["Content-Type"]) == (200, kind)
            assert "immutable" in headers["Cache-Control"]
            assert (await asked(f"0.0/{name}"))[0] == 404
        for other in ("index.html", f"{version}/index.html", "..%2Fswagger-ui.css", f"{version}/..%2F..%2F__init__.py"):
            assert (await asked(other))[0] == 404
