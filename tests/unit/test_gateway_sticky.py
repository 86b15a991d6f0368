"""Users and their records: who somebody is by his cookie, and what is kept of him in Zowe's form."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import sticky
from gateway.snapshot import upstream_of
from gateway.sticky import Record
from shared.wire import Instance
from tests.fakes import an_instance

NOW = 1_800_000_000.0


def part(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


def cookie(claims: Any, before: str = "", after: str = "") -> bytes:
    token = f"{part({'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"
    return f"Accept: */*\r\nCookie: {before}apimlAuthenticationToken={token}{after}\r\nX-Other: a\r\n".encode()


@pytest.mark.parametrize(("before", "after"), [("", ""), ("a=b; ", ""), ("a=b;", "; c=d"), ("a=x.y.z; ", "")])
def test_the_user_is_the_subject_of_the_token_in_the_cookie(before: str, after: str) -> None:
    assert sticky.user_of(cookie({"sub": "USER", "exp": NOW + 60}, before, after), NOW) == "USER"
    assert sticky.user_of(cookie({"sub": "USER"}, before, after), NOW) == "USER"


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"Accept: */*\r\n",
        cookie({"sub": "USER", "exp": NOW}),
        cookie({"sub": "USER", "exp": NOW - 1}),
        cookie({"exp": NOW + 60}),
        cookie({"sub": 7}),
        cookie(["sub"]),
        b"Cookie: apimlAuthenticationToken=abc\r\n",
        b"Cookie: apimlAuthenticationToken=a.!!!.c\r\n",
        b"Cookie: apimlAuthenticationToken=a.A.c\r\n",
        cookie({"sub": "USER"}).replace(b"apimlAuth", b"xapimlAuth"),
        cookie({"sub": "USER"}).replace(b"Cookie", b"X-Cookie"),
        b"Authorization: Bearer " + cookie({"sub": "USER"}).partition(b"Token=")[2],
    ],
)
def test_whoever_is_not_known_by_it_is_nobody(lines: bytes) -> None:
    assert sticky.user_of(lines, NOW) == ""


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data: bytes) -> None:
    sticky.user_of(b"Cookie: apimlAuthenticationToken=" + data + b"\r\n", NOW)
    sticky.decode(data)


def test_keys_are_in_lower_case() -> None:
    assert sticky.key_of("User", "Orders") == "lb.user:orders"


def test_a_record_is_in_zowes_form_and_comes_back() -> None:
    record = Record("host:orders:7", datetime(2026, 11, 25, 22, 26, 7, 123_456))  # noqa: DTZ001
    value = sticky.encode(record)
    assert json.loads(value) == {"instanceId": "host:orders:7", "creationTime": [2026, 11, 25, 22, 26, 7, 123_456_000]}
    assert sticky.decode(value.encode()) == record


def test_zeros_at_the_end_may_be_missing() -> None:
    found = sticky.decode(b'{"instanceId":"i","creationTime":[2026,11,25,22,26]}')
    assert found == Record("i", datetime(2026, 11, 25, 22, 26))  # noqa: DTZ001


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b"[]", b'{"instanceId":"i","creationTime":[2026,13,1,0,0]}', b'{"instanceId":1,"creationTime":[]}'],
)
def test_what_is_no_record_is_none(value: bytes) -> None:
    assert sticky.decode(value) is None


def test_a_record_ages() -> None:
    record = Record("i", datetime(2026, 1, 1))  # noqa: DTZ001
    assert not record.older(timedelta(hours=8), datetime(2026, 1, 1, 8))  # noqa: DTZ001
    assert record.older(timedelta(hours=8), datetime(2026, 1, 1, 8, 0, 1))  # noqa: DTZ001


def test_a_service_is_sticky_when_its_first_instance_says_so() -> None:
    def instance(name: str, **metadata: str) -> Instance:
        return an_instance("orders", id=name, metadata=metadata)

    by_user = {"apiml.lb.type": "authentication"}
    assert upstream_of("orders", {"a": instance("a", **by_user), "b": instance("b")}).sticky
    assert not upstream_of("orders", {"a": instance("a"), "b": instance("b", **by_user)}).sticky
    assert not upstream_of("orders", {"a": instance("a", **{"apiml.lb.type": "headerRequest"})}).sticky
