"""The image by itself: any user, a launcher as process 1, a container per component, half of a sysplex on the host."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import callers
from tests.ha.compose_rig import (
    ROOT,
    VIPA,
    composed,
    failed,
    get,
    in_words,
    lpars_answering,
    on_an_engine,
    run,
    send,
    users,
)
from tests.integration.launcher_rig import PROGRAM, poll

pytestmark = on_an_engine

BOTH = {"LPAR1", "LPAR2"}
ALONE = "plexmesh-alone"
SPLIT, HYBRID = "deploy/compose.split.yaml", "deploy/compose.hybrid.yaml"
CONFIG = f"{ROOT}/deploy/compose/plexmesh.yaml:/etc/plexmesh.yaml:ro"
ENTRY = "/cachingservice/api/v1/cache"

READY = "import urllib.request as u; u.urlopen('http://127.0.0.1:7550/application/ready')"
ORPHAN = "import os, time; os.fork() or (os.setsid(), os.fork() or time.sleep(0.5))"
"""A grandchild that loses its parent, and ends half a second later."""
ZOMBIES = "import psutil; print([p.pid for p in psutil.process_iter() if p.status() == psutil.STATUS_ZOMBIE])"
PROCESSES = "import psutil; print(len(psutil.pids()))"


def inside(container: str, program: str) -> str | None:
    """What that Python program prints there; None when it fails."""
    command = ("docker", "exec", container, "python", "-c", program)
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


@contextlib.contextmanager
def alone(*options: str) -> Iterator[None]:
    """One LPAR in a container of its own, without compose, and without an init process."""
    command = ("--name", ALONE, "--hostname", "lpar1", "-v", CONFIG, "-e", "PLEXMESH_CONFIG=/etc/plexmesh.yaml",
        "-e", "PLEXMESH_ALLOW_INSECURE=on")  # fmt: skip
    run("docker", "build", "-q", "-t", "plexmesh:latest", ".")
    try:
        run("docker", "run", "-d", *command, *options, "plexmesh:latest", "run", "--lpar", "LPAR1")
        poll("it is ready", lambda: inside(ALONE, READY) is not None, within_s=60)
        yield
    finally:
        subprocess.run(("docker", "rm", "-f", "-v", ALONE), capture_output=True, timeout=60, check=False)


def test_any_user_of_group_0_may_run_it() -> None:
    with alone("--user", "12345:0", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"):
        assert inside(ALONE, "import os; print(os.getuid(), os.getgid())") == "12345 0"


def test_its_launcher_does_what_process_1_must() -> None:
    with alone():
        assert inside(ALONE, "print(open('/proc/1/cmdline').read().split(chr(0))[1:3])") == str(
            ["/opt/plexmesh/bin/plexmesh", "run"]
        )
        processes = inside(ALONE, PROCESSES)
        inside(ALONE, ORPHAN)
        poll("the orphan has ended and is reaped", lambda: inside(ALONE, PROCESSES) == processes, within_s=10)
        assert inside(ALONE, ZOMBIES) == "[]"
        run("docker", "stop", "--time", "30", ALONE)
        state = json.loads(run("docker", "inspect", "--format", "{{json .State}}", ALONE))
        assert (state["ExitCode"], state["OOMKilled"]) == (0, False)


async def test_a_component_in_a_container_of_its_own_returns_by_the_engine() -> None:
    """The container's main process is killed from outside: `docker kill` would count as a wish of the operator's."""

    def restarts(container: str) -> int:
        return int(run("docker", "inspect", "--format", "{{.RestartCount}}", container))

    def healthy(container: str) -> bool:
        state = run("docker", "inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", container)
        return state.split() == ["running", "healthy"]

    with composed(file=SPLIT):
        await asyncio.to_thread(poll, "both LPARs answer", lambda: lpars_answering() == BOTH, 90)
        for container in ("lpar2-sample", "lpar2-gateway"):
            pid = int(run("docker", "inspect", "--format", "{{.State.Pid}}", container))
            async with users(VIPA) as (load,):
                await asyncio.sleep(2)
                killed = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                await asyncio.to_thread(poll, "the engine restarts it", lambda each=container: restarts(each) == 1, 30)
                await asyncio.to_thread(poll, "it is healthy", lambda each=container: healthy(each), 60)
                took_s = time.monotonic() - killed
                await asyncio.sleep(3)
            print(f"\n{container} killed, healthy again after {took_s:.1f} s: {in_words(load.outcomes)}")
            assert failed(load.outcomes) == []
            assert callers.answered_by(load.outcomes, "LPAR1") > 50


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir(mode=0o700)
    return tmp_path


def test_an_lpar_on_the_host_and_one_in_a_container_are_one_sysplex(data: Path) -> None:
    with composed(file=HYBRID, PLEXMESH_DATA=str(data), PLEXMESH_USER=str(os.getuid())):
        command = (PROGRAM, "run", "--lpar", "LPAR1", "--config", "deploy/hybrid/plexmesh.yaml", "--data", str(data))
        with (data / "out").open("wb") as out:
            host = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
        try:
            poll("both LPARs answer at the host's gateway", lambda: lpars_answering() == BOTH, within_s=60)
            there = "http://127.0.2.1:7554"
            poll("and at the container's", lambda: lpars_answering(there) == BOTH, within_s=30)
            wrote = send("POST", VIPA + ENTRY, {"key": "k", "value": "from the host"}, **{"X-CS-Service-ID": "test"})
            assert wrote == 201
            assert "from the host" in (get(f"{there}{ENTRY}/k", **{"X-CS-Service-ID": "test"}) or "")
        finally:
            host.terminate()
            assert host.wait(40) == 0
