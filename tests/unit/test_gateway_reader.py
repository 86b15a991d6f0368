"""The reader cuts a direction of a connection into messages, the same whatever the sizes of the pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.heads import read_fields
from gateway.reader import CHUNKED, NONE, AnswerReader, Malformed, RequestReader

MESSAGES = (
    b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
    b"POST /b?q HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world"
    b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhe\r\n\r\r\n6;ext=1\r\n\r\n\r\nab\r\n0\r\nTrailer: 1\r\n\r\n"
    b"HEAD /d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    b"GET /e HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    b"PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
) + 2 * (
    b"GET /g HTTP/1.1\r\nHost: x\r\n\r\n"
    b"GET /h HTTP/1.1\r\nHost: x\r\n\r\n"
    b"PUT /i HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET "
    b"POST /j HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
    b"PUT /k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    b"PUT /l HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n"
)
"""Also with heads that are like the one before, which are not parsed again."""
EXPECTED = [
    (b"GET", b"/a", b""),
    (b"POST", b"/b?q", b"hello world"),
    (b"POST", b"/c", b"he\r\n\r\r\n\r\nab"),
    (b"HEAD", b"/d", b""),
    (b"GET", b"/e", b""),
    (b"PUT", b"/f", b""),
] + 2 * [
    (b"GET", b"/g", b""),
    (b"GET", b"/h", b""),
    (b"PUT", b"/i", b"GET "),
    (b"POST", b"/j", b"\r\n\r\n"),
    (b"PUT", b"/k", b"a"),
    (b"PUT", b"/l", b"b"),
]


def a_reader() -> RequestReader:
    return RequestReader(32_768, 100, 16_384)


def read_all(pieces: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """Every message of the pieces, read as a connection does."""
    reader, found, body, left = a_reader(), [], [], NONE
    for piece in pieces:
        data = piece
        while data:
            if left == NONE:
                rest = reader.read_head(data)
                if rest is None:
                    break
                length = read_fields(reader.minor, reader.fields).length
                reader.expect(length)
                left, body, data = length, [], rest
            elif left == CHUNKED:
                got, after = reader.read_chunked(data)
                body += got
                if after is None:
                    break
                left, data = NONE, after
            else:
                body.append(data[:left])
                left, data = left - len(body[-1]), data[left:]
            if left == NONE:
                found.append((reader.method, reader.target, b"".join(body)))
                body = []
    return found


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in at} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(st.integers(0, len(MESSAGES)), max_size=40))
def test_any_cutting_of_a_stream_reads_the_same(at: list[int]) -> None:
    assert read_all(cut(MESSAGES, at)) == EXPECTED


def test_byte_by_byte_and_whole_read_the_same() -> None:
    assert read_all([MESSAGES]) == EXPECTED
    assert read_all([MESSAGES[n : n + 1] for n in range(len(MESSAGES))]) == EXPECTED


@given(st.binary(max_size=300), st.lists(st.integers(0, 1000), max_size=10))
def test_a_chunked_body_comes_out_as_it_went_in(body: bytes, at: list[int]) -> None:
    sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in cut(body, at) if part) + b"0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert read_all(cut(head + sent + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", at)) == [
        (b"POST", b"/", body),
        (b"GET", b"/", b""),
    ]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505),
        (b"GET / RTSP/1.0\r\nHost: x\r\n\r\n", 400),
        (b"GET / ICE/1.0\r\nHost: x\r\n\r\n", 400),
        (b"SOURCE / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"FROB / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked, chunked\r\n\r\n", 400),
        (b"GET /" + b"a" * 16_400 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 16_400, 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 40_000, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431),
    ],
)
def test_malformed_heads_are_refused(data: bytes, status: int) -> None:
    for pieces in ([data], [data[:7], data[7:]]):
        reader = a_reader()
        with pytest.raises(Malformed) as caught:
            [reader.read_head(piece) for piece in pieces]
        assert caught.value.status == status


@pytest.mark.parametrize(
    "body",
    [
        b"5\nhello\n0\n\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"10000000000000000\r\nabc",
        b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
        b"5;" + b"e" * 20_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"T: r\r\n" * 4000 + b"\r\n",
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_malformed_chunks_are_refused(body: bytes) -> None:
    reader = a_reader()
    reader.read_head(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    reader.expect(CHUNKED)
    with pytest.raises(Malformed):
        reader.read_chunked(body)


def test_a_head_like_the_one_before_is_known_and_another_one_never() -> None:
    reader = a_reader()
    seen = []
    for head in (b"1\r\nA: b", b"1\r\nA: b", b"1\r\nA: c", b"0\r\nA: c", b"0\r\nA: c", b"1\r\nA: c"):
        assert reader.read_head(b"GET / HTTP/1." + head + b"\r\n\r\n") == b""
        reader.expect(NONE)
        seen.append((reader.same, reader.minor, reader.fields))
        if reader.minor == 0:
            reader._parser = None  # as a new connection: 1.0 without keep-alive ends this one
    b, c = [(b"A", b"b")], [(b"A", b"c")]
    assert seen == [(False, 1, b), (True, 1, b), (False, 1, c), (False, 0, c), (True, 0, c), (False, 1, c)]


def test_an_answer_to_head_leaves_no_body_to_wait_for() -> None:
    reader = AnswerReader(32_768, 100)
    assert reader.read_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") == b""
    reader.expect(NONE)
    assert reader.read_head(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello") == b"hello"
    assert (reader.status, reader.reason) == (404, b"Not Found")


def test_interim_answers_are_heads_of_their_own() -> None:
    reader = AnswerReader(32_768, 100)
    rest = reader.read_head(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert reader.status == 100
    reader.expect(NONE)
    assert rest is not None
    assert reader.read_head(rest) == b""
    assert reader.status == 200
    assert reader.fields == [(b"Content-Length", b"0")]


@pytest.mark.parametrize("data", [b"ICY 200 OK\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n", b"garbage\r\n\r\n"])
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        AnswerReader(32_768, 100).read_head(data)
