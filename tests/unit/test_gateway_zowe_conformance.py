"""The conformance check: each rule is broken alone, and found."""

from __future__ import annotations

import pytest

from gateway.config import GatewayConfig
from gateway.zowe import entry
from gateway.zowe.conformance import asked, verdict
from plexmesh.registration import Registration
from tests.fakes import an_instance
from tests.unit.test_gateway_zowe_services import seen

SOUND = {
    "apiml.routes.api-v1.gatewayUrl": "/api/v1",
    "apiml.routes.api-v1.serviceUrl": "/orders/api/v1",
    "apiml.routes.api.gatewayUrl": "api",
    "apiml.routes.api.serviceUrl": "/",
    "apiml.apiInfo.0.apiId": "test.orders",
    "apiml.apiInfo.0.version": "1.0.0",
    "apiml.apiInfo.0.gatewayUrl": "api/v1/",
    "apiml.apiInfo.0.swaggerUrl": "http://127.0.40.1:9000/openapi.json",
    "apiml.service.title": "Orders",
    "apiml.service.description": "Takes orders",
    "apiml.catalog.tile.id": "shop",
    "apiml.authentication.scheme": "httpBasicPassTicket",
    "apiml.authentication.applid": "ORDAPPL",
}


def without(*prefixes: str) -> dict[str, str]:
    return {key: value for key, value in SOUND.items() if not key.startswith(prefixes)}


def found(metadata: dict[str, str], service: str = "orders") -> list[str]:
    """The faults of a service that is registered with this."""
    status, body = verdict(seen(an_instance(service, metadata=metadata)), service)
    assert (status, body["messageNumber"]) == (400, "ZWEAG719I"), body
    assert (body["messageType"], body["messageKey"]) == ("INFO", "org.zowe.apiml.gateway.verifier.nonConformant")
    start, _, faults = body["messageContent"].partition(": ")
    assert start == service
    return faults.split("; ")


def test_a_sound_service() -> None:
    status, body = verdict(seen(an_instance(metadata=SOUND)), "orders")
    assert status == 200
    assert list(body) == ["message"]
    assert "orders" in body["message"]


def test_a_service_that_needs_no_login_and_has_no_api_is_sound_too() -> None:
    metadata = without("apiml.apiInfo.", "apiml.authentication.")
    assert verdict(seen(an_instance(metadata=metadata)), "orders").status == 200


@pytest.mark.parametrize("scheme", ["bypass", "zoweJwt", "zosmf", "x509", "safIdt"])
def test_the_other_schemes_need_no_applid(scheme: str) -> None:
    metadata = without("apiml.authentication.") | {"apiml.authentication.scheme": scheme}
    assert verdict(seen(an_instance(metadata=metadata)), "orders").status == 200


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"routes.ui.v1.gatewayUrl": "ui/v1", "routes.ui.v1.serviceUrl": "/"}, "apiml.routes.ui.v1:", "without dots"),
        ({"routes.gatewayUrl": "ui/v1", "routes.serviceUrl": "/"}, "apiml.routes.:", "without dots"),
        ({"routes.api-v1.serviceUrl": ""}, "apiml.routes.api-v1:", "has no serviceUrl"),
        ({"routes.ui-v1.serviceUrl": "/"}, "apiml.routes.ui-v1:", "has no gatewayUrl"),
        ({"routes.x.gatewayUrl": "rest/v1", "routes.x.serviceUrl": "/"}, "apiml.routes.x.gatewayUrl:", "is rest/v1"),
        ({"routes.x.gatewayUrl": "api/v1/b", "routes.x.serviceUrl": "/"}, "apiml.routes.x.gatewayUrl:", "expected api"),
        ({"routes.x.gatewayUrl": "/", "routes.x.serviceUrl": "/"}, "apiml.routes.x.gatewayUrl:", "expected api"),
        ({"routes.x.gatewayUrl": "ui/v", "routes.x.serviceUrl": "/"}, "apiml.routes.x.gatewayUrl:", "expected api"),
        ({"apiInfo.0.apiId": ""}, "apiml.apiInfo.0:", "has no apiId"),
        ({"apiInfo.0.version": ""}, "apiml.apiInfo.0:", "has no version"),
        ({"apiInfo.0.gatewayUrl": ""}, "apiml.apiInfo.0:", "has no gatewayUrl"),
        ({"apiInfo.0.gatewayUrl": "api/v2"}, "apiml.apiInfo.0.gatewayUrl:", "no route"),
        ({"apiInfo.0.swaggerUrl": "/openapi.json"}, "apiml.apiInfo.0.swaggerUrl:", "absolute"),
        ({"apiInfo.0.swaggerUrl": "http:///openapi.json"}, "apiml.apiInfo.0.swaggerUrl:", "absolute"),
        ({"apiInfo.0.documentationUrl": "docs.example.test"}, "apiml.apiInfo.0.documentationUrl:", "absolute"),
        ({"apiInfo.0.documentationUrl": "http://[::1"}, "apiml.apiInfo.0.documentationUrl:", "absolute"),
        ({"apiInfo.0.graphqlUrl": "ftp://a.test/x"}, "apiml.apiInfo.0.graphqlUrl:", "absolute"),
        ({"service.title": ""}, "apiml.service.title:", "none"),
        ({"service.description": ""}, "apiml.service.description:", "none"),
        ({"catalog.tile.id": ""}, "apiml.catalog.tile.id:", "no tile"),
        ({"authentication.scheme": "ltpa"}, "apiml.authentication.scheme:", "zoweJwt"),
        ({"authentication.applid": ""}, "apiml.authentication.applid:", "httpBasicPassTicket needs one"),
    ],
)
def test_each_fault_is_found_alone(change: dict[str, str], where: str, what: str) -> None:
    (fault,) = found(SOUND | {f"apiml.{key}": value for key, value in change.items()})
    assert fault.startswith(where)
    assert what in fault


