"""The registry and gateway for users' tests, used as the page of the client says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import plexmesh
from plexmesh import testing
from tests.integration.launcher_rig import poll
from tests.integration.plexmesh_rig import alive


@pytest.fixture(scope="module")
def sysplex() -> Iterator[testing.Sysplex]:
    with testing.sysplex() as found:
        yield found


async def test_a_service_is_called_through_the_gateway(sysplex: testing.Sysplex) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    (port,) = testing.free_ports(1)
    app = web.Application()
    app.router.add_get("/hello", hello)
    service = plexmesh.Service("greetings", port=port, host="127.0.0.1", discovery=[sysplex.discovery], drain_s=0)
    app.cleanup_ctx.append(service.cleanup_ctx)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        await sysplex.routed("greetings")
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{sysplex.gateway}/greetings/api/v1/hello") as answer,
        ):
            assert await answer.json() == {"hello": "world"}
    finally:
        await runner.cleanup()
    await asyncio.to_thread(poll, "it is routed no more", lambda: not sysplex.is_routed("greetings"))


async def test_waiting_for_nobody_ends(sysplex: testing.Sysplex) -> None:
    with pytest.raises(TimeoutError, match="nobody"):
        await sysplex.routed("nobody", within_s=0.1)


async def test_instances_are_found_in_it(sysplex: testing.Sysplex) -> None:
    found = await anext(plexmesh.instances("gateway", discovery=[sysplex.discovery]))
    assert [(each.url, each.status, each.lpar) for each in found] == [(sysplex.gateway, "UP", "LPAR1")]


def test_the_fixture_as_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["plexmesh.testing"]\n')
    (tmp_path / "test_it.py").write_text(
        "def test_it(plexmesh_sysplex, tmp_path):\n"
        "    assert not plexmesh_sysplex.is_routed('orders')\n"
        "    assert plexmesh_sysplex.environ['PLEXMESH_DISCOVERY'] == plexmesh_sysplex.discovery\n"
    )
    (tmp_path / "shared.py").write_text("raise SystemExit('a module of the program under test')\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout


def test_it_dies_with_a_killed_test_run() -> None:
    script = (
        "from plexmesh import testing\n"
        "with testing.sysplex() as found:\n"
        "    print(*[each.pid for each in found.processes.values()], flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pids = [int(each) for each in process.stdout.readline().split()]
        assert len(pids) == 2
        os.kill(process.pid, signal.SIGKILL)
        poll("both are gone", lambda: not any(alive(pid) for pid in pids))
