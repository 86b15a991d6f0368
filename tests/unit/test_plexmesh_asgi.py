"""The scope an application sees behind a gateway."""

from __future__ import annotations

from typing import Any

import pytest

from plexmesh.asgi import as_called


def scope(*headers: tuple[str, str], type: str = "http", **more: Any) -> dict[str, Any]:
    encoded = [(name.encode(), value.encode()) for name, value in (("host", "127.0.1.1:9000"), *headers)]
    return {"type": type, "scheme": "http", "path": "/docs", "raw_path": b"/docs", "headers": encoded} | more


GATEWAYS = (
    ("x-forwarded-prefix", "/orders/api/v1"),
    ("x-forwarded-host", "mesh.example:7554"),
    ("x-forwarded-proto", "https"),
)


def test_the_application_is_mounted_below_the_prefix() -> None:
    seen = as_called(scope(*GATEWAYS))
    assert (seen["root_path"], seen["path"], seen["raw_path"], seen["scheme"]) == (
        "/orders/api/v1",
        "/orders/api/v1/docs",
        b"/orders/api/v1/docs",
        "https",
    )
    assert [value for name, value in seen["headers"] if name == b"host"] == [b"mesh.example:7554"]


def test_a_direct_call_is_left_as_it_is() -> None:
    given = scope()
    assert as_called(given) is given


def test_the_given_scope_is_not_changed() -> None:
    given = scope(*GATEWAYS)
    as_called(given)
    assert given == scope(*GATEWAYS)


def test_the_servers_own_prefix_comes_after_ours() -> None:
    given = scope(GATEWAYS[0], root_path="/inner", path="/inner/docs")
    assert as_called(given)["root_path"] == "/orders/api/v1/inner"
    assert as_called(given)["path"] == "/orders/api/v1/inner/docs"


def test_a_server_told_the_same_prefix_is_not_told_twice() -> None:
    given = scope(GATEWAYS[0], root_path="/orders/api/v1", path="/orders/api/v1/docs")
    assert as_called(given)["path"] == "/orders/api/v1/docs"


def test_a_websocket_keeps_its_kind_of_scheme() -> None:
    assert as_called(scope(*GATEWAYS, type="websocket", scheme="ws"))["scheme"] == "wss"


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "/a//b", "orders", "/", "/a/", "/a'b", "/../x", "/a b", "/%2e", "/a\n", '/"'], ids=repr
)
def test_a_prefix_that_could_lead_elsewhere_is_ignored(prefix: str) -> None:
    given = scope(("x-forwarded-prefix", prefix))
    assert as_called(given) is given


def test_a_field_that_is_there_twice_is_ignored() -> None:
    given = scope(GATEWAYS[0], GATEWAYS[0])
    assert as_called(given) is given


@pytest.mark.parametrize(("name", "value"), [("host", "a/b"), ("host", "a@b"), ("host", ""), ("proto", "javascript")])
def test_odd_hosts_and_schemes_are_ignored(name: str, value: str) -> None:
    given = scope((f"x-forwarded-{name}", value))
    assert as_called(given) is given
