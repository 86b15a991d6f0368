"""compose.yaml on a real engine: an LPAR's container is killed under load and comes back, and no GET fails.

Run with `make test-ha`. It takes the addresses of `make up`, so nothing else may run there.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.launcher_rig import poll
from tests.integration.load import Load

ROOT = Path(__file__).parents[2]
VIPA = "http://127.0.0.1:7554"
HELLO = f"{VIPA}/sample/api/v1/hello"
RATE = 50

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PLEXMESH_HA"), reason="needs a Docker engine; run it with make test-ha"),
    pytest.mark.timeout(300),
]


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
    return done.stdout


def compose(*arguments: str) -> str:
    program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    return run(*program, *arguments)


def lpars_answering(calls: int = 20) -> set[str]:
    """Over fresh connections; empty while something does not answer."""
    found = set()
    for _ in range(calls):
        try:
            with urllib.request.urlopen(HELLO, timeout=2) as answer:
                found.add(json.load(answer)["lpar"])
        except OSError:
            return set()
    return found


@pytest.fixture(scope="module")
def sysplex() -> Iterator[None]:
    compose("up", "-d", "--build")
    try:
        poll("both LPARs answer", lambda: lpars_answering() == {"LPAR1", "LPAR2"}, within_s=60)
        yield
    finally:
        compose("down", "--volumes", "--timeout", "30")


def test_a_killed_container_costs_no_get_and_comes_back(sysplex: None) -> None:
    async def scenario() -> Load:
        load = Load(HELLO, RATE)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(3)
        await asyncio.to_thread(run, "docker", "kill", "lpar2")
        await asyncio.sleep(8)
        await asyncio.to_thread(run, "docker", "start", "lpar2")
        started = time.monotonic()
        while not load.answered_by("LPAR2", since=started):
            assert time.monotonic() < started + 30, "LPAR2 does not answer again"
            await asyncio.sleep(0.1)
        await asyncio.sleep(3)
        load.stop()
        await running
        return load

    load = asyncio.run(scenario())
    took_ms = sorted(each.took_s * 1000 for each in load.outcomes)
    print(
        f"\n{len(load.outcomes)} GETs at {RATE}/s: {len(load.errors)} error answers, {len(load.cut)} cut; "
        f"median {took_ms[len(took_ms) // 2]:.1f} ms, slowest {took_ms[-1]:.0f} ms"
    )
    assert load.errors == []
    assert load.cut == []
    assert load.answered_by("LPAR1") > 100
