"""Every caller at every endpoint of every process, as the table says. The endpoints are those that the processes
themselves tell (/application/openapi.json, by their routes), so one without a row fails."""

from __future__ import annotations

import json
import re
import ssl
from typing import NamedTuple

import pytest

from discovery.operations import DASHBOARD, EUREKA, PEERS, STATIC
from gateway.operations import CONSOLE, MODEL, ZOWE
from launcher.operations import LAUNCHER, UP
from sample.operations import OTHERS
from shared.application import OPERATIONS
from tests.integration.launcher_rig import Rig
from tests.integration.security.callers import GATEWAYS, SERVERS, Caller, Reply, Server, bearer
from tests.integration.security.rights import COLUMNS, Row, asked, rows

TABLES = {
    "up": UP, "launcher": LAUNCHER, "discovery": (*EUREKA, *STATIC, *DASHBOARD, *PEERS),
    "gateway": (*MODEL, *ZOWE, *CONSOLE), "caching": (), "sample": OTHERS,
}  # fmt: skip
OFF = re.compile("/gateway/api/v1/(registry.*|auth/refresh)")
"""What is told of and served where it is switched on only."""

REFUSALS = ("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_CERTIFICATE_EXPIRED", "TLSV1_ALERT_DECRYPT_ERROR")
"""The last one: it is named as our authority is, and has signed with another key."""
CACHE = "/cachingservice/api/v1/"


class Endpoint(NamedTuple):
    method: str
    path: str
    described: bool


def endpoints(process: str, everybody: dict[str, Caller]) -> list[Endpoint]:
    document = json.loads(everybody["peer"].ask(SERVERS[process], "GET", "/application/openapi.json").body)
    return [
        Endpoint(method.upper(), path, "summary" in described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def row_of(process: str, endpoint: Endpoint) -> Row:
    found = [row for row in rows() if row.fits(process, endpoint.method, endpoint.path)]
    assert len(found) == 1, (
        f"{process} {endpoint.method} {endpoint.path}: {len(found)} rows of rights.TABLE, expected one"
    )
    return found[0]


def ask(caller: Caller, process: str, server: Server, endpoint: Endpoint) -> Reply:
    if endpoint.path.endswith("/auth/logout") and caller.headers:  # not with the token that he goes on with
        said = asked(endpoint.method, endpoint.path, server.url)
        return caller.ask(server, endpoint.method, said.path, said.body, said.headers | bearer(caller, caller.name))
    if not endpoint.path.startswith("/peer/"):
        return caller.ask(server, endpoint.method, *asked(endpoint.method, endpoint.path, server.url))
    caller.close()  # peers have connections of their own
    try:
        return caller.ask(server, endpoint.method, *asked(endpoint.method, endpoint.path, server.url))
    finally:
        caller.close()


@pytest.mark.parametrize("process", SERVERS)
def test_every_endpoint_is_described_and_all_that_is_described_is_there(
    process: str, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    found = endpoints(process, everybody)
    assert [each for each in found if not each.described] == []
    served = {(each.method, each.path) for each in found}
    told = {(each.method, each.path) for each in (*OPERATIONS, *TABLES[process]) if not OFF.fullmatch(each.path)}
    assert told - served == set()


@pytest.mark.parametrize("process", SERVERS)
def test_every_endpoint_has_one_row(process: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    for endpoint in endpoints(process, everybody):
        row_of(process, endpoint)


def test_every_row_has_an_endpoint(sysplex: Rig, everybody: dict[str, Caller]) -> None:
    found = [(process, each) for process in SERVERS for each in endpoints(process, everybody)]
    for row in rows():
        assert any(row.fits(process, each.method, each.path) for process, each in found), row


@pytest.mark.parametrize("who", [*COLUMNS, "wrong name"])
@pytest.mark.parametrize("process", SERVERS)
def test_everybody_gets_what_is_his(process: str, who: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    wrong = []
    for endpoint in endpoints(process, everybody):
        expected = row_of(process, endpoint).statuses[column(who)]
        status = ask(everybody[who], process, SERVERS[process], endpoint).status
        if status not in expected:
            wrong.append(f"{who}: {process} {endpoint.method} {endpoint.path}: {status}, expected {set(expected)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", [*COLUMNS, "wrong name"])
@pytest.mark.parametrize("gateway", GATEWAYS, ids=str)
def test_through_a_gateway_the_cache_is_as_directly_and_does_not_exist_for_who_has_no_certificate(
    gateway: Server, who: str, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    for endpoint in endpoints("caching", everybody):
        if endpoint.path.startswith(CACHE):
            row = row_of("caching", endpoint)
            reply = ask(everybody[who], "caching", gateway, endpoint)
            if who in ("none", "user", "chief"):
                assert (reply.status, b"no service has the id" in reply.body) == (404, True), endpoint
            else:
                assert reply.status in row.statuses[column(who)], endpoint


@pytest.mark.parametrize("path", ["/gateway/api/v1/services", "/gateway/v1/upstreams", "/console/v1/told"])
def test_what_is_internal_is_named_to_holders_and_operators(
    path: str, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    for who, named in {"none": False, "user": False, "chief": True, "service": True, "peer": True}.items():
        body = everybody[who].ask(SERVERS["gateway"], "GET", path).body
        assert (b"cachingservice" in body) is named, who


@pytest.mark.parametrize("who", ["foreign", "expired"])
@pytest.mark.parametrize("listener", [*SERVERS.values(), *GATEWAYS], ids=str)
def test_the_handshake_is_refused(listener: Server, who: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)) as refused:
        everybody[who].ask(listener, "GET", "/application/live")
    if isinstance(refused.value, ssl.SSLError):
        assert refused.value.reason in (
            "TLSV1_ALERT_UNKNOWN_CA",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "TLSV1_ALERT_DECRYPT_ERROR",
        )


def column(who: str) -> str:
    return "service" if who == "wrong name" else who


def test_all_of_it_has_broken_nothing(sysplex: Rig) -> None:
    assert all(each["state"] == "ready" for each in sysplex.status()["lpars"])
