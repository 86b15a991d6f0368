"""Who may register and change what."""

from __future__ import annotations

import msgspec
import pytest

from discovery.registration import Registration
from discovery.rights import UNKNOWN, Caller, NotAllowedHost, Rights
from shared.errors import Forbidden
from shared.identity import Access, Identity, Role

GIVEN = Registration(app="ORDERS", instance="i", host="127.0.0.1", ip="127.0.0.1")
LISTED = Access(services={"CN=orders": frozenset({"orders", "launcher"}), "CN=far": frozenset({"gateway"})})


def caller(name: str, role: Role = "service", *places: str, address: str = "192.0.2.1") -> Caller:
    return Caller(Identity(name, f"CN={name}", role, frozenset(places)), address)


ORDERS, BILLING, ANNA, LPAR1 = caller("orders"), caller("billing"), caller("anna", "operator"), caller("LPAR1", "peer")


def may(rights: Rights, who: Caller, key: str) -> bool:
    try:
        rights.speak(who, key)
    except Forbidden:
        return False
    return True


def test_in_plain_everybody_may_everything() -> None:
    rights = Rights(LISTED)
    assert may(rights, UNKNOWN, "gateway/x")
    rights.change(UNKNOWN, "orders/i", msgspec.structs.replace(GIVEN, registrant="CN=other"))
    rights.replicate(UNKNOWN)
    elsewhere = msgspec.structs.replace(GIVEN, host="evil.test")
    assert rights.register(UNKNOWN, elsewhere, None, {}) == elsewhere


def test_no_service_is_a_part_of_the_mesh_whatever_the_configuration_says() -> None:
    for rights in (Rights(Access(), tls=True), Rights(LISTED, tls=True)):
        for service in ("gateway", "discovery", "cachingservice", "launcher", "application"):
            assert [may(rights, each, f"{service}/x") for each in (ORDERS, ANNA, LPAR1)] == [False, False, True]


def test_a_gateway_of_another_domain_is_one_if_the_configuration_says_so() -> None:
    far = caller("far")
    assert may(Rights(LISTED, tls=True), far, "gateway/x")
    assert not may(Rights(LISTED, tls=True), far, "far/x")
    assert not may(Rights(Access(), tls=True), far, "gateway/x")


def test_without_a_list_a_service_may_register_the_rest() -> None:
    rights = Rights(Access(), tls=True)
    assert all(may(rights, each, "orders/i") for each in (ORDERS, BILLING, ANNA, LPAR1))
    assert not may(rights, UNKNOWN, "gateway/i")


def test_with_a_list_a_service_has_its_own_ids_alone() -> None:
    rights = Rights(LISTED, tls=True)
    assert [may(rights, each, "orders/i") for each in (ORDERS, BILLING, ANNA, LPAR1)] == [True, False, True, True]
    assert not may(rights, ORDERS, "stock/i")
    assert not may(rights, UNKNOWN, "orders/i")
    with pytest.raises(Forbidden, match=r"'stock': plexmesh.access.services does not .*'CN=orders'"):
        rights.speak(ORDERS, "stock/i")


def test_a_list_that_is_empty_has_nobody() -> None:
    assert not may(Rights(Access(services={}), tls=True), ORDERS, "orders/i")


def test_virtual_addresses_are_names_too() -> None:
    named = msgspec.structs.replace(GIVEN, vip="orders", secure_vip="Orders, stock")
    Rights(Access(), tls=True).register(ORDERS, named, None, {})
    for rights, given in (
        (Rights(LISTED, tls=True), named),
        (Rights(Access(), tls=True), msgspec.structs.replace(GIVEN, vip="GATEWAY")),
    ):
        with pytest.raises(Forbidden):
            rights.register(ORDERS, given, None, {})
    Rights(LISTED, tls=True).register(ORDERS, msgspec.structs.replace(GIVEN, vip="orders"), None, {})


def test_whose_an_instance_is() -> None:
    rights = Rights(Access(), tls=True)
    held = rights.register(ORDERS, GIVEN, None, {})
    assert held.registrant == "CN=orders"
    for who in (ORDERS, ANNA, LPAR1):
        rights.change(who, "orders/i", held)
    with pytest.raises(Forbidden, match="'CN=orders' has registered it; the caller is 'CN=billing'"):
        rights.change(BILLING, "orders/i", held)
    with pytest.raises(Forbidden, match=r"^instances\[3\]: instance 'orders/i'"):
        rights.register(BILLING, GIVEN, held, {}, "instances[3]")
    rights.change(BILLING, "orders/i", GIVEN)
    rights.change(BILLING, "orders/i", None)


def test_hosts_are_looked_at_with_certificates_or_a_list_and_not_for_the_lpars() -> None:
    elsewhere = msgspec.structs.replace(GIVEN, host="evil.test")
    for rights, who in ((Rights(Access(), tls=True), ORDERS), (Rights(Access(hosts=())), UNKNOWN)):
        with pytest.raises(NotAllowedHost, match=r"^hostName: 'evil.test', expected a host of plexmesh.access.hosts"):
            rights.register(who, elsewhere, None, {"host": "hostName"})
    with pytest.raises(NotAllowedHost, match=r"^instances\[0\].host: "):
        Rights(Access(), tls=True).register(ANNA, elsewhere, None, {}, "instances[0]")
    Rights(Access(), tls=True).register(LPAR1, elsewhere, None, {})


@pytest.mark.parametrize(
    ("access", "own", "who"),
    [
        (Access(), (), caller("orders", "service", "h.test")),
        (Access(), ("h.test",), ORDERS),
        (Access(own=frozenset({"h.test"})), (), ORDERS),
        (Access(hosts=("*.test",)), (), ORDERS),
    ],
)
def test_what_makes_a_host_allowed(access: Access, own: tuple[str, ...], who: Caller) -> None:
    given = msgspec.structs.replace(GIVEN, host="h.test", ip="192.0.2.1", health_check_url="http://H.test:80/health")
    Rights(access, own, tls=True).register(who, given, None, {})


def test_metadata_that_is_added_is_looked_at() -> None:
    rights = Rights(Access(), tls=True)
    rights.annotate(ORDERS, {"a": "http://evil.test"})
    with pytest.raises(NotAllowedHost, match=r"metadata.apiml.service.externalUrl: 'http://evil.test'"):
        rights.annotate(ORDERS, {"apiml.service.externalUrl": "http://evil.test"})


def test_only_peers_pass_on_what_others_were_told() -> None:
    rights = Rights(Access(), tls=True)
    rights.replicate(LPAR1)
    for who in (ORDERS, ANNA, UNKNOWN):
        with pytest.raises(Forbidden):
            rights.replicate(who)
    Rights(Access(hosts=()), replicas=True).replicate(UNKNOWN)
    with pytest.raises(Forbidden, match="eurekaPeers"):
        Rights(Access(hosts=()), replicas=False).replicate(UNKNOWN)
