"""Heads: what is refused, what goes on, and how it is said anew."""

from __future__ import annotations

import pytest

from gateway import forwarding
from gateway.answer_heads import AnswerHead, read_answer, relocated
from gateway.heads import RequestHead, read_fields, read_request
from gateway.reader import CHUNKED, NONE, UNTIL_CLOSE, Fields, Malformed
from gateway.routes import make_route

HOST = (b"Host", b"shop:7554")


def request(
    *fields: tuple[bytes, bytes], method: bytes = b"GET", target: bytes = b"/a/b?c=d", minor: int = 1
) -> RequestHead:
    return read_request(method, target, read_fields(minor, [HOST, *fields]))


def sent(head: RequestHead, **more: bytes) -> bytes:
    return forwarding.request_head(head, more.get("path", b"/x"), b"10.0.0.1:9000", more.get("cut", b""), b"", b"id-1")


def answer(*fields: tuple[bytes, bytes], status: int = 200, method: bytes = b"GET", minor: int = 1) -> AnswerHead:
    return read_answer(status, b"OK", minor, list(fields), method)


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
        read_fields(1, fields)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("method", "target"),
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
def test_other_targets_are_refused(method: bytes, target: bytes) -> None:
    with pytest.raises(Malformed):
        request(method=method, target=target)


def test_a_url_of_the_same_host_is_a_path() -> None:
    assert request(target=b"http://SHOP:7554/a?b").path == b"/a"
    assert request(target=b"http://shop:7554?b").query == b"?b"


def test_old_clients_may_leave_the_host_out_and_must_not_chunk() -> None:
    assert read_fields(0, []).host == b""
    with pytest.raises(Malformed):
        read_fields(0, [HOST, (b"Transfer-Encoding", b"chunked")])


def test_unknown_expectations_are_answered_417() -> None:
    assert request((b"Expect", b"100-Continue")).fields.expects_continue
    with pytest.raises(Malformed) as caught:
        request((b"Expect", b"cake"))
    assert caught.value.status == 417


@pytest.mark.parametrize(
    ("minor", "connection", "kept"),
    [(1, b"", True), (1, b"close", False), (1, b"a, Close", False), (0, b"", False), (0, b"Keep-Alive", True)],
)
def test_keep_alive(minor: int, connection: bytes, kept: bool) -> None:
    fields = [(b"Connection", connection)] if connection else []
    assert request(*fields, minor=minor).fields.keep_alive is kept


def test_what_only_a_gateway_may_say_is_dropped() -> None:
    head = request(
        (b"X-Forwarded-For", b"6.6.6.6"),
        (b"Forwarded", b"for=6.6.6.6"),
        (b"Via", b"1.1 evil"),
        (b"X-Real-IP", b"6.6.6.6"),
        (b"X-Certificate-Public", b"forged"),
        (b"x-certificate-distinguishedname", b"forged"),
        (b"X-CERTIFICATE-COMMONNAME", b"forged"),
        (b"Keep-Alive", b"5"),
        (b"TE", b"trailers"),
        (b"Proxy-Authorization", b"secret"),
        (b"Accept", b"*/*"),
    )
    assert head.fields.lines == b"Accept: */*\r\n"


def test_fields_that_connection_names_are_dropped() -> None:
    head = request((b"X-Hop", b"1"), (b"Accept", b"*/*"), (b"Connection", b"close, x-hop"))
    assert b"X-Hop" not in sent(head)
    assert b"Accept: */*" in sent(head)
    assert b"Connection" not in sent(head)


def test_connection_cannot_take_the_framing_away() -> None:
    head = request((b"Content-Length", b"4"), (b"Connection", b"content-length, host"), method=b"POST")
    assert head.fields.length == 4
    assert b"Content-Length: 4\r\n" in sent(head)
    assert b"Host: 10.0.0.1:9000\r\n" in sent(head)


def test_the_head_is_said_anew() -> None:
    head = request((b"accept", b"*/*"), (b"Content-Length", b"007"), method=b"PUT")
    assert sent(head, path=b"/x", cut=b"/orders/api/v1") == (
        b"PUT /x?c=d HTTP/1.1\r\nHost: 10.0.0.1:9000\r\naccept: */*\r\nContent-Length: 7\r\n"
        b"X-Forwarded-Prefix: /orders/api/v1\r\nX-Request-Id: id-1\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "line"),
    [(b"POST", b"Content-Length: 0\r\n"), (b"GET", b""), (b"DELETE", b""), (b"PUT", b"Content-Length: 0\r\n")],
)
def test_an_empty_body_is_said_where_one_is_expected(method: bytes, line: bytes) -> None:
    assert sent(request(method=method)).count(b"Content-Length") == (1 if line else 0)


def test_upgrades() -> None:
    head = request((b"Connection", b"keep-alive, Upgrade"), (b"Upgrade", b"websocket"))
    assert head.fields.upgrade == b"websocket"
    assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in sent(head)
    assert request((b"Upgrade", b"websocket")).fields.upgrade == b""
    h2c = request((b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AAA"))
    assert h2c.fields.upgrade == b""
    assert b"h2c" not in sent(h2c)
    assert b"AAA" not in sent(h2c)


def test_request_ids_are_kept_when_they_are_one() -> None:
    assert request((b"X-Request-Id", b"abc")).fields.request_id == b"abc"
    assert request((b"X-Request-Id", b"a b")).fields.request_id == b""
    assert request((b"X-Request-Id", b"a" * 200)).fields.request_id == b""


def test_who_asked() -> None:
    lines = forwarding.forwarded(b"192.0.2.1", b"shop:7554", 7554)
    assert b"X-Forwarded-For: 192.0.2.1\r\n" in lines
    assert b"X-Forwarded-Host: shop:7554\r\nVia" in lines
    assert b"X-Forwarded-Port: 7554\r\n" in lines
    assert b'Forwarded: for=192.0.2.1;host="shop:7554";proto=http\r\n' in lines
    assert b'for="[2001:db8::1]"' in forwarding.forwarded(b"2001:db8::1", b"shop:7554", 7554)


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
    assert forwarding.answer_head(head, way=b"X-Plexmesh-Path: w\r\n", location=b"", minor=1, keep_alive=True) == (
        b"HTTP/1.1 200 OK\r\nEtag: e\r\nContent-Length: 5\r\nX-Plexmesh-Path: w\r\n\r\n"
    )


def test_the_client_is_told_how_its_connection_goes_on() -> None:
    head = answer((b"Content-Length", b"5"))

    def line(minor: int, keep: bool) -> bytes:
        return forwarding.answer_head(head, way=b"", location=b"", minor=minor, keep_alive=keep)

    assert b"Connection" not in line(1, True)
    assert b"Connection: close" in line(1, False)
    assert b"Connection: keep-alive" in line(0, True)
    chunked = forwarding.answer_head(answer(), way=b"", location=b"", minor=1, keep_alive=True)
    assert b"Transfer-Encoding: chunked" in chunked
    old = forwarding.answer_head(answer(), way=b"", location=b"", minor=0, keep_alive=False)
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
