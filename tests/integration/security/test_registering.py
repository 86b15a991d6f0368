"""Registering as another: with a certificate that may register something, in every dialect, at every node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.launcher_rig import HOSTS, Rig, poll
from tests.integration.security.callers import GATEWAYS, SERVERS, Caller, Server

NODE, OTHER = SERVERS["discovery"], Server(HOSTS["LPAR2"], 7553)
HOST = HOSTS["LPAR1"]
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
OWN = "orders"
OTHERS = ["billing", "sample", "cachingservice", "gateway", "discovery", "launcher", "GATEWAY", "Billing", "zosmf"]
"""What the certificate "service" may not register."""

NATIVE = {"service": OWN, "instance": "one", "host": HOST, "port": 9900}


def eureka(app: str, instance: str = "one", host: str = HOST, **more: Any) -> dict[str, Any]:
    return {
        "instance": {
            "app": app, "instanceId": instance, "hostName": host, "ipAddr": host, "vipAddress": app, "status": "UP",
            "port": {"$": 9900, "@enabled": "true"}, "securePort": {"$": 0, "@enabled": "false"},
            "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
            "metadata": {}, **more,
        }
    }  # fmt: skip


def say(caller: Caller, method: str, path: str, body: object = None, node: Server = NODE, **fields: str) -> int:
    data = None if body is None else json.dumps(body).encode()
    headers = JSON | {name.replace("_", "-"): each for name, each in fields.items()}
    return caller.ask(node, method, path, data, headers).status


def registered(everybody: dict[str, Caller], node: Server = NODE) -> set[str]:
    found = json.loads(everybody["peer"].ask(node, "GET", "/v1/instances").body)["instances"]
    return {f"{each['service']}/{each['instance']}" for each in found}


@pytest.fixture(scope="module", autouse=True)
def instances(sysplex: Rig, everybody: dict[str, Caller]) -> Iterator[set[str]]:
    """Each of the two has registered what is his."""
    assert say(everybody["service"], "POST", "/v1/instances", NATIVE) == 200
    assert say(everybody["wrong name"], "POST", "/v1/instances", NATIVE | {"service": "billing"}) == 200
    before = registered(everybody)
    assert {"orders/one", "billing/one"} <= before
    poll("both nodes know it", lambda: registered(everybody, OTHER) == before)
    yield before
    for key in ("orders/one", "billing/one"):
        say(everybody["peer"], "DELETE", f"/v1/instances/{key}")


@pytest.mark.parametrize("service", OTHERS)
@pytest.mark.parametrize("node", [NODE, OTHER], ids=("here", "there"))
def test_as_another_service(node: Server, service: str, everybody: dict[str, Caller], instances: set[str]) -> None:
    caller, named = everybody["service"], {"instance": "evil", "port": 9901}
    path = f"apps/{service}"
    refused = (400, 403)  # a service id in capitals is none for /v1
    assert say(caller, "POST", "/v1/instances", NATIVE | named | {"service": service}, node) in refused
    several = [NATIVE | named, NATIVE | named | {"service": service}]
    assert say(caller, "POST", "/v1/instances", {"instances": several}, node) in refused, "hidden behind an own one"
    for prefix in ("/eureka", "/v2", "/eureka/v2", "//eureka"):
        for app in (service, OWN):  # the path says one thing, the body another
            assert say(caller, "POST", f"{prefix}/{path}", eureka(app, "evil"), node) in (400, 403, 404)
    for app in (service, service.upper(), f"{service} ", f" {service}"):
        assert say(caller, "POST", f"/eureka/apps/{OWN}", eureka(app, "evil"), node) in (204, 400, 403)
    replicated = {"x_netflix_discovery_replication": "true"}
    assert say(caller, "POST", f"/eureka/{path}", eureka(service, "evil"), node, **replicated) == 403
    say(everybody["peer"], "DELETE", f"/v1/instances/{OWN}/evil", None, node)  # what came of it is his own
    poll("nothing else is there", lambda: registered(everybody, node) == instances)


@pytest.mark.parametrize("node", [NODE, OTHER], ids=("here", "there"))
@pytest.mark.parametrize("prefix", ["/eureka", "/v2"])
def test_what_another_has_registered_is_not_his_to_change(
    prefix: str, node: Server, everybody: dict[str, Caller], instances: set[str]
) -> None:
    caller = everybody["service"]
    for key in ("billing/one", f"sample/{HOST}:sample:7560", f"cachingservice/{HOST}:cachingservice:7555"):
        path = f"{prefix}/apps/{key}"
        for method, tail in (
            ("DELETE", ""), ("PUT", "/status?value=OUT_OF_SERVICE"), ("DELETE", "/status?value=DOWN"),
            ("PUT", "/metadata?apiml.routes.x.gatewayUrl=api"), ("PUT", ""),
            ("PUT", "?status=DOWN&lastDirtyTimestamp=9999999999999"),
        ):  # fmt: skip
            for replicated in ({}, {"x_netflix_discovery_replication": "true"}):
                assert say(caller, method, path + tail, None, node, **replicated) == 403, (method, path + tail)
        assert say(caller, "DELETE", f"/v1/instances/{key}", None, node) == 403
    assert say(caller, "POST", "/v1/heartbeats", {"keys": ["billing/one"]}, node) in (200, 202, 403)
    assert registered(everybody, node) == instances


@pytest.mark.parametrize("who", ["service", "operator"])
def test_nor_by_what_eureka_servers_tell_one_another(
    who: str, everybody: dict[str, Caller], instances: set[str]
) -> None:
    said = {"appName": "BILLING", "id": "one", "lastDirtyTimestamp": 9999999999999, "status": "DOWN"}
    batch = [
        {**said, "action": "Cancel"}, {**said, "action": "StatusUpdate"},
        {**said, "action": "Register", "instanceInfo": eureka("billing")["instance"]},
    ]  # fmt: skip
    for path in ("/eureka/peerreplication/batch", "/v2/peerreplication/batch/", "/eureka/v2/peerreplication/batch"):
        assert say(everybody[who], "POST", path, {"replicationList": batch}) == 403
    assert registered(everybody) == instances


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "192.0.2.7", "example.com", "0.0.0.0", "[::]", "2130706433", "0x7f000001", "127.1",
        "::ffff:169.254.169.254", "metadata.internal", "x@192.0.2.7", "192.0.2.7/", "192.0.2.7#.localhost",
    ],
)  # fmt: skip
def test_no_place_but_ones_own_is_named(host: str, everybody: dict[str, Caller], instances: set[str]) -> None:
    """Gateways call what is registered: from within the network, where the caller may not be."""
    caller, url = everybody["service"], f"http://{host}:80/x"
    given = NATIVE | {"instance": "evil"}
    bodies = [
        given | {"host": host}, given | {"ip": host}, given | {"health_check_url": url}, given | {"home_page_url": url},
        given | {"status_page_url": url}, given | {"metadata": {"apiml.service.externalUrl": url}},
        given | {"metadata": {"apiml.apiInfo.0.swaggerUrl": url}},
    ]  # fmt: skip
    for body in bodies:
        assert say(caller, "POST", "/v1/instances", body) == 400, body
    documents = [eureka(OWN, "evil", host), eureka(OWN, "evil", healthCheckUrl=url, secureHealthCheckUrl=url)]
    documents.append(eureka(OWN, "evil", metadata={"apiml.service.externalUrl": url}))
    for document in documents:
        assert say(caller, "POST", f"/eureka/apps/{OWN}", document) == 400, document
    assert registered(everybody) == instances


def test_a_gateway_is_led_to_the_own_instance_only(everybody: dict[str, Caller], instances: set[str]) -> None:
    """By a virtual name of another's service, that is."""
    document = eureka(OWN, "evil", vipAddress="billing,sample", secureVipAddress="billing")
    assert say(everybody["service"], "POST", f"/eureka/apps/{OWN}", document) in (204, 403)
    for gateway in GATEWAYS[:2]:
        reply = everybody["none"].ask(gateway, "GET", "/sample/api/v1/hello")
        assert json.loads(reply.body)["service"] == "sample"
    vips = json.loads(everybody["peer"].ask(NODE, "GET", "/eureka/vips/billing", None, JSON).body)
    assert "evil" not in json.dumps(vips)
    say(everybody["peer"], "DELETE", f"/v1/instances/{OWN}/evil")
