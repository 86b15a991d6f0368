"""A service's instances, folded out of the watch stream or read from Eureka's JSON."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from plexmesh.lookup import Fold, Instance, listed_by_eureka
from shared.wire import Del, Mark, Put, WatchEvent
from tests.fakes import an_instance


def feed(fold: Fold, *events: WatchEvent) -> list[bool]:
    return [fold.apply(type(each).__name__.lower(), msgspec.json.encode(each).decode()) for each in events]


def mark(whole: bool = False) -> Mark:
    return Mark("t", 0, 0, whole)


def test_the_set_stands_at_a_mark() -> None:
    fold = Fold("orders")
    first, second = an_instance(port=9001, lpar="LPAR2"), an_instance(port=9000, lpar="")
    assert feed(fold, Put([first]), Put([second]), mark(whole=True)) == [False, False, True]
    assert fold.now() == [
        Instance(
            id="127.0.40.1:orders:9000",
            host="127.0.40.1",
            port=9000,
            url="http://127.0.40.1:9000",
            lpar=None,
            status="UP",
            metadata={},
        ),
        Instance(
            id="127.0.40.1:orders:9001",
            host="127.0.40.1",
            port=9001,
            url="http://127.0.40.1:9001",
            lpar="LPAR2",
            status="UP",
            metadata={"zos.lpar": "LPAR2"},
        ),
    ]


def test_changes_and_departures() -> None:
    fold = Fold("orders")
    feed(fold, Put([an_instance(port=9000), an_instance(port=9001)]), mark(whole=True))
    feed(fold, Put([an_instance(port=9000, status="DOWN")]), Del(["orders/127.0.40.1:orders:9001"]), mark())
    assert [(each.port, each.status) for each in fold.now()] == [(9000, "DOWN")]


def test_other_services_are_not_ours() -> None:
    fold = Fold("orders")
    feed(fold, Put([an_instance("orders-new"), an_instance("stock", id="orders/x")]), Del(["stock/none"]), mark())
    assert fold.now() == []


def test_a_secure_instance_is_called_with_https() -> None:
    fold = Fold("orders")
    feed(fold, Put([an_instance(secure=True, port=9443)]), mark())
    assert fold.now()[0].url == "https://127.0.40.1:9443"


def listed(**more: Any) -> dict[str, Any]:
    return {
        "instanceId": "i1",
        "hostName": "h.test",
        "status": "UP",
        "port": {"$": 8080, "@enabled": "true"},
        "securePort": {"$": 443, "@enabled": "false"},
        "metadata": {"@class": "java.util.Collections$EmptyMap"},
        **more,
    }


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "http://h.test:8080"),
        ({"securePort": {"$": 8443, "@enabled": "true"}}, "https://h.test:8443"),
        ({"securePort": {"$": "8443", "@enabled": True}}, "https://h.test:8443"),
        ({"hostName": "::1"}, "http://[::1]:8080"),
    ],
)
def test_eurekas_form(more: dict[str, Any], url: str) -> None:
    found = listed_by_eureka(listed(**more))
    assert (found.url, found.id, found.metadata, found.lpar) == (url, "i1", {}, None)


def test_instances_can_be_kept_in_sets() -> None:
    assert len({listed_by_eureka(listed()), listed_by_eureka(listed())}) == 1
