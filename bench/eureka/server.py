"""The server under test: one process on the first core."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from bench.registry.load import connect

SERVER_CORE, LOAD_CORE = 0, 1
STARTS_IN_S = 90.0

JAR = Path(__file__).parents[2] / "tests/peers/eureka-server/target/eureka-server.jar"


class Server:
    """`name` heads its column."""

    def __init__(self, name: str, host: str, port: int, command: list[str], environ: dict[str, str], log: Path) -> None:
        self.name = name
        self.address = (host, port)
        self._command = command
        self._environ = environ
        self._log = log

    async def start(self) -> None:
        def pin() -> None:
            os.sched_setaffinity(0, {SERVER_CORE})

        proxies = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        environ = {name: value for name, value in os.environ.items() if name not in proxies} | self._environ
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=environ, stdout=log, stderr=log, preexec_fn=pin
            )
        self._psutil = psutil.Process(self._process.pid)
        async with asyncio.timeout(STARTS_IN_S):
            while not await self._answers():
                assert self._process.returncode is None, self._log.read_text()[-2000:]
                await asyncio.sleep(0.1)

    async def _answers(self) -> bool:
        (line,) = await connect(self.address, 1)
        answered = asyncio.get_running_loop().create_future()
        line.ask(b"GET /eureka/apps HTTP/1.1\r\nHost: x\r\n\r\n", lambda status, _: answered.set_result(status))
        status = await answered
        line.close()
        return bool(status == 200)

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    def cpu_s(self) -> float:
        times = self._psutil.cpu_times()
        return float(times.user + times.system)

    @property
    def rss_mb(self) -> float:
        return float(self._psutil.memory_info().rss / 2**20)


def plexmesh(folder: Path) -> Server:
    host = f"127.0.95.{os.getpid() % 250 + 1}"
    environ = {
        "PLEXMESH_HOST": host,
        "PLEXMESH_DATA": str(folder / "data"),
        "PLEXMESH_DISCOVERY": f"http://{host}:7553",
        "PLEXMESH_DISCOVERY_INSTANCES_PER_SERVICE": "100000",
    }
    return Server("plexmesh", host, 7553, [sys.executable, "-P", "-m", "discovery"], environ, folder / "discovery.log")


def spring(folder: Path) -> Server | None:
    """None: it is not built (`make test-eureka` builds it), or there is no Java."""
    jar = Path(os.environ.get("EUREKA_JAR", JAR))
    java = subprocess.run(["which", "java"], capture_output=True, text=True, check=False).stdout.strip()
    if not jar.exists() or not java:
        return None
    host = f"127.0.96.{os.getpid() % 250 + 1}"
    options = {
        "server.address": host,
        "server.port": "8761",
        "self.register": "false",
        "self.fetch": "false",
        "eureka.server.use-read-only-response-cache": "true",
        "eureka.server.enable-self-preservation": "true",
        "eureka.server.eviction-interval-timer-in-ms": "60000",
        "server.tomcat.max-keep-alive-requests": "-1",
    }
    command = [java, "-Xmx1g", "-jar", str(jar), *(f"--{name}={value}" for name, value in options.items())]
    return Server("Eureka", host, 8761, command, {}, folder / "eureka.log")
