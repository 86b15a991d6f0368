"""The caching service in a sysplex: reached through any gateway, and its entries outlive every instance of it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.integration.launcher_rig import N, Rig, poll, request

HOSTS = {"LPAR1": f"127.0.83.{N}", "LPAR2": f"127.0.84.{N}"}
VIPA_HOST = f"127.0.82.{N}"
CACHE = "cachingservice/api/v1/cache"
ONE, TWO = (f"http://{host}:7554/{CACHE}" for host in HOSTS.values())
VIPA = f"http://{VIPA_HOST}:7554/{CACHE}"
ME = {"X_CS_Service_ID": "me"}


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("sysplex"), externalDomains=[VIPA_HOST])
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching-service": {}}
    rig.tree["haInstances"] = {name: {"hostname": host} for name, host in HOSTS.items()}
    rig.tree["plexmesh"] = {"sysplex": "CACHEPLEX", "address": f"{VIPA_HOST}:7550"}
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def send(url: str, key: str, value: str, method: str = "POST") -> int:
    data = json.dumps({"key": key, "value": value}).encode()
    asked = urllib.request.Request(url, data, {"X-CS-Service-ID": "me"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def value(url: str, key: str) -> str | int:
    """The value, or the status of an answer that has none."""
    status, body = request(f"{url}/{key}", **ME)
    return str(json.loads(body)["value"]) if status == 200 else status


def routed(rig: Rig) -> int:
    """How many instances both gateways know to be UP."""
    counts = []
    for host in HOSTS.values():
        services = json.loads(request(f"http://{host}:7553/v1/services")[1])["services"]
        counts.append(services.get("cachingservice", {}).get("UP", 0))
    return min(counts)


def whole(rig: Rig) -> None:
    """Everything runs and is registered, whatever the test before did."""
    poll("everything is ready", lambda: rig.status()["sysplex"]["state"] == "ready")
    poll("both are registered", lambda: routed(rig) == 2)
    for url in (ONE, TWO, VIPA):
        poll(f"{url} is routed", lambda url=url: request(url, **ME)[0] == 200)


def test_a_value_written_through_one_gateway_is_read_through_the_others(sysplex: Rig) -> None:
    whole(sysplex)
    for n in range(20):
        assert send(ONE if n % 2 else TWO, f"shared{n}", str(n)) == 201
        assert [value(url, f"shared{n}") for url in (ONE, TWO, VIPA)] == [str(n)] * 3
    assert send(TWO, "shared0", "again") == 409
    assert send(TWO, "shared0", "new", "PUT") == 204
    assert value(ONE, "shared0") == "new"


def test_keys_reach_the_service_through_a_gateway_as_they_are(sysplex: Rig) -> None:
    whole(sysplex)
    assert send(ONE, "a/b c%ü", "v") == 201
    assert value(TWO, "a%2Fb%20c%25%C3%BC") == "v"


def test_callers_are_named_through_a_gateway_and_the_gateways_id_is_not_for_them(sysplex: Rig) -> None:
    whole(sysplex)
    assert request(ONE)[0] == 401
    assert request(ONE, X_CS_Service_ID="gateway")[0] == 403


def test_values_outlive_the_lpar_they_were_written_in(sysplex: Rig) -> None:
    whole(sysplex)
    for n in range(20):
        assert send(TWO, f"kept{n}", str(n)) == 201
    sysplex.ok("kill", "LPAR2")
    assert [value(VIPA, f"kept{n}") for n in range(20)] == [str(n) for n in range(20)]
    assert send(ONE, "meanwhile", "v") == 201
    sysplex.ok("start", "LPAR2")
    whole(sysplex)
    assert value(TWO, "meanwhile") == "v"


def test_values_outlive_every_instance_of_the_service(sysplex: Rig) -> None:
    whole(sysplex)
    for n in range(20):
        assert send(ONE, f"all{n}", str(n)) == 201
    before = {lpar: sysplex.component(lpar, "caching")["pid"] for lpar in HOSTS}
    for lpar in HOSTS:
        sysplex.ok("kill", lpar, "caching")
    for lpar in HOSTS:
        sysplex.wait_for(lpar, "caching", "ready", not_pid=before[lpar])
    whole(sysplex)
    assert [value(ONE if n % 2 else TWO, f"all{n}") for n in range(20)] == [str(n) for n in range(20)]