def test_a_service_without_routes() -> None:
    (fault,) = found(without("apiml.routes.", "apiml.apiInfo."))
    assert fault.startswith("there are no routes")


def test_a_service_with_an_id_that_is_a_path_of_the_gateway() -> None:
    (fault,) = found(SOUND, "console")
    assert fault.startswith("console is a path of the gateway itself")


def test_several_faults_are_one_list() -> None:
    assert len(found({"zos.lpar": "LPAR1"})) == 4


def test_a_fault_that_not_all_instances_have_names_one() -> None:
    instances = [an_instance(host=f"127.0.40.{n}", metadata=SOUND) for n in range(1, 5)]
    bad = SOUND | {"apiml.service.title": ""}
    one = seen(*instances[:3], an_instance(host="127.0.40.4", metadata=bad))
    assert verdict(one, "orders").body["messageContent"].endswith("none, at 127.0.40.4:orders:9000")
    two = seen(*instances[:2], *(an_instance(host=f"127.0.40.{n}", metadata=bad) for n in (3, 4)))
    assert verdict(two, "orders").body["messageContent"].endswith("none, at 127.0.40.3:orders:9000 and 1 more")


@pytest.mark.parametrize(
    "service", ["Orders", "orders_1", "orders-1", "", " ", "a" * 65, "a" * 5000, "<b>", "ordérs", "orders\n"]
)
def test_what_is_no_id(service: str) -> None:
    status, body = verdict(seen(an_instance(metadata=SOUND)), service)
    assert (status, body["messageNumber"]) == (400, "ZWEAG717E")
    assert body["messageKey"] == "org.zowe.apiml.gateway.verifier.wrongServiceId"
    assert "<" not in body["messageContent"]
    assert len(body["messageContent"]) < 150


def test_the_longest_id() -> None:
    service = "a1" * 32
    assert verdict(seen(an_instance(service, metadata=SOUND)), service).status == 200


@pytest.mark.parametrize("service", ["nobody", "silent", "discovery", "launcher"])
def test_where_there_is_nothing_to_check(service: str) -> None:
    others = an_instance("discovery", metadata=SOUND), an_instance("launcher", metadata=SOUND)
    status, body = verdict(seen(an_instance("silent", lpar=""), *others), service)
    assert (status, body["messageNumber"], body["messageType"]) == (400, "ZWEAG718E", "ERROR")
    assert body["messageKey"] == "org.zowe.apiml.gateway.verifier.noMetadata"


def test_metadata_in_a_fault_is_escaped_for_html() -> None:
    (fault,) = found(SOUND | {"apiml.apiInfo.0.gatewayUrl": "<script>"})
    assert "&lt;script&gt" in fault


def test_the_gateway_itself_is_sound() -> None:
    config = GatewayConfig(host="127.0.40.1")
    own = Registration(
        service_id="gateway", host="127.0.40.1", port=7554, instance_id="g", routes=entry.ROUTES,
        metadata=entry.metadata(config), title=entry.TITLE, description=entry.DESCRIPTION,
    )  # fmt: skip
    assert verdict(seen(an_instance("gateway", metadata=own.all_metadata())), "gateway").status == 200


@pytest.mark.parametrize("body", [b"serviceID=orders", b"orders", b" serviceID=orders\r\n"])
def test_the_id_in_the_body_of_the_older_call(body: bytes) -> None:
    assert asked(body) == "orders"


def test_a_body_that_is_no_text_is_no_id() -> None:
    assert verdict(seen(), asked(b"serviceID=\xff\x00")).body["messageNumber"] == "ZWEAG717E"
