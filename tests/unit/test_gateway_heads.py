"""Heads: what is refused, what goes on, and how it is said anew."""

from __future__ import annotations

import pytest

from gateway import forwarding
from gateway.answer_heads import ALL_HARDENED, AnswerHead, read_answer
from gateway.fields import Malformed
from gateway.heads import RequestFields, read_fields, read_target
from gateway.reader import CHUNKED, NONE, UNTIL_CLOSE
from gateway.relocation import recookied, relocated
from gateway.routes import make_route

Fields = list[tuple[bytes, bytes]]

HOST = (b"Host", b"shop:7554")


def block(fields: Fields) -> bytes:
    return b"\r\n".join(b"%b: %b" % field for field in fields)


def request(*fields: tuple[bytes, bytes], minor: int = 1) -> RequestFields:
    return read_fields(minor, block([HOST, *fields]))


def target(target: bytes, method: bytes = b"GET") -> tuple[bytes, bytes]:
    return read_target(method, target, HOST[1])


def answer(*fields: tuple[bytes, bytes], status: int = 200, method: bytes = b"GET", minor: int = 1) -> AnswerHead:
    return read_answer(status, b"OK", minor, block(list(fields)), method)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [HOST, HOST],
        [(b"Host", b"")],
        [(b"Host", b"a b")],
        [(b"Host", b"a/b")],
        [(b"Host", b"a,b")],
        [(b"Host", b"u@a")],
        [(b"Host", b"a:b")],
        [HOST, (b"Content-Length", b"1"), (b"content-length", b"1")],
        [HOST, (b"Content-Length", b"1, 1")],
        [HOST, (b"Content-Length", b"-1")],
        [HOST, (b"Content-Length", b"")],
        [HOST, (b"Content-Length", b"1" * 19)],
        [HOST, (b"Transfer-Encoding", b"gzip, chunked")],
        [HOST, (b"Transfer-Encoding", b"chunked, gzip")],
        [HOST, (b"Transfer-Encoding", b"identity")],
        [HOST, (b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
        [HOST, (b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"4")],
        [HOST, (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), (b"Content-Length", b"4")],
        [HOST, (b"Connection", b"Upgrade"), (b"Upgrade", b"h2c"), (b"Content-Length", b"4")],
    ],
)
def test_ambiguous_fields_are_refused(fields: Fields) -> None:
    with pytest.raises(Malformed) as caught:
        read_fields(1, block(fields))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        (b"GET", b"*"),
        (b"GET", b"a/b"),
        (b"GET", b"/a#b"),
        (b"GET", b"/a?b#c"),
        (b"GET", b"http://u@shop:7554/"),
        (b"GET", b"http://other/"),
        (b"GET", b"http:///a"),
        (b"GET", b"ftp://shop:7554/"),
    ],
)
def test_other_targets_are_refused(method: bytes, wanted: bytes) -> None:
    with pytest.raises(Malformed):
        target(wanted, method)


def test_a_url_of_the_same_host_is_a_path() -> None:
    assert target(b"http://SHOP:7554/a?b") == (b"/a", b"?b")
    assert target(b"http://shop:7554?b") == (b"/", b"?b")


def test_old_clients_may_leave_the_host_out_and_must_not_chunk() -> None:
    assert read_fields(0, b"").facts.host == b""
    with pytest.raises(Malformed):
        request((b"Transfer-Encoding", b"chunked"), minor=0)


def test_unknown_expectations_are_answered_417() -> None:
    assert request((b"Expect", b"100-Continue")).facts.expects_continue
    with pytest.raises(Malformed) as caught:
        request((b"Expect", b"cake"))
    assert caught.value.status == 417


@pytest.mark.parametrize(
    ("minor", "connection", "kept"),
    [(1, b"", True), (1, b"close", False), (1, b"a, Close", False), (0, b"", False), (0, b"Keep-Alive", True)],
)
def test_keep_alive(minor: int, connection: bytes, kept: bool) -> None:
    fields = [(b"Connection", connection)] if connection else []
    assert request(*fields, minor=minor).facts.keep_alive is kept


