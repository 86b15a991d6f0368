"""Long bodies and streams through a gateway process: its memory stays flat, the slower side sets the pace, and events
are passed on one by one.

Bodies are slices of one pattern whose length divides nothing, so a byte lost, doubled or moved is seen.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import Caller, RawInstance, answer, content_length
from tests.integration.gateway_process_rig import INSTANCE, MB, a_gateway_process, settled
from tests.integration.gateway_rig import Client, on_uvloop

LONG_BYTES = int(os.environ.get("PLEXMESH_STREAM_MB", "256")) * MB
PIECE_BYTES = 262_144
PERIOD = 1_000_003
PATTERN = os.urandom(PERIOD)
TWICE = memoryview(PATTERN + PATTERN)

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n%b\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"

SLOW = 32
"""Connections at once that do not read."""
SLOW_BYTES = 16 * MB

BUFFER_BYTES = 262_144
"""What one connection may hold."""
SLACK_BYTES = MB
"""What a process takes for other reasons."""

STREAMS, EVENTS = 8, 100


def counted(size: int) -> bytes:
    return b"Content-Length: %d" % size


def pattern(at: int, size: int) -> memoryview:
    return TWICE[at % PERIOD : at % PERIOD + size]


async def send_body(writer: asyncio.StreamWriter, size: int, framing: bytes) -> None:
    for at in range(0, size, PIECE_BYTES):
        piece = pattern(at, min(PIECE_BYTES, size - at))
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == CHUNKED else piece)
        await writer.drain()
    if framing == CHUNKED:
        writer.write(b"0\r\n\r\n")


async def pieces(reader: asyncio.StreamReader, size: int, framing: bytes) -> AsyncIterator[bytes]:
    """A body as it comes; raises IncompleteReadError when it is cut short."""
    if framing == CHUNKED:
        while length := int(await reader.readuntil(b"\r\n"), 16):
            yield await reader.readexactly(length)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
        return
    while size:
        if not (piece := await reader.read(min(size, PIECE_BYTES))):
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(piece)
        yield piece


async def unchanged(reader: asyncio.StreamReader, size: int, framing: bytes) -> bool:
    """The body that comes is the pattern, whole."""
    at = 0
    async for piece in pieces(reader, size, framing):
        if piece != pattern(at, len(piece)):
            return False
        at += len(piece)
    return at == size


def a_source(size: int, framing: bytes) -> RawInstance:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
            await send_body(caller.writer, size, framing)

    return RawInstance(INSTANCE, 9000, behave)


def a_sink(size: int, framing: bytes) -> RawInstance:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            same = await unchanged(caller.reader, size, framing)
            await caller.send(answer(b"whole" if same else b"changed"))

    return RawInstance(INSTANCE, 9000, behave)


@pytest.mark.parametrize("framing", [counted(LONG_BYTES), CHUNKED], ids=["counted", "chunked"])
@on_uvloop
async def test_a_long_download_arrives_unchanged_with_flat_memory(framing: bytes, tmp_path: Path) -> None:
    async with a_gateway_process(tmp_path, a_source(LONG_BYTES, framing)) as gateway:
        client = await gateway.connect()
        async with gateway.memory() as memory:
            await client.send(GET)
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert framing in head
            assert await unchanged(client.reader, LONG_BYTES, framing)
        assert memory.growth < 30 * MB


@pytest.mark.parametrize("framing", [counted(LONG_BYTES), CHUNKED], ids=["counted", "chunked"])
@on_uvloop
async def test_a_long_upload_arrives_unchanged_with_flat_memory(framing: bytes, tmp_path: Path) -> None:
    async with a_gateway_process(tmp_path, a_sink(LONG_BYTES, framing)) as gateway:
        client = await gateway.connect()
        async with gateway.memory() as memory:
            await client.send(POST % framing)
            await send_body(client.writer, LONG_BYTES, framing)
            assert (await client.answer()).body == b"whole"
        assert memory.growth < 30 * MB


def buffer_little(writer: asyncio.StreamWriter) -> None:
    """Its kernel buffers are small, so that not reading is felt soon."""
    sock = writer.get_extra_info("socket")
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, 65_536)


@on_uvloop
async def test_many_clients_that_do_not_read_stop_their_instances_and_cost_little_memory(tmp_path: Path) -> None:
    sent = 0

    async def behave(caller: Caller) -> None:
        nonlocal sent
        while head := await caller.head():
            if b"/quick" in head:
                await caller.send(answer(b"quick"))
                continue
            buffer_little(caller.writer)
            await caller.send(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % counted(SLOW_BYTES))
            for at in range(0, SLOW_BYTES, PIECE_BYTES):
                await caller.send(bytes(pattern(at, PIECE_BYTES)))
                sent += PIECE_BYTES

    async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, behave)) as gateway:
        assert await gateway.status("/orders/api/v1/quick") == 200
        async with gateway.memory() as memory:
            slow = [await gateway.connect(65_536) for _ in range(SLOW)]
            for client in slow:
                buffer_little(client.writer)
                await client.send(GET)
            stopped_at = await settled(lambda: sent)
            assert stopped_at < SLOW * SLOW_BYTES * 9 // 10
            assert await gateway.status("/orders/api/v1/quick") == 200
            assert sent == stopped_at
        print(f"{memory.growth // SLOW >> 10} kB and {stopped_at // SLOW >> 20} MB a connection")
        assert memory.growth < SLOW * BUFFER_BYTES + SLACK_BYTES

        async def read_all(reader: asyncio.StreamReader) -> bool:
            await reader.readuntil(b"\r\n\r\n")
            return await unchanged(reader, SLOW_BYTES, counted(SLOW_BYTES))

        assert all(await asyncio.gather(*(read_all(client.reader) for client in slow)))
        assert sent == SLOW * SLOW_BYTES


@on_uvloop
async def test_many_instances_that_do_not_read_stop_their_clients_and_cost_little_memory(tmp_path: Path) -> None:
    go = asyncio.Event()
    sent = 0

    async def behave(caller: Caller) -> None:
        while head := await caller.head():
            if b"/quick" in head:
                await caller.send(answer(b"quick"))
                continue
            buffer_little(caller.writer)
            await go.wait()
            same = await unchanged(caller.reader, content_length(head), b"")
            await caller.send(answer(b"whole" if same else b"changed"))

    async def upload(client: Client) -> None:
        nonlocal sent
        buffer_little(client.writer)
        head = POST % counted(SLOW_BYTES)
        for at in range(0, SLOW_BYTES, PIECE_BYTES):
            await client.send(head + pattern(at, PIECE_BYTES))
            head = b""
            sent += PIECE_BYTES

    async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, behave)) as gateway:
        assert await gateway.status("/orders/api/v1/quick") == 200
        async with gateway.memory() as memory:
            clients = [await gateway.connect() for _ in range(SLOW)]
            uploads = asyncio.gather(*map(upload, clients))
            stopped_at = await settled(lambda: sent)
            assert stopped_at < SLOW * SLOW_BYTES * 9 // 10
            assert await gateway.status("/orders/api/v1/quick") == 200
            assert sent == stopped_at
        print(f"{memory.growth // SLOW >> 10} kB and {stopped_at // SLOW >> 20} MB a connection")
        assert memory.growth < SLOW * BUFFER_BYTES + SLACK_BYTES
        go.set()
        answers = await asyncio.gather(*(client.answer() for client in clients))
        assert {each.body for each in answers} == {b"whole"}
        await uploads


@on_uvloop
async def test_each_event_is_passed_on_before_the_next_one_is_sent(tmp_path: Path) -> None:
    """Sender and receiver take turns, so a single event held back for company would stop the stream for good."""
    received = [asyncio.Event() for _ in range(STREAMS)]
    waits: list[float] = []

    async def behave(caller: Caller) -> None:
        number = int((await caller.head()).split(b" ")[1].removeprefix(b"/"))
        await caller.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        loop = asyncio.get_running_loop()
        for event in range(EVENTS):
            sent_at = loop.time()
            await caller.send(b"id: %d\ndata: {}\n\n" % event)
            async with asyncio.timeout(5):
                await received[number].wait()
            received[number].clear()
            waits.append(loop.time() - sent_at)

    async def follow(client: Client, number: int) -> None:
        await client.send(b"GET /orders/api/v1/%d HTTP/1.1\r\nHost: g\r\n\r\n" % number)
        await client.reader.readuntil(b"\r\n\r\n")
        for event in range(EVENTS):
            assert (await client.reader.readuntil(b"\n\n")).endswith(b"id: %d\ndata: {}\n\n" % event)
            received[number].set()
        assert await client.reader.readuntil(b"0\r\n\r\n")

    async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, behave)) as gateway:
        clients = [await gateway.connect() for _ in range(STREAMS)]
        await asyncio.gather(*(follow(client, number) for number, client in enumerate(clients)))
    cuts = statistics.quantiles(waits, n=100)
    print(f"an event takes {cuts[49] * 1000:.1f} ms (median), {cuts[98] * 1000:.1f} ms (p99)")
    assert len(waits) == STREAMS * EVENTS
    assert cuts[49] < 0.03, "small writes are held back"
