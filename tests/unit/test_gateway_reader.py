"""The reader cuts a direction of a connection into messages, the same whatever the sizes of the pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answer_heads import trailer_lines
from gateway.chunked import ChunkedReader
from gateway.fields import MAX_KEPT, FieldLines, Malformed, read_field
from gateway.heads import KINDS, read_fields
from gateway.reader import CHUNKED, NONE, AnswerReader, RequestReader

TCHAR = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

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
"""Also with heads that are like the one before."""
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
    return RequestReader(32_768, 16_384)


def read_all(pieces: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """Every message of the pieces, read as a connection does."""
    reader, chunked, found, body, left = a_reader(), ChunkedReader(), [], [], NONE
    for piece in pieces:
        data = piece
        while data:
            if left == NONE:
                rest = reader.read_head(data)
                if rest is None:
                    break
                length = read_fields(reader.minor, reader.block).facts.length
                left, chunked, body, data = length, ChunkedReader(), [], rest
            elif left == CHUNKED:
                got, after = chunked.read(data)
                body += got
                if after is None:
                    break
                left, data = NONE, after
            else:
                body.append(data[:left])
                left, data = left - len(body[-1]), data[left:]
            if left == NONE:
                found.append((reader.method, reader.target or reader.path + reader.query, b"".join(body)))
                body = []
    return found


def read_head(pieces: list[bytes]) -> None:
    reader = a_reader()
    for piece in pieces:
        if reader.read_head(piece) is not None:
            read_fields(reader.minor, reader.block)


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
        with pytest.raises(Malformed) as caught:
            read_head(pieces)
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
    with pytest.raises(Malformed):
        ChunkedReader().read(body)


@pytest.mark.parametrize(
    ("target", "path", "query", "whole"),
    [
        (b"/a/b?c=d", b"/a/b", b"?c=d", b""),
        (b"/a/b", b"/a/b", b"", b""),
        (b"/a?b?c", b"/a", b"?b?c", b""),
        (b"//a//", b"//a//", b"", b""),
        (b"/a/.b?c", b"", b"", b"/a/.b?c"),
        (b"/a/../b", b"", b"", b"/a/../b"),
        (b"/%61", b"", b"", b"/%61"),
        (b"/a?b#c", b"", b"", b"/a?b#c"),
        (b"http://x/a", b"", b"", b"http://x/a"),
    ],
)
def test_a_target_in_its_one_spelling_is_split_and_any_other_is_left_whole(
    target: bytes, path: bytes, query: bytes, whole: bytes
) -> None:
    reader = a_reader()
    reader.read_head(b"GET /before?x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert reader.read_head(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target) == b""
    if whole:
        assert reader.target == whole
    else:
        assert (reader.path, reader.query, reader.target) == (path, query, b"")


def test_an_answer_like_the_one_before_is_known_and_another_one_never() -> None:
    reader = AnswerReader(32_768)
    seen = []
    for head in (b"1 200 OK", b"1 200 OK", b"1 204 OK", b"0 200 OK", b"0 200 OK", b"1 200 OK"):
        assert reader.read_head(b"HTTP/1." + head + b"\r\nA: b\r\n\r\n") == b""
        seen.append((reader.same, reader.minor, reader.status, reader.block))
    assert seen == [
        (False, 1, 200, b"A: b"), (True, 1, 200, b"A: b"), (False, 1, 204, b"A: b"), (False, 0, 200, b"A: b"),
        (True, 0, 200, b"A: b"), (False, 1, 200, b"A: b"),
    ]  # fmt: skip


def test_trailers_are_told_and_framing_cannot_be_changed_by_them() -> None:
    chunked = ChunkedReader()
    assert chunked.read(b"1\r\na\r\n0\r\nExpires: never\r\nX-Sum: 7\r\n\r\nnext") == ([b"a"], b"next")
    assert chunked.trailers == [(b"Expires", b"never"), (b"X-Sum", b"7")]
    assert trailer_lines(chunked.trailers) == b"X-Sum: 7\r\n"


def test_interim_answers_are_heads_of_their_own() -> None:
    reader = AnswerReader(32_768)
    rest = reader.read_head(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert reader.status == 100
    assert rest is not None
    assert reader.read_head(rest) == b""
    assert (reader.status, reader.reason, reader.block) == (200, b"OK", b"Content-Length: 0")


@pytest.mark.parametrize(
    "data",
    [
        b"ICY 200 OK\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n", b"garbage\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1  200 OK\r\n\r\n", b"HTTP/1.1 200 O\nK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        AnswerReader(32_768).read_head(data)


@given(st.binary(max_size=60))
def test_a_field_line_is_only_what_the_grammar_says(line: bytes) -> None:
    """Against a second reading of RFC 9112, section 5, that knows no regular expression."""
    name, colon, value = line.partition(b":")
    sound = bool(colon) and bool(name) and all(byte in TCHAR for byte in name)
    sound = sound and all(byte == 9 or 32 <= byte < 127 or byte >= 128 for byte in value)
    if not sound:
        with pytest.raises(Malformed):
            read_field(line, KINDS)
    else:
        field = read_field(line, KINDS)
        assert (field.key, field.value) == (name.lower(), value.strip(b" \t"))
        assert field.line == name + b": " + value.strip(b" \t") + b"\r\n"


@given(st.sampled_from([b"Host: a", b"A: b", b"Cookie: c", b"a:b", b"X_Forwarded_For: d", b" A: b", b"A : b"]))
def test_a_line_means_the_same_when_it_is_remembered(line: bytes) -> None:
    lines = FieldLines(KINDS)
    for _ in range(2):
        try:
            assert lines[line] == read_field(line, KINDS)
        except Malformed:
            assert line[:1] == b" " or b" :" in line


def test_credentials_are_never_remembered_and_neither_is_too_much() -> None:
    lines = FieldLines(KINDS)
    for line in (b"Authorization: x", b"cookie: x", b"A: " + b"b" * 300):
        assert lines[line].line
        assert line not in lines
    for number in range(2 * MAX_KEPT):
        assert lines[b"A: %d" % number].value == b"%d" % number
    assert len(lines) <= MAX_KEPT