def test_what_only_a_gateway_may_say_is_dropped() -> None:
    fields = request(
        (b"X-Forwarded-For", b"6.6.6.6"),
        (b"X-Forwarded-User", b"root"),
        (b"Forwarded", b"for=6.6.6.6"),
        (b"Via", b"1.1 evil"),
        (b"X-Real-IP", b"6.6.6.6"),
        (b"X_Forwarded_For", b"6.6.6.6"),
        (b"X-Certificate-Public", b"forged"),
        (b"x-certificate-distinguishedname", b"forged"),
        (b"X-CERTIFICATE-ANYTHING", b"forged"),
        (b"X_Certificate-Public", b"forged"),
        (b"Client-Cert", b"forged"),
        (b"client_cert-chain", b"forged"),
        (b"X-Zowe-Auth-Failure", b"forged"),
        (b"Content_Length", b"5"),
        (b"Proxy", b"http://evil"),
        (b"Keep-Alive", b"5"),
        (b"TE", b"trailers"),
        (b"Proxy-Authorization", b"secret"),
        (b"Accept", b"*/*"),
        (b"X_Own", b"1"),
    )
    assert fields.lines == b"Accept: */*\r\nX_Own: 1\r\n"
    assert [field.key for field in fields.aside] == [
        b"x-forwarded-for", b"x-forwarded-user", b"forwarded", b"via", b"x-real-ip",
    ]  # fmt: skip


def test_fields_that_connection_names_are_dropped() -> None:
    fields = request(
        (b"X-Hop", b"1"), (b"Accept", b"*/*"), (b"Traceparent", TRACE), (b"Connection", b"close, x-hop, traceparent")
    )
    assert fields.lines == b"Accept: */*\r\n"
    assert fields.trace == b""


def test_connection_cannot_take_the_framing_away() -> None:
    facts = request((b"Content-Length", b"4"), (b"Connection", b"content-length, host")).facts
    assert (facts.length, facts.host) == (4, HOST[1])
    assert facts.framing == b"Content-Length: 4\r\n"


def test_the_framing_is_said_anew() -> None:
    assert request((b"Content-Length", b"007")).facts.framing == b"Content-Length: 7\r\n"
    assert request((b"Content-Length", b"0")).facts.framing == b"Content-Length: 0\r\n"
    assert request((b"transfer-encoding", b"CHUNKED")).facts.framing == b"Transfer-Encoding: chunked\r\n"
    assert request().facts.framing == b""
    assert request((b"Expect", b"100-continue")).facts.framing == b"Expect: 100-continue\r\n"


def test_trailers_are_asked_for_by_name() -> None:
    wanted = request((b"TE", b"gzip, Trailers"), (b"Connection", b"TE")).facts
    assert wanted.wants_trailers
    assert wanted.framing == b"Connection: TE\r\nTE: trailers\r\n"
    assert not request((b"TE", b"trailers")).facts.wants_trailers
    assert not request((b"TE", b"gzip"), (b"Connection", b"TE")).facts.wants_trailers


def test_what_fields_mean_depends_on_the_version_too() -> None:
    assert request().facts.keep_alive
    assert not request(minor=0).facts.keep_alive
    assert request().facts.keep_alive


