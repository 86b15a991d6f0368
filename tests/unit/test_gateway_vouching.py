"""What a service with the scheme x509 is told of its caller's certificate."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway import vouching
from gateway.policy import Policies
from gateway.vouching import COMMON_NAME, DISTINGUISHED_NAME, NOT_SHOWN, PUBLIC, ROLE
from shared.identity import Access, Identity, distinguished_name, normal

X509 = {"apiml.authentication.scheme": "x509"}


class Shown:
    """As an ssl.SSLObject."""

    def __init__(self, *names: tuple[str, str], der: bytes | None = b"\x30\x82der") -> None:
        self.names, self.der = names, der

    def getpeercert(self, binary_form: bool = False) -> Any:
        return self.der if binary_form else {"subject": tuple((each,) for each in self.names)}


def told(shown: Any, *headers: str) -> dict[str, str]:
    text = vouching.lines(shown, headers, Access()).decode()
    return dict(line.split(": ", 1) for line in text.split("\r\n") if line)


def test_name_and_certificate() -> None:
    shown = Shown(
        ("organizationName", "PLEX1"), ("organizationalUnitName", "plexmesh client"), ("commonName", "orders")
    )
    assert told(shown, PUBLIC, DISTINGUISHED_NAME, COMMON_NAME) == {
        PUBLIC: base64.b64encode(b"\x30\x82der").decode(),
        DISTINGUISHED_NAME: "CN=orders, OU=plexmesh client, O=PLEX1",
        COMMON_NAME: "orders",
    }
    assert told(shown, COMMON_NAME) == {COMMON_NAME: "orders"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a, OU=admins", 'CN="a, OU=admins"'),
        ('a"b', 'CN="a\\"b"'),
        (" a", 'CN=" a"'),
        ("a\r\nX-Evil: 1", 'CN="a\\0D\\0AX-Evil: 1"'),
        ("Zoë", "CN=Zo\\C3\\AB"),
    ],
)
def test_a_name_cannot_pretend_to_be_more_than_one(name: str, said: str) -> None:
    found = told(Shown(("commonName", name)), DISTINGUISHED_NAME, COMMON_NAME)
    assert found[DISTINGUISHED_NAME] == said
    assert set(found) == {DISTINGUISHED_NAME, COMMON_NAME}


@pytest.mark.parametrize("name", ["orders", "Zoë", "Zo?", "a, OU=b", r"a\C3\AB", "ë, \\ë", '"', "a\r\nb", " ", "\\"])
def test_a_distinguished_name_is_understood_as_it_was(name: str) -> None:
    subject = (("organizationName", "PLEX1"), ("commonName", name))
    said = told(Shown(*subject), DISTINGUISHED_NAME)[DISTINGUISHED_NAME]
    assert normal(said) == distinguished_name([[each] for each in subject])


def test_the_role_is_by_the_own_authority_and_by_the_configuration() -> None:
    shown = Shown(("organizationName", "PLEX1"), ("organizationalUnitName", "plexmesh LPAR"), ("commonName", "LPAR1"))
    name = "CN=LPAR1, OU=plexmesh LPAR, O=PLEX1"
    assert told(shown, ROLE) == {ROLE: "service"}, "whose issuer is not known"
    assert vouching.lines(shown, (ROLE,), Access(peers=frozenset({name}))) == b"X-Certificate-Role: peer\r\n"  # type: ignore[arg-type]


@pytest.mark.parametrize("shown", [None, Shown(der=None)])
def test_without_a_certificate_it_is_said_why_nothing_is(shown: Any) -> None:
    assert vouching.lines(shown, (COMMON_NAME,), Access()) is NOT_SHOWN


@pytest.mark.parametrize(
    ("metadata", "headers"),
    [
        ({}, ()),
        ({"apiml.authentication.scheme": "bypass"}, ()),
        (X509, (PUBLIC, DISTINGUISHED_NAME, COMMON_NAME)),
        (
            X509 | {"apiml.authentication.headers": "x-certificate-commonname , X-Certificate-Public"},
            (COMMON_NAME, PUBLIC),
        ),
        (X509 | {"apiml.authentication.headers": "X-Certificate-Role"}, (ROLE,)),
    ],
)
def test_a_service_says_what_it_wants(metadata: dict[str, str], headers: tuple[str, ...]) -> None:
    policy, faults = Policies().of("orders", metadata)
    assert (policy.certificate_headers, faults, policy.admits) == (headers, (), bool(headers))


def test_a_header_that_is_not_known_is_a_fault_and_nothing_is_said() -> None:
    policy, faults = Policies().of("orders", X509 | {"apiml.authentication.headers": "Authorization"})
    assert policy.certificate_headers == ()
    assert faults == (
        f"apiml.authentication.headers: expected of {PUBLIC}, {DISTINGUISHED_NAME}, {COMMON_NAME}, {ROLE}",
    )


def test_the_own_pages_know_whom_the_door_has_let_in() -> None:
    found = Identity("anna", "CN=anna, OU=plexmesh operator, O=PLEX1", "operator")
    said = dict(line.split(": ", 1) for line in vouching.introduction(found).decode().split("\r\n") if line)
    assert vouching.vouched(said) == found
    assert vouching.vouched({COMMON_NAME: "anna"}) is None
    assert vouching.vouched({**said, ROLE: "king"}) is None
