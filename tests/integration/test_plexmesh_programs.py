"""The client inside real programs: FastAPI under uvicorn, Flask under gunicorn, aiohttp, scripts; how each leaves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator

import aiohttp
import psutil
import pytest

from plexmesh import testing
from tests.fakes import FakeRegistry, until
from tests.integration.plexmesh_rig import (
    AIOHTTP,
    GUNICORN,
    HOST,
    PORT,
    REGISTRY_HOST,
    REGISTRY_PORT,
    SCRIPT,
    UVICORN,
    ended,
    program,
)

DIRECT = f"http://{HOST}:{PORT}"
LEFT_IN_ORDER = ["POST OUT_OF_SERVICE", "DELETE "]


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry(REGISTRY_HOST, REGISTRY_PORT) as fake:
        yield fake


@pytest.fixture(scope="module")
def sysplex() -> Iterator[testing.Sysplex]:
    with testing.sysplex() as found:
        yield found


def changes(registry: FakeRegistry) -> list[str]:
    return [f"{method} {status}" for method, status in registry.calls if method != "PUT"]


def registering_pid(registry: FakeRegistry) -> int:
    """Which process registered last."""
    return int(registry.documents[-1]["metadata"]["pid"])


async def listed(registry: FakeRegistry, times: int = 1) -> None:
    await until(lambda: registry.told.count("UP") == times, f"registered UP {times} times", 20)


def workers(process: Process) -> set[int]:
    """Children that have joined: they hold a share of the instance's lock file."""
    return {each.pid for each in psutil.Process(process.pid).children() if holds_a_share(each)}


def holds_a_share(process: psutil.Process) -> bool:
    try:
        return any(file.path.endswith(".present") for file in process.open_files())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


@pytest.mark.parametrize(
    "args", [(*UVICORN, "--workers", "4"), (*GUNICORN, "--workers", "3")], ids=["uvicorn", "gunicorn"]
)
async def test_workers_are_one_instance_and_a_survivor_keeps_it(args: tuple[str, ...], registry: FakeRegistry) -> None:
    async with program(*args, PLEXMESH_DISCOVERY=registry.url) as process:
        await listed(registry)
        first = registering_pid(registry)
        await until(lambda: len(workers(process)) == int(args[-1]), "all workers run")
        assert first in workers(process)

        os.kill(first, signal.SIGKILL)
        await listed(registry, times=2)
        await until(lambda: len(workers(process)) == int(args[-1]), "a new worker has come", 20)
        second = registering_pid(registry)
        assert second != first
        assert "DELETE " not in changes(registry)

        process.terminate()
        assert await ended(process) == 0
    assert changes(registry) == ["POST UP", "POST UP", *LEFT_IN_ORDER]


async def test_a_worker_that_leaves_before_the_others_does_not_deregister(registry: FakeRegistry) -> None:
    async with program(*UVICORN, "--workers", "2", PLEXMESH_DISCOVERY=registry.url) as process:
        await listed(registry)
        await until(lambda: len(workers(process)) == 2)
        first = registering_pid(registry)
        os.kill(first, signal.SIGTERM)
        await listed(registry, times=2)
        assert registering_pid(registry) != first
    assert changes(registry) == ["POST UP", "POST UP"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)])
async def test_a_server_serves_until_its_service_has_left(
    number: signal.Signals, code: int, registry: FakeRegistry
) -> None:
    async with program(*UVICORN, PLEXMESH_DISCOVERY=registry.url) as process, aiohttp.ClientSession() as session:
        await listed(registry)
        process.send_signal(number)
        await until(lambda: "POST OUT_OF_SERVICE" in changes(registry), "it leaves")
        process.send_signal(number)  # as a parent and a process group say it twice
        await asyncio.sleep(0.2)  # it does not stop to serve
        async with session.get(f"{DIRECT}/hello") as answer:
            assert (await answer.json())["state"] == "the user's own"
        assert "DELETE " not in changes(registry), "it still drains"
        assert await ended(process) == code
    assert changes(registry) == ["POST UP", *LEFT_IN_ORDER]


async def test_signals_from_parent_and_group_are_one_order(registry: FakeRegistry) -> None:
    """As from a terminal's Ctrl-C, or from a launcher that stops a whole session."""
    async with (
        program(*GUNICORN, "--workers", "2", PLEXMESH_DISCOVERY=registry.url) as process,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
    ):
        await listed(registry)
        os.killpg(process.pid, signal.SIGTERM)
        await until(lambda: "POST OUT_OF_SERVICE" in changes(registry))
        async with session.get(f"{DIRECT}/hello") as answer:
            assert answer.status == 200, "the last worker serves while it drains"
        assert await ended(process) == 0
    assert changes(registry) == ["POST UP", *LEFT_IN_ORDER]


