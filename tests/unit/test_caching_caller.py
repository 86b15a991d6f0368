"""Who calls, and which errors are told in which of Zowe's messages."""

from __future__ import annotations

import pytest

from caching.backends.data_set import Busy
from caching.caller import NoCaller, Said, owner
from caching.entries import Name
from caching.messages import message_of, status_of
from caching.refusals import Changed, Corrupt, Exists, Full, Missing, OutcomeUnknown, ValueTooLong, VolumeFull
from shared.errors import BadInput, Forbidden, PlexmeshError, Unavailable
from shared.identity import Identity, distinguished_name

ORDERS, LPAR1 = "CN=orders, OU=plexmesh client, O=PLEX1", "CN=LPAR1, OU=plexmesh LPAR, O=PLEX1"
PEER = Identity("LPAR1", LPAR1, "peer")
SERVICE = Identity("orders", ORDERS, "service")
BOSS = Identity("boss", "CN=boss, OU=plexmesh operator, O=PLEX1", "operator")


def said(*ids: str, name: str | None = None, role: str | None = None, forwarded: bool = False) -> Said:
    return Said(ids, () if name is None else (name,), () if role is None else (role,), forwarded)


# --- in plain, and an LPAR's own


@pytest.mark.parametrize("caller", [None, PEER])
@pytest.mark.parametrize("named", ["orders", " orders ", "Orders of A", "ü", "x" * 255])
def test_the_owner_is_what_the_header_says(named: str, caller: Identity | None) -> None:
    assert owner(said(named), caller) == named.strip()


@pytest.mark.parametrize("caller", [None, PEER])
@pytest.mark.parametrize("named", [[], [""], ["  "], ["a", "b"], ["a", "a"], ["x" * 256], ["a\x01b"], ["a\udcffb"]])
def test_none_two_and_unusable_names_are_nobody(named: list[str], caller: Identity | None) -> None:
    with pytest.raises(NoCaller):
        owner(said(*named), caller)
    with pytest.raises(NoCaller):
        owner(said(*named, name=LPAR1, role="peer", forwarded=True), PEER)


@pytest.mark.parametrize("named", ["gateway", "GATEWAY", " Gateway "])
def test_only_the_gateway_itself_is_the_gateway(named: str) -> None:
    through = said(named, name=LPAR1, role="peer", forwarded=True)
    for caller, outside in ((None, said(named, forwarded=True)), (PEER, through)):
        assert owner(said(named), caller) == named.strip()
        with pytest.raises(Forbidden):
            owner(outside, caller)
    assert owner(said("gateway2", forwarded=True), None) == "gateway2"


def test_in_plain_no_certificate_is_believed() -> None:
    assert owner(said("me", name=ORDERS, role="peer", forwarded=True), None) == "me"


# --- by certificate


def test_directly_it_is_the_own_certificates_name() -> None:
    assert owner(said(), SERVICE) == ORDERS
    assert owner(said("a"), SERVICE) == f"{ORDERS}, SERVICE=a"
    assert owner(said("gateway"), SERVICE) == f"{ORDERS}, SERVICE=gateway"


@pytest.mark.parametrize("caller", [SERVICE, BOSS])
def test_who_is_no_peer_can_vouch_for_nobody(caller: Identity) -> None:
    for forwarded in (True, False):
        for role in (None, "peer", "service"):
            lie = said("a", name=LPAR1, role=role, forwarded=forwarded)
            assert owner(lie, caller) == f"{caller.distinguished_name}, SERVICE=a"


def test_through_a_gateway_it_is_what_the_gateway_says() -> None:
    assert owner(said(name=ORDERS, role="service", forwarded=True), PEER) == owner(said(), SERVICE)
    assert owner(said("a", name=ORDERS, role="service", forwarded=True), PEER) == owner(said("a"), SERVICE)
    assert owner(said(name=BOSS.distinguished_name, role="operator", forwarded=True), PEER) == owner(said(), BOSS)


def test_an_lpars_component_is_the_same_at_every_lpar_and_either_way() -> None:
    two = LPAR1.replace("1", "2", 1)
    ways = [said("billing"), *(said("billing", name=each, role="peer", forwarded=True) for each in (LPAR1, two))]
    assert {owner(each, PEER) for each in ways} == {"billing"}


