"""Service objects: who is shown, what is said of him, and how it looks from outside."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import GatewayConfig
from gateway.snapshot import Snapshot
from gateway.zowe import conformance, registry, services
from gateway.zowe.address import external_url
from shared.wire import Instance
from tests.fakes import an_instance
from tests.unit.test_gateway_snapshot import folded

OUT = "http://plex.example.test:7554"
HERE = "http://127.0.40.1:9000"

SAID = {
    "apiml.routes.api-v1.gatewayUrl": "/api/v1/",
    "apiml.routes.api-v1.serviceUrl": "/orders/api/v1",
    "apiml.routes.ui-v1.gatewayUrl": "ui/v1",
    "apiml.routes.ui-v1.serviceUrl": "/orders",
    "apiml.apiInfo.0.apiId": "test.orders",
    "apiml.apiInfo.0.version": "1.2.0",
    "apiml.apiInfo.0.gatewayUrl": "/api/v1",
    "apiml.apiInfo.0.swaggerUrl": f"{HERE}/orders/api/v1/openapi.json",
    "apiml.apiInfo.0.documentationUrl": "https://docs.example.test/orders",
    "apiml.apiInfo.0.defaultApi": "true",
    "apiml.apiInfo.0.codeSnippet.0.endpoint": "/items",
    "apiml.apiInfo.0.codeSnippet.0.codeBlock": "GET /items",
    "apiml.apiInfo.0.codeSnippet.0.language": "http",
    "apiml.service.title": "Orders",
    "apiml.service.description": "Takes orders",
    "apiml.catalog.tile.id": "shop",
    "apiml.authentication.scheme": "httpBasicPassTicket",
    "apiml.authentication.applid": "ORDAPPL",
    "apiml.authentication.sso": "false",
    "region": "west",
}

URLS = {
    "home_page_url": f"{HERE}/orders/start",
    "status_page_url": f"{HERE}/application/info",
    "health_check_url": f"{HERE}/application/health",
}

A = an_instance(metadata=SAID, **URLS)


def seen(*instances: Instance) -> Snapshot:
    return folded(*instances).snapshot


def the(view: dict[str, Any] | None) -> dict[str, Any]:
    assert view is not None
    return view


def api(*instances: Instance) -> list[dict[str, Any]]:
    found = the(services.one(seen(*instances), "orders", OUT))["apiml"]["apiInfo"]
    assert isinstance(found, list)
    return found


def told(version: str, host: str, **more: str) -> Instance:
    """An instance with an API of this version, and its version for a title."""
    return an_instance(
        host=host,
        metadata={
            "apiml.apiInfo.0.apiId": "test.orders",
            "apiml.apiInfo.0.version": version,
            "apiml.service.title": version,
            **more,
        },
    )


def test_all_that_is_said_of_a_service() -> None:
    assert services.one(seen(A), "orders", OUT) == {
        "serviceId": "orders",
        "status": "UP",
        "apiml": {
            "apiInfo": [
                {
                    "apiId": "test.orders",
                    "basePath": "/orders/api/v1",
                    "baseUrl": f"{OUT}/orders/api/v1",
                    "gatewayUrl": "api/v1",
                    "swaggerUrl": f"{OUT}/orders/api/v1/openapi.json",
                    "documentationUrl": "https://docs.example.test/orders",
                    "version": "1.2.0",
                    "codeSnippet": [{"endpoint": "/items", "codeBlock": "GET /items", "language": "http"}],
                    "defaultApi": True,
                }
            ],
            "service": {
                "title": "Orders",
                "description": "Takes orders",
                "homePageUrl": f"{OUT}/orders/ui/v1/start",
            },
            "authentication": [{"scheme": "httpBasicPassTicket", "applid": "ORDAPPL", "sso": False}],
        },
        "instances": {
            "127.0.40.1:orders:9000": {
                "status": "UP",
                "hostname": "127.0.40.1",
                "ipAddr": "127.0.40.1",
                "protocol": "http",
                "port": 9000,
                "homePageUrl": f"{HERE}/orders/start",
                "healthCheckUrl": f"{HERE}/application/health",
                "statusPageUrl": f"{HERE}/application/info",
                "customMetadata": {"region": "west", "zos.lpar": "LPAR1"},
            }
        },
    }


def test_what_is_not_said_is_left_out() -> None:
    bare = an_instance(lpar="", secure=True)
    view = the(services.one(seen(bare), "orders", OUT))
    assert view["apiml"] == {"apiInfo": [], "service": {}, "authentication": []}
    assert view["instances"][bare.instance] == {
        "status": "UP",
        "hostname": "127.0.40.1",
        "ipAddr": "127.0.40.1",
        "protocol": "https",
        "port": 9000,
        "customMetadata": {},
    }


def test_discovery_and_launcher_are_never_shown_and_the_gateway_is() -> None:
    snapshot = seen(*(an_instance(name) for name in ("sample", "discovery", "launcher", "gateway")))
    assert [each["serviceId"] for each in services.listed(snapshot, OUT)] == ["gateway", "sample"]
    assert services.one(snapshot, "discovery", OUT) is None
    assert services.one(snapshot, "launcher", OUT) is None
    assert services.one(snapshot, "gateway", OUT) is not None


@pytest.mark.parametrize(
    ("statuses", "status"),
    [(("UP", "UP"), "UP"), (("OUT_OF_SERVICE", "UP"), "UP"), (("DOWN", "STARTING"), "DOWN"), (("DOWN",), "DOWN")],
)
def test_a_service_is_up_if_any_instance_is(statuses: tuple[Any, ...], status: str) -> None:
    instances = [an_instance(host=f"127.0.40.{number}", status=each) for number, each in enumerate(statuses, 1)]
    view = the(services.one(seen(*instances), "orders", OUT))
    assert view["status"] == status
    assert [each["status"] for each in view["instances"].values()] == list(statuses)


def test_services_are_found_by_their_api_and_by_their_id_in_any_case() -> None:
    snapshot = seen(A, an_instance("sample", 9100))
    assert [each["serviceId"] for each in services.listed(snapshot, OUT)] == ["orders", "sample"]
    assert [each["serviceId"] for each in services.listed(snapshot, OUT, "test.orders")] == ["orders"]
    assert services.listed(snapshot, OUT, "test.other") == []
    assert the(services.one(snapshot, "Orders", OUT))["serviceId"] == "orders"
    assert services.one(snapshot, "order", OUT) is None


def test_of_each_major_version_the_lowest_is_shown_and_the_highest_gives_the_names() -> None:
    instances = told("1.10.0", "127.0.40.1"), told("1.9.0", "127.0.40.2"), told("2.0.0", "127.0.40.3")
    assert [each["version"] for each in api(*instances)] == ["1.9.0", "2.0.0"]
    assert the(services.one(seen(*instances), "orders", OUT))["apiml"]["service"] == {"title": "2.0.0"}


def test_what_instances_say_alike_is_said_once() -> None:
    two = A, an_instance(host="127.0.40.2", metadata=SAID)
    assert len(api(*two)) == 1
    assert len(the(services.one(seen(*two), "orders", OUT))["apiml"]["authentication"]) == 1


def test_versions_that_are_none_do_no_harm() -> None:
    instances = [told(version, f"127.0.40.{n}") for n, version in enumerate(("v1", "", "1.x.²", "9" * 5000), 1)]
    assert [each.get("version") for each in api(*instances)] == ["v1", None, "1.x.²"]


def test_an_api_without_a_gateway_url_has_no_base() -> None:
    assert api(told("1.0.0", "127.0.40.1")) == [{"apiId": "test.orders", "version": "1.0.0", "defaultApi": False}]


@pytest.mark.parametrize(
    ("registered", "shown"),
    [
        (f"{HERE}/orders/api/v1/doc", f"{OUT}/orders/api/v1/doc"),
        (f"{HERE}/orders/doc", f"{OUT}/orders/ui/v1/doc"),
        (f"{HERE}/elsewhere/doc", f"{HERE}/elsewhere/doc"),
        ("https://docs.example.test/orders/api/v1/doc", "https://docs.example.test/orders/api/v1/doc"),
        ("no url", "no url"),
    ],
)
def test_a_swagger_url_leads_through_the_gateway_where_it_can(registered: str, shown: str) -> None:
    found = api(an_instance(metadata=SAID | {"apiml.apiInfo.0.swaggerUrl": registered}))
    assert found[0]["swaggerUrl"] == shown


def test_of_routes_that_lead_to_the_same_place_the_apis_own_is_shown() -> None:
    said = {"apiml.apiInfo.0.gatewayUrl": "ws/v1", "apiml.apiInfo.0.swaggerUrl": f"{HERE}/doc"}
    assert api(an_instance(metadata=said))[0]["swaggerUrl"] == f"{OUT}/orders/ws/v1/doc"


def test_a_home_page_that_no_route_of_pages_leads_to_stays_as_it_is() -> None:
    metadata = {key: value for key, value in SAID.items() if ".ui-v1." not in key}
    home = f"{HERE}/orders/api/v1/start"
    view = the(services.one(seen(an_instance(metadata=metadata, home_page_url=home)), "orders", OUT))
    assert view["apiml"]["service"]["homePageUrl"] == home


@pytest.mark.parametrize(("vipa", "url"), [("127.0.0.1:7554", "http://127.0.0.1:7554"), ("", "http://127.0.40.9:7000")])
def test_the_external_address_is_the_sysplexs_or_else_the_own_one(vipa: str, url: str) -> None:
    assert external_url(GatewayConfig(host="127.0.40.9", port=7000, vipa=vipa)) == url


STARTS = st.sampled_from(["apiml.routes.", "apiml.apiInfo.", "apiml.service.", "apiml.authentication.", "apiml", ""])
ENDS = st.sampled_from(
    ["", "0", "api-v1", "gatewayUrl", "serviceUrl", "apiId", "version", "swaggerUrl", "codeSnippet", "scheme", "défaut"]
)
KEYS = st.builds(lambda start, ends: start + ".".join(ends), STARTS, st.lists(ENDS, max_size=4))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.sampled_from(["/", "api/v1", "http://[", "1.0", "x509", "http://127.0.40.1:9000/"]) | TEXT


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=12), st.text(max_size=3), TEXT)
def test_no_registration_breaks_the_answers(metadata: dict[str, str], version: str, url: str) -> None:
    snapshot = seen(an_instance(metadata=metadata, home_page_url=url), an_instance(host="127.0.40.2", metadata=SAID))
    found = services.listed(snapshot, OUT)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
    assert not any(
        key.startswith("apiml.") for key in found[0]["instances"]["127.0.40.1:orders:9000"]["customMetadata"]
    )
    assert conformance.verdict(snapshot, "orders").status in (200, 400)
    assert msgspec.json.encode(registry.domains(snapshot, "PLEX1", OUT))
