"""Register bodies as the clients send them."""

import json
from typing import Any

import pytest

from discovery.eureka.decode import decode_json, status
from shared.errors import BadInput

FULL = {
    "instanceId": "10.1.4.7:basket:8080",
    "hostName": "10.1.4.7",
    "app": "BASKET",
    "ipAddr": "10.1.4.7",
    "status": "UP",
    "overriddenStatus": "UNKNOWN",
    "port": {"$": 8080, "@enabled": "true"},
    "securePort": {"$": 443, "@enabled": "false"},
    "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
    "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90},
    "metadata": {"zone": "north"},
    "vipAddress": "basket",
    "lastDirtyTimestamp": "1790000000123",
}


def body(**changes: Any) -> bytes:
    instance = {key: value for key, value in (FULL | changes).items() if value is not ...}
    return json.dumps({"instance": instance}).encode()


def test_the_legacy_dialect() -> None:
    found = decode_json(body(), "basket")
    assert (found.app, found.instance, found.port, found.port_enabled) == ("BASKET", "10.1.4.7:basket:8080", 8080, True)
    assert (found.secure_port, found.secure_port_enabled) == (443, False)
    assert (found.renew_s, found.lease_s, found.dirty_ms) == (30, 90, 1_790_000_000_123)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"port": 8080}, "port", 8080),
        ({"port": {"$": "8080", "@enabled": True}}, "port", 8080),
        ({"port": {"$": 8080, "@enabled": False}}, "port_enabled", False),
        ({"port": ...}, "port", 7001),
        ({"securePort": ...}, "secure_port_enabled", False),
        ({"status": ...}, "status", "UP"),
        ({"status": "SLEEPY"}, "status", "UNKNOWN"),
        ({"overriddenStatus": ..., "overriddenstatus": "DOWN"}, "override", "DOWN"),
        ({"overriddenStatus": None}, "override", "UNKNOWN"),
        ({"lastDirtyTimestamp": ...}, "dirty_ms", 0),
        ({"lastDirtyTimestamp": 5}, "dirty_ms", 5),
        ({"leaseInfo": ...}, "lease_s", 90),
        ({"leaseInfo": {"durationInSecs": 0}}, "lease_s", 90),
        ({"leaseInfo": {"durationInSecs": 10**12}}, "lease_s", 2_147_483),
        ({"metadata": {"n": 1, "b": True, "@class": "x", "none": None}}, "metadata", {"n": "1", "b": "true"}),
        ({"metadata": None}, "metadata", {}),
        ({"instanceId": ...}, "instance", "10.1.4.7"),
        ({"app": "Basket"}, "app", "BASKET"),
        ({"homePageUrl": None}, "home_page_url", ""),
    ],
)
def test_sloppy_input_is_understood(changes: dict[str, Any], field: str, value: object) -> None:
    assert getattr(decode_json(body(**changes), "BASKET"), field) == value


def test_an_amazon_instance_may_be_named_by_its_metadata() -> None:
    center = {"name": "Amazon", "metadata": {"instance-id": "i-1"}}
    assert decode_json(body(instanceId=..., dataCenterInfo=center), "BASKET").instance == "i-1"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"hostName": ..., "instanceId": "x"}, "Missing hostname"),
        ({"hostName": ..., "instanceId": ...}, "Missing instanceId"),
        ({"ipAddr": ""}, "Missing ip address"),
        ({"app": ...}, "Missing appName"),
        ({"app": "MAIL"}, "Mismatched appName, expecting BASKET but was MAIL"),
        ({"dataCenterInfo": ...}, "Missing dataCenterInfo"),
        ({"dataCenterInfo": {}}, "Missing dataCenterInfo Name"),
        ({"dataCenterInfo": {"name": "Elsewhere"}}, "dataCenterInfo.name: expected one of"),
        ({"port": {"$": 70000}}, "port: expected a port from 0 to 65535"),
        ({"port": {"$": "http"}}, "port: expected a whole number, got 'http'"),
        ({"lastDirtyTimestamp": "soon"}, "lastDirtyTimestamp: expected a whole number, got 'soon'"),
        ({"metadata": {"a": {"b": 1}}}, "metadata.a: expected text"),
        ({"leaseInfo": 3}, "leaseInfo: expected an object, got 3"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput) as refused:
        decode_json(body(**changes), "BASKET")
    assert str(refused.value).startswith(text)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"app": "BASKET"}', b'{"instance": 1}', b'{"instance": {"app": "\xff"}}']
)
def test_what_is_no_register_body_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="cannot parse request body"):
        decode_json(data, "BASKET")


def test_statuses() -> None:
    assert [status(each) for each in (None, "", "DOWN", "up")] == ["UP", "UP", "DOWN", "UNKNOWN"]
