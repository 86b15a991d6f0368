"""A registry and a gateway for the tests of a service: real ones, on free ports of 127.0.0.1, empty.

    # conftest.py
    pytest_plugins = ["plexmesh.testing"]

    # test_orders.py
    async def test_orders_are_reached_through_the_gateway(plexmesh_sysplex):
        async with plexmesh.Service("orders", port=9000, host="127.0.0.1", discovery=[plexmesh_sysplex.discovery]):
            await plexmesh_sysplex.routed("orders")
            async with session.get(f"{plexmesh_sysplex.gateway}/orders/api/v1/hello") as answer: ...

`with plexmesh.testing.sysplex() as found:` is the same without pytest's fixture.

The two are child processes, as everywhere in plexmesh, and not threads of the test: their packages have names like
`shared` and `gateway` that a program under test may have as well, and a test may kill them. They die with the test run.

Needs the wheel plexmesh-sysplex, and pytest.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HOST = "127.0.0.1"
START_S = 20.0
STOP_S = 5.0
WAIT_S = 10.0
POLL_S = 0.02
PR_SET_PDEATHSIG = 1
LAST_BYTES = 2000


class NotStarted(Exception):
    """The registry or the gateway did not become ready; the text has its last output."""


@dataclass(frozen=True)
class Sysplex:
    """`discovery` and `gateway` are URLs; `processes` are the two, by those names."""

    discovery: str
    gateway: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """What a service in another process needs to register here."""
        return {"PLEXMESH_DISCOVERY": self.discovery, "PLEXMESH_HOST": HOST}

    def is_routed(self, service_id: str, instances: int = 1) -> bool:
        """Whether the gateway has at least so many instances of it that are UP."""
        body = _get(f"{self.gateway}/gateway/v1/upstreams")
        upstreams = json.loads(body)["upstreams"] if body else []
        listed = [each for one in upstreams if one["service"] == service_id.lower() for each in one["instances"]]
        return len([each for each in listed if each["status"] == "UP"]) >= instances

    def wait_routed(self, service_id: str, instances: int = 1, within_s: float = WAIT_S) -> None:
        """Raises TimeoutError. In an event loop: `await routed(…)`."""
        deadline = time.monotonic() + within_s
        while not self.is_routed(service_id, instances):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{service_id}: not {instances} instances at the gateway within {within_s:g} s")
            time.sleep(POLL_S)

    async def routed(self, service_id: str, instances: int = 1, within_s: float = WAIT_S) -> None:
        """Raises TimeoutError."""
        await asyncio.to_thread(self.wait_routed, service_id, instances, within_s)


@pytest.fixture(scope="session")
def plexmesh_sysplex() -> Iterator[Sysplex]:
    """One registry and one gateway for the whole run; services that deregister at their end leave nothing behind."""
    with sysplex() as found:
        yield found


@contextlib.contextmanager
def sysplex() -> Iterator[Sysplex]:
    """Ready when entered, gone when left. Raises NotStarted."""
    try:
        importlib.metadata.version("plexmesh-sysplex")
    except importlib.metadata.PackageNotFoundError as error:
        raise NotStarted("plexmesh.testing needs the servers: pip install plexmesh-sysplex") from error
    ports = free_ports(2)
    discovery, gateway = urls = [f"http://{HOST}:{port}" for port in ports]
    found = Sysplex(discovery, gateway)
    with tempfile.TemporaryDirectory(prefix="plexmesh-test-", ignore_cleanup_errors=True) as folder:
        try:
            for name, port in zip(("discovery", "gateway"), ports, strict=True):
                found.processes[name] = _started(name, port, discovery, Path(folder))
            for name, url in zip(found.processes, urls, strict=True):
                _wait_ready(name, url, found.processes[name], Path(folder))
            yield found
        finally:
            for process in found.processes.values():
                process.send_signal(signal.SIGKILL)  # it has nothing to keep, and its leaving would take seconds
            for process in found.processes.values():
                process.wait(STOP_S)


def free_ports(count: int) -> list[int]:
    """Free at this moment, and different from one another."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in held]


def _started(name: str, port: int, discovery: str, folder: Path) -> subprocess.Popen[bytes]:
    # What surrounds the test (a sysplex of its own, perhaps) does not count here.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_")}
    place = {
        "PLEXMESH_HOST": HOST,
        "PLEXMESH_DATA": str(folder),
        "PLEXMESH_DISCOVERY": discovery,
        "PLEXMESH_VIPA": "",
        f"PLEXMESH_{name.upper()}_PORT": str(port),
    }
    with (folder / name).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", name],
            env=kept | place,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent() if sys.platform == "linux" else None,
        )


def _die_with_parent() -> functools.partial[int] | None:
    """The kernel's signal follows the *thread* that forks, so only the main one may ask for it."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return functools.partial(ctypes.CDLL(None).prctl, PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _wait_ready(name: str, url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_S
    while not _get(f"{url}/application/ready"):
        if process.poll() is not None or time.monotonic() > deadline:
            last = (folder / name).read_bytes()[-LAST_BYTES:].decode(errors="replace")
            raise NotStarted(f"{name} did not become ready at {url}: {last}")
        time.sleep(POLL_S)


def _get(url: str) -> bytes:
    """The body of a 200, else nothing."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=WAIT_S) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        return b""
    except OSError:
        return b""
