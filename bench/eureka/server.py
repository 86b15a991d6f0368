"""The server under test: one process on the first core."""

from __future__ import annotations

import asyncio
import ctypes
import io
import os
import pstats
import shutil
import signal
import sys
from pathlib import Path

import psutil

from bench.registry.load import connect

SERVER_CORE, LOAD_CORE = 0, 1
STARTS_IN_S = 90.0
ENDS_IN_S = 20.0
PROFILE_LINES = 30
PR_SET_PDEATHSIG = 1

JAR = Path(__file__).parents[2] / "tests/peers/eureka-server/target/eureka-server.jar"


class Server:
    """`name` heads its column. It ends with the load, however that ends."""

    def __init__(self, name: str, host: str, port: int, command: list[str], environ: dict[str, str], log: Path) -> None:
        self.name = name
        self.address = (host, port)
        self.profile: Path | None = None
        self._command = command
        self._environ = environ
        self._log = log

    async def start(self) -> None:
        libc = ctypes.CDLL(None)

        def pin() -> None:
            os.sched_setaffinity(0, {SERVER_CORE})
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        proxies = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        environ = {name: value for name, value in os.environ.items() if name not in proxies} | self._environ
        self._log.parent.mkdir(parents=True, exist_ok=True)
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
            self._process.send_signal(signal.SIGTERM if self.profile else signal.SIGKILL)
            async with asyncio.timeout(ENDS_IN_S):
                await self._process.wait()

    def profiled(self) -> str:
        """Where its time went, from its start to its end."""
        text = io.StringIO()
        pstats.Stats(str(self.profile), stream=text).sort_stats("tottime").print_stats(PROFILE_LINES)
        return text.getvalue()

    def cpu_s(self) -> float:
        times = self._psutil.cpu_times()
        return float(times.user + times.system)

    @property
    def rss_mb(self) -> float:
        return float(self._psutil.memory_info().rss / 2**20)


def plexmesh(folder: Path, profile: bool = False) -> Server:
    host = f"127.0.95.{os.getpid() % 250 + 1}"
    environ = {
        "PLEXMESH_HOST": host,
        "PLEXMESH_DATA": str(folder / "data"),
        "PLEXMESH_DISCOVERY": f"http://{host}:7553",
        "PLEXMESH_DISCOVERY_INSTANCES_PER_SERVICE": "100000",
    }
    kept = folder / "profile"
    profiler = ["-m", "cProfile", "-o", str(kept)] if profile else []
    command = [sys.executable, "-P", *profiler, "-m", "discovery"]
    server = Server("plexmesh", host, 7553, command, environ, folder / "discovery.log")
    server.profile = kept if profile else None
    return server


def spring(folder: Path) -> Server | None:
    """None: it is not built (`make test-eureka` builds it), or there is no Java."""
    jar = Path(os.environ.get("EUREKA_JAR", JAR))
    java = shutil.which("java")
    if java is None or not jar.exists():
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
