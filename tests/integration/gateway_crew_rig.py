"""A gateway with several workers, as it is started by a launcher: a parent process, and the workers it starts.

The discovery node and the instances run in the test's process. Addresses lie in 127.0.60.x to 127.0.63.x; the last part
depends on our pid, so that two test runs do not meet.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.fakes import Behave, Caller, FakeDiscovery, RawInstance, an_instance, answering, running, until
from tests.integration.gateway_rig import Answer, Client

N = os.getpid() % 250 + 1
HOST, INSTANCE, VIPA_HOST, DISCOVERY = (f"127.0.{part}.{N}" for part in (60, 61, 62, 63))
PORT = 7554
GET = b"GET /orders/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\nhi"


@dataclass
class CrewRig:
    process: asyncio.subprocess.Process
    discovery: FakeDiscovery
    log: Path

    async def ask(self, data: bytes, host: str = HOST) -> Answer:
        """One request on a connection of its own."""
        async with await Client.to(host, PORT) as client:
            return await client.ask(data)

    async def get(self, path: str) -> Answer:
        return await self.ask(f"GET {path} HTTP/1.1\r\nHost: g\r\n\r\n".encode())

    async def put(self, path: str) -> Answer:
        return await self.ask(f"PUT {path} HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    async def workers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((await self.get("/gateway/v1/workers")).body)
        return found

    async def pids(self) -> set[int]:
        """Of those that serve."""
        return {each["pid"] for each in await self.workers() if each["state"] == "serving"}

    async def serving(self, count: int, without: int = 0, within_s: float = 15.0) -> set[int]:
        """Wait until so many serve and the gateway is ready."""
        found: set[int] = set()
        async with asyncio.timeout(within_s):
            while len(found) != count or without in found or not await self.ready():
                await asyncio.sleep(0.02)
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    found = await self.pids()
        return found

    async def ready(self) -> bool:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            return (await self.get("/application/ready")).status == 200
        return False

    async def metric(self, name: str, *labels: str) -> float:
        """The sum of the samples that have these labels (`status="2xx"`)."""
        lines = (await self.get("/application/metrics")).body.decode().splitlines()
        found = [line for line in lines if line.startswith(f"plexmesh_gateway_{name}")]
        return sum(float(line.split()[-1]) for line in found if all(label in line for label in labels))

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


async def answer_all(caller: Caller) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):  # a killed worker leaves half a request
        await answering(b"ok")(caller)


@contextlib.asynccontextmanager
async def a_crew(
    folder: Path, workers: int | str = 2, *, behave: Behave | None = None, environ: dict[str, str] | None = None,
    within_s: float = 15.0, **settings: Any,
) -> AsyncIterator[CrewRig]:  # fmt: skip
    """Ready, in front of one instance of `orders`. It must end without a defect logged, and without a child left."""
    discovery, instance = FakeDiscovery(DISCOVERY), RawInstance(INSTANCE, 9000, behave or answer_all)
    async with running(discovery, instance):
        discovery.put(an_instance("orders", 9000, INSTANCE, lpar="LPAR2"))
        rig = await spawned(folder, discovery, workers, environ, **settings)
        try:
            if isinstance(workers, int) and workers:
                await rig.serving(workers, within_s=within_s)
            yield rig
        finally:
            left = rig.children() if rig.process.returncode is None else []
            if rig.process.returncode is None:
                rig.process.kill()
            await rig.process.wait()
            await until(lambda: not any(map(lives, left)), "workers die with their parent")
        defects = [line for line in rig.log.read_text().splitlines() if "Traceback" in line]
        assert not defects, defects[:3]


async def spawned(
    folder: Path, discovery: FakeDiscovery, workers: int | str, environ: dict[str, str] | None = None, **settings: Any
) -> CrewRig:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_")}
    own = {f"PLEXMESH_GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
    place = {
        "PLEXMESH_HOST": HOST,
        "PLEXMESH_LPAR": "LPAR1",
        "PLEXMESH_DISCOVERY": discovery.url,
        "PLEXMESH_VIPA": f"{VIPA_HOST}:{PORT}",
        "PLEXMESH_DATA": str(folder),
    }
    if workers:
        place["PLEXMESH_GATEWAY_WORKERS"] = str(workers)
    log = folder / "gateway.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "gateway", env=kept | place | own | (environ or {}), cwd="/", stderr=out
        )
    return CrewRig(process, discovery, log)


def lives(process: psutil.Process) -> bool:
    """Its sockets may be open: a killed process has them until its last thread has gone, be it a zombie already."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    return False


@dataclass
class Load:
    """Calls without end, from `callers` at once: GETs and POSTs in turn. Every other caller keeps a connection for
    `per_connection` calls, the others make a new one for each. `failed` says what calls got that is no 200."""

    host: str
    callers: int = 8
    per_connection: int = 50
    pause_s: float = 0.01
    done: int = 0
    failed: list[str] = field(default_factory=list)
    _stop: bool = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Load]:
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.callers):
                tasks.create_task(self._call_on(number))
            try:
                yield self
            finally:
                self._stop = True

    async def more(self, count: int) -> None:
        """Wait until so many more calls are done."""
        wanted = self.done + count
        await until(lambda: self.done >= wanted, "calls go on")

    async def _call_on(self, number: int) -> None:
        while not self._stop:
            try:
                async with await Client.to(self.host, PORT) as client:
                    await self._use(client, number)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failed.append(repr(error))
                await asyncio.sleep(0.01)

    async def _use(self, client: Client, number: int) -> None:
        for _ in range(self.per_connection if number % 2 else 1):
            if self._stop:
                return
            got = await client.ask(GET if self.done % 2 else POST)
            self.done += 1
            if (got.status, got.body) != (200, b"ok"):
                self.failed.append(f"{got.status} {got.body!r}")
            if got.header("Connection") == "close":
                return
            await asyncio.sleep(self.pause_s)


def signalled(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)
