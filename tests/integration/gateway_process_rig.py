"""A gateway as processes of its own (a parent and its worker), looked at from outside: memory, CPU time, descriptors,
log and metrics. Memory and CPU time are those of all its processes.

The discovery node it follows and the instances run in the test's process. Addresses lie in 127.0.30.x to 127.0.33.x;
the last part depends on our pid, so that two test runs do not meet.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.fakes import FakeDiscovery, RawInstance, an_instance, running, until
from tests.integration.gateway_rig import Client

N = os.getpid() % 250 + 1
HOST, INSTANCE, OTHER = (f"127.0.{part}.{N}" for part in (30, 31, 32))
PORT = 7554
VIPA = f"127.0.33.{N}:{PORT}"
MB = 1 << 20
RST = struct.pack("ii", 1, 0)
"""SO_LINGER with no time."""


class GatewayProcess:
    def __init__(self, process: asyncio.subprocess.Process, discovery: FakeDiscovery, log: Path) -> None:
        self.process = process
        self.discovery = discovery
        self.log = log
        self.clients: list[Client] = []

    async def connect(self, limit: int = 1 << 20) -> Client:
        self.clients.append(await Client.to(HOST, PORT, limit))
        return self.clients[-1]

    async def status(self, path: str) -> int:
        """Of a GET on a connection of its own."""
        async with await Client.to(HOST, PORT) as client:
            return (await client.get(path)).status

    async def metric(self, name: str) -> float:
        """The sum over its labels. The asking connection and request are counted too."""
        async with await Client.to(HOST, PORT) as client:
            lines = (await client.get("/application/metrics")).body.decode().splitlines()
        wanted = re.compile(rf"plexmesh_gateway_{name}(_total)?[{{ ]")
        return sum(float(line.split()[-1]) for line in lines if wanted.match(line))

    async def until_metric(self, name: str, value: float, deadline_s: float = 10.0) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        while (now := await self.metric(name)) != value:
            assert loop.time() < end, f"not in {deadline_s} s: {name} is {value}; it is {now}"
            await asyncio.sleep(0.05)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def resident(self) -> int:
        """Bytes."""
        return sum(each.memory_info().rss for each in self.processes())

    def cpu_s(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in self.processes())

    def files(self) -> int:
        """Open in the process that has most."""
        return max(each.num_fds() for each in self.processes())

    def logged(self, event: str = "") -> list[dict[str, Any]]:
        """What it said, under that name or any."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if event in ("", line["event"])]

    @contextlib.asynccontextmanager
    async def memory(self) -> AsyncIterator[Memory]:
        """Its memory while the block runs, sampled."""
        memory = Memory(self.resident)
        sampling = asyncio.create_task(memory.sample())
        try:
            yield memory
        finally:
            sampling.cancel()
            memory.look()


class Memory:
    def __init__(self, resident: Callable[[], int]) -> None:
        self._resident = resident
        self._first = self._most = resident()

    def look(self) -> None:
        self._most = max(self._most, self._resident())

    async def sample(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.02)

    @property
    def growth(self) -> int:
        return self._most - self._first


@contextlib.asynccontextmanager
async def a_gateway_process(
    folder: Path, *instances: RawInstance, service: str = "orders", files: int = 0, **settings: Any
) -> AsyncIterator[GatewayProcess]:
    """A ready one, in front of these instances; `files` limits its descriptors. It must end without a defect logged.
    It connects to instances for calls only, unless `probe_rounds` says otherwise."""
    discovery = FakeDiscovery(HOST)
    settings = {"probe_rounds": False} | settings
    async with running(discovery, *instances):
        for each in instances:
            discovery.put(an_instance(service, each.port, each.host, lpar="LPAR2"))
        log = folder / "gateway.log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "gateway",
                env=_environment(folder, discovery, settings), cwd="/", stderr=out,
                preexec_fn=lambda: _limit(files),
            )  # fmt: skip
        gateway = GatewayProcess(process, discovery, log)
        try:
            await _ready(gateway)
            yield gateway
        finally:
            for client in gateway.clients:
                client.close()
            await _end(process)
        defects = [line for line in log.read_text().splitlines() if "Traceback" in line or '"level": "ERROR"' in line]
        assert not defects, defects[:3]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of it; its workers end by themselves."""
    if process.returncode is not None:
        return
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    await process.wait()
    await until(lambda: not any(each.is_running() for each in workers), "its workers end with it")


def _environment(folder: Path, discovery: FakeDiscovery, settings: dict[str, Any]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_")}
    own = {f"PLEXMESH_GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
    fixed = {"HOST": HOST, "LPAR": "LPAR1", "VIPA": VIPA, "DISCOVERY": discovery.url, "DATA": str(folder / "data")}
    return kept | {f"PLEXMESH_{name}": value for name, value in fixed.items()} | own


def _limit(files: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = files or hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most if files else hard))


async def _ready(gateway: GatewayProcess) -> None:
    async with asyncio.timeout(15):
        while gateway.process.returncode is None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if await gateway.status("/application/ready") == 200:
                    return
            await asyncio.sleep(0.02)
    raise AssertionError(f"the gateway ended at once: {gateway.log.read_text()}")


@contextlib.contextmanager
def many_files() -> Iterator[int]:
    """This process may open as many files as the hard limit allows; says how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def settled(read: Callable[[], int], for_s: float = 0.4, deadline_s: float = 15.0) -> int:
    """The value that `read` keeps for that long, once it is not 0."""
    loop = asyncio.get_running_loop()
    last, since = read(), loop.time()

    def quiet() -> bool:
        nonlocal last, since
        if (value := read()) != last:
            last, since = value, loop.time()
        return bool(last) and loop.time() - since >= for_s

    await until(quiet, "it comes to rest", deadline_s)
    return last


def reset(client: Client) -> None:
    """End by RST."""
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    client.writer.transport.abort()
