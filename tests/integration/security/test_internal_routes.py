"""Ways into what is internal, for who has no certificate: spellings of the path, fields that lead elsewhere, hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.launcher_rig import HOSTS, Rig
from tests.integration.security.callers import GATEWAYS, SERVERS, Caller

GATEWAY = SERVERS["gateway"]
ENTRY = "/cachingservice/api/v1/cache/kept"
SECRET = b"what-is-kept-here"
OWNER = "internal-routes"

SPELLINGS = [
    ENTRY, f"/{ENTRY}", f"/.{ENTRY}", f"/x/..{ENTRY}", f"/%2e{ENTRY}", f"/%2e%2e{ENTRY}", f"{ENTRY}?", f"{ENTRY};x=y",
    "/cachingservice;x=y/api/v1/cache/kept", "/CACHINGSERVICE/api/v1/cache/kept", "/%63achingservice/api/v1/cache/kept",
    "/cachingservice%2fapi/v1/cache/kept", "/cachingservice/api%2fv1/cache/kept", "/cachingservice//api/v1/cache/kept",
    "/cachingservice/./api/v1/cache/kept", "/cachingservice%00/api/v1/cache/kept", f"/sample/..{ENTRY}",
    f"/sample/api/v1/../../..{ENTRY}", f"/sample/api/v1/%2e%2e/%2e%2e/%2e%2e{ENTRY}",
    f"/sample/api/v1/..%2f..%2f..{ENTRY}",
    f"/sample/api/v1/echo/..;/..;/..;/..{ENTRY}", "\\cachingservice\\api\\v1\\cache\\kept", f"/application/..{ENTRY}",
    f"/gateway/v1/..%5c..{ENTRY}", "/api/v1/cachingservice/cache/kept", f"https://x{ENTRY}", f"http://x{ENTRY}",
    f"https://cachingservice{ENTRY}",
]  # fmt: skip
"""(The last ones are targets in absolute form.)"""

FIELDS = [
    "X-Forward-To: cachingservice", "X-Forward-To: CachingService/api/v1", f"X-Forward-To: /cachingservice{ENTRY}",
    "x_forward_to: cachingservice", f"X-InstanceId: {HOSTS['LPAR1']}:cachingservice:7555", "X-Plexmesh-Lpar: LPAR1",
    f"X-Original-URL: {ENTRY}", f"X-Rewrite-URL: {ENTRY}", "X-Forwarded-Host: cachingservice",
    "X-HTTP-Method-Override: GET", "X-Certificate-CommonName: LPAR1", "X_Certificate_CommonName: LPAR1",
    "Connection: X-Certificate-CommonName",
    "Upgrade: websocket\r\nConnection: Upgrade, close\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
]  # fmt: skip

NEVER = ["discovery", "launcher"]


@pytest.fixture(scope="module", autouse=True)
def entry(sysplex: Rig, everybody: dict[str, Caller]) -> Iterator[None]:
    """There is something to be had, and a holder of a certificate has it."""
    headers = {"X-CS-Service-ID": OWNER}
    caller = everybody["service"]
    assert caller.ask(GATEWAY, "PUT", ENTRY, SECRET, headers).status in (201, 204)
    assert caller.ask(GATEWAY, "GET", ENTRY, None, headers).body == SECRET
    yield
    caller.ask(GATEWAY, "DELETE", ENTRY, None, headers)


def asked(target: str, *fields: str, method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", f"X-CS-Service-ID: {OWNER}", *fields]
    closing = [] if any(each.lower().startswith("upgrade:") for each in fields) else ["Connection: close"]
    return "\r\n".join([*lines, *closing, "", ""]).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("target", SPELLINGS)
def test_no_spelling_of_its_path_leads_to_the_cache(target: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    for gateway in GATEWAYS:
        answer = everybody["none"].say(gateway, asked(target))
        assert (status(answer) in (400, 404), SECRET in answer) == (True, False), answer
        assert b"ZWECS" not in answer, "the cache has been asked"


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_leads_to_the_cache(field: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    for target in (ENTRY, "/api/v1/cache/kept", "/cache/kept", "/sample/api/v1/hello"):
        answer = everybody["none"].say(GATEWAY, asked(target, field))
        assert SECRET not in answer
        assert b"ZWECS" not in answer
        assert (status(answer) in (400, 404)) or target.startswith("/sample/"), answer


@pytest.mark.parametrize("who", ["none", "service", "operator", "peer"])
@pytest.mark.parametrize("service", NEVER)
def test_no_gateway_leads_to_discovery_or_a_launcher(
    service: str, who: str, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    """Whoever asks, or an order would be given with the gateway's own certificate."""
    port = {"discovery": 7553, "launcher": 7550}[service]
    steered = [
        (), (f"X-Forward-To: {service}",), (f"X-InstanceId: {HOSTS['LPAR1']}:{service}:{port}",),
        (f"X-Forward-To: {service}", f"X-InstanceId: {HOSTS['LPAR2']}:{service}:{port}"),
    ]  # fmt: skip
    for fields in steered:
        for target in (
            f"/{service}/v1/lpar",
            f"/{service}/api/v1/x",
            f"/{service}/eureka/apps",
            "/v1/lpar",
            "/eureka/apps",
        ):
            answer = everybody[who].say(GATEWAY, asked(target, *fields))
            assert status(answer) == 404, (target, fields, answer)
            assert b"ZWEAO404E" in answer, (target, fields, answer)