def test_upgrades() -> None:
    facts = request((b"Connection", b"keep-alive, Upgrade"), (b"Upgrade", b"websocket")).facts
    assert facts.upgrade == b"websocket"
    assert facts.framing == b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    assert request((b"Upgrade", b"websocket")).facts.upgrade == b""
    for other in (b"h2c", b'"h2c"', b"web socket", b",", b"\xff", b"HTTP/2.0"):
        asked = request((b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", other), (b"HTTP2-Settings", b"AAA"))
        assert (asked.facts.upgrade, asked.facts.framing, asked.lines) == (b"", b"", b"")


def test_request_ids_are_kept_when_they_are_one() -> None:
    assert request((b"X-Request-Id", b"abc")).request_id == b"abc"
    assert request((b"X-Request-Id", b"a b")).request_id == b""
    assert request((b"X-Request-Id", b"a" * 200)).request_id == b""


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "trace",
    [b"", b"00", TRACE.upper(), b"01" + TRACE[2:], TRACE + b"-x", TRACE.replace(b"b7ad6b7169203331", b"0" * 16)],
)
def test_a_trace_is_kept_when_it_is_one_and_its_state_with_it(trace: bytes) -> None:
    state = (b"tracestate", b"a=1")
    assert request((b"traceparent", TRACE), state).trace == TRACE
    assert request((b"traceparent", TRACE), state).lines == b"tracestate: a=1\r\n"
    assert request((b"traceparent", trace), state).trace == b""
    assert request((b"traceparent", trace), state).lines == b""
    assert request((b"traceparent", TRACE), (b"traceparent", TRACE)).trace == b""


def test_traces_are_continued_by_a_step_of_our_own_or_begun() -> None:
    ids = forwarding.Ids("LPAR1", 0xABCDEF << 64 | 0x123456789)
    assert ids.lines(7, b"mine", TRACE) == (
        b"X-Request-Id: mine\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000100000007-01\r\n\r\n"
    )
    begun = (
        b"X-Request-Id: lpar1-000123456789-7\r\ntraceparent: 00-0000000000abcdef0000000000000007-0000000100000007-00"
    )
    assert ids.fresh(7) == begun + b"\r\n\r\n"
    assert ids.lines(7, b"mine", b"").endswith(begun.partition(b"\r\n")[2] + b"\r\n\r\n")
    assert ids.fresh(8) != ids.fresh(7)


def test_who_asked() -> None:
    lines = forwarding.forwarded(b"192.0.2.1", b"shop:7554", 7554)
    assert b"X-Forwarded-For: 192.0.2.1\r\n" in lines
    assert b"X-Forwarded-Host: shop:7554\r\nVia" in lines
    assert b"X-Forwarded-Port: 7554\r\n" in lines
    assert b'Forwarded: for=192.0.2.1;host="shop:7554";proto=http\r\n' in lines
    assert b'for="[2001:db8::1]"' in forwarding.forwarded(b"2001:db8::1", b"shop:7554", 7554)


def test_a_trusted_proxys_word_is_believed_and_added_to() -> None:
    aside = request(
        (b"X-Forwarded-For", b"192.0.2.9"), (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b"www"),
        (b"X-Forwarded-User", b"joe"), (b"Forwarded", b"for=192.0.2.9"), (b"Via", b"1.1 edge"),
    ).aside  # fmt: skip
    lines = forwarding.forwarded(b"10.0.0.1", b"shop:7554", 7554, aside)
    assert lines.split(b"\r\n") == [
        b"X-Forwarded-For: 192.0.2.9, 10.0.0.1",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Port: 7554",
        b'Forwarded: for=192.0.2.9, for=10.0.0.1;host="shop:7554";proto=http',
        b"X-Forwarded-Host: www",
        b"Via: 1.1 edge, 1.1 plexmesh-gateway",
        b"X-Forwarded-User: joe",
        b"",
    ]


@pytest.mark.parametrize(
    ("fields", "status", "method", "length"),
    [
        ([], 200, b"GET", UNTIL_CLOSE),
        ([(b"Content-Length", b"5")], 200, b"GET", 5),
        ([(b"Content-Length", b"5")], 200, b"HEAD", NONE),
        ([(b"Content-Length", b"5")], 304, b"GET", NONE),
        ([], 204, b"GET", NONE),
        ([(b"Transfer-Encoding", b"Chunked")], 200, b"GET", CHUNKED),
    ],
)
def test_framing_of_answers(fields: Fields, status: int, method: bytes, length: int) -> None:
    assert answer(*fields, status=status, method=method).length == length


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Content-Length", b"5"), (b"Content-Length", b"5")],
        [(b"Content-Length", b"x")],
        [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")],
        [(b"Transfer-Encoding", b"gzip")],
        [(b"Location", b"/a"), (b"Location", b"/b")],
    ],
)
def test_garbage_of_instances_is_refused(fields: Fields) -> None:
    with pytest.raises(Malformed) as caught:
        answer(*fields)
    assert caught.value.status == 502


@pytest.mark.parametrize(
    ("minor", "fields", "kept"),
    [
        (1, [(b"Content-Length", b"5")], True),
        (1, [(b"Content-Length", b"5"), (b"Connection", b"close")], False),
        (0, [(b"Content-Length", b"5")], False),
        (0, [(b"Content-Length", b"5"), (b"Connection", b"keep-alive")], True),
        (1, [], False),
    ],
)
def test_whether_an_instance_keeps_the_connection(minor: int, fields: Fields, kept: bool) -> None:
    assert answer(*fields, minor=minor).keep_alive is kept


