"""Pages of other origins: whose is whose, who may call what, and what browsers are told."""

from __future__ import annotations

import pytest

from gateway.cors import MAX_AGE_S, Asked, Verdict, is_own, preflight, told, verdict, without_said
from gateway.policy import PLAIN, Policy

HOST = b"shop:7554"
PAGE = b"https://page.example"
ANY = Policy(cors=True)
ONE = Policy(cors=True, cors_origins=("https://page.example",))
READS = Policy(cors=True, cors_methods=("GET", "HEAD"))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"http://shop:7554", b"shop:7554"),
        (b"https://SHOP:7554", b"shop:7554"),
        (b"http://shop", b"shop"),
        (b"http://shop", b"shop:80"),
        (b"http://shop:80", b"Shop"),
        (b"https://shop", b"shop:443"),
        (b"https://shop:443", b"shop"),
        (b"http://[::1]:7554", b"[::1]:7554"),
        (b"http://[::1]", b"[::1]"),
    ],
)
def test_its_own_origin(origin: bytes, host: bytes) -> None:
    assert is_own(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"http://shop:7555", b"shop:7554"),
        (b"http://shop", b"shop:7554"),
        (b"http://shop:7554.evil.example", b"shop:7554"),
        (b"http://shop:7554/", b"shop:7554"),
        (b"http://shop:7554@evil", b"shop:7554"),
        (b"http://evilshop:7554", b"shop:7554"),
        (b"http://shop.evil.example:7554", b"shop:7554"),
        (b"ftp://shop:7554", b"shop:7554"),
        (b"null", b"null"),
        (b"", b""),
        (b"shop:7554", b"shop:7554"),
        (b"http://shop:7554\n", b"shop:7554"),
    ],
)
def test_another_origin(origin: bytes, host: bytes) -> None:
    assert not is_own(origin, host)


def judged(
    policy: Policy | None, method: bytes = b"GET", asks: bytes = b"", origin: bytes = PAGE, on: bool = True
) -> Verdict:
    return verdict(Asked(origin, asks, b""), method, HOST, policy, on=on)


@pytest.mark.parametrize(
    ("policy", "method", "asks", "found"),
    [
        (PLAIN, b"GET", b"", "refused"),
        (PLAIN, b"OPTIONS", b"GET", "refused"),
        (ANY, b"GET", b"", "allowed"),
        (ANY, b"POST", b"", "allowed"),
        (ANY, b"OPTIONS", b"", "allowed"),
        (ANY, b"OPTIONS", b"DELETE", "preflight"),
        (ANY, b"POST", b"DELETE", "allowed"),
        (ONE, b"GET", b"", "allowed"),
        (READS, b"GET", b"", "allowed"),
        (READS, b"HEAD", b"", "allowed"),
        (READS, b"POST", b"", "refused"),
        (READS, b"OPTIONS", b"GET", "preflight"),
        (READS, b"OPTIONS", b"DELETE", "refused"),
        (READS, b"OPTIONS", b"get", "refused"),
        (None, b"GET", b"", "allowed"),
        (None, b"OPTIONS", b"PUT", "preflight"),
    ],
)
def test_who_may_call_what(policy: Policy | None, method: bytes, asks: bytes, found: Verdict) -> None:
    assert judged(policy, method, asks) == found


@pytest.mark.parametrize(
    "origin",
    [
        b"http://page.example",
        b"https://page.example:444",
        b"https://Page.example.evil",
        b"null",
        b"https://page.exampl",
    ],
)
def test_an_origin_is_compared_as_a_whole(origin: bytes) -> None:
    assert judged(ONE, origin=origin) == "refused"
    assert judged(ONE, b"OPTIONS", b"GET", origin) == "refused"


def test_a_star_is_any() -> None:
    assert judged(Policy(cors=True, cors_origins=("*",))) == "allowed"


@pytest.mark.parametrize("policy", [PLAIN, ANY, ONE, None])
def test_switched_off_only_the_own_origin_may(policy: Policy | None) -> None:
    assert judged(policy, on=False) == "refused"
    assert judged(policy, b"OPTIONS", b"GET", on=False) == "refused"
    assert judged(policy, b"POST", b"DELETE", b"http://" + HOST, on=False) == "own"


def test_an_answer_names_the_origin_and_whether_credentials_may() -> None:
    asked = Asked(PAGE, b"", b"")
    lines = b"Access-Control-Allow-Origin: https://page.example\r\nVary: Origin\r\n"
    assert told(asked, Policy(cors=True, cors_credentials=False)) == lines
    assert told(asked, ANY) == lines + b"Access-Control-Allow-Credentials: true\r\n"
    assert told(asked, None) == lines + b"Access-Control-Allow-Credentials: true\r\n"


def head(answer: bytes) -> dict[bytes, bytes]:
    first, *fields = answer.split(b"\r\n")
    assert first == b"HTTP/1.1 204 No Content"
    assert fields.pop() == b""
    return dict(field.split(b": ", 1) for field in fields)


def test_a_preflight_is_answered_in_full() -> None:
    policy = Policy(cors=True, cors_methods=("GET", "PUT"), cors_headers=("X-A", "X-B"), cors_credentials=False)
    assert head(preflight(Asked(PAGE, b"PUT", b"x-a"), policy)) == {
        b"Access-Control-Allow-Origin": PAGE,
        b"Vary": b"Origin",
        b"Access-Control-Allow-Methods": b"GET, PUT",
        b"Access-Control-Allow-Headers": b"X-A, X-B",
        b"Access-Control-Max-Age": b"%d" % MAX_AGE_S,
    }


@pytest.mark.parametrize("policy", [ANY, None])
def test_where_nothing_is_said_all_methods_and_the_headers_asked_for_are_allowed(policy: Policy | None) -> None:
    fields = head(preflight(Asked(PAGE, b"PUT", b"x-a, x-b"), policy))
    assert fields[b"Access-Control-Allow-Headers"] == b"x-a, x-b"
    assert {b"GET", b"POST", b"PUT", b"DELETE", b"PATCH"} <= set(fields[b"Access-Control-Allow-Methods"].split(b", "))
    assert b"Access-Control-Allow-Headers" not in head(preflight(Asked(PAGE, b"PUT", b""), policy))


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (b"access-control-allow-origin: *\r\nEtag: e\r\n", b"Etag: e\r\n"),
        (b"Etag: e\r\nAccess-Control-Allow-Credentials: true\r\n", b"Etag: e\r\n"),
        (
            b"A: 1\r\nAccess-Control-Expose-Headers: x\r\nAccess-Control-Allow-Methods: y\r\nB: 2\r\n",
            b"A: 1\r\nB: 2\r\n",
        ),
        (b"X-Access-Control-Allow-Origin: *\r\n", b"X-Access-Control-Allow-Origin: *\r\n"),
        (b"A: access-control-allow-origin: *\r\n", b"A: access-control-allow-origin: *\r\n"),
        (b"Access-Control-Max-Age: 5\r\n", b"Access-Control-Max-Age: 5\r\n"),
        (b"", b""),
    ],
)
def test_what_an_instance_says_of_origins_is_taken_out(lines: bytes, left: bytes) -> None:
    assert without_said(lines) == left
