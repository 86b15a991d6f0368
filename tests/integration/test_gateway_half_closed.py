"""Clients that end their sending side (FIN): after a whole request they still get the answer; before its end, no
instance may take what it got for a whole one.

Source: RFC 9112, 9.6 (tear-down) and 8 (incomplete messages).
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.fakes import Caller, RawInstance, answer, until
from tests.integration.gateway_process_rig import settled
from tests.integration.gateway_rig import INSTANCES, Client, a_gateway, on_uvloop

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\nhello"
AT_ONCE_S = 2.0
"""Far below every time-out of a gateway with its own settings."""


async def echo(caller: Caller) -> None:
    """A slow one: the end of the client's sending side is there long before the answer."""
    while head := await caller.head():
        if b"chunked" in head:
            body = await Client(caller.reader, caller.writer)._chunked()
        else:
            body = await caller.reader.readexactly(5) if head.startswith(b"POST") else b"got"
        await settled(lambda: 1, for_s=0.1)
        await caller.send(answer(body * 100_000))


@pytest.mark.parametrize(
    ("request_bytes", "body"),
    [
        (GET, b"got"),
        (POST, b"hello"),
        (POST.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked")[:-5] + b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    ],
    ids=["get", "counted", "chunked"],
)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "while the answer comes"])
@on_uvloop
async def test_a_client_that_ends_its_sending_side_gets_its_answer(
    request_bytes: bytes, body: bytes, later: bool
) -> None:
    async with a_gateway(RawInstance(INSTANCES[0], 9000, echo)) as rig, await rig.connect() as client:
        client.writer.write(request_bytes)
        if later:
            await client.reader.readuntil(b"\r\n\r\n")
            client.writer.write_eof()
            assert await client.reader.readexactly(len(body) * 100_000) == body * 100_000
        else:
            client.writer.write_eof()
            assert (await client.answer()).body == body * 100_000
        assert await client.ended()
        await until(lambda: not rig.gateway.path.clients)


@pytest.mark.parametrize(
    "part",
    [POST[:20], POST[:-2], POST.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked")[:-5] + b"5\r\nhello\r\n"],
    ids=["head", "counted", "chunked"],
)
@on_uvloop
async def test_a_request_that_ends_too_early_never_looks_whole_to_an_instance(part: bytes) -> None:
    got = b""
    ended = asyncio.Event()

    async def behave(caller: Caller) -> None:
        nonlocal got
        await caller.head()
        with contextlib.suppress(ConnectionError):
            while data := await caller.reader.read(100):
                got += data
        ended.set()

    instance = RawInstance(INSTANCES[0], 9000, behave)
    async with a_gateway(instance) as rig, await rig.connect() as client:
        client.writer.write(part)
        if part != POST[:20]:
            await until(lambda: instance.heads)
        client.writer.write_eof()
        assert await asyncio.wait_for(client.ended(), AT_ONCE_S)
        if instance.heads:
            await asyncio.wait_for(ended.wait(), AT_ONCE_S)
        assert got in (b"", b"hel", b"5\r\nhello\r\n")
        await until(lambda: not rig.in_flight() and not rig.gateway.path.clients, "no counter is left over")
