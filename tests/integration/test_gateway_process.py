"""Real gateway processes: `python -P -m gateway`, signals, exit codes, two of them on one sysplex address."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.fakes import FakeDiscovery, RawInstance, an_instance, answering, running, until
from tests.integration.gateway_crew_rig import lives
from tests.integration.gateway_rig import INSTANCES, LPAR1, LPAR2, PORT, VIPA, Client, on_uvloop

GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
ROOT = Path(__file__).parents[2]
VIPA_HOST, _, VIPA_PORT = VIPA.partition(":")


def environment(host: str, lpar: str, discovery: str, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_")}
    return kept | {
        "PLEXMESH_HOST": host,
        "PLEXMESH_LPAR": lpar,
        "PLEXMESH_DISCOVERY": discovery,
        "PLEXMESH_VIPA": VIPA,
        "PLEXMESH_GATEWAY_ACCESS_LOG": "off",
        **more,
    }


async def spawn(environ: dict[str, str], *flags: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "gateway", *flags, env=environ, cwd="/", stderr=asyncio.subprocess.PIPE
    )


@contextlib.asynccontextmanager
async def a_process(host: str, lpar: str, node: FakeDiscovery) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await spawn(environment(host, lpar, node.url))
    try:
        await ready(host)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready(host: str) -> None:
    async def is_ready() -> bool:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with await Client.to(host, PORT) as client:
                return bool((await client.get("/application/ready")).status == 200)
        return False

    async with asyncio.timeout(15):
        while not await is_ready():  # noqa: ASYNC110  (another process gets ready)
            await asyncio.sleep(0.02)


async def in_vipa(host: str, state: str) -> None:
    body = json.dumps({"state": state}).encode()
    head = b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with await Client.to(host, PORT) as client:
        assert (await client.ask(head + body)).status == 200


async def call_vipa() -> str:
    """One call through the sysplex address, on a connection of its own; says which gateway it was."""
    async with await Client.to(VIPA_HOST, int(VIPA_PORT)) as client:
        got = await client.ask(GET)
        assert (got.status, got.body) == (200, b"ok")
        return (got.header("X-Plexmesh-Path") or "").partition("/")[0]


@contextlib.asynccontextmanager
async def a_node() -> AsyncIterator[FakeDiscovery]:
    node, instance = FakeDiscovery(LPAR1), RawInstance(INSTANCES[0], 9000, answering(b"ok"))
    async with running(node, instance):
        node.put(an_instance("orders", 9000, INSTANCES[0], lpar="LPAR2"))
        yield node


@on_uvloop
async def test_two_gateways_share_the_sysplex_address_and_leave_it_without_a_lost_call() -> None:
    async with a_node() as node, a_process(LPAR1, "LPAR1", node), a_process(LPAR2, "LPAR2", node):
        assert {await call_vipa() for _ in range(60)} == {"LPAR1", "LPAR2"}
        stop = asyncio.Event()
        calls = 0

        async def load() -> None:
            nonlocal calls
            while not stop.is_set():
                await call_vipa()
                calls += 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(load())
            for _ in range(10):
                for host in (LPAR1, LPAR2):
                    await in_vipa(host, "out")
                    before = calls
                    await until(lambda at=before: calls > at + 20)
                    await in_vipa(host, "in")
            stop.set()


@on_uvloop
async def test_a_killed_gateway_leaves_the_address_to_the_other_one() -> None:
    async with a_node() as node, a_process(LPAR1, "LPAR1", node), a_process(LPAR2, "LPAR2", node) as second:
        assert {await call_vipa() for _ in range(60)} == {"LPAR1", "LPAR2"}
        workers = psutil.Process(second.pid).children()
        second.kill()
        await second.wait()
        await until(lambda: not any(map(lives, workers)))
        assert {await call_vipa() for _ in range(60)} == {"LPAR1"}


@on_uvloop
async def test_sigterm_leaves_the_registry_first_and_ends_with_0() -> None:
    async with a_node() as node:
        node.registrations = True
        async with a_process(LPAR1, "LPAR1", node) as process, await Client.to(LPAR1, PORT) as client:
            await until(lambda: node.registered, "the gateway registers")
            method, path, body = node.registered[0]
            assert (method, path) == ("POST", "/eureka/apps/GATEWAY")
            assert b"LPAR1" in body
            assert (await client.ask(GET)).status == 200
            process.send_signal(signal.SIGTERM)
            await until(lambda: b"OUT_OF_SERVICE" in node.registered[-1][2])
            assert (await client.ask(GET)).header("Connection") == "close"
            assert (await Client.to(LPAR1, PORT)).writer.close() is None
            async with asyncio.timeout(10):
                assert await process.wait() == 0
            assert node.registered[-1][:2] == ("DELETE", f"/eureka/apps/GATEWAY/{LPAR1}:gateway:{PORT}")


@pytest.mark.parametrize(
    ("more", "flags", "word"),
    [
        ({"PLEXMESH_GATEWAY_DRIAN_S": "1"}, (), "PLEXMESH_GATEWAY_DRAIN_S"),
        ({"PLEXMESH_GATEWAY_PORT": "none"}, (), "PLEXMESH_GATEWAY_PORT"),
        ({}, ("--config", "/nowhere/plexmesh.yaml"), "/nowhere/plexmesh.yaml"),
        ({"PLEXMESH_ALLOW_INSECURE": "on"}, ("--host", "192.0.2.1"), "no address 192.0.2.1"),
        ({}, ("--host", "192.0.2.1"), "192.0.2.1:7554: others can reach it"),
    ],
)
@on_uvloop
async def test_what_cannot_be_used_is_one_line_and_exit_code_2(
    more: dict[str, str], flags: tuple[str, ...], word: str
) -> None:
    process = await spawn(environment(LPAR1, "LPAR1", "", **more), *flags)
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert word in errors.decode()
    assert "Traceback" not in errors.decode()


@on_uvloop
async def test_a_port_in_use_is_said() -> None:
    async with a_node(), running(RawInstance(LPAR2, PORT, answering(b""))):
        process = await spawn(environment(LPAR2, "LPAR2", ""))
        _, errors = await process.communicate()
        assert process.returncode == 2
        assert f"{LPAR2}:{PORT} is in use" in errors.decode()
