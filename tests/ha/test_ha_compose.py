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
from math import inf
from pathlib import Path

import pytest

from launcher import callers
from launcher.callers import Callers
from tests.integration.launcher_rig import poll

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
    async def scenario() -> Callers:
        load = Callers(HELLO, RATE)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(3)
        await asyncio.to_thread(run, "docker", "kill", "lpar2")
        await asyncio.sleep(8)
        await asyncio.to_thread(run, "docker", "start", "lpar2")
        started = time.monotonic()
        while not callers.answered_by(load.between(started, inf), "LPAR2"):
            assert time.monotonic() < started + 30, "LPAR2 does not answer again"
            await asyncio.sleep(0.1)
        await asyncio.sleep(3)
        load.stop()
        await running
        return load

    load = asyncio.run(scenario())
    seen = load.outcomes
    print(
        f"\n{len(seen)} GETs at {RATE}/s: {len(callers.errors(seen))} error answers, {len(callers.cut(seen))} cut; "
        f"median {callers.median_ms(seen):.1f} ms, slowest {callers.slowest_ms(seen):.0f} ms"
    )
    assert callers.errors(seen) == []
    assert callers.cut(seen) == []
    assert callers.answered_by(seen, "LPAR1") > 100
