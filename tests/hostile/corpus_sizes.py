"""Too much, too slow, and too many in a row. The stage's limits are MAX_BODY and the gateway's own defaults."""

from __future__ import annotations

from tests.hostile.corpus_chunks import chunked
from tests.hostile.corpus_lengths import HELLO, POSTED, SMUGGLED
from tests.hostile.entry import (
    ASKED,
    CLOSED,
    END,
    GET,
    HIDDEN,
    TO,
    Entry,
    Step,
    get,
    passed,
    post,
    refused,
    then_refused,
)
from tests.hostile.meant import Arrival

MAX_BODY = 100_000
LIMITS, SLOW, ROW = "RFC 9110, 15.5 (limits)", "slow loris", "RFC 9112, 9.3.2"
SERVED = Step(frozenset((200,)), GET)
SILENT = Step(frozenset((CLOSED,)))


def drip(data: bytes, pause_s: float) -> tuple[bytes | float, ...]:
    return tuple(part for at in range(len(data)) for part in (data[at : at + 1], pause_s))


def sizes() -> list[Entry]:
    line = b"GET " + TO + b"?" + b"a" * 17_000
    return [
        refused("long line", LIMITS, get(line=line + b" HTTP/1.1"), status=414),
        refused("line without an end", LIMITS, line * 3, status=414),
        refused("long path", LIMITS, get(line=b"GET " + TO + b"/a" * 9000 + b" HTTP/1.1"), status=414),
        refused("line of spaces", LIMITS, b"GET " + b" " * 40_000, status=(400, 414)),
        refused("long method", LIMITS, get(line=b"A" * 20_000 + b" " + TO + b" HTTP/1.1"), status=(400, 414, 501)),
        refused("large value", LIMITS, get(b"A: " + b"a" * 33_000), status=431),
        refused("large name", LIMITS, get(b"a" * 33_000 + b": b"), status=431),
        refused("large cookie", LIMITS, get(b"Cookie: " + b"a=b; " * 8000), status=431),
        refused("head without an end", LIMITS, get()[:-2] + b"A: " + b"a" * 300_000, status=431),
        refused("101 fields", LIMITS, get(*[b"A: b"] * 100), status=431),
        refused("10,000 fields", LIMITS, get(*[b"A:"] * 10_000), status=431),
        refused("empty fields without an end", LIMITS, get()[:-2] + b"A:\r\n" * 10_000, status=431),
        refused("large fold", LIMITS, get(b"A: b", b" " * 40_000), status=(400, 431)),
        refused("1,000 hosts", LIMITS, get(*[b"Host: g"] * 1000), status=(400, 431)),
        passed("a full hundred fields", LIMITS, get(*[b"A: b"] * 99)),
        passed(
            "a line just short enough",
            LIMITS,
            get(line=b"GET " + TO + b"?" + b"a" * 16_000 + b" HTTP/1.1"),
            arrives=Arrival(b"GET", ASKED + b"?" + b"a" * 16_000),
        ),
        refused("length over the cap", LIMITS, post(b"Content-Length: %d" % (MAX_BODY + 1)), status=413),
        refused("length of 18 digits", LIMITS, post(b"Content-Length: 999999999999999999"), status=413),
        refused(
            "chunk over the cap",
            LIMITS,
            chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (MAX_BODY + 1, b"a" * (MAX_BODY + 1))),
            status=413,
            begun=True,
        ),
        refused(
            "chunks over the cap",
            LIMITS,
            chunked(b"3e8\r\n%b\r\n" % (b"a" * 1000) * 101 + b"0\r\n\r\n"),
            status=413,
            begun=True,
        ),
        passed(
            "a body as large as the cap",
            LIMITS,
            post(b"Content-Length: %d" % MAX_BODY, body=b"a" * MAX_BODY),
            arrives=Arrival(b"POST", ASKED, b"a" * MAX_BODY),
        ),
        passed(
            "chunks as large as the cap",
            LIMITS,
            chunked(b"3e8\r\n%b\r\n" % (b"a" * 1000) * 100 + b"0\r\n\r\n"),
            arrives=Arrival(b"POST", ASKED, b"a" * MAX_BODY),
        ),
        refused(
            "chunks of one byte with zeros",
            LIMITS,
            chunked(b"00000000000001\r\na\r\n" * 20_000),
            status=(400, 408),
            begun=True,
        ),
    ]


