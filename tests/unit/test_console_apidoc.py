"""An API's own description, and what becomes of it so that it calls the API through a gateway."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.console.documents import LEFT_OUT, read, through
from shared.errors import BadInput

HERE = "http://127.0.40.1:9000/orders/openapi.json"
BASE = "/orders/api/v1"
ITEMS = {"get": {"responses": {}}}


def openapi(*paths: str, **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "Orders"}, "paths": dict.fromkeys(paths, ITEMS), **more}


def swagger(*paths: str, **more: Any) -> dict[str, Any]:
    return {"swagger": "2.0", "info": {"title": "Orders"}, "paths": dict.fromkeys(paths, ITEMS), **more}


@pytest.mark.parametrize(
    ("base", "target", "path", "here", "called"),
    [
        ("/orders/api/v1", "/orders/api/v1", "/items", BASE, "/items"),
        ("/orders/api/v1/", "/orders/api/v1", "/items", BASE, "/items"),
        ("/orders/api/v1/admin", "/orders/api/v1", "/items", f"{BASE}/admin", "/items"),
        ("/", "", "/items", BASE, "/items"),
        ("/", "/internal", "/internal/items", BASE, "/items"),
        ("/", "/internal", "/internal", BASE, "/"),
        ("/in", "/in/ternal", "/ternal/items", BASE, "/items"),
        (BASE, "", "/items", BASE, "/items"),
        (f"{BASE}/admin", "", "/items", f"{BASE}/admin", "/items"),
        ("/deep/er", "", "/items", f"{BASE}/deep/er", "/items"),
    ],
)
def test_it_calls_the_base_path_here(base: str, target: str, path: str, here: str, called: str) -> None:
    new = through(openapi(path, servers=[{"url": base}]), HERE, BASE, target)
    assert (new["servers"], list(new["paths"])) == ([{"url": here}], [called])
    old = through(swagger(path, basePath=base, host="127.0.40.1:9000", schemes=["https"]), HERE, BASE, target)
    assert (old["basePath"], list(old["paths"])) == (here, [called])
    assert "host" not in old
    assert "schemes" not in old
    assert LEFT_OUT not in new | old


@pytest.mark.parametrize(
    "server",
    [
        {"url": "https://elsewhere.example.test/in/v1"},
        {"url": "v1/../../in/v1"},
        {"url": "../in/v1"},
        {"url": "{at}/in/v{n}", "variables": {"at": {"default": "http://h"}, "n": {"default": 1}, "m": 7}},
    ],
)
def test_a_server_is_a_url_of_any_form(server: dict[str, Any]) -> None:
    found = through(openapi("/items", servers=[server, {"url": "/other"}]), HERE, BASE, "/in")
    assert found["servers"] == [{"url": f"{BASE}/v1"}]


@pytest.mark.parametrize(
    "servers", [None, [], "x", [7], [{}], [{"url": 7}], [{"url": "http://["}], [{"url": "x", "variables": 7}]]
)
def test_servers_that_are_none_do_no_harm(servers: Any) -> None:
    found = through(openapi("/items", servers=servers), HERE, BASE, "")
    assert found["servers"][0]["url"].startswith(BASE)
    assert through(swagger("/items", basePath=servers), HERE, BASE, "")["basePath"].startswith(BASE)


def test_what_the_route_does_not_lead_to_is_left_out_and_said() -> None:
    found = through(openapi("/api/items", "/apis", "/health", "items"), HERE, BASE, "/api")
    assert list(found["paths"]) == ["/items"]
    assert found[LEFT_OUT] == ["/apis", "/health", "items"]


def test_no_operation_is_somewhere_else() -> None:
    elsewhere = {"servers": [{"url": "https://evil.example.test"}]}
    document = openapi() | {"paths": {"/items": {**elsewhere, "get": {**elsewhere, "tags": ["a"]}, "parameters": []}}}
    found = through(document, HERE, BASE, "")
    assert found["paths"] == {"/items": {"get": {"tags": ["a"]}, "parameters": []}}
    assert document["paths"]["/items"]["servers"] == elsewhere["servers"]


def test_json_and_yaml_are_read() -> None:
    document = openapi("/items")
    assert read(msgspec.json.encode(document)) == document
    text = b"openapi: 3.0.3\npaths:\n  /items:\n    get:\n      responses:\n        200: {description: on 2026-01-01}\n"
    responses = read(text)["paths"]["/items"]["get"]["responses"]
    assert responses == {"200": {"description": "on 2026-01-01"}}
    odd = b"swagger: '2.0'\nx-a: 2026-01-01\nx-b: {true: 1, null: 2, 1.5: 3}\nx-c: !!set {a}\nx-d: !!binary aGk="
    assert msgspec.json.decode(msgspec.json.encode(read(odd + b"\nx-e: .nan\nx-f: 99999999999999999999"))) == {
        "swagger": "2.0",
        "x-a": "2026-01-01",
        "x-b": {"true": 1, "None": 2, "1.5": 3},
        "x-c": ["a"],
        "x-d": "b'hi'",
        "x-e": None,
        "x-f": "99999999999999999999",
    }


BOMB = b"openapi: 3.0.0\na0: &a0 [1,1,1,1,1,1,1,1,1]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "neither OpenAPI 3"),
        (b"[]", "neither OpenAPI 3"),
        (b'{"openapi": "2.0"}', "neither OpenAPI 3"),
        (b'{"swagger": "1.2"}', "neither OpenAPI 3"),
        (b"<html>", "neither OpenAPI 3"),
        (b'{"openapi": ', "neither JSON nor YAML"),
        (b"\xff\xfe\x00", "neither"),
        (b'{"openapi": "3.0.0", "paths": []}', "paths that are no mapping"),
        (b'{"openapi": "3.0.0", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested deeper"),
        (b"openapi: 3.0.0\nx: " + b"[" * 5000 + b"]" * 5000, "nested deeper"),
        (b"openapi: 3.0.0\nx: &x [*x]", "nested deeper"),
        (BOMB, "more than 200000 values"),
        (b"openapi: 3.0.0\nx: !!python/object/apply:os.system [ls]", "neither JSON nor YAML"),
        (b"openapi: 3.0.0\nx: " + b"y" * 1_000_001, "longer than the 1000000 bytes"),
        (b"? [a]\n: b", "neither"),
    ],
)
def test_what_is_no_document_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(BadInput) as raised:
        read(body)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)
