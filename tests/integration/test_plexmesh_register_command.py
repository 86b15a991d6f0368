"""`plexmesh register`, with and without a command of its own, as a shell runs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from plexmesh import testing
from tests.fakes import FakeRegistry, until
from tests.integration.launcher_rig import HOSTS, PROGRAM, Rig
from tests.integration.plexmesh_rig import (
    HOST,
    PORT,
    REGISTRY_HOST,
    REGISTRY_PORT,
    ROOT,
    alive,
    ended,
    environment,
)

URL = f"http://{HOST}:{PORT}"
BASE = ("register", "--service-id", "orders", "--url", URL)
ORDERS = (sys.executable, str(ROOT / "examples" / "orders.py"))
LEFT_IN_ORDER = [("POST", "OUT_OF_SERVICE"), ("DELETE", "")]

SHELL = f"""
trap 'echo term; kill $server; wait $server; exit 7' TERM
trap 'echo int; kill $server; exit 8' INT
trap 'echo hup' HUP
echo "told $HOST $PORT $PLEXMESH_DISCOVERY $PLEXMESH_LPAR"
{sys.executable} -m http.server --bind $HOST $PORT >/dev/null 2>&1 &
server=$!
while :; do wait $server && break; done
"""
"""A shell program around a server: it says which signals it gets, and has an exit code of its own."""


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry(REGISTRY_HOST, REGISTRY_PORT) as fake:
        yield fake


@contextlib.asynccontextmanager
async def plexmesh(*args: str, **environ: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *args, cwd="/", env=environment(**environ), stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                each.kill()
        await process.communicate()


async def called(*args: str, **environ: str) -> tuple[int, str]:
    """Exit code and standard error."""
    async with plexmesh(*args, **environ) as process, asyncio.timeout(15):
        _, error = await process.communicate()
        return process.returncode or 0, error.decode()


def changes(registry: FakeRegistry) -> list[tuple[str, str]]:
    return [call for call in registry.calls if call[0] != "PUT"]


async def line(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(10):
        return (await process.stdout.readline()).decode().strip()


async def test_a_command_is_started_registered_and_told_where_it_is(registry: FakeRegistry) -> None:
    given = ("--lpar", "lpar1", "--route", "api/v1=/orders/api", "--metadata", "team=blue", "--discovery", registry.url)
    async with plexmesh(*BASE, *given, "--", "sh", "-c", SHELL) as process:
        assert await line(process) == f"told {HOST} {PORT} {registry.url} LPAR1"
        await until(lambda: registry.told == ["UP"])
        document = registry.documents[0]
        assert (document["app"], document["hostName"], document["port"]["$"]) == ("ORDERS", HOST, PORT)
        metadata = document["metadata"]
        assert metadata["apiml.routes.api-v1.serviceUrl"] == "/orders/api"
        assert (metadata["zos.lpar"], metadata["team"]) == ("LPAR1", "blue")


@pytest.mark.parametrize(("number", "said", "code"), [(signal.SIGTERM, "term", 7), (signal.SIGINT, "int", 8)])
async def test_it_leaves_then_the_command_gets_the_signal_and_its_exit_code_is_ours(
    number: signal.Signals, said: str, code: int, registry: FakeRegistry
) -> None:
    async with plexmesh(*BASE, "--", "sh", "-c", SHELL, PLEXMESH_DISCOVERY=registry.url) as process:
        await line(process)
        await until(lambda: registry.told == ["UP"])
        process.send_signal(number)
        await until(lambda: ("POST", "OUT_OF_SERVICE") in registry.calls)
        async with aiohttp.ClientSession() as session, session.get(URL) as answer:
            assert answer.status == 200, "it serves while it drains"
        assert await line(process) == said
        assert await ended(process) == code
    assert changes(registry) == [("POST", "UP"), *LEFT_IN_ORDER]


async def test_a_second_signal_does_not_wait_for_the_drain(registry: FakeRegistry) -> None:
    async with plexmesh(*BASE, "--", "sh", "-c", SHELL, PLEXMESH_DISCOVERY=registry.url) as process:
        await line(process)
        await until(lambda: registry.told == ["UP"])
        process.send_signal(signal.SIGTERM)
        await until(lambda: ("POST", "OUT_OF_SERVICE") in registry.calls)
        process.send_signal(signal.SIGTERM)
        assert await line(process) == "term"
        assert ("DELETE", "") not in registry.calls
        assert await ended(process) == 7


async def test_hup_goes_to_the_command_at_once_and_changes_nothing(registry: FakeRegistry) -> None:
    async with plexmesh(*BASE, "--", "sh", "-c", SHELL, PLEXMESH_DISCOVERY=registry.url) as process:
        await line(process)
        await until(lambda: registry.told == ["UP"])
        process.send_signal(signal.SIGHUP)
        assert await line(process) == "hup"
        assert changes(registry) == [("POST", "UP")]


@pytest.mark.parametrize(("end", "code"), [("exit 0", 0), ("exit 5", 5), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
async def test_a_command_that_ends_is_deregistered_and_its_end_is_ours(
    end: str, code: int, registry: FakeRegistry
) -> None:
    script = f"{ORDERS[0]} {ORDERS[1]} >/dev/null & read wait <&3; kill -9 $!; wait $!; {end}"
    read, write = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *(*BASE, "--", "sh", "-c", f"exec 3</proc/{os.getpid()}/fd/{read}; {script}"),
            env=environment(PLEXMESH_DISCOVERY=registry.url),
            stdin=DEVNULL,
            stderr=PIPE,
        )
        await until(lambda: registry.told == ["UP"])
        os.write(write, b"now\n")
        assert await ended(process) == code
        await process.communicate()
    finally:
        os.close(read)
        os.close(write)
    assert changes(registry) == [("POST", "UP"), *LEFT_IN_ORDER]


async def test_a_command_that_never_listens_is_never_listed(registry: FakeRegistry) -> None:
    code, _ = await called(*BASE, "--", "sh", "-c", "sleep 0.5; exit 3", PLEXMESH_DISCOVERY=registry.url)
    assert code == 3
    assert changes(registry) == []


async def test_the_command_dies_with_a_killed_register(registry: FakeRegistry) -> None:
    async with plexmesh(*BASE, "--", *ORDERS, PLEXMESH_DISCOVERY=registry.url) as process:
        await until(lambda: registry.told == ["UP"])
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        await until(lambda: not alive(child.pid))


async def test_without_a_command_it_follows_the_port_until_it_is_stopped(registry: FakeRegistry) -> None:
    async with plexmesh(*BASE, PLEXMESH_DISCOVERY=registry.url) as process:
        server = await asyncio.start_server(lambda _, writer: writer.close(), HOST, PORT)
        await until(lambda: registry.told == ["UP"])
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
        server.close()
        await server.wait_closed()
    assert changes(registry) == [("POST", "UP"), *LEFT_IN_ORDER]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("register", "--service-id", "orders", "--url", "127.0.0.1:9000"), "--url: expected http://host:port"),
        ((*BASE, "--route", "api/v1"), "--route: expected GATEWAY_URL=/PATH"),
        ((*BASE, "--metadata", "x"), "--metadata: expected KEY=VALUE"),
        ((*BASE, "--discovery", "here"), "--discovery: expected http://host:port"),
        (("register", "--service-id", "gateway", "--url", URL), "--service-id: gateway is a name"),
        (("register", "--url", URL), "Missing option '--service-id'"),
    ],
)
async def test_bad_options_are_one_line_and_exit_code_2(args: tuple[str, ...], said: str) -> None:
    code, error = await called(*args, PLEXMESH_DISCOVERY="http://192.0.2.1:7553")
    assert (code, error.count("\n")) == (2, 1)
    assert said in error


@pytest.mark.parametrize(("name", "code"), [("not-there", 127), ("not-executable", 126)])
async def test_a_command_that_cannot_be_started(name: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "not-executable").touch(0o644)
    found, error = await called(*BASE, "--discovery", "http://192.0.2.1:7553", "--", str(tmp_path / name))
    assert (found, error.count("\n")) == (code, 1)
    assert "cannot be started" in error


async def test_without_a_sysplex_it_says_how_to_start_one(tmp_path: Path) -> None:
    code, error = await called(*BASE, "--data", str(tmp_path))
    assert (code, error.count("\n")) == (3, 1)
    assert "no sysplex is running" in error


def test_the_sysplex_of_the_data_folder_is_found(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    try:
        rig.up()
        told = "echo $PLEXMESH_DISCOVERY"
        nodes = [f"http://{address}:7553" for address in HOSTS.values()]
        for lpar, first in (("LPAR1", 0), ("LPAR2", 1)):
            done = rig.call_as_is(*BASE, "--data", str(rig.data), "--lpar", lpar, "--", "sh", "-c", told)
            assert done.stdout.strip().split(",") == [nodes[first], nodes[1 - first]], done.stderr
    finally:
        rig.close()


async def test_the_example_is_called_through_the_gateway() -> None:
    with testing.sysplex() as sysplex:
        async with plexmesh(*BASE, "--lpar", "LPAR1", "--", *ORDERS, **sysplex.environ) as process:
            await sysplex.routed("orders")
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{sysplex.gateway}/orders/api/v1/hello") as answer,
            ):
                assert await answer.json() == {"service": "orders", "lpar": "LPAR1", "at": f"{HOST}:{PORT}"}
            process.send_signal(signal.SIGINT)
            assert await ended(process) == 0
            assert not sysplex.is_routed("orders")
