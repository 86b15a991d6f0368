"""The short way between nodes, both ends: bytes as they come, hostile ones too. In one process, over real sockets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from discovery import auth, messages
from discovery.auth import Signer, Verifier
from discovery.config import DiscoveryConfig
from discovery.connection import Broken, Connection
from discovery.dialing import Dialer
from discovery.entrance import UNPROVEN_BYTES, Entrance
from discovery.keyring import new_key, parse
from discovery.messages import Envelope, Ping, Pong, Reply, Sender, Sync
from discovery.peer_stream import peers_way
from discovery.peers import PeerFailure, Peers
from discovery.traffic import Traffic
from shared.doorway import Doorway
from shared.net import listen
from tests.fakes import Caller, RawInstance, answer, content_length, running, until
from tests.integration.discovery_rig import LPAR1, LPAR2, PORT

RING = parse(new_key())
HERE, THERE = Sender("LPAR1@1", f"http://{LPAR1}:{PORT}"), Sender("LPAR2@1", f"http://{LPAR2}:{PORT}")
SECRET = Ping(0, [messages.Fact("the-registry@1", "http://x", 1, "alive")])
CONFIG = DiscoveryConfig(host=LPAR1, ping_timeout_s=0.5, sync_timeout_s=0.5)


class Listener:
    """The receiving end on LPAR2: everything said there is in `said`; pings and syncs are answered."""

    def __init__(self) -> None:
        self.said: list[Envelope] = []
        self.traffic = Traffic()
        self.reply: Reply = Pong(7, [])

    def receive(self, envelope: Envelope) -> tuple[Sender, Reply]:
        self.said.append(envelope)
        return THERE, self.reply

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Doorway]:
        async def hello(_: web.Request) -> web.Response:
            return web.Response(text="aiohttp")

        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", hello)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        assert runner.server is not None
        verifier = Verifier(lambda: RING, os.urandom(32))
        entrance = Entrance("PLEX1", self.receive, verifier, self.traffic, 1 << 20)
        doorway = Doorway(runner.server, peers_way(entrance))
        server = await asyncio.get_running_loop().create_server(doorway, sock=listen(LPAR2, PORT))
        try:
            yield doorway
        finally:
            server.close()
            doorway.close()
            await runner.cleanup()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    there = Listener()
    async with there.open():
        yield there


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    here = Peers(CONFIG, lambda: RING, Traffic())
    yield here
    here.close()


async def ping(peers: Peers) -> tuple[Sender, Reply]:
    return await peers.call(THERE.address, HERE, SECRET)


# --- both ends together


async def test_the_nonce_is_asked_for_once(listener: Listener, peers: Peers) -> None:
    for _ in range(20):
        assert await ping(peers) == (THERE, Pong(7, []))
    assert [each.body for each in listener.said] == [SECRET] * 20
    assert listener.traffic.denied == {"stale": 1}


async def test_many_at_once_are_all_taken(listener: Listener, peers: Peers) -> None:
    await ping(peers)
    answers = await asyncio.gather(*(ping(peers) for _ in range(100)))
    assert answers == [(THERE, Pong(7, []))] * 100
    assert listener.traffic.denied == {"stale": 1}


async def test_probes_and_bulk_have_connections_of_their_own(peers: Peers) -> None:
    there = Listener()
    async with there.open() as doorway:
        for _ in range(5):
            await ping(peers)
            await peers.call(THERE.address, HERE, Sync(True, [], [], {}))
        assert len(doorway.streams) == 2


async def test_a_new_boot_costs_one_round_trip(peers: Peers) -> None:
    for _ in range(3):
        there = Listener()
        async with there.open():
            assert await ping(peers) == (THERE, Pong(7, []))
            await ping(peers)
        assert there.traffic.denied == {"stale": 1}
        assert len(there.said) == 2


async def test_a_large_answer_and_a_large_request(listener: Listener, peers: Peers) -> None:
    facts = [messages.Fact(f"LPAR{n}@1", "http://" + "x" * 100, 1, "alive") for n in range(5000)]
    listener.reply = Pong(7, facts)
    request = Ping(0, facts)
    for _ in range(3):
        assert await peers.call(THERE.address, HERE, request) == (THERE, Pong(7, facts))
    assert listener.said[-1].body == request


async def test_nobody_there_is_refused_and_silence_is_not(peers: Peers) -> None:
    with pytest.raises(PeerFailure, match="nobody answers: ") as caught:
        await ping(peers)
    assert caught.value.refused
    async with running(RawInstance(LPAR2, PORT, silent)):
        with pytest.raises(PeerFailure, match=r"silent for 0.5 s") as caught:
            await ping(peers)
        assert not caught.value.refused


async def test_a_name_is_looked_up_and_tried_at_all_its_addresses() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    dialer = Dialer(LPAR1)
    async with server:
        (listening,) = server.sockets
        with await dialer.dial("localhost", listening.getsockname()[1]) as sock:
            assert sock.getpeername()[0] == "127.0.0.1"
            assert sock.getsockname()[0] == LPAR1
        with pytest.raises(OSError):
            await dialer.dial("nobody.invalid", 7553)


# --- this end, with strangers at the other one


async def silent(caller: Caller) -> None:
    await caller.reader.read()


Behave = Callable[[Caller], Awaitable[None]]


def always(data: bytes) -> Behave:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await caller.send(data)

    return behave


async def cut(caller: Caller) -> None:
    await caller.head()
    await caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")


FORGED = f"{auth.NONCE}: {'0' * 48}:{RING.ids[0]}:{'0' * 64}\r\n".encode()


@pytest.mark.parametrize(
    "behave",
    [
        always(answer(b"who are you?")),
        always(answer(b"", "401 Unauthorized")),
        always(answer(b"", "401 Unauthorized", FORGED)),
        always(answer(b"", "403 Forbidden")),
        always(answer(b"", "307 Temporary Redirect", b"Location: http://127.0.0.9/\r\n")),
        always(answer(b"") * 2),
        always(answer(b"") + b"more"),
        always(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"")),
        always(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
        always(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100_000),
        always(b"SSH-2.0-OpenSSH_9.2\r\n"),
        always(b"\0" * 1000),
        cut,
    ],
)
async def test_a_stranger_at_the_other_end_learns_nothing(peers: Peers, behave: Behave) -> None:
    heard = bytearray()

    async def hear(caller: Caller) -> None:
        read = caller.reader.readuntil

        async def noting(separator: bytes) -> bytes:
            data = await read(separator)
            heard.extend(data)
            return data

        caller.reader.readuntil = noting  # type: ignore[assignment]  # what it hears is what is judged
        await behave(caller)
        heard.extend(await caller.reader.read())

    instance = RawInstance(LPAR2, PORT, hear)
    async with running(instance):
        for _ in range(2):
            with pytest.raises(PeerFailure):
                await ping(peers)
        peers.close()
        assert instance.heads
    assert all(content_length(head) == 0 for head in instance.heads)
    assert b"the-registry" not in heard


async def test_who_takes_a_dead_peers_place_learns_nothing(peers: Peers) -> None:
    async with Listener().open():
        await ping(peers)
    instance = RawInstance(LPAR2, PORT, always(answer(b"")))
    async with running(instance):
        with pytest.raises(PeerFailure, match="a stranger answers 200"):
            await ping(peers)
        assert [content_length(head) for head in instance.heads] == [0]


async def connected(limit_bytes: int) -> Connection:
    connection = Connection(limit_bytes, lambda: None)
    await asyncio.get_running_loop().create_connection(lambda: connection, LPAR2, PORT)
    return connection


HEAD = b"POST / HTTP/1.1\r\n"


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\nX-Plex", answer(b"two"), b"junk"])
async def test_a_connection_with_bytes_after_an_answer_is_not_used_again(more: bytes) -> None:
    async with running(RawInstance(LPAR2, PORT, always(answer(b"one") + more))):
        connection = await connected(100)
        assert (await connection.post(HEAD, b"")).body == b"one"
        assert not connection.open
        with pytest.raises(Broken):
            await connection.post(HEAD, b"")


async def test_an_answer_of_the_largest_size_is_taken_and_a_larger_one_is_not() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for data, taken in (
        (answer(b"x" * 100), True),
        (answer(b"x" * 101), False),
        (chunked + b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n", True),
        (chunked + b"64\r\n" + b"x" * 100 + b"\r\n1\r\nx\r\n0\r\n\r\n", False),
    ):
        async with running(RawInstance(LPAR2, PORT, always(data))):
            connection = await connected(100)
            if taken:
                assert len((await connection.post(HEAD, b"")).body) == 100
                connection.end("done")
            else:
                with pytest.raises(Broken, match="more than 100 bytes"):
                    await connection.post(HEAD, b"")


# --- the other end, with strangers at this one


async def say(*parts: bytes) -> bytes:
    """What comes back until the other end closes, or nothing more comes for 0.3 s."""
    reader, writer = await asyncio.open_connection(LPAR2, PORT)
    heard = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        with suppress(TimeoutError, ConnectionError):
            while data := await asyncio.wait_for(reader.read(65536), 0.3):
                heard += data
    finally:
        writer.close()
    return heard


def request(body: bytes, *lines: str, path: str = "/peer/v1/ping", method: str = "POST") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def status(heard: bytes) -> list[int]:
    return [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]]


async def test_everybody_else_goes_to_aiohttp(listener: Listener) -> None:
    for path, method in (("/", "GET"), ("/v1/instances", "POST"), ("/peer/v1/ping", "GET"), ("/peer", "POST")):
        assert b"aiohttp" in await say(request(b"", path=path, method=method))
    whole = request(b"", path="/po", method="POST")
    assert b"aiohttp" in await say(*(whole[at : at + 1] for at in range(len(whole))))


async def test_a_request_may_come_in_any_pieces(listener: Listener) -> None:
    body = messages.encode("PLEX1", HERE, SECRET)
    signer = Signer()
    header, mac = signer.sign(RING, "POST", "/peer/v1/ping", b"")
    said = request(b"", f"{auth.MAC}: {header}")
    heard = await say(*(said[at : at + 1] for at in range(len(said))))
    nonce = next(line for line in heard.decode().split("\r\n") if line.startswith(auth.NONCE))
    signer.challenged(RING, mac, nonce.partition(": ")[2])
    for size in (1, 7, 100):
        header, _ = signer.sign(RING, "POST", "/peer/v1/ping", body)
        said = request(body, f"{auth.MAC}: {header}")
        heard = await say(*(said[at : at + size] for at in range(0, len(said), size)))
        assert status(heard) == [200]
    assert len(listener.said) == 3


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (request(b""), [403]),
        (request(b"x" * 1000), [403]),
        (request(b"", path="/peer/v1/elsewhere"), [403]),
        (request(b"")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
        (request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", [411]),
        (request(b"").replace(b": 0", f": {UNPROVEN_BYTES + 1}".encode()), [413]),
        (request(b"").replace(b": 0", b": -1"), [400]),
        (request(b"", "Upgrade: h2c", "Connection: Upgrade"), [400]),
        (request(b"").replace(b"HTTP/1.1", b"HTTP/9.9"), [400]),
        (request(b"", "Connection: close"), [403]),
        (request(b"") + b"GET / HTTP/1.1\r\n\r\n", [400]),
        (request(b"") * 1000, [400]),
        (b"POST /peer/v1/" + b"x" * 100_000, [431]),
        (b"POST /peer/v1/\r\n\r\n", [403]),
    ],
)
async def test_bytes_that_do_not_belong_here(listener: Listener, said: bytes, expected: list[int]) -> None:
    assert status(await say(said)) == expected
    assert listener.said == []


async def test_a_stream_ends_with_the_request_that_asks_for_that(listener: Listener) -> None:
    reader, writer = await asyncio.open_connection(LPAR2, PORT)
    writer.write(request(b"", "Connection: close"))
    async with asyncio.timeout(5):
        assert status(await reader.read()) == [403]
    writer.close()


async def test_a_stream_of_peers_carries_nothing_else(listener: Listener) -> None:
    reader, writer = await asyncio.open_connection(LPAR2, PORT)
    writer.write(request(b""))
    assert status(await reader.readuntil(b"\r\n\r\n")) == [403]
    writer.write(request(b"", path="/v1/instances", method="GET"))
    assert status(await reader.read()) == [421]
    writer.close()


async def test_who_asks_on_without_taking_the_answer_is_cut_off(listener: Listener) -> None:
    listener.reply = Pong(7, [messages.Fact("LPAR2@1", "x" * 20_000_000, 1, "alive")])
    body = messages.encode("PLEX1", HERE, SECRET)
    reader, writer = await asyncio.open_connection(LPAR2, PORT)
    signer = Signer()
    header, mac = signer.sign(RING, "POST", "/peer/v1/ping", b"")
    writer.write(request(b"", f"{auth.MAC}: {header}"))
    heard = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    signer.challenged(RING, mac, next(line for line in heard if line.startswith(auth.NONCE)).partition(": ")[2])
    for taken in (1, 1):
        header, _ = signer.sign(RING, "POST", "/peer/v1/ping", body)
        writer.write(request(body, f"{auth.MAC}: {header}"))
        await until(lambda taken=taken: len(listener.said) == taken)
    got = 0
    with suppress(ConnectionError):
        while data := await reader.read(1 << 20):
            got += len(data)
    assert got < 20_000_000
    assert len(listener.said) == 1
    writer.close()
