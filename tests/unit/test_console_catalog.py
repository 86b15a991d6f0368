"""Services and their APIs, as the console shows them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.console.catalog import documented, services
from gateway.report import Report, nothing
from shared.errors import NotFound
from shared.wire import Instance
from tests.fakes import an_instance
from tests.unit.test_gateway_zowe_services import KEYS, SAID, TEXT, URLS, VALUES, A, seen

DOCUMENT = "http://127.0.40.1:9000/orders/api/v1/openapi.json"


def shown(*instances: Instance, report: Report | None = None) -> dict[str, dict[str, Any]]:
    return services(seen(*instances), report or nothing())


def test_all_that_is_said_of_a_service() -> None:
    assert shown(A) == {
        "orders": {
            "service": "orders",
            "title": "Orders",
            "description": "Takes orders",
            "homePageUrl": "/orders/ui/v1/start",
            "routed": True,
            "routes": [
                {"gatewayUrl": "api/v1", "serviceUrl": "/orders/api/v1"},
                {"gatewayUrl": "ui/v1", "serviceUrl": "/orders"},
            ],
            "policy": {"scheme": "httpBasicPassTicket"},
            "faults": [
                "apiml.authentication.scheme: httpBasicPassTicket is not supported here: calls are answered 503"
            ],
            "sticky": False,
            "panic": False,
            "apis": [
                {
                    "apiId": "test.orders",
                    "version": "1.2.0",
                    "gatewayUrl": "api/v1",
                    "basePath": "/orders/api/v1",
                    "swaggerUrl": True,
                    "documentationUrl": "https://docs.example.test/orders",
                    "title": "Orders",
                }
            ],
            "tile": {"id": "shop", "title": "", "description": ""},
        }
    }


def test_a_service_that_says_nothing_has_the_same_fields() -> None:
    bare, full = shown(an_instance())["orders"], shown(A)["orders"]
    assert bare.keys() == full.keys()
    assert (bare["apis"], bare["tile"], bare["title"]) == ([], None, "")
    assert [each["gatewayUrl"] for each in bare["routes"]] == ["api/v1", "ui/v1", "ws/v1"]


def test_what_is_never_routed_is_shown_as_such() -> None:
    found = shown(an_instance("discovery", 7553, metadata={"apiml.service.title": "Registry"}), an_instance("launcher"))
    assert {each: (entry["routed"], entry["routes"]) for each, entry in found.items()} == {
        "discovery": (False, []),
        "launcher": (False, []),
    }
    assert found["discovery"]["title"] == "Registry"
    assert found["discovery"].keys() == shown(A)["orders"].keys()


def test_a_gateway_is_called_as_it_stands() -> None:
    found = shown(an_instance("gateway", 7554, metadata={"apiml.routes.root.gatewayUrl": "/"}))["gateway"]
    assert (found["routed"], found["routes"]) == (True, [{"gatewayUrl": "", "serviceUrl": "/gateway"}])


def test_how_it_is_called_and_what_is_wrong_with_it() -> None:
    metadata = {"plexmesh.sticky": "cookie", "plexmesh.retries": "many", "plexmesh.maxCalls": "7"}
    report = nothing()
    report.panic = ["orders"]
    found = shown(an_instance(metadata=metadata), report=report)["orders"]
    assert found["policy"] == {"sticky": "cookie", "maxCalls": 7}
    assert found["faults"] == ["plexmesh.retries: expected a whole number (the value is 'many')"]
    assert found["panic"] is True


def test_the_tile_is_that_of_an_instance_that_is_up() -> None:
    tile = {"apiml.catalog.tile.id": "new", "apiml.catalog.tile.title": "New"}
    old = an_instance(host="127.0.40.1", status="DOWN", metadata={"apiml.catalog.tile.id": "old"})
    found = shown(old, an_instance(host="127.0.40.2"), an_instance(host="127.0.40.3", metadata=tile))
    assert found["orders"]["tile"] == {"id": "new", "title": "New", "description": ""}


def test_a_document_is_sought_where_it_is_up_first() -> None:
    down = an_instance(host="127.0.40.1", status="DOWN", metadata=SAID)
    up = an_instance(host="127.0.40.2", metadata=SAID)
    other = an_instance(host="127.0.40.3", metadata=SAID | {"apiml.apiInfo.0.version": "2.0.0"})
    api, places = documented(seen(down, up, other), "orders", 0)
    assert (api["version"], api["basePath"]) == ("1.2.0", "/orders/api/v1")
    assert places == [(up, DOCUMENT), (down, DOCUMENT)]
    assert documented(seen(down, up, other), "orders", 1)[1] == [(other, DOCUMENT)]


@pytest.mark.parametrize(
    ("service", "n", "why"),
    [
        ("nobody", 0, "nobody: no such service is registered"),
        ("discovery", 0, "discovery: no such service is registered"),
        ("orders", 1, "orders: it describes 1 APIs, and none of number 1 (they begin at 0)"),
        ("bare", 0, "bare: it describes 0 APIs, and none of number 0 (they begin at 0)"),
        ("silent", 0, "silent: its API number 0 names no document (apiml.apiInfo.*.swaggerUrl)"),
    ],
)
def test_a_document_that_is_not_there(service: str, n: int, why: str) -> None:
    silent = an_instance("silent", metadata={"apiml.apiInfo.0.apiId": "x"})
    with pytest.raises(NotFound) as raised:
        documented(seen(A, silent, an_instance("bare"), an_instance("discovery")), service, n)
    assert str(raised.value) == why


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=12), TEXT)
def test_no_registration_breaks_it(metadata: dict[str, str], url: str) -> None:
    hostile = an_instance(host="127.0.40.2", metadata=metadata, home_page_url=url)
    found = shown(an_instance(metadata=SAID, **URLS), hostile, an_instance("other", metadata=metadata))
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
    assert found["orders"]["service"] == "orders"