def slow() -> list[Entry]:
    te = b"Transfer-Encoding: chunked"
    return [
        passed("a head byte by byte", SLOW, *drip(get(), 0)),
        passed("chunks byte by byte", SLOW, *drip(chunked(b"5;a=b\r\nhello\r\n0\r\nT: t\r\n\r\n"), 0), arrives=POSTED),
        passed("a body byte by byte", SLOW, *drip(post(b"Content-Length: 5", body=HELLO), 0), arrives=POSTED),
        refused("a bad head byte by byte", SLOW, *drip(get(b"A : b"), 0)),
        refused("both lengths byte by byte", SLOW, *drip(post(b"Content-Length: 5", te, body=b"0\r\n\r\n"), 0)),
        refused("a bad chunk byte by byte", SLOW, *drip(chunked(b"5\r\nhelloX\r\n"), 0), begun=True),
        refused("a head that drips", SLOW, *drip(get()[:24], 0.03), status=408),
        refused("a head that stops in the line", SLOW, b"GET " + TO[:5], status=408),
        refused("a head that stops after the line", SLOW, get()[:-2], status=408),
        refused("a head that stops before its last byte", SLOW, get()[:-1], status=408),
        refused("a body that never begins", SLOW, post(b"Content-Length: 5"), status=408, begun=True),
        refused("a body that stops", SLOW, post(b"Content-Length: 5", body=b"hell"), status=408, begun=True),
        refused("chunks that never begin", SLOW, post(te), status=408, begun=True),
        refused("a chunk that stops", SLOW, chunked(b"5\r\nhell"), status=408, begun=True),
        refused("a chunk's size that stops", SLOW, chunked(b"5"), status=408, begun=True),
        Entry("nothing at all", SLOW, (), (SILENT,)),
        Entry("an end at once", "half-closed", (END,), (SILENT,)),
        Entry("an end in the line", "half-closed", (b"GET " + TO, END), (SILENT,)),
        Entry("an end in the head", "half-closed", (get()[:-2], END), (SILENT,)),
        Entry(
            "an end in the body", "half-closed", (post(b"Content-Length: 5", body=b"hell"), END), (SILENT,), begun=True
        ),
        Entry("an end in the chunks", "half-closed", (chunked(b"5\r\nhell"), END), (SILENT,), begun=True),
        Entry(
            "an end before the end of chunks",
            "half-closed",
            (chunked(b"5\r\nhello\r\n0\r\n"), END),
            (SILENT,),
            begun=True,
        ),
        passed("an end after a request", "half-closed", get(), END, stays=False),
        passed("an end after two", "half-closed", get() + HIDDEN, END, arrives=(GET, SMUGGLED), stays=False),
        Entry("an end in the second head", "half-closed", (get() + HIDDEN[:-2], END), (SERVED,)),
        Entry(
            "an end in the second body",
            "half-closed",
            (get() + post(b"Content-Length: 5", body=b"hell"), END),
            (SERVED,),
            begun=True,
        ),
        Entry("an end in the second chunks", "half-closed", (get() + chunked(b"5\r\nhel"), END), (SERVED,), begun=True),
    ]


def rows() -> list[Entry]:
    bad = {
        "no host": get(host=b""),
        "both lengths": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "a bad name": get(b"A : b"),
        "a bad line": b"GET  / HTTP/1.1\r\n\r\n",
        "garbage": b"\0\1\2\3\r\n\r\n",
        "a climb": get(line=b"GET /../x HTTP/1.1"),
        "a bad length": post(b"Content-Length: +5", body=HELLO),
        "a fold": get(b"A: b", b" c"),
        "a line feed": get().replace(b"\r\n", b"\n"),
    }
    found = [then_refused(f"a good one, then {name}", ROW, get() + data + HIDDEN) for name, data in bad.items()]
    found += [
        Entry(
            f"{name}, behind a head that is known",
            ROW,
            (get() * 2 + data + HIDDEN,),
            (SERVED, SERVED, Step(frozenset((400,)))),
        )
        for name, data in bad.items()
    ]
    found += [refused(f"{name}, then a good one", ROW, data + HIDDEN) for name, data in bad.items()]
    head = Arrival(b"HEAD", ASKED)
    return [
        *found,
        then_refused(
            "HEAD, then a bad line",
            ROW,
            get(line=b"HEAD " + TO + b" HTTP/1.1") + b"GET  / HTTP/1.1\r\n\r\n",
            arrives=head,
        ),
        then_refused(
            "HEAD, then TLS", ROW, get(line=b"HEAD " + TO + b" HTTP/1.1") + b"\x16\x03\x01" + b"a" * 50, arrives=head
        ),
        then_refused(
            "HEAD, then an old version",
            ROW,
            get(line=b"HEAD " + TO + b" HTTP/1.1") + get(line=b"GET " + TO + b" HTTP/2.0"),
            arrives=head,
            status=505,
        ),
        then_refused(
            "HEAD, then a long line",
            ROW,
            get(line=b"HEAD " + TO + b" HTTP/1.1") + b"GET " + b"/a" * 20_000,
            arrives=head,
            status=414,
        ),
        then_refused(
            "a body, then a bad chunk",
            ROW,
            post(b"Content-Length: 5", body=HELLO) + chunked(b"x\r\n"),
            arrives=POSTED,
            begun=True,
        ),
        then_refused(
            "a good one, then too large", ROW, get() + post(b"Content-Length: %d" % (MAX_BODY + 1)), status=413
        ),
        then_refused("a good one, then a long head", ROW, get() + get(b"A: " + b"a" * 40_000), status=431),
        then_refused("a good one, then a head that stops", ROW, get() + HIDDEN[:-2], status=408),
        then_refused(
            "a good one, then a body that stops",
            ROW,
            get() + post(b"Content-Length: 5", body=b"hell"),
            status=408,
            begun=True,
        ),
        passed("two hundred", ROW, get() * 200, arrives=(GET,) * 200),
        passed(
            "bodies of all kinds",
            ROW,
            post(b"Content-Length: 5", body=HELLO) + chunked(b"5\r\nhello\r\n0\r\n\r\n") + get() + HIDDEN,
            arrives=(POSTED, POSTED, GET, SMUGGLED),
        ),
        passed(
            "HEAD between",
            ROW,
            get(line=b"HEAD " + TO + b" HTTP/1.1") + get() + get(line=b"HEAD " + TO + b" HTTP/1.1") + get(),
            arrives=(head, GET, head, GET),
        ),
        passed(
            "the same length said with another body",
            ROW,
            b"".join(post(b"Content-Length: 5", body=b"%05d" % n) for n in range(9)),
            arrives=tuple(Arrival(b"POST", ASKED, b"%05d" % n) for n in range(9)),
        ),
        passed(
            "the same head chunked, then not",
            ROW,
            (chunked(b"1\r\na\r\n0\r\n\r\n") + post(b"Content-Length: 1", body=b"b")) * 4,
            arrives=(Arrival(b"POST", ASKED, b"a"), Arrival(b"POST", ASKED, b"b")) * 4,
        ),
    ]


ENTRIES = sizes() + slow() + rows()
