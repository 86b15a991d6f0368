"""What holds for all requests and answers, at a real gateway with a strict reader at each end.

(a) However a stream of bytes is cut, good or damaged, it leads to the same answers and the same requests.
(b) Good requests arrive equal, but for the rules of `gateway.heads`.
(c) Good answers come back equal, however they are framed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.hostile import corpus_chunks, corpus_heads, corpus_lengths, corpus_lines, corpus_sizes
from tests.hostile.answers import Answer, cut_answer
from tests.hostile.judge import Request, read
from tests.hostile.meant import PUBLIC, arrival, arrived
from tests.hostile.mutation import conversation
from tests.hostile.play import Stage
from tests.hostile.theatre import Outcome, Theatre, a_theatre, faults_of, perform

EXAMPLES = settings(max_examples=200, phases=(Phase.explicit, Phase.reuse, Phase.generate))
"""Not made smaller when they fail: each costs seconds then, and they are small."""

CALM = {"tick_s": 0.02, "linger_s": 0.3, "body_timeout_s": 2.0}
"""Nothing here should need a time-out; but what waits for one in vain is over before the next example."""


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    with a_theatre(**CALM) as standing:
        yield standing


# --- (a) cutting

CORPUS = [
    entry.writes[0]
    for kind in (corpus_lengths, corpus_chunks, corpus_heads, corpus_lines, corpus_sizes)
    for entry in kind.ENTRIES
    if len(entry.writes) == 1 and isinstance(entry.writes[0], bytes) and len(entry.writes[0]) < 2000
]
STREAMS = st.sampled_from(CORPUS) | st.integers(0, 10**6).map(lambda seed: b"".join(conversation(seed)))


def cuts(stream: bytes, places: list[int]) -> list[bytes]:
    """Cut at these places: even numbers count bytes, odd ones the bytes of line ends, where it matters most."""
    ends = [at for at, byte in enumerate(stream) if byte in b"\r\n"] or [0]
    at = {ends[place // 2 % len(ends)] if place % 2 else place // 2 % (len(stream) + 1) for place in places}
    return [stream[start:end] for start, end in itertools.pairwise(sorted(at | {0, len(stream)}))]


def essence(outcome: Outcome) -> list[object]:
    """All of it but what is new each time, and the text of a refusal, which may know more of a whole line."""
    answers = [(each.status, each.closes, each.value(b"x-mark")) for each in outcome.answers]
    requests = [
        (arrived(each), [field for field in each.head.fields if field[0] not in (b"X-Request-Id", b"traceparent")])
        for each in outcome.requests
    ]
    return [answers, requests, outcome.end]


@given(STREAMS, st.lists(st.integers(0, 5000), max_size=12))
@EXAMPLES
def test_any_cutting_leads_to_the_same(theatre: Theatre, stream: bytes, places: list[int]) -> None:
    whole = theatre.run(perform(theatre.stage, [stream]))
    parts = theatre.run(perform(theatre.stage, cuts(stream, places)))
    assert essence(parts) == essence(whole)


@pytest.mark.parametrize("seed", range(12))
def test_byte_by_byte_leads_to_the_same(theatre: Theatre, seed: int) -> None:
    stream = b"".join(conversation(seed))
    whole = theatre.run(perform(theatre.stage, [stream]))
    single = theatre.run(perform(theatre.stage, [stream[at : at + 1] for at in range(len(stream))]))
    assert essence(single) == essence(whole)


IN_A_ROW = (
    b"POST %b/a HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\n\r\n\r\r\n0\r\nSum: 1\r\n\r\n"
    b"PUT %b/b HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    b"PUT %b/c HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\n\r\n\r\n\r\nHEAD %b/d HTTP/1.1\r\nHost: g\r\n\r\n"
) % ((PUBLIC,) * 4)


def test_every_place_is_a_place_to_cut(theatre: Theatre) -> None:
    whole = essence(theatre.run(perform(theatre.stage, [IN_A_ROW])))
    assert len(read(IN_A_ROW)[0]) == 4
    for place in range(1, len(IN_A_ROW)):
        parts = [IN_A_ROW[:place], IN_A_ROW[place:]]
        assert essence(theatre.run(perform(theatre.stage, parts))) == whole, parts


# --- (b) requests

NAME_BYTES = b"!#$%&'*+-.^`|~0123456789ABCXYZabcxyz"
SEGMENT_BYTES = b"ABCabc019-._~!$&'()*+,;=:@"
SPECIAL = re.compile(
    rb"(?i)(?:host|connection|keep-alive|te|trailer|upgrade|expect|via|forwarded|date|server|location|proxy.*|x-.*|content-length"
    rb"|referrer-policy|transfer-encoding|traceparent|tracestate|http2-settings)\Z"
)
"""Names with a meaning of their own, which (b) and (c) leave to the corpus and to unit tests."""


def text(alphabet: bytes, smallest: int = 0, largest: int = 12) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(alphabet), min_size=smallest, max_size=largest).map(bytes)


names = text(NAME_BYTES, 1).filter(lambda name: not SPECIAL.match(name))
values = text(bytes(range(0x20, 0x7F)) + b"\t\x80\xa0\xff").map(lambda value: value.strip(b" \t"))
spaces = st.sampled_from((b"", b" ", b"\t", b" \t "))
fields = st.lists(st.tuples(names, spaces, values, spaces), max_size=6)
plain = text(SEGMENT_BYTES).filter(lambda segment: not segment.startswith(b"."))
segments = st.lists(plain | st.sampled_from((b"%20", b"a%2Fb", b"%41", b".", b"..", b"...")), max_size=4)
queries = st.sampled_from((b"", b"?")) | text(SEGMENT_BYTES + b"/?\\|%").map(lambda query: b"?" + query)
bodies = st.binary(max_size=200) | st.integers(0, 60_000).map(lambda size: b"x" * size)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """The body in chunks, with extensions and trailers."""
    places = sorted({0, len(body), *draw(st.lists(st.integers(0, len(body)), max_size=4))})
    sent = b""
    for start, end in itertools.pairwise(places):
        size = b"%x" % (end - start) if draw(st.booleans()) else b"%04X" % (end - start)
        sent += size + draw(st.sampled_from((b"", b";a", b';a="b;c"', b";a=b;c"))) + b"\r\n" + body[start:end] + b"\r\n"
    return (
        sent
        + draw(st.sampled_from((b"0", b"000", b"0;a")))
        + b"\r\n"
        + draw(st.sampled_from((b"", b"Sum: 1\r\n")))
        + b"\r\n"
    )


def stays_below(path: list[bytes]) -> bool:
    """No dot segments climb above where they began."""
    depths = itertools.accumulate((segment not in (b".", b"..")) - (segment == b"..") for segment in path)
    return all(depth >= 0 for depth in depths)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"PROPFIND")))
    path = b"".join(b"/" + segment for segment in [b"in", *draw(segments.filter(stays_below))])
    url = draw(st.sampled_from((b"", b"", b"http://g", b"HTTP://G")))
    lines = [b"Host: g", *(name + b":" + left + value + right for name, left, value, right in draw(fields))]
    framing = draw(st.sampled_from(("none", "counted", "chunked")))
    body = b"" if framing == "none" else draw(bodies)
    if framing != "none":
        length = b"Content-Length: %d" % len(body)
        lines.insert(
            draw(st.integers(0, len(lines))), b"Transfer-Encoding: chunked" if framing == "chunked" else length
        )
    sent = draw(chunked(body)) if framing == "chunked" else body
    return b"\r\n".join([method + b" " + url + PUBLIC + path + draw(queries) + b" HTTP/1.1", *lines, b"", b""]) + sent


def own(request: Request) -> list[tuple[bytes, bytes]]:
    """The fields that a gateway neither drops nor says itself."""
    return [(name, value) for name, value in request.head.fields if not SPECIAL.match(name)]


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 5000), max_size=4))
@EXAMPLES
def test_good_requests_arrive_equal(theatre: Theatre, sent: list[bytes], places: list[int]) -> None:
    stream = b"".join(sent)
    outcome = theatre.run(perform(theatre.stage, cuts(stream, places)))
    assert faults_of(outcome, stream) == []
    asked = read(stream)[0]
    assert [answer.status for answer in outcome.answers] == [200] * len(sent)
    assert [arrival(request) for request in asked] == [arrived(request) for request in outcome.requests]
    assert [own(request) for request in asked] == [own(request) for request in outcome.requests]


# --- (c) answers

REASONS = text(bytes(range(0x20, 0x7F)) + b"\t\xff")
FINAL = (200, 201, 203, 206, 302, 400, 401, 404, 409, 418, 429, 500, 501, 599)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bool]:
    """(what an instance sends, whether it closes the connection then)."""
    version = draw(st.sampled_from((b"1.1", b"1.1", b"1.1", b"1.0")))
    status = draw(st.sampled_from((*FINAL, 204, 304)))
    head = b"HTTP/%b %d %b\r\n" % (version, status, draw(REASONS).strip(b" \t"))
    head += b"".join(name + b":" + left + value + right + b"\r\n" for name, left, value, right in draw(fields))
    closing = draw(st.booleans())
    head += b"Connection: close\r\n" if closing and version == b"1.1" else b""
    if status in (204, 304):
        return draw(interim()) + head + b"\r\n", closing or version == b"1.0"
    body = draw(bodies)
    framing = draw(
        st.sampled_from(("counted", "until close") if version == b"1.0" else ("counted", "chunked", "until close"))
    )
    if framing == "counted":
        sent = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    elif framing == "chunked":
        sent = head + b"Transfer-Encoding: chunked\r\n\r\n" + draw(chunked(body))
    else:
        sent = head + b"\r\n" + body
    return draw(interim()) + sent, closing or version == b"1.0" or framing == "until close"


@st.composite
def interim(draw: st.DrawFn) -> bytes:
    """Answers before the answer."""
    found = b""
    for status in draw(st.lists(st.sampled_from((100, 102, 103, 199)), max_size=2)):
        lines = b"".join(name + b": " + value + b"\r\n" for name, _, value, _ in draw(fields))
        found += b"HTTP/1.1 %d Go on\r\n" % status + lines + b"\r\n"
    return found


def _without_body(sent: bytes) -> bytes:
    """An answer to HEAD ends with its head."""
    at = 0
    while (answer := cut_answer(sent[at:], b"HEAD")) and answer.status < 200:
        at += answer.size
    assert answer is not None
    return sent[: at + answer.size]


def told(answer: Answer) -> object:
    kept = [(name, value) for name, value in answer.fields if not SPECIAL.match(name)]
    return answer.status, answer.reason, kept, answer.body


def all_of(sent: bytes, method: bytes) -> list[object]:
    """What an answer says, with those before it, and what the gateway adds to it."""
    found = []
    while sent:
        answer = cut_answer(sent, method, ended=True)
        assert answer is not None
        found.append(told(answer))
        sent = sent[answer.size :] if answer.status < 200 else b""
    return found


async def asked(stage: Stage, methods: list[bytes]) -> list[list[object]]:
    """What a client reads, one request after the other on one connection as long as it lasts."""
    line = await stage.connect()
    found = []
    for method in methods:
        if line.ended:
            line.close()
            line = await stage.connect()
        await line.write(method + b" " + PUBLIC + b"/x HTTP/1.1\r\nHost: g\r\n\r\n")
        got: list[object] = []
        while (answer := await line.next_answer(method)) is not None:
            got.append(told(answer))
            if answer.status >= 200:
                break
        found.append(got)
    line.close()
    return found


@given(
    st.lists(st.tuples(answers(), st.booleans()), min_size=1, max_size=3), st.lists(st.integers(0, 5000), max_size=4)
)
@EXAMPLES
def test_good_answers_come_back_equal(
    theatre: Theatre, lines: list[tuple[tuple[bytes, bool], bool]], places: list[int]
) -> None:
    methods = [b"HEAD" if head else b"GET" for _, head in lines]
    theatre.stage.recorder.script = [
        (cuts(_without_body(sent) if head else sent, places), closes) for (sent, closes), head in lines
    ]
    found = theatre.run(asked(theatre.stage, methods))
    assert found == [all_of(sent, method) for ((sent, _), _), method in zip(lines, methods, strict=True)]
