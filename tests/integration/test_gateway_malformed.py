"""Malformed requests: the right status, the connection closed, and not a byte of it at an instance."""

from __future__ import annotations

import pytest

from tests.fakes import RawInstance, answering
from tests.integration.gateway_rig import INSTANCES, QUICK, a_gateway, on_uvloop

TO = b"/orders/api/v1/x"
H = b"Host: g\r\n"


def get(*lines: bytes, line: bytes = b"GET " + TO + b" HTTP/1.1") -> bytes:
    return line + b"\r\n" + b"".join(each + b"\r\n" for each in lines) + b"\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return get(b"Host: g", *lines, line=b"POST " + TO + b" HTTP/1.1") + body


CASES: dict[str, tuple[int, bytes]] = {
    "no host": (400, get()),
    "two hosts": (400, get(b"Host: g", b"Host: g")),
    "empty host": (400, get(b"Host:")),
    "host with a path": (400, get(b"Host: g/x")),
    "host with user information": (400, get(b"Host: u@g")),
    "http 0.9": (400, b"GET " + TO + b"\r\n\r\n"),
    "http 2.0": (505, get(b"Host: g", line=b"GET " + TO + b" HTTP/2.0")),
    "http 2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "rtsp": (400, get(b"Host: g", line=b"GET " + TO + b" RTSP/1.0")),
    "unknown method": (501, get(b"Host: g", line=b"FROB " + TO + b" HTTP/1.1")),
    "connect": (501, get(b"Host: g", line=b"CONNECT g:443 HTTP/1.1")),
    "source": (501, get(b"Host: g", line=b"SOURCE " + TO + b" HTTP/1.1")),
    "lower case method": (501, get(b"Host: g", line=b"get " + TO + b" HTTP/1.1")),
    "bad method": (400, get(b"Host: g", line=b"G@T " + TO + b" HTTP/1.1")),
    "two spaces": (400, get(b"Host: g", line=b"GET  " + TO + b" HTTP/1.1")),
    "tab": (400, get(b"Host: g", line=b"GET\t" + TO + b" HTTP/1.1")),
    "space at the end": (400, get(b"Host: g", line=b"GET " + TO + b" HTTP/1.1 ")),
    "leading empty line": (400, b"\r\n" + get(b"Host: g")),
    "asterisk": (400, get(b"Host: g", line=b"GET * HTTP/1.1")),
    "fragment": (400, get(b"Host: g", line=b"GET " + TO + b"#f HTTP/1.1")),
    "user information": (400, get(b"Host: g", line=b"GET http://u@g" + TO + b" HTTP/1.1")),
    "another host": (400, get(b"Host: g", line=b"GET http://h" + TO + b" HTTP/1.1")),
    "climbing": (400, get(b"Host: g", line=b"GET /../" + TO + b" HTTP/1.1")),
    "climbing, encoded": (400, get(b"Host: g", line=b"GET " + TO + b"/..%2f..%2f.. HTTP/1.1")),
    "backslash": (400, get(b"Host: g", line=b"GET " + TO + b"\\..\\x HTTP/1.1")),
    "bad percent": (400, get(b"Host: g", line=b"GET " + TO + b"%zz HTTP/1.1")),
    "encoded nul": (400, get(b"Host: g", line=b"GET " + TO + b"%00 HTTP/1.1")),
    "raw utf-8": (400, get(b"Host: g", line=b"GET " + TO + b"\xc3\xa4 HTTP/1.1")),
    "bare line feeds": (400, get(b"Host: g").replace(b"\r\n", b"\n")),
    "one bare line feed": (400, get(b"Host: g\nA: b")),
    "bare carriage return": (400, get(b"Host: g", b"A: b\rC: d")),
    "folded line": (400, get(b"Host: g", b"A: b", b" c")),
    "space before colon": (400, get(b"Host: g", b"A : b")),
    "no colon": (400, get(b"Host: g", b"A")),
    "empty name": (400, get(b"Host: g", b": b")),
    "name with a bracket": (400, get(b"Host: g", b"A(: b")),
    "nul in a value": (400, get(b"Host: g", b"A: \0")),
    "control in a value": (400, get(b"Host: g", b"A: \x0b")),
    "tls hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 40),
    "two lengths": (400, post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello")),
    "differing lengths": (400, post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello")),
    "list of lengths": (400, post(b"Content-Length: 5, 5", body=b"hello")),
    "signed length": (400, post(b"Content-Length: +5", body=b"hello")),
    "negative length": (400, post(b"Content-Length: -5", body=b"hello")),
    "hexadecimal length": (400, post(b"Content-Length: 0x5", body=b"hello")),
    "huge length": (400, post(b"Content-Length: 99999999999999999999", body=b"hello")),
    "empty length": (400, post(b"Content-Length:", body=b"hello")),
    "length and chunked": (400, post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    "chunked and length": (400, post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n")),
    "gzip, chunked": (400, post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    "chunked twice": (400, post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    "chunked, identity": (400, post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n")),
    "xchunked": (400, post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    "chunked with a tab": (400, post(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n")),
    "chunked in 1.0": (
        400,
        post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ),
    "upgrade with a body": (
        400,
        post(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 5", body=b"hello"),
    ),
    "unknown expectation": (417, post(b"Expect: cake", b"Content-Length: 5", body=b"hello")),
    "long request line": (414, get(b"Host: g", line=b"GET " + TO + b"?" + b"a" * 17_000 + b" HTTP/1.1")),
    "large head": (431, get(b"Host: g", b"A: " + b"a" * 33_000)),
    "many fields": (431, get(b"Host: g", *[b"A: b"] * 101)),
    "endless head": (431, b"GET " + TO + b" HTTP/1.1\r\nA: " + b"a" * 300_000),
    "body too large": (413, post(b"Content-Length: 100001")),
}

BROKEN_CHUNKS = {
    "space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "hexadecimal prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "line feed after the size": b"5\nhello\r\n0\r\n\r\n",
    "too long a chunk": b"5\r\nhelloX\r\n0\r\n\r\n",
    "size overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "endless extension": b"5;" + b"e" * 30_000 + b"\r\nhello\r\n0\r\n\r\n",
    "length in the trailer": b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    "body too large": b"%x\r\n%b\r\n0\r\n\r\n" % (100_001, b"a" * 100_001),
}


@pytest.mark.parametrize("name", CASES)
@on_uvloop
async def test_malformed_requests_are_answered_closed_and_not_forwarded(name: str) -> None:
    status, data = CASES[name]
    instance = RawInstance(INSTANCES[0], 9000, answering(b"forwarded"))
    async with a_gateway(instance, max_body_bytes=100_000, **QUICK) as rig:
        for pieces in ([data], [data[:9], data[9:]]):
            async with await rig.connect() as client:
                for piece in pieces:
                    await client.send(piece)
                got = await client.answer()
                assert got.status == status
                assert got.header("Connection") == "close"
                assert got.number.startswith("ZWEA")
                assert await client.ended()
        assert not instance.connections
        assert (await rig.get("/orders/api/v1")).body == b"forwarded"


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
@on_uvloop
async def test_a_broken_chunked_body_ends_the_request(name: str) -> None:
    """The head has gone on by then; no end of the body ever follows it."""
    instance = RawInstance(INSTANCES[0], 9000, answering(b"forwarded"))
    whole: list[bytes] = []

    async def record(caller: object) -> None:
        whole.append(await caller.reader.read())  # type: ignore[attr-defined]

    instance.behave = record
    async with a_gateway(instance, max_body_bytes=100_000, **QUICK) as rig, await rig.connect() as client:
        await client.send(post(b"Transfer-Encoding: chunked"))
        await client.send(BROKEN_CHUNKS[name])
        got = await client.answer()
        assert got.status == (413 if name == "body too large" else 400)
        assert await client.ended()
        assert all(b"0\r\n\r\n" not in each for each in whole)


@on_uvloop
async def test_a_second_request_hidden_in_a_body_stays_a_body() -> None:
    hidden = b"GET /orders/api/v1/hidden HTTP/1.1\r\nHost: g\r\n\r\n"
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(instance) as rig, await rig.connect() as client:
        await client.send(post(b"Content-Length: %d" % len(hidden), body=hidden) + get(b"Host: g"))
        for _ in range(2):
            assert (await client.answer()).body == b"ok"
        assert [head.split(b" ")[0] for head in instance.heads] == [b"POST", b"GET"]
        assert not any(b"hidden" in head for head in instance.heads)


@on_uvloop
async def test_what_only_a_gateway_may_say_never_reaches_an_instance() -> None:
    instance = RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with a_gateway(instance) as rig:
        await rig.ask(
            get(
                b"Host: g", b"X-Certificate-Public: forged", b"X-Forwarded-For: 6.6.6.6", b"Forwarded: for=6.6.6.6",
                b"Connection: x-secret", b"X-Secret: 1", b"Keep-Alive: 5", b"X-Request-Id: mine",
            )
        )  # fmt: skip
        (head,) = instance.heads
        for gone in (b"forged", b"6.6.6.6", b"X-Secret", b"Keep-Alive", b"Connection"):
            assert gone not in head
        assert b"X-Request-Id: mine\r\n" in head