@pytest.mark.parametrize(
    "target", ["//v1/command", "/v1/./command", "/v1/%63ommand", "/%76%31/command", "/v1//command", "/v1/command/"]
)
def test_no_spelling_gives_an_order_to_a_launcher(target: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    order = b'{"command": "STOP(sample)"}'
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(order)}\r\n"
    for who in ("none", "service"):
        answer = everybody[who].say(SERVERS["launcher"], head.encode() + b"Connection: close\r\n\r\n" + order)
        assert status(answer) in (403, 404), answer


@pytest.mark.parametrize(
    "target",
    [
        "//eureka/apps", "/./eureka/apps", "/%65ureka/apps", "/eureka%2fapps", "/eureka/../eureka/apps", "/EUREKA/apps",
        "/v2//apps", "/%76%32/apps", "/dashboard/../eureka/apps", "/application/%2e%2e/v1/instances", "/v1;/instances",
        "/application/..%2fv1/instances", "https://x/eureka/apps", "/eureka/v2/apps", "/v1/instances/", "/peer/v1/ping",
    ],
)  # fmt: skip
def test_no_spelling_leads_to_the_registry(target: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    for fields in ((), ("X-Certificate-CommonName: LPAR1",), ("X-Forwarded-For: 127.0.0.1",)):
        answer = everybody["none"].say(SERVERS["discovery"], asked(target, *fields))
        assert status(answer) in (400, 403, 404), answer
        assert b"<application" not in answer
        assert b'"instances"' not in answer


@pytest.mark.parametrize("way", [f"GET {ENTRY}", f"GET /{ENTRY}", f"GET {ENTRY}/", f"DELETE {ENTRY}", f"HEAD {ENTRY}"])
def test_nor_at_its_own_port_the_short_way_or_the_long_one(
    way: str, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    """The second request of a connection, too: the first one, which is open, decides nothing for it."""
    method, _, target = way.partition(" ")
    one = asked(target, method=method)
    first = b"GET /application/live HTTP/1.1\r\nHost: x\r\n\r\n"
    for data in (one, first + one, one.replace(b"X-CS", b"x-cs")):
        answer = everybody["none"].say(SERVERS["caching"], data)
        assert SECRET not in answer
        assert status(answer.rpartition(b"HTTP/1.1")[2].join((b"HTTP/1.1", b""))) in (403, 404), answer
