"""What a service with the scheme zoweJwt is sent of its caller's credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.login.passing import FAILURES, passed_on, token_in

REST = b"Accept: */*\r\nX-A: b\r\n"


@pytest.mark.parametrize(
    ("lines", "token", "kept"),
    [
        (REST, "", REST),
        (b"", "", b""),
        (REST + b"Cookie: apimlAuthenticationToken=t\r\n", "t", REST),
        (b"cookie: a=1; apimlAuthenticationToken=t; b=2\r\n" + REST, "t", REST + b"Cookie: a=1; b=2\r\n"),
        (b"Cookie: a=1\r\nCookie: apimlAuthenticationToken=t\r\n", "t", b"Cookie: a=1\r\n"),
        (b"Authorization: Bearer t\r\n" + REST, "t", REST),
        (b"authorization: bEARER t\r\n", "t", b""),
        (b"Authorization: Basic t\r\n", "", b"Authorization: Basic t\r\n"),
        (b"Authorization: Bearer t\r\nCookie: apimlAuthenticationToken=u\r\n", "u", b""),
        (b"Cookie: apimlAuthenticationToken=t; apimlAuthenticationToken=u\r\n", "t", b""),
        (b"X-Zowe-Auth-Failure: forged\r\nX_Zowe_Auth_Failure: forged\r\n" + REST, "", REST),
        (b"Cookie: \xff=1\r\n", "", b"Cookie: \xff=1\r\n"),
    ],
)
def test_a_token_is_found_and_nothing_of_it_is_left(lines: bytes, token: str, kept: bytes) -> None:
    assert token_in(lines) == token
    assert passed_on(lines, "") == kept


def test_a_good_token_goes_on_as_the_cookie_beside_the_others() -> None:
    assert passed_on(b"Authorization: Bearer t\r\n", "t") == b"Cookie: apimlAuthenticationToken=t\r\n"
    lines = b"Cookie: apimlAuthenticationToken=t; a=1\r\n" + REST
    assert passed_on(lines, "t") == REST + b"Cookie: a=1; apimlAuthenticationToken=t\r\n"


def test_failures_have_zowes_numbers() -> None:
    assert {outcome: line.split()[1] for outcome, line in FAILURES.items()} == {
        "none": b"ZWEAG160E", "bad": b"ZWEAG102E", "old": b"ZWEAG103E",
    }  # fmt: skip


@given(st.lists(st.binary(max_size=30).filter(lambda each: b"\r" not in each and b"\n" not in each), max_size=6))
def test_other_lines_stay_as_they_are(values: list[bytes]) -> None:
    lines = b"".join(b"X-%d: %b\r\n" % (number, value) for number, value in enumerate(values))
    assert passed_on(lines, "") == lines
