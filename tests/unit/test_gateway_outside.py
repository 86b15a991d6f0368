"""Services that are in the configuration alone, and how each wrong word about them is refused."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.outside import settings_of
from gateway.snapshot import upstream_of, usable
from shared.errors import ConfigError

URL = "http://10.0.0.7:8080"


def test_a_service_has_instances_routes_and_a_policy() -> None:
    said = {
        "billing": {
            "urls": [URL, "http://10.0.0.8/", "http://[fd00::1]:81"],
            "routes": {"api/v1": "/billing", "ui/v1": "/"},
            "picker": "peakEwma",
        }
    }
    settings = settings_of({}, said, "apiml1")
    assert settings.apiml_id == "apiml1"
    assert [(each.service, each.host, each.port) for each in settings.static] == [
        ("billing", "10.0.0.7", 8080), ("billing", "10.0.0.8", 80), ("billing", "fd00::1", 81),
    ]  # fmt: skip
    assert all(usable(each) for each in settings.static)
    assert len({each.key for each in settings.static}) == 3
    upstream = upstream_of("billing", {each.key: each for each in settings.static}, settings.policies)
    assert [(route.prefix, route.target) for route in upstream.routes] == [
        (b"/billing/api/v1", b"/billing"), (b"/billing/ui/v1", b""),
    ]  # fmt: skip
    assert upstream.policy.picker == "peakEwma"
    assert [each.authority for each in upstream.endpoints] == [b"10.0.0.7:8080", b"10.0.0.8:80", b"[fd00::1]:81"]
    assert not upstream.faults


def test_without_routes_it_has_the_default_ones() -> None:
    (instance,) = settings_of({}, {"billing": {"urls": [URL]}}, "").static
    routes = upstream_of("billing", {instance.key: instance}).routes
    assert [route.prefix for route in routes] == [b"/billing/api/v1", b"/billing/ui/v1", b"/billing/ws/v1"]


def test_its_policy_may_stand_with_those_of_the_others() -> None:
    services: dict[str, dict[str, Any]] = {"billing": {"retries": 1}, "*": {"picker": "random"}}
    policy, _ = settings_of(services, {"billing": {"urls": [URL]}}, "").policies.of("billing", {})
    assert (policy.retries, policy.picker) == (1, "random")
    policy, _ = settings_of({"*": {"picker": "random"}}, {"billing": {"urls": [URL], "retries": 1}}, "").policies.of(
        "billing", {}
    )
    assert (policy.retries, policy.picker) == (1, "random")


def test_what_was_given_is_not_changed() -> None:
    services: dict[str, Any] = {}
    static = {"billing": {"urls": [URL], "retries": 1}}
    settings_of(services, static, "")
    assert services == {}
    assert static == {"billing": {"urls": [URL], "retries": 1}}


def billing(**more: Any) -> dict[Any, Any]:
    return {"billing": {"urls": [URL]} | more}


URLS = "billing.urls: expected http://host:port or https://host:port, got "

REFUSED: list[tuple[dict[Any, Any], str]] = [
    ({"billing": URL}, "billing: expected urls and routes"),
    ({"billing": None}, "billing: expected urls and routes"),
    ({"Billing": {"urls": [URL]}}, "Billing: a service id has lower-case letters"),
    ({"bill/ing": {"urls": [URL]}}, "bill/ing: a service id"),
    ({"bill ing": {"urls": [URL]}}, "bill ing: a service id"),
    ({"b\u00fcro": {"urls": [URL]}}, "b\u00fcro: a service id"),
    ({"": {"urls": [URL]}}, ": a service id"),
    ({1: {"urls": [URL]}}, "1: a service id"),
    *[({id: {"urls": [URL]}}, f"{id}: a service id") for id in ("gateway", "discovery", "console", "static")],
    ({"billing": {}}, "billing.urls: expected a list of URLs, got None"),
    (billing(urls=[]), "billing.urls: expected a list of URLs"),
    (billing(urls=URL), "billing.urls: expected a list of URLs"),
    *[
        (billing(urls=[URL, url]), URLS + repr(url))
        for url in (
            "10.0.0.7:8080", "ftp://10.0.0.7", "http://", "http://10.0.0.7:99999",
            "http://10.0.0.7:x", "http://10.0.0.7/path", "http://10.0.0.7?a=b", "http://10.0.0.7#top",
            "http://joe:secret@10.0.0.7", "http://a b", "http://a\r\nX: 1", "http://[::1", "http://[abc]/",
            "http://a\u2100b", "", 7, None, {"url": URL},
        )
    ],
    (billing(routes=["api/v1"]), "billing.routes: expected gatewayUrl: serviceUrl"),
    (billing(routes=None), "billing.routes: expected gatewayUrl: serviceUrl"),
    (billing(routes={"api/v1": None}), "billing.routes.api/v1: expected gatewayUrl: serviceUrl"),
    (billing(routes={1: "/x"}), "billing.routes.1: expected gatewayUrl: serviceUrl"),
    (billing(routes={"api/v1": "/a/../b"}), "billing.routes.api/v1: '/a/../b' has a dot segment"),
    (billing(routes={"../orders/api/v1": "/"}), "billing.routes.../orders/api/v1: "),
    (billing(routes={"api//v1": "/"}), "billing.routes.api//v1: 'api//v1' has an empty segment"),
    (billing(routes={"api/v1": "/%2e%2e"}), "billing.routes.api/v1: '/%2e%2e' holds a character"),
    (billing(routes={"/": "/x"}), "billing.routes./: "),
    (billing(routes={"": "/x"}), "billing.routes.: "),
    (billing(pickr="random"), "billing.pickr: unknown key (did you mean 'picker'?)"),
    (billing(picker="fastest"), "billing.picker: expected one of"),
    ({"billing": {"urls": [URL], 1: 2}}, "billing.1: unknown key"),
]  # fmt: skip


@pytest.mark.parametrize(("static", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_each_refusal_names_its_path(static: dict[Any, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of({}, static, "")
    assert str(caught.value).startswith("components.gateway.static." + says)


def test_a_policy_in_two_places_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of({"billing": {"retries": 1}}, billing(picker="random"), "")
    assert str(caught.value).startswith("components.gateway.static.billing: picker: ")


def test_a_wrong_policy_of_another_service_is_refused_too() -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of({"orders": {"retries": "x"}}, billing(), "")
    assert str(caught.value).startswith("components.gateway.services.orders.retries: ")