def test_what_the_client_gets() -> None:
    head = answer(
        (b"Content-Length", b"5"), (b"Connection", b"x-hop"), (b"X-Hop", b"1"), (b"Etag", b"e"),
        (b"X-Plexmesh-Path", b"forged"),
    )  # fmt: skip
    got = forwarding.answer_head(
        head, way=b"X-Plexmesh-Path: w\r\n", location=b"", cookies=(b"a=b",), minor=1, keep_alive=True
    )
    assert got == b"".join((
        b"HTTP/1.1 200 OK\r\nEtag: e\r\nContent-Length: 5\r\n", ALL_HARDENED,
        b"Set-Cookie: a=b\r\nX-Plexmesh-Path: w\r\n\r\n",
    ))  # fmt: skip


def test_what_browsers_are_told_is_said_once_and_the_instance_has_the_last_word() -> None:
    head = answer((b"X-Frame-Options", b"DENY"), (b"Referrer-Policy", b"no-referrer"), (b"Connection", b"x-hop"))
    for name, value in ((b"X-Frame-Options", b"DENY"), (b"Referrer-Policy", b"no-referrer")):
        assert head.lines.lower().count(name.lower()) == 1
        assert name + b": " + value in head.lines
    assert b"X-Content-Type-Options: nosniff\r\n" in head.lines


def test_the_client_is_told_how_its_connection_goes_on() -> None:
    head = answer((b"Content-Length", b"5"))

    def line(minor: int, keep: bool) -> bytes:
        return forwarding.answer_head(head, way=b"", location=b"", cookies=(), minor=minor, keep_alive=keep)

    assert b"Connection" not in line(1, True)
    assert b"Connection: close" in line(1, False)
    assert b"Connection: keep-alive" in line(0, True)
    chunked = forwarding.answer_head(answer(), way=b"", location=b"", cookies=(), minor=1, keep_alive=True)
    assert b"Transfer-Encoding: chunked" in chunked
    old = forwarding.answer_head(answer(), way=b"", location=b"", cookies=(), minor=0, keep_alive=False)
    assert b"Transfer-Encoding" not in old


UI = make_route("stock", "ui/v1", "/stock/ui")
API = make_route("stock", "api/v1", "/stock/api")
ROOT = make_route("stock", "ws/v1", "/")


@pytest.mark.parametrize(
    ("location", "seen"),
    [
        (b"/stock/ui/login?x=1#y", b"/stock/ui/v1/login?x=1#y"),
        (b"http://10.0.0.1:9000/stock/api/5", b"/stock/api/v1/5"),
        (b"http://elsewhere.example/stock/ui/x", b"http://elsewhere.example/stock/ui/x"),
        (b"//elsewhere.example/stock/ui/x", b"//elsewhere.example/stock/ui/x"),
        (b"http://10.0.0.1:9001/stock/ui/x", b"http://10.0.0.1:9001/stock/ui/x"),
        (b"/stock/uix", b"/stock/uix"),
        (b"/stock/ui/v1/login", b"/stock/ui/v1/login"),
        (b"next", b"next"),
    ],
)
def test_locations_lead_back_through_the_gateway(location: bytes, seen: bytes) -> None:
    assert relocated(location, (b"10.0.0.1:9000",), (API, UI), UI) == seen


def test_among_equal_routes_the_one_the_request_came_by_wins() -> None:
    routes = tuple(make_route("s", name, "/") for name in ("api/v1", "ui/v1", "ws/v1"))
    assert relocated(b"/next", (), routes, routes[1]) == b"/s/ui/v1/next"
    assert relocated(b"/s/api/v1/x", (), routes, routes[1]) == b"/s/api/v1/x"


@pytest.mark.parametrize(
    ("cookie", "seen"),
    [
        (b"a=b", b"a=b"),
        (b"a=b; Path=/stock/ui; HttpOnly", b"a=b; Path=/stock/ui/v1; HttpOnly"),
        (b"a=b; path=/stock/ui/deep/", b"a=b; Path=/stock/ui/v1/deep/"),
        (b"a=b; Path=/", b"a=b; Path=/"),
        (b"a=b; Path=/stock/ui/v1", b"a=b; Path=/stock/ui/v1"),
        (b"a=b; Path=/elsewhere", b"a=b; Path=/elsewhere"),
        (b"a=b; Domain=10.0.0.1; Secure", b"a=b; Secure"),
        (b"a=b; Domain=.example.com", b"a=b; Domain=.example.com"),
        (b'a="Path=/stock/ui"', b'a="Path=/stock/ui"'),
    ],
)
def test_cookies_lead_back_through_the_gateway(cookie: bytes, seen: bytes) -> None:
    assert recookied(cookie, (b"10.0.0.1:9000",), (API, UI), UI) == seen
