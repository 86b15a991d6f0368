"""To whom a call is meant to go: named instances and LPARs, sessions and their cookies, keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.aim import Aim, cookie_for, cookie_in, header_in, key_in, session_cookie, session_of, token_of
from gateway.routes import RESERVED
from gateway.snapshot import Upstream
from tests.balancing import Service, an_endpoint, endpoints

A, B, C = endpoints(100, 100, 100)
THERE = an_endpoint(9, lpar="LPAR2")
ORDERS = Upstream("orders", (), (A, B), 3, drained=(C,))


def lines(*fields: bytes) -> bytes:
    return b"".join(field + b"\r\n" for field in fields)


def cookie_of(upstream: Upstream, endpoint: object) -> bytes:
    """What a client sends back."""
    return b"Cookie: " + cookie_for(upstream, endpoint).partition(b";")[0]  # type: ignore[arg-type]


# --- choosing


def chosen(aim: Aim, service: Service, *tried: str) -> object:
    found = aim.choose(service.balancer, service.standings, tried, 1.0)
    return None if found is None else found.endpoint


def test_a_named_instance_and_no_other() -> None:
    service = Service((A, B))
    aim = Aim(only=B.key)
    assert aim.alone
    assert {chosen(aim, service) for _ in range(9)} == {B}
    service.perform(service.health.connect_failed(B, "refused", 1.0))
    assert chosen(aim, service) is B, "out or not: somebody wants that one"
    assert chosen(aim, service, B.key) is B
    assert chosen(Aim(only="orders/gone"), service) is None


def test_a_session_goes_to_its_instance_and_elsewhere_when_that_failed() -> None:
    service = Service((A, B))
    aim = Aim(preferred=B.key, gives_cookie=True)
    assert not aim.alone
    assert {chosen(aim, service) for _ in range(9)} == {B}
    assert chosen(aim, service, B.key) is A
    assert chosen(Aim(preferred="orders/gone"), service) in (A, B)


def test_a_session_of_one_that_drains_stays_though_it_is_no_candidate() -> None:
    service = Service((A, B))
    service.standings[C.key] = Service((C,)).of(C)
    assert chosen(Aim(preferred=C.key), service) is C
    assert C not in {chosen(Aim(), service) for _ in range(30)}


def test_a_named_lpar_and_no_other() -> None:
    service = Service((A, B, THERE))
    assert {chosen(Aim(lpar="LPAR2"), service) for _ in range(9)} == {THERE}
    assert chosen(Aim(lpar="LPAR2"), service, THERE.key) is THERE
    assert {chosen(Aim(lpar="LPAR1"), service) for _ in range(30)} == {A, B}
    assert chosen(Aim(lpar="LPAR3"), service) is None


def test_a_key_leads_to_the_same_one_and_then_to_the_next() -> None:
    service = Service((A, B, C))
    aim = Aim(key=b"joe")
    (owner,) = {chosen(aim, service) for _ in range(9)}
    (heir,) = {chosen(aim, service, owner.key) for _ in range(9)}  # type: ignore[attr-defined]
    assert heir is not owner
    assert len({chosen(Aim(key=b"%d" % number), service) for number in range(60)}) == 3


def test_with_nobody_there_is_nobody() -> None:
    service = Service(())
    for aim in (Aim(), Aim(key=b"joe"), Aim(preferred=A.key), Aim(only=A.key), Aim(lpar="LPAR1")):
        assert chosen(aim, service) is None


# --- sessions


def test_a_cookie_leads_back_to_the_instance_that_gave_it() -> None:
    for endpoint in (A, B, C):
        assert session_of(lines(cookie_of(ORDERS, endpoint)), ORDERS) is endpoint
    assert session_of(lines(cookie_of(ORDERS, THERE)), ORDERS) is None, "it is gone"
    assert session_of(lines(b"Cookie: plexmesh-orders=forged"), ORDERS) is None
    assert session_of(lines(b"Cookie: plexmesh-orders="), ORDERS) is None
    assert session_of(lines(b"Accept: */*"), ORDERS) is None


def test_a_cookie_of_another_service_is_none_of_this() -> None:
    billing = Upstream("billing", (), (A,), 1)
    assert session_of(lines(cookie_of(billing, A)), ORDERS) is None


def test_a_cookie_tells_no_address_and_is_the_same_at_every_gateway() -> None:
    said = cookie_for(ORDERS, A)
    assert A.host.encode() not in said
    assert re.fullmatch(rb"plexmesh-orders=[0-9a-f]{20}; Path=/orders; HttpOnly; SameSite=Lax", said)
    assert token_of("orders/127.0.40.1:orders:9000") == b"3f2a83217ff1d06127b4"


def test_no_service_can_have_the_cookie_of_another() -> None:
    names = {session_cookie(service) for service in (*RESERVED, "orders", "orders-1", "order")}
    assert len(names) == len(RESERVED) + 3


# --- cookies and headers


@pytest.mark.parametrize(
    "sent",
    [
        b"Cookie: sid=v1",
        b"cookie:sid=v1",
        b"COOKIE:   sid=v1",
        b"Cookie: a=b; sid=v1",
        b"Cookie: a=b;sid=v1; c=d",
        b'Cookie: a=b; sid="v1"',
        b"Cookie: a=b;\tsid=v1 ; c=d",
        b"Cookie: xsid=no; sid=v1",
        b"Cookie: a=b\r\nCookie: sid=v1",
        b"Accept: */*\r\nCookie: sid=v1\r\nHost: x",
    ],
)
def test_a_cookie_is_found_wherever_it_stands(sent: bytes) -> None:
    assert cookie_in(lines(sent), b"sid") == b"v1"


@pytest.mark.parametrize(
    "sent",
    [
        b"Cookie: xsid=v1",
        b"Cookie: sidx=v1",
        b"Cookie: a=sid=v1",
        b"Cookie: sid",
        b"Set-Cookie: sid=v1",
        b"X-Cookie: sid=v1",
        b"X: 1; Cookie: sid=v1",
        b"Accept: sid=v1",
    ],
)
def test_what_only_looks_like_it_is_not_found(sent: bytes) -> None:
    assert cookie_in(lines(sent), b"sid") == b""


def test_names_are_names_and_not_patterns() -> None:
    assert cookie_in(lines(b"Cookie: s.d=2; sad=1"), b"s.d") == b"2"
    assert header_in(lines(b"x-aXb: 1", b"x-a.b: 2"), b"x-a.b") == b"2"


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ((b"X-User: joe",), b"joe"),
        ((b"x-user:joe \t",), b"joe"),
        ((b"X-USER:",), b""),
        ((b"X-Users: joe",), b""),
        ((b"My-X-User: joe",), b""),
        ((b"Accept: x-user: joe",), b""),
        ((b"Accept: */*", b"X-User: joe", b"X-User: ann"), b"joe"),
    ],
)
def test_a_header_by_its_name(sent: tuple[bytes, ...], value: bytes) -> None:
    assert header_in(lines(*sent), b"x-user") == value


VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='";,'), max_size=20)


@given(st.lists(st.tuples(st.sampled_from(["a", "sid", "sid2", "xsid"]), VALUES), max_size=6))
def test_of_any_cookies_it_is_one_of_that_name(cookies: list[tuple[str, str]]) -> None:
    sent = b"Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies).encode()
    mine = [value.encode() for name, value in cookies if name == "sid"]
    assert cookie_in(lines(sent), b"sid") in (mine or [b""])


def test_long_heads_of_nothing_are_read_quickly() -> None:
    """No pattern that takes the square of the length: this would be minutes."""
    hostile = lines(b"Cookie:" + b" ;" * 15_000, *[b"cookie: s"] * 1000)
    assert cookie_in(hostile, b"sid") == b""
    assert header_in(b"\r\nx-user" * 4000, b"x-user") == b""


# --- keys


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("address", b"192.0.2.1"),
        ("path", b"/orders/5"),
        ("header:x-user", b"joe"),
        ("cookie:sid", b"v1"),
        ("header:x-none", b""),
        ("cookie:none", b""),
    ],
)
def test_what_a_call_is_known_by(rule: str, key: bytes) -> None:
    assert key_in(rule, lines(b"X-User: joe", b"Cookie: sid=v1"), b"192.0.2.1", b"/orders/5") == key
