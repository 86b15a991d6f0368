"""The judge of the hostile corpus is judged: good streams in many forms pass, and each of its rules has a stream that
only this rule catches."""

from __future__ import annotations

import itertools

import pytest

from tests.hostile.answers import cut_answer
from tests.hostile.grammar import Fault, Unreadable
from tests.hostile.judge import Request, cut, read
from tests.hostile.meant import INNER, PUBLIC, Arrival, arrival, inner_target, unasked
from tests.hostile.passing import Breach, breaches

LINE, HOST = b"GET /x HTTP/1.1\r\n", b"Host: x\r\n"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

GOOD = [
    LINE + HOST + b"\r\n",
    b"GET /x HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x:80\r\n\r\n",
    b"GET http://x:80/y?z HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    b"GET https://x HTTP/1.1\r\nhost:\tx \t\r\n\r\n",
    b"M-SEARCH /a%20b;c=d/|{}?e=\\ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /x HTTP/1.1\r\nHost: x\r\n!#$%&'*+-.^_`|~: \xe4\xff\ta\r\nEmpty:\r\nContent-Length: 005\r\n\r\nhel\r\n",
    b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    CHUNKED + b"0\r\n\r\n",
    CHUNKED + b'5\r\nhel\r\n\r\n0A;a;b=c;d="e \\" f"\r\n0123456789\r\n0;a\r\nX-Sum: 1\r\nY: \r\n\r\n',
    b"POST /x HTTP/1.1\r\nHost: x\r\ntransfer-encoding:  CHUNKED \r\n\r\n0001\r\na\r\n000\r\n\r\n",
]

