"""SIGTERM under load: what can finish does, what cannot never looks whole, and clients are told to go.

Also: an instance that talks garbage costs its own exchange and no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes import Caller, RawInstance, an_instance, answer, answering, until
from tests.integration.gateway_process_rig import HOST, INSTANCE, OTHER, PORT, GatewayProcess, a_gateway_process
from tests.integration.gateway_rig import Client, on_uvloop
from tests.integration.websocket_servers import Servers
from tests.integration.websocket_wire import HANDSHAKE, TEXT, frame

GET = b"GET /orders/api/v1/%b HTTP/1.1\r\nHost: g\r\n\r\n"
UPGRADE = b"GET /chat/ws/v1/echo?id=1 HTTP/1.1\r\nHost: g\r\n" + HANDSHAKE + b"\r\n\r\n"
END_S = 12.0
"""Drain, leaving the registry, and a busy machine."""


class Load:
    """Clients that call without pause; `seen` counts what became of each call."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.last: list[str | None] = []
        """The Connection field of each kept connection's last answer."""

    async def keeping(self) -> None:
        """Calls on one connection until it is told to close it, then it does; until nobody listens any more."""
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                async with await Client.to(HOST, PORT) as client:
                    self.last.append(None)
                    while self.last[-1] != "close":
                        self.last[-1] = await self._call(client)
                    assert await client.ended()

    async def anew(self) -> None:
        """A new connection for each call."""
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                async with await Client.to(HOST, PORT) as client:
                    await self._call(client)

    async def _call(self, client: Client) -> str | None:
        try:
            got = await client.ask(GET % b"x")
        except (asyncio.IncompleteReadError, ConnectionResetError) as error:
            self.seen[type(error).__name__] += 1
            return "close"
        self.seen[str(got.status)] += 1
        return got.header("Connection")


async def ended(gateway: GatewayProcess) -> int:
    async with asyncio.timeout(END_S):
        return await gateway.process.wait()


@on_uvloop
async def test_under_load_no_call_is_lost_and_all_are_told_to_close(tmp_path: Path) -> None:
    async def behave(caller: Caller) -> None:
        while await caller.head():
            await asyncio.sleep(0.01)
            await caller.send(answer(b"ok" * 1000))

    load = Load()
    async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, behave), drain_s=3.0) as gateway:
        calls = [asyncio.create_task(load.keeping()) for _ in range(12)]
        calls += [asyncio.create_task(load.anew()) for _ in range(4)]
        await until(lambda: load.seen["200"] > 300)
        gateway.terminate()
        assert await ended(gateway) == 0
        await asyncio.gather(*calls)
        assert set(load.seen) == {"200"}
        assert "close" in load.last
        assert set(load.last) <= {"close", None}
        assert gateway.logged("gateway.drained")[-1]["cut"] == 0


@on_uvloop
async def test_calls_that_end_within_the_drain_are_whole(tmp_path: Path) -> None:
    async def behave(caller: Caller) -> None:
        while head := await caller.head():
            if b"/waits" in head:
                await gone.wait()
                await caller.send(answer(b"late", extra=b"X-Late: 1\r\n"))
            else:
                await caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
                await gone.wait()
                await caller.send(b"3\r\ndef\r\n0\r\n\r\n")

    gone = asyncio.Event()
    async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, behave), drain_s=4.0) as gateway:
        waits, downloads = await gateway.connect(), await gateway.connect()
        await waits.send(GET % b"waits")
        await downloads.send(GET % b"downloads")
        await downloads.reader.readuntil(b"abc\r\n")
        gateway.terminate()
        await closed_for_new_clients()
        gone.set()
        got = await waits.answer()
        assert (got.body, got.header("Connection")) == (b"late", "close")
        assert await waits.ended()
        assert (await downloads.reader.readuntil(b"0\r\n\r\n")).endswith(b"def\r\n0\r\n\r\n")
        downloads.close()
        waits.close()
        assert await ended(gateway) == 0


