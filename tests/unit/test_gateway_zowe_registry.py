"""The registry in short, the gateway's health, its version and its own entry."""

from __future__ import annotations

from importlib.metadata import version as installed

import pytest

from gateway.config import GatewayConfig
from gateway.meters import Meters
from gateway.report import Report, WatchState
from gateway.snapshot import EMPTY
from gateway.zowe import entry, version
from gateway.zowe.health import health
from gateway.zowe.registry import domains
from tests.fakes import an_instance
from tests.unit.test_gateway_zowe_services import seen

OUT = "http://plex.example.test:7554"

API = {"apiml.apiInfo.0.apiId": "test.orders", "apiml.apiInfo.1.apiId": "test.stock", "region": "west"}

SNAPSHOT = seen(
    an_instance(metadata=API),
    an_instance(host="127.0.40.2", metadata=API | {"region": "east"}, status="DOWN"),
    an_instance("sample", 9100, status="DOWN", lpar=""),
    an_instance("discovery", 7553),
)

ORDERS = {
    "serviceId": "orders",
    "status": "UP",
    "apiId": ["test.orders", "test.stock"],
    "customMetadata": {"region": "west", "zos.lpar": "LPAR1"},
}
SAMPLE = {"serviceId": "sample", "status": "DOWN", "apiId": [], "customMetadata": {}}


@pytest.mark.parametrize(
    ("filters", "services"),
    [
        ({}, [ORDERS, SAMPLE]),
        ({"domain": "PLEX1"}, [ORDERS, SAMPLE]),
        ({"api_id": "test.stock"}, [ORDERS]),
        ({"service": "sample"}, [SAMPLE]),
        ({"api_id": "test.stock", "service": "orders"}, [ORDERS]),
        ({"api_id": "test.stock", "service": "sample"}, None),
        ({"domain": "PLEX2"}, None),
        ({"service": "discovery"}, None),
    ],
)
def test_services_by_domain(filters: dict[str, str], services: list[object] | None) -> None:
    expected = [] if services is None else [{"apimlId": "PLEX1", "services": services}]
    assert domains(SNAPSHOT, "PLEX1", OUT, **filters) == expected


def a_report(node: str = "") -> Report:
    return Report(Meters(), watch=WatchState(node=node))


def test_the_gateway_is_down_until_a_registry_was_seen_whole() -> None:
    up, details = health(EMPTY, a_report())
    assert not up
    assert details["discovery"] == "DOWN"
    assert health(seen(), a_report())[0]


@pytest.mark.parametrize(
    ("node", "status", "word"), [("", "UP", "UP"), ("", "DOWN", "DOWN"), ("http://d", "DOWN", "UP")]
)
def test_discovery_is_up_when_it_is_followed_or_registered(node: str, status: str, word: str) -> None:
    snapshot = seen(an_instance("discovery", 7553, status=status))  # type: ignore[arg-type]
    assert health(snapshot, a_report(node))[1]["discovery"] == word


def test_what_stands_behind_the_gateway_is_counted_where_it_is_up() -> None:
    names = ["gateway", "gateway", "zaas", "apicatalog", "cachingservice"]
    instances = [an_instance(name, host=f"127.0.40.{number}") for number, name in enumerate(names, 1)]
    down = [an_instance(name, host="127.0.40.9", status="DOWN") for name in ("gateway", "zaas")]
    assert health(seen(*instances, *down), a_report("http://d"))[1] == {
        "discovery": "UP",
        "zaas": "UP",
        "gatewayCount": 2,
        "zaasCount": 1,
        "apicatalog": "UP",
        "caching": "UP",
    }
    assert health(seen(*down), a_report("http://d"))[1] == {
        "discovery": "UP",
        "zaas": "DOWN",
        "gatewayCount": 0,
        "zaasCount": 0,
        "apicatalog": "DOWN",
        "caching": "DOWN",
    }


def test_the_version_and_what_the_builder_says_of_it() -> None:
    release = installed("plexmesh-sysplex")
    unsaid = {"version": release, "buildNumber": "unknown", "commitHash": "unknown"}
    assert version.about({}) == {"apiml": unsaid}
    assert version.about({"PLEXMESH_BUILD_NUMBER": "", "PLEXMESH_COMMIT_HASH": ""}) == {"apiml": unsaid}
    said = {"version": release, "buildNumber": "437", "commitHash": "8dd9f51"}
    assert version.about({"PLEXMESH_BUILD_NUMBER": "437", "PLEXMESH_COMMIT_HASH": "8dd9f51"}) == {"apiml": said}


def test_the_entry_says_where_the_sysplex_is_called() -> None:
    said = entry.metadata(GatewayConfig(host="127.0.40.1", vipa="127.0.40.7:7554"))
    assert said["apiml.service.externalUrl"] == "http://127.0.40.7:7554"
    assert said["apiml.apiInfo.api-v1.apiId"] == "zowe.apiml.gateway"
    assert said["apiml.apiBasePath"] == "/gateway/api/v1"
    assert said["apiml.catalog.tile.id"] == "apimediationlayer"