def test_an_lpars_name_alone_makes_nobody_a_peer() -> None:
    for roles in ((), ("service",), ("operator",), ("peer", "peer"), ("service", "peer"), ("Peer",)):
        assert owner(Said(("a",), (LPAR1,), roles, forwarded=True), PEER) == f"{LPAR1}, SERVICE=a"


def test_what_came_through_a_gateway_that_says_nothing_is_refused() -> None:
    for role in (None, "peer"):
        with pytest.raises(Forbidden):
            owner(said("billing", role=role, forwarded=True), PEER)


@pytest.mark.parametrize(
    "names", [("",), (" ",), ("orders",), (ORDERS, ORDERS), (ORDERS, LPAR1), ("CN=" + "x" * 2000,)]
)
def test_no_name_or_two_are_nobody(names: tuple[str, ...]) -> None:
    with pytest.raises((NoCaller, Forbidden)):
        owner(Said(("a",), names, ("service",), forwarded=True), PEER)


@pytest.mark.parametrize("nobody", ["", "CN=" + "x" * 2000, "CN=a\nb"])
def test_a_certificate_that_names_nobody_owns_nothing(nobody: str) -> None:
    with pytest.raises(Forbidden):
        owner(said("a"), Identity("", nobody, "service"))


@pytest.mark.parametrize("ids", [("",), (" ",), ("a", "b"), ("a", "a"), ("x" * 256,), ("a\x01",)])
def test_a_service_id_is_usable_or_not_there(ids: tuple[str, ...]) -> None:
    with pytest.raises(NoCaller):
        owner(said(*ids), SERVICE)


def test_a_name_is_understood_in_any_spelling() -> None:
    for spelled in ("CN=orders,OU=plexmesh client,O=PLEX1", "cn = orders, ou = plexmesh client, o = PLEX1"):
        assert owner(said(name=spelled, role="service", forwarded=True), PEER) == ORDERS


@pytest.mark.parametrize("value", ["orders, SERVICE=a", 'orders", SERVICE=a', "orders\\, SERVICE=a"])
def test_no_certificates_name_is_anothers_with_a_service(value: str) -> None:
    """What a holder may choose, the common name, cannot end where ", SERVICE=" begins."""
    other = distinguished_name([[("commonName", value)]])
    holder, victim = Identity(value, other, "service"), Identity("orders", "CN=orders", "service")
    assert owner(said(), holder) != owner(said("a"), victim)
    assert owner(said(name=other, forwarded=True), PEER) == owner(said(), holder)


# --- errors


@pytest.mark.parametrize(
    ("error", "status", "number"),
    [
        (BadInput, 400, "ZWECS130E"),
        (NoCaller, 401, "ZWECS702W"),
        (Forbidden, 403, "ZWECS702W"),
        (Missing, 404, "ZWECS131E"),
        (ValueTooLong, 413, "ZWECS130E"),
        (Full, 507, "ZWECS134E"),
        (VolumeFull, 507, "ZWECS134E"),
        (Unavailable, 503, "ZWECS152E"),
        (Busy, 503, "ZWECS152E"),
        (OutcomeUnknown, 504, "ZWECS152E"),
        (Corrupt, 500, "ZWECS152E"),
        (PlexmeshError, 500, "ZWEAM701E"),
    ],
)
def test_errors_in_zowes_words(error: type[PlexmeshError], status: int, number: str) -> None:
    assert status_of(error("x")) == status
    assert message_of(error("x")).number == number


@pytest.mark.parametrize(
    ("error", "status"), [(Exists(Name("me", "k"), "1.a"), 409), (Changed(Name("me", "k"), None), 412)]
)
def test_what_is_there_against_expectation_is_a_collision(error: PlexmeshError, status: int) -> None:
    assert (status_of(error), message_of(error).number) == (status, "ZWECS133E")


def test_a_value_too_long_may_have_the_originals_status() -> None:
    assert status_of(ValueTooLong("x"), 400) == 400
    assert status_of(Missing("x"), 400) == 404