BAD: list[tuple[bytes, Fault]] = [
    (b"GET  /x HTTP/1.1\r\n" + HOST + b"\r\n", Fault.LINE),
    (b"GET /x\r\n" + HOST + b"\r\n", Fault.LINE),
    (b"GET /x HTTP/1.1 \r\n" + HOST + b"\r\n", Fault.LINE),
    (b"GET /x HTTP/1.2\r\n" + HOST + b"\r\n", Fault.VERSION),
    (b"GET /x http/1.1\r\n" + HOST + b"\r\n", Fault.VERSION),
    (b"G@T /x HTTP/1.1\r\n" + HOST + b"\r\n", Fault.METHOD),
    (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", Fault.TARGET),
    (b"GET x HTTP/1.1\r\n" + HOST + b"\r\n", Fault.TARGET),
    (b"GET /x#y HTTP/1.1\r\n" + HOST + b"\r\n", Fault.TARGET),
    (b"GET /x\\y HTTP/1.1\r\n" + HOST + b"\r\n", Fault.TARGET),
    (b"GET /\xe4 HTTP/1.1\r\n" + HOST + b"\r\n", Fault.TARGET),
    (b"GET http://u@x/ HTTP/1.1\r\n" + HOST + b"\r\n", Fault.TARGET),
    (b"GET ftp://x/ HTTP/1.1\r\n" + HOST + b"\r\n", Fault.TARGET),
    (LINE + b"Host: x\n\r\n", Fault.BARE_LF),
    (LINE.replace(b"\r\n", b"\n") + HOST + b"\r\n", Fault.BARE_LF),
    (LINE + HOST + b"\n", Fault.BARE_LF),
    (LINE + HOST + b"A: b\rC: d\r\n\r\n", Fault.BARE_CR),
    (LINE + HOST + b"A: b\r\r\n\r\n", Fault.BARE_CR),
    (LINE + HOST + b"A: b\r\n c\r\n\r\n", Fault.FOLD),
    (LINE + HOST + b"\tA: b\r\n\r\n", Fault.FOLD),
    (LINE + HOST + b"A : b\r\n\r\n", Fault.NAME),
    (LINE + HOST + b"A\r\n\r\n", Fault.NAME),
    (LINE + HOST + b": b\r\n\r\n", Fault.NAME),
    (LINE + HOST + b"A\xe4: b\r\n\r\n", Fault.NAME),
    (LINE + HOST + b"A: \0\r\n\r\n", Fault.CONTROL),
    (LINE + HOST + b"A: a\x7fb\r\n\r\n", Fault.CONTROL),
    (LINE + HOST + b"A:\x0bb\r\n\r\n", Fault.CONTROL),
    (LINE + b"\r\n", Fault.NO_HOST),
    (LINE + HOST + b"host: x\r\n\r\n", Fault.HOSTS),
    (LINE + b"Host: u@x\r\n\r\n", Fault.HOST),
    (LINE + b"Host:\r\n\r\n", Fault.HOST),
    (LINE + HOST + b"Content-Length: 1\r\nContent-length: 1\r\n\r\na", Fault.LENGTHS),
    (LINE + HOST + b"Content-Length: +1\r\n\r\na", Fault.LENGTH),
    (LINE + HOST + b"Content-Length: 1, 1\r\n\r\na", Fault.LENGTH),
    (LINE + HOST + b"Content-Length:\r\n\r\n", Fault.LENGTH),
    (LINE + HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Fault.BOTH),
    (LINE + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Fault.CODING),
    (LINE + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Fault.CODING),
    (LINE + HOST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n", Fault.CODING),
    (b"GET /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Fault.OLD_CODING),
    (CHUNKED + b"+1\r\na\r\n0\r\n\r\n", Fault.SIZE),
    (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", Fault.SIZE),
    (CHUNKED + b" 1\r\na\r\n0\r\n\r\n", Fault.SIZE),
    (CHUNKED + b"1;a\0\r\na\r\n0\r\n\r\n", Fault.SIZE),
    (CHUNKED + b"1" * 16 + b"\r\na\r\n0\r\n\r\n", Fault.SIZE),
    (CHUNKED + b"\r\n0\r\n\r\n", Fault.SIZE),
    (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", Fault.CHUNK),
    (CHUNKED + b"1\r\na0\r\n\r\n", Fault.CHUNK),
    (CHUNKED + b"1\r\na\n0\r\n\r\n", Fault.CHUNK),
    (CHUNKED + b"1\na\r\n0\r\n\r\n", Fault.BARE_LF),
    (CHUNKED + b"1;a\nb\r\na\r\n0\r\n\r\n", Fault.BARE_LF),
    (CHUNKED + b"1\r\r\na\r\n0\r\n\r\n", Fault.BARE_CR),
    (CHUNKED + b"0\r\n\n", Fault.BARE_LF),
    (CHUNKED + b"0\r\nA\r\n\r\n", Fault.NAME),
    (CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n", Fault.FOLD),
    (CHUNKED + b"0\r\nA: \0\r\n\r\n", Fault.CONTROL),
]

BAD_ANSWERS: list[tuple[bytes, Fault]] = [
    (b"HTTP/1.1 200\r\n\r\n", Fault.LINE),
    (b"HTTP/2.0 200 OK\r\n\r\n", Fault.VERSION),
    (b"HTTP/1.1 099 OK\r\n\r\n", Fault.STATUS),
    (b"HTTP/1.1 2000 OK\r\n\r\n", Fault.STATUS),
    (b"HTTP/1.1 200 O\0K\r\n\r\n", Fault.REASON),
    (b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", Fault.SURPLUS),
    (b"HTTP/1.1 100 Go\r\nTransfer-Encoding: chunked\r\n\r\n", Fault.SURPLUS),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", Fault.LENGTHS),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Fault.OLD_CODING),
    (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Fault.NAME),
    (b"HTTP/1.1 200 OK\nA: b\r\n\r\n", Fault.BARE_LF),
]


def test_good_requests_are_read_alone_and_in_a_row() -> None:
    for stream in GOOD:
        found, rest, faults = read(stream)
        assert (len(found), rest, faults) == (1, b"", ()), stream
    found, rest, faults = read(b"".join(GOOD) + LINE)
    assert ([request.size for request in found], rest, faults) == ([len(each) for each in GOOD], LINE, ())


def test_bodies_are_what_was_framed() -> None:
    bodies = [request.body for request in read(b"".join(GOOD))[0]]
    assert bodies == [b""] * 6 + [b"hel\r\n", b"", b"", b"hel\r\n0123456789", b"a"]


def test_nothing_is_a_request_before_its_last_byte() -> None:
    for stream in GOOD:
        for end in range(len(stream)):
            assert cut(stream[:end]) is None, stream[:end]


@pytest.mark.parametrize(("stream", "fault"), BAD)
def test_each_fault_is_seen_alone(stream: bytes, fault: Fault) -> None:
    """Alone: without its rule the stream would be good."""
    before = b"".join(GOOD[:2])
    found, rest, faults = read(before + stream)
    assert (len(found), rest, faults) == (2, stream, (fault,))


@pytest.mark.parametrize(("stream", "fault"), BAD_ANSWERS)
def test_each_fault_of_an_answer_is_seen_alone(stream: bytes, fault: Fault) -> None:
    with pytest.raises(Unreadable) as caught:
        cut_answer(stream, b"GET", ended=True)
    assert caught.value.faults == (fault,)


def test_every_rule_has_a_stream_that_only_it_catches() -> None:
    assert {fault for _, fault in itertools.chain(BAD, BAD_ANSWERS)} == set(Fault)


def test_all_faults_of_a_head_are_told() -> None:
    with pytest.raises(Unreadable) as caught:
        cut(b"G@T * HTTP/3.1\r\nA : b\r\n c\r\n\r\n")
    assert set(caught.value.faults) == {
        Fault.METHOD, Fault.TARGET, Fault.VERSION, Fault.NAME, Fault.FOLD, Fault.NO_HOST,
    }  # fmt: skip


def test_answers_end_where_they_say() -> None:
    def body(data: bytes, method: bytes = b"GET", ended: bool = False) -> bytes | None:
        answer = cut_answer(data, method, ended=ended)
        return answer.body if answer else None

    ok = b"HTTP/1.1 200 OK\r\n"
    assert body(ok + b"Content-Length: 2\r\n\r\nabc") == b"ab"
    assert body(ok + b"Content-Length: 2\r\n\r\na", ended=True) is None
    assert body(ok + b"Content-Length: 2\r\n\r\n", b"HEAD") == b""
    assert body(b"HTTP/1.1 304 \r\nContent-Length: 2\r\n\r\n") == b""
    assert body(ok + b"Transfer-Encoding: chunked\r\n\r\n2;a\r\nab\r\n0\r\n\r\n") == b"ab"
    assert body(ok + b"Transfer-Encoding: chunked\r\n\r\n2;a\r\nab\r\n", ended=True) is None
    assert body(ok + b"\r\nabc") is None
    assert body(ok + b"\r\nabc", ended=True) == b"abc"


# --- what may be passed on

OWN = (
    b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\nVia: 1.1 g\r\nX-Request-Id: 1\r\n"
    b"Forwarded: for=1.2.3.4\r\nX-Forwarded-Host: g\r\n"
)


def sent(*lines: bytes, line: bytes = b"GET /in/side/a HTTP/1.1", own: bytes = OWN, body: bytes = b"") -> Request:
    request = cut(line + b"\r\n" + HOST + own + b"".join(each + b"\r\n" for each in lines) + b"\r\n" + body)
    assert request is not None
    return request


UPGRADE = b"Connection: Upgrade"

PASSED = [
    sent(),
    sent(b"Content-Length: 1", body=b"a"),
    sent(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"),
    sent(UPGRADE, b"Upgrade: websocket, TLS/1.0"),
    sent(b"Expect: 100-continue", b"Content-Length: 1", body=b"a"),
    sent(b"X_Own: 1", b"Accept: */*", line=b"GET /in/side/.../a..b/.c/d.?e=/../%00 HTTP/1.1"),
    sent(line=b"OPTIONS * HTTP/1.1"),
]

BREACHES: list[tuple[Request, Breach]] = [
    (sent(line=b"GET /a HTTP/1.0"), Breach.VERSION),
    (sent(line=b"GET http://x/a HTTP/1.1"), Breach.FORM),
    (sent(line=b"GET /a/../b HTTP/1.1"), Breach.DOTS),
    (sent(line=b"GET /a/. HTTP/1.1"), Breach.DOTS),
    (sent(line=b"GET /a/%2E%2e/b HTTP/1.1"), Breach.DOTS),
    (sent(line=b"GET /a/..%2fb HTTP/1.1"), Breach.DOTS),
    (sent(line=b"GET /a%5c..%5cb HTTP/1.1"), Breach.DOTS),
    (sent(line=b"GET /a/..;/b HTTP/1.1"), Breach.DOTS),
    (sent(line=b"GET /a/..;c=d?e HTTP/1.1"), Breach.DOTS),
    (sent(line=b"GET /a/..%3B/b HTTP/1.1"), Breach.DOTS),
    (sent(line=b"GET /a%00 HTTP/1.1"), Breach.NUL),
    (sent(b"Keep-Alive: 5"), Breach.HOP),
    (sent(b"TE: trailers"), Breach.HOP),
    (sent(b"Transfer-Encoding: chunked", body=b"0\r\nKeep-Alive: 5\r\n\r\n"), Breach.TRAILER),
    (sent(b"Transfer-Encoding: chunked", body=b"0\r\nContent-Length: 1\r\n\r\n"), Breach.TRAILER),
    (sent(b"Transfer-Encoding: chunked", body=b"0\r\nHOST: x\r\n\r\n"), Breach.TRAILER),
    (sent(b"Transfer-Encoding: chunked", body=b"0\r\nX_Certificate_Public: x\r\n\r\n"), Breach.TRAILER),
    (sent(b"X_Forwarded_For: 6.6.6.6"), Breach.UNDERSCORE),
    (sent(b"Content_Length: 5"), Breach.UNDERSCORE),
    (sent(b"X-Certificate_Public: a"), Breach.UNDERSCORE),
    (sent(b"X-Forwarded-For: 6.6.6.6"), Breach.SAID_TWICE),
    (sent(b"Forwarded: for=6.6.6.6"), Breach.SAID_TWICE),
    (sent(b"X-Forwarded-User: root"), Breach.SAID_TWICE),
    (sent(own=OWN.replace(b"X-Forwarded-For: 1.2.3.4\r\n", b"")), Breach.UNSAID),
    (sent(own=OWN.replace(b"X-Request-Id: 1\r\n", b"")), Breach.UNSAID),
    (sent(b"X-Certificate-Public: a"), Breach.VOUCHING),
    (sent(b"x-certificate-chain: a"), Breach.VOUCHING),
    (sent(b"Proxy: http://a"), Breach.PROXY),
    (sent(b"Connection: close"), Breach.UPGRADE),
    (sent(UPGRADE), Breach.UPGRADE),
    (sent(b"Upgrade: websocket"), Breach.UPGRADE),
    (sent(UPGRADE, b"Upgrade: a b"), Breach.UPGRADE),
    (sent(UPGRADE, b"Upgrade: websocket, H2C"), Breach.H2),
    (sent(UPGRADE, b"Upgrade: HTTP/2.0"), Breach.H2),
    (sent(UPGRADE, b"Upgrade: websocket", b"Content-Length: 1", body=b"a"), Breach.UPGRADE_BODY),
    (sent(UPGRADE, b"Upgrade: websocket", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), Breach.UPGRADE_BODY),
    (sent(b"Expect: cake"), Breach.EXPECT),
    (sent(b"Transfer-Encoding: Chunked", body=b"0\r\n\r\n"), Breach.CODING),
    (sent(b"Transfer-Encoding: chunked", body=b"0;a=b\r\n\r\n"), Breach.EXTENSION),
]


@pytest.mark.parametrize("request_", PASSED)
def test_what_a_gateway_may_pass_on(request_: Request) -> None:
    assert breaches(request_) == []


@pytest.mark.parametrize(("request_", "breach"), BREACHES)
def test_each_breach_is_seen_alone(request_: Request, breach: Breach) -> None:
    assert breaches(request_) == [breach]


def test_every_rule_of_passing_has_a_request_that_only_it_catches() -> None:
    assert {breach for _, breach in BREACHES} == set(Breach)


# --- what was asked for


def test_what_a_request_becomes() -> None:
    assert inner_target(PUBLIC + b"/a?b=/../c") == INNER + b"/a?b=/../c"
    assert inner_target(b"http://g" + PUBLIC) == INNER
    assert inner_target(PUBLIC + b"/x/%2e%2e/%61/./b/..") == INNER + b"/a/"
    assert inner_target(PUBLIC + b"/a%2Fb%20") == INNER + b"/a%2Fb%20"
    for elsewhere in (
        b"/",
        b"*",
        PUBLIC + b"x",
        PUBLIC + b"/../v2/x",
        b"/../" + PUBLIC,
        b"http://g",
        b"/%53hop/api/v1/x",
    ):
        assert inner_target(elsewhere) is None, elsewhere
    (request,) = read(b"PUT " + PUBLIC + b"/a HTTP/1.1\r\nHost: g\r\nContent-Length: 1\r\n\r\na")[0]
    assert arrival(request) == Arrival(b"PUT", INNER + b"/a", b"a")


def test_what_nobody_asked_for_is_found() -> None:
    one, two, three = (Arrival(b"GET", b"/%d" % n) for n in range(3))
    assert unasked([], [one]) == []
    assert unasked([one, three], [one, two, three]) == []
    assert unasked([one, one], [one, two]) == [one]
    assert unasked([two, one], [one, two]) == [one]
    assert unasked([Arrival(b"GET", b"/0", b"body")], [one]) == [Arrival(b"GET", b"/0", b"body")]


def test_a_mark_is_of_one_request_only() -> None:
    marks = {
        Arrival(method, target, body).mark
        for method in (b"GET", b"PUT") for target in (b"/a", b"/a ") for body in (b"", b"b")
    }  # fmt: skip
    assert len(marks) == 8
