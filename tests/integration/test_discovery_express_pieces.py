"""The short way for clients, piece by piece and without a network: what is answered, held back and handed over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.answer import Answer
from shared.express import COPIED_BYTES, PATIENCE, Express, Handler, Head, write
from shared.stream import Streams
from tests.fakes import until

GET = b"GET /v1/guards HTTP/1.1\r\nHost: x\r\n\r\n"


def post(body: bytes) -> bytes:
    return b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Wire(asyncio.Transport):
    """What is written is in `out`; it is `full` when told."""

    def __init__(self) -> None:
        super().__init__()
        self.out: list[bytes] = []
        self.reading = True
        self.closed = False
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.out.append(bytes(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Other(asyncio.Protocol):
    def __init__(self) -> None:
        self.said = b""

    def data_received(self, data: bytes) -> None:
        self.said += data


class Bodies:
    """A desk that answers with the body; below /later, when `ready` is set."""

    body_bytes = 1000

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.bodies_under_way = 0

    def find(self, head: Head, transport: asyncio.BaseTransport) -> Handler | None:
        return {b"/v1/echo": self.echo, b"/v1/later": self.later}.get(head.target)

    def echo(self, body: bytes) -> Answer:
        return Answer(200, body, "text/plain")

    async def later(self, body: bytes) -> Answer:
        await self.ready.wait()
        return Answer(200, body, "text/plain")

    def enter(self) -> bool:
        self.bodies_under_way += 1
        return True

    def leave(self) -> None:
        self.bodies_under_way -= 1


class Bench:
    def __init__(self) -> None:
        self.desk, self.wire, self.other, self.streams = Bodies(), Wire(), Other(), Streams()
        self.express = Express(self.streams, self.desk, lambda: self.other)
        self.express.connection_made(self.wire)

    def feed(self, data: bytes) -> None:
        to = self.other if self.wire.protocol is self.other else self.express
        to.data_received(data)

    @property
    def echoed(self) -> list[bytes]:
        return [each.partition(b"\r\n\r\n")[2] for each in self.wire.out]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.express.end()
    assert made.desk.bodies_under_way == 0
    assert not made.streams


async def test_a_cut_anywhere_loses_nothing() -> None:
    said = [post(b"\r\n\r\n%d" % n) for n in range(3)]
    whole = b"".join(said)
    for cut in range(1, len(whole)):
        bench = Bench()
        bench.feed(whole[:cut])
        bench.feed(whole[cut:])
        await until(lambda bench=bench: len(bench.wire.out) == 3 or bench.other.said)
        answered = len(bench.wire.out)
        assert bench.echoed == [b"\r\n\r\n%d" % n for n in range(answered)]
        assert bench.other.said == b"".join(said[answered:])
        assert bench.wire.reading
        bench.express.end()


@pytest.mark.parametrize(
    "field",
    [
        b"Upgrade: x",
        b"upgrade:x",
        b"HTTP2-Settings: x",
        b"Sec-WebSocket-Key1: x",
        b"Expect: 100-continue",
        b"Transfer-Encoding: identity",
        b"Content-Encoding: br",
        b"Connection: keep-alive, upgrade",
        b"Content-Length: 5",
        b"Trailer: x",
        b"X: \x00",
        b"X",
        b": x",
        b"X: y\r\n z",
        b"\r\n".join(b"X%d: y" % n for n in range(65)),
    ],
)
async def test_a_head_that_is_not_plain_is_handed_over(bench: Bench, field: bytes) -> None:
    said = post(b"12345").replace(b"Host: x", field)
    bench.feed(said)
    assert (bench.other.said, bench.wire.out) == (said, [])


async def test_a_field_more_is_no_matter(bench: Bench) -> None:
    bench.feed(post(b"12345").replace(b"Host: x", b'User-Agent:\tsome one (1.0; "x")\r\nX-:'))
    assert bench.echoed == [b"12345"]


async def test_what_comes_at_once_has_a_turn_each(bench: Bench) -> None:
    bench.feed(b"".join(post(b"%d" % n) for n in range(50)))
    assert bench.echoed == [b"0"]
    assert not bench.wire.reading
    await asyncio.sleep(0)
    assert bench.echoed == [b"0", b"1"]
    await until(lambda: len(bench.wire.out) == 50)
    assert bench.echoed == [b"%d" % n for n in range(50)]
    assert bench.wire.reading


async def test_nothing_is_answered_while_answers_are_not_taken(bench: Bench) -> None:
    bench.express.pause_writing()
    assert not bench.wire.reading
    assert bench.express.patience == 1
    bench.feed(post(b"1") + post(b"2"))
    await asyncio.sleep(0)
    assert bench.wire.out == []
    bench.express.resume_writing()
    assert bench.express.patience == PATIENCE
    await until(lambda: bench.echoed == [b"1", b"2"])
    assert bench.wire.reading


async def test_a_body_that_ends_while_answers_are_not_taken_is_not_lost(bench: Bench) -> None:
    said = post(b"12345")
    bench.feed(said[:-3])
    bench.express.pause_writing()
    bench.feed(said[-3:])
    assert bench.wire.out == []
    bench.express.resume_writing()
    await until(lambda: bench.echoed == [b"12345"])


async def test_what_is_handed_over_is_read_on(bench: Bench) -> None:
    bench.feed(post(b"1") + GET + b"more")
    await until(lambda: bench.other.said == GET + b"more")
    assert bench.wire.reading
    bench.feed(b" and more")
    assert bench.other.said == GET + b"more and more"
    assert not bench.streams


async def test_a_connection_lost_half_way_answers_no_more(bench: Bench) -> None:
    bench.feed(post(b"1") * 3)
    bench.express.connection_lost(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bench.echoed == [b"1"]


LATER = post(b"soon").replace(b"echo", b"later")


async def test_an_answer_that_takes_longer_keeps_its_place(bench: Bench) -> None:
    bench.feed(post(b"first") + LATER + post(b"last"))
    await until(lambda: bench.echoed == [b"first"])
    assert not bench.wire.reading
    bench.feed(post(b"very last"))
    await asyncio.sleep(0)
    assert bench.echoed == [b"first"]
    bench.desk.ready.set()
    await until(lambda: bench.echoed == [b"first", b"soon", b"last", b"very last"])
    assert bench.wire.reading


async def test_an_answer_nobody_waits_for_any_more_is_given_up(bench: Bench) -> None:
    bench.feed(LATER)
    await asyncio.sleep(0)
    bench.express.connection_lost(None)
    bench.desk.ready.set()
    await asyncio.sleep(0)
    assert bench.wire.out == []


@pytest.mark.parametrize("size", [0, 10, COPIED_BYTES, 3 * COPIED_BYTES])
def test_answers_of_any_size_are_framed(size: int) -> None:
    wire = Wire()
    write(wire, Answer(200, b"x" * size, "application/json", {"X-Some": "1"}))
    head, _, body = b"".join(wire.out).partition(b"\r\n\r\n")
    assert (len(body), b"\r\nContent-Length: %d" % size in head, b"\r\nX-Some: 1\r\n" in head) == (size, True, True)


def test_nothing_is_said_of_what_is_not_there() -> None:
    for status, media, absent in ((204, "application/xml", b"Content-Length"), (404, "", b"Content-Type")):
        wire = Wire()
        write(wire, Answer(status, b"", media))
        assert absent not in wire.out[0]
