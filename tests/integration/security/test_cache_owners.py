"""Whose entries a call to the cache is about: nobody reaches another's, however he calls, and whatever he says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from plexmesh import Cache
from tests.certificates import Drawer
from tests.integration.launcher_rig import HOSTS, Rig, poll
from tests.integration.security.callers import GATEWAYS, SERVERS, Caller, Reply, Server, context

BASE = "/cachingservice/api/v1"
KEY = f"{BASE}/cache/k"
SPELLED = f"{BASE}/cache/%6B"
"""The same key, which goes through aiohttp."""
CACHES = [Server(host, 7555) for host in HOSTS.values()]
DIRECT, GATEWAY = SERVERS["caching"], SERVERS["gateway"]

SERVICE = "CN=service, OU=plexmesh client, O=TESTPLEX"
LPAR = "CN=LPAR1, OU=plexmesh LPAR, O=TESTPLEX"

ID, NAME, ROLE = "X-CS-Service-ID", "X-Certificate-DistinguishedName", "X-Certificate-Role"


@pytest.fixture(scope="module")
def victims(sysplex: Rig, everybody: dict[str, Caller]) -> Iterator[dict[str, Caller]]:
    """Each has an entry with the key k whose value is the owner; `stranger` has none."""
    for gateway in GATEWAYS:
        poll("it is routed", lambda gateway=gateway: b"ZWECS" in everybody["service"].ask(gateway, "GET", KEY).body)
    put(everybody["service"], KEY, "service", {})
    put(everybody["service"], KEY, "service/a", {ID: "a"})
    put(everybody["peer"], KEY, "billing", {ID: "billing"})
    put(everybody["peer"], KEY, "gateway", {ID: "gateway"})
    yield everybody
    for who, said in (("service", {}), ("service", {ID: "a"}), ("peer", {ID: "billing"}), ("peer", {ID: "gateway"})):
        everybody[who].ask(DIRECT, "DELETE", f"{BASE}/cache", None, said)


def put(caller: Caller, path: str, value: str, said: dict[str, str], server: Server = DIRECT) -> None:
    reply = caller.ask(server, "PUT", path, value.encode(), said | {"Content-Type": "text/plain"})
    assert reply.status in (201, 204), reply


def value(reply: Reply) -> str | int:
    """Of the entry, or the status."""
    return reply.body.decode() if reply.status == 200 else reply.status


def seen(caller: Caller, server: Server, said: dict[str, str]) -> str | int:
    """By both ways of the cache, which agree."""
    one, other = (value(caller.ask(server, "GET", path, None, said)) for path in (KEY, SPELLED))
    assert one == other
    return one


@pytest.mark.parametrize("server", [*CACHES, *GATEWAYS], ids=lambda each: each.host + str(each.port))
def test_everybody_finds_the_own_at_every_lpar_directly_and_through_every_gateway(
    server: Server, victims: dict[str, Caller]
) -> None:
    service, peer = victims["service"], victims["peer"]
    assert seen(service, server, {}) == "service"
    assert seen(service, server, {ID: "a"}) == "service/a"
    assert seen(peer, server, {ID: "billing"}) == "billing"
    assert seen(peer, server, {}) == 401
    assert seen(peer, server, {ID: "gateway"}) == ("gateway" if server in CACHES else 403)


def test_an_lpars_component_is_the_same_with_any_lpars_certificate(sysplex: Rig, victims: dict[str, Caller]) -> None:
    folder = sysplex.data / "volume" / "certificates"
    other = Caller("other", context(folder, folder, "LPAR1"))
    for server in (*CACHES, *GATEWAYS):
        assert seen(other, server, {ID: "billing"}) == "billing"
    other.close()


LIES = [
    {ID: SERVICE}, {ID: "a"}, {ID: "billing"}, {ID: "gateway"}, {NAME: SERVICE},
    {NAME: LPAR, ROLE: "peer", ID: "billing"},
    {ROLE: "peer", ID: "billing"}, {NAME: LPAR, ID: "billing"}, {NAME.lower(): SERVICE}, {NAME.upper(): SERVICE},
    {NAME.replace("-", "_"): SERVICE}, {ROLE.replace("-", "_"): "peer", ID: "billing"},
    {"X_Certificate-DistinguishedName": SERVICE, "X-Certificate_Role": "peer", ID: "billing"},
    {NAME: SERVICE, "X-Forwarded-For": "127.0.0.1"}, {ROLE: "peer", ID: "billing", "X-Forwarded-For": "127.0.0.1"},
    {"Connection": f"close, {NAME}, {ROLE}", ID: "billing"}, {"X-Forward-To": "cachingservice", ID: "billing"},
]  # fmt: skip


@pytest.mark.parametrize("server", [DIRECT, *GATEWAYS[:2]], ids=lambda each: each.host + str(each.port))
@pytest.mark.parametrize("who", ["operator", "wrong name"])
@pytest.mark.parametrize("lie", LIES, ids=str)
def test_nobody_reads_anothers(lie: dict[str, str], who: str, server: Server, victims: dict[str, Caller]) -> None:
    assert seen(victims[who], server, lie) == 404


@pytest.mark.parametrize("server", [DIRECT, GATEWAY], ids=lambda each: each.host + str(each.port))
def test_nor_by_saying_it_twice(server: Server, victims: dict[str, Caller]) -> None:
    lies = [
        [(NAME, SERVICE), (NAME, SERVICE)], [(ROLE, "peer"), (ROLE, "peer"), (ID, "billing")],
        [(NAME, SERVICE), (NAME.replace("-", "_"), SERVICE)], [(ID, "billing"), (ID, "billing")],
    ]  # fmt: skip
    for lie in lies:
        lines = "".join(f"{name}: {text}\r\n" for name, text in lie)
        answer = victims["operator"].say(
            server, f"GET {KEY} HTTP/1.1\r\nHost: x\r\n{lines}Connection: close\r\n\r\n".encode()
        )
        assert answer[9:12] in (b"404", b"401"), lie


@pytest.mark.parametrize("server", [DIRECT, GATEWAY], ids=lambda each: each.host + str(each.port))
def test_nobody_lists_writes_or_clears_anothers(server: Server, victims: dict[str, Caller]) -> None:
    attacker, service = victims["wrong name"], victims["service"]
    for lie in ({}, {ID: "a"}, {ID: SERVICE}, {NAME: SERVICE}, {NAME: SERVICE, ROLE: "peer"}):
        put(attacker, KEY, "mine", lie, server)
        assert seen(attacker, server, lie) == "mine"
        listed = attacker.ask(server, "GET", f"{BASE}/cache", None, lie)
        assert list(json.loads(listed.body)) == ["k"]
        assert attacker.ask(server, "DELETE", f"{BASE}/cache", None, lie).status == 200
        assert seen(attacker, server, lie) == 404
    assert (seen(service, server, {}), seen(service, server, {ID: "a"})) == ("service", "service/a")


def test_what_a_gateway_does_not_vouch_for_is_refused(victims: dict[str, Caller]) -> None:
    """As of a gateway that does not know yet what the cache wants."""
    assert seen(victims["peer"], DIRECT, {ID: "billing", "X-Forwarded-For": "192.0.2.1"}) == 403


def test_health_is_green(victims: dict[str, Caller]) -> None:
    health = json.loads(victims["peer"].ask(DIRECT, "GET", "/application/health").body)
    assert health["components"]["identity"]["details"] == {"identity": "certificates", "colour": "green", "why": []}


async def test_the_clients_cache_with_a_certificate(
    sysplex: Rig, victims: dict[str, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sysplex.data / "volume" / "certificates"
    files = Drawer.of(folder).client("cacheuser")
    for name, said in files.variables().items():
        monkeypatch.setenv(name, said)
    for urls in ([GATEWAYS[0].url], [GATEWAYS[1].url]):
        async with Cache("orders", urls) as cache:
            await cache.put("x", "1")
            found = await cache.get("x")
            assert found is not None
            assert found.value == b"1"
    mine = Caller("mine", context(folder, folder, "cacheuser"))
    assert value(mine.ask(DIRECT, "GET", f"{BASE}/cache/x", None, {ID: "orders"})) != 404
    assert value(victims["service"].ask(DIRECT, "GET", f"{BASE}/cache/x", None, {ID: "orders"})) == 404
    assert value(victims["peer"].ask(DIRECT, "GET", f"{BASE}/cache/x", None, {ID: "orders"})) == 404
    mine.close()