async def closed_for_new_clients() -> None:
    async with asyncio.timeout(END_S):
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                (await Client.to(HOST, PORT)).close()
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nabc",
    ],
    ids=["counted", "chunked", "until close"],
)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@on_uvloop
async def test_a_download_that_is_not_done_at_the_deadline_is_reset(
    start: bytes, version: bytes, tmp_path: Path
) -> None:
    """It goes on for as long as it may: it is cut in the middle of moving, and its client cannot take it for whole."""

    async def behave(caller: Caller) -> None:
        await caller.head()
        await caller.send(start)
        with contextlib.suppress(ConnectionError):
            while not caller.writer.is_closing():
                await caller.send(b"1\r\nx\r\n" if b"chunked" in start else b"x")
                await asyncio.sleep(0.02)
        gone.set()

    gone = asyncio.Event()

    async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, behave), drain_s=0.3) as gateway:
        client = await gateway.connect()
        await client.send((GET % b"x").replace(b"HTTP/1.1", b"HTTP/" + version))
        await client.reader.readuntil(b"abc")
        gateway.terminate()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(client.reader.read(), END_S)
        assert await ended(gateway) == 0
        await asyncio.wait_for(gone.wait(), END_S)
        assert gateway.logged("gateway.drained")[-1]["cut"] == 1


@on_uvloop
async def test_websockets_go_on_until_the_deadline_and_end_with_it(tmp_path: Path) -> None:
    servers = Servers()
    async with (
        servers.echo(OTHER, 9001),
        a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, answering(b"ok")), drain_s=1.5) as gateway,
    ):
        gateway.discovery.put(an_instance("chat", 9001, OTHER))
        await gateway.until_metric("endpoints", 2)
        client = await gateway.connect()
        await client.send(UPGRADE)
        assert (await client.answer()).status == 101
        gateway.terminate()
        await closed_for_new_clients()
        closed_at = time.monotonic()
        echo = frame(TEXT, b"still here", mask=None)
        await client.send(frame(TEXT, b"still here"))
        assert await client.reader.readexactly(len(echo)) == echo
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(END_S):
                assert await client.reader.read() == b""
        assert time.monotonic() - closed_at > 0.5, "not before the deadline"
        await until(lambda: servers.ends.get("1") == (1006, ""), "the server hears of it")
        assert await ended(gateway) == 0


GARBAGE = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "binary": bytes(range(256)) * 40,
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 70_000,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    "a bad status": b"HTTP/1.1 999999 WHAT\r\n\r\n",
    "a switch that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    "interim for ever": b"HTTP/1.1 102 Processing\r\n\r\n" * 1000,
    "more than its length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nevil",
}


@on_uvloop
async def test_an_instance_that_talks_garbage_costs_only_its_own_exchange(tmp_path: Path) -> None:
    """One service is sane, one is not; the calls to them go through the same gateway at the same time."""

    async def insane(caller: Caller) -> None:
        name = (await caller.head()).split(b" ")[1].removeprefix(b"/").replace(b"_", b" ").decode()
        await caller.send(GARBAGE[name])
        await caller.reader.read()

    mad = RawInstance(OTHER, 9000, insane)
    load = Load()
    async with a_gateway_process(tmp_path, RawInstance(INSTANCE, 9000, answering(b"ok" * 500))) as gateway:
        await mad.start()
        gateway.discovery.put(an_instance("mad", 9000, OTHER))
        await gateway.until_metric("endpoints", 2)
        calls = [asyncio.create_task(load.keeping()) for _ in range(4)]
        seen = {}
        for name in [*GARBAGE] * 5:
            request = (GET % name.replace(" ", "_").encode()).replace(b"/orders", b"/mad")
            client = await gateway.connect()
            await client.send(request)
            seen.setdefault(name, set()).add(await outcome(client))
        assert load.seen["200"] > 20
        assert seen.pop("more than its length") == {"200 b'ok'"}
        assert seen.pop("bad chunks") == {"cut"}
        assert {name: outcomes for name, outcomes in seen.items() if outcomes != {"502"}} == {}
        gateway.terminate()
        assert await ended(gateway) == 0
        await asyncio.gather(*calls)
        assert set(load.seen) == {"200"}
        await mad.stop()


async def outcome(client: Client) -> str:
    """What a client is told, past interim answers."""
    try:
        got = await client.answer()
        while got.status < 200:
            got = await client.answer()
    except (ConnectionResetError, asyncio.IncompleteReadError):
        return "cut"
    return f"{got.status} {got.body!r}" if got.status == 200 else str(got.status)