@pytest.mark.parametrize(
    ("args", "number", "code"),
    [
        ((*SCRIPT, "waits"), signal.SIGTERM, -signal.SIGTERM),
        ((*SCRIPT, "waits"), signal.SIGHUP, -signal.SIGHUP),
        ((*SCRIPT, "waits"), signal.SIGINT, -signal.SIGINT),
        (AIOHTTP, signal.SIGTERM, 0),
    ],
    ids=["script-TERM", "script-HUP", "script-INT", "aiohttp-TERM"],
)
async def test_a_signal_ends_a_program_as_before_but_it_leaves(
    args: tuple[str, ...], number: signal.Signals, code: int, registry: FakeRegistry
) -> None:
    async with program(*args, PLEXMESH_DISCOVERY=registry.url) as process:
        await listed(registry)
        process.send_signal(number)
        assert await ended(process) == code
    assert changes(registry) == ["POST UP", *LEFT_IN_ORDER]


async def test_a_script_that_ends_by_itself_leaves() -> None:
    """With names to look up, which an ending interpreter cannot do any more."""
    port, registry_port = testing.free_ports(2)
    async with FakeRegistry("127.0.0.1", registry_port) as registry:
        there = {"HOST": "localhost", "PORT": str(port), "PLEXMESH_DISCOVERY": f"http://localhost:{registry_port}"}
        async with program(*SCRIPT, "ends", **there) as process:
            await listed(registry)
            assert process.stdin is not None
            process.stdin.write(b"\n")
            assert await ended(process) == 0
            assert process.stderr is not None
            assert b"Traceback" not in await process.stderr.read()
        assert changes(registry) == ["POST UP", *LEFT_IN_ORDER]


@pytest.mark.parametrize(
    "args", [UVICORN, (*GUNICORN, "--workers", "2"), (*SCRIPT, "waits")], ids=["uvicorn", "gunicorn", "script"]
)
async def test_without_a_registry_programs_run_and_end_as_ever(args: tuple[str, ...]) -> None:
    async with program(*args) as process, aiohttp.ClientSession() as session:
        await until_answers(session, f"{DIRECT}/hello")
        process.terminate()
        assert await ended(process, within_s=5) in (0, -signal.SIGTERM)


async def test_no_call_of_any_method_fails_when_a_server_is_stopped(sysplex: testing.Sysplex) -> None:
    """Nor a POST, which is never sent twice."""
    second = HOST.replace("127.0.85.", "127.0.89.")
    there = sysplex.environ | {"HOST": second, "PLEXMESH_HOST": second}
    here = sysplex.environ | {"PLEXMESH_HOST": HOST}
    async with (
        program(*UVICORN, **here) as process,
        program(*UVICORN[:4], second, *UVICORN[5:], **there) as other,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
    ):
        await sysplex.routed("orders", instances=2, within_s=20)
        answers: list[tuple[int, str]] = []
        url = f"{sysplex.gateway}/orders/api/v1/orders"
        calling = asyncio.gather(*(call_on(session, url, answers) for _ in range(16)))
        await until(lambda: len({text for _, text in answers}) == 2, "both are called")
        process.terminate()
        await ended(process)
        count = len(answers)
        await until(lambda: len(answers) > count + 100)
        calling.cancel()
        assert {status for status, _ in answers} == {200}
        assert len({text for _, text in answers[count + 16 :]}) == 1
        other.terminate()
        await ended(other)


async def call_on(session: aiohttp.ClientSession, url: str, answers: list[tuple[int, str]]) -> None:
    while True:
        async with session.post(url) as answer:
            answers.append((answer.status, await answer.text()))


async def test_fastapis_docs_open_through_the_gateway(sysplex: testing.Sysplex) -> None:
    environ = sysplex.environ | {"PLEXMESH_HOST": HOST}
    async with program(*UVICORN, **environ) as process, aiohttp.ClientSession() as session:
        await sysplex.routed("orders")
        public = f"{sysplex.gateway}/orders/api/v1"
        async with session.get(f"{public}/docs") as answer:
            assert "url: '/orders/api/v1/openapi.json'" in await answer.text()
        async with session.get(f"{public}/openapi.json") as answer:
            assert (await answer.json())["servers"] == [{"url": "/orders/api/v1"}]
        async with session.get(f"{public}/hello") as answer:
            assert (await answer.json())["self"] == f"{public}/hello"
        async with session.get(f"{public}/items", allow_redirects=False) as answer:
            assert answer.headers["Location"].endswith("/orders/api/v1/items/")
        async with session.get(f"{public}/items") as answer:
            assert (answer.status, await answer.json()) == (200, ["one"])
        async with session.get(f"{DIRECT}/hello") as answer:
            assert (await answer.json())["self"] == f"{DIRECT}/hello"
        process.terminate()
        await ended(process)


async def test_flasks_urls_lead_through_the_gateway(sysplex: testing.Sysplex) -> None:
    environ = sysplex.environ | {"PLEXMESH_HOST": HOST}
    async with program(*GUNICORN, "--workers", "2", **environ) as process, aiohttp.ClientSession() as session:
        await sysplex.routed("orders")
        async with session.get(f"{sysplex.gateway}/orders/api/v1/hello") as answer:
            said = json.loads(await answer.text())
        assert said["self"] == "/orders/api/v1/hello"
        assert said["whole"] == f"{sysplex.gateway}/orders/api/v1/hello"
        process.terminate()
        await ended(process)


async def until_answers(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(15):
        while True:
            try:
                async with session.get(url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
