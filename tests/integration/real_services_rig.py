"""Users' services in four frameworks, in a sysplex of two LPARs: a discovery node and a gateway in each, all processes.

Each service offers the same, at its own paths:

    GET  hello/NAME                 who answers, and what it was told of the caller's address
    POST echo                       the body comes back with its type
    GET  moved?to=…, moved/whole    redirects: to what is said, and to its hello as the framework writes a whole URL
    GET  cookie?path=…              sets `seat`
    GET  account/seat               the cookies that came
    GET  stream/ID, POST release/ID a piece at once, and the last one when it is released
    WS   socket                     echoes; on "close" it closes with 4001

Addresses lie in 127.0.161.x and 127.0.162.x; the last part depends on our pid, so that two test runs do not meet.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.discovery_rig import DiscoveryNode
from tests.integration.eureka_rig import pair
from tests.integration.launcher_rig import poll, request

HOSTS = {f"LPAR{n}": f"127.0.{160 + n}.{os.getpid() % 250 + 1}" for n in (1, 2)}
GATEWAY_PORT = 7554
START_S = 30.0
"""On a busy machine; a second or two on a free one."""
END_S = 20.0

HERE = Path(__file__).parent
MODULES = "tests.integration"
PYTHON = [sys.executable, "-P", "-m"]


@dataclass(frozen=True)
class Service:
    """`base` is where its api begins on the service; `prefix` is what it is told in X-Forwarded-Prefix, if anything."""

    id: str
    lpar: str
    port: int
    command: Sequence[str]
    base: str
    prefix: str | None
    websockets: bool = True

    @property
    def host(self) -> str:
        return HOSTS[self.lpar]

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"


def _uvicorn(app: str, lpar: str, port: int) -> list[str]:
    return [*PYTHON, "uvicorn", f"{MODULES}.{app}:app", "--host", HOSTS[lpar], "--port", str(port)]


def _gunicorn(app: str, lpar: str, port: int) -> list[str]:
    bind = ["--bind", f"{HOSTS[lpar]}:{port}", "--threads", "4", "--no-control-socket"]
    return [*PYTHON, "gunicorn", f"{MODULES}.{app}:app", *bind]


FASTAPI = Service("fastapi", "LPAR1", 9001, _uvicorn("real_fastapi", "LPAR1", 9001), "", "/fastapi/api/v1")
FLASK = Service("flask", "LPAR2", 9002, _gunicorn("real_flask", "LPAR2", 9002), "", "/flask/api/v1", websockets=False)
AIOHTTP = Service("aiohttp", "LPAR2", 9003, [*PYTHON, f"{MODULES}.real_aiohttp"], "/api/v1", "/aiohttp")
NODE = Service("node", "LPAR1", 9004, ["node", str(HERE / "real_node.js")], "/shop/v1", None)
SERVICES = (FASTAPI, FLASK, AIOHTTP, NODE)


@dataclass(frozen=True)
class Place:
    """A service behind a gateway."""

    service: Service
    lpar: str
    """The gateway's."""

    @property
    def gateway(self) -> str:
        return f"http://{HOSTS[self.lpar]}:{GATEWAY_PORT}"

    @property
    def path(self) -> str:
        return f"/{self.service.id}/api/v1"

    @property
    def url(self) -> str:
        return self.gateway + self.path

    @property
    def socket(self) -> str:
        return f"{self.gateway}/{self.service.id}/ws/v1/socket"

    @property
    def way(self) -> str:
        """X-Plexmesh-Path."""
        return f"{self.lpar}/gateway > {self.service.lpar}/{self.service.id}:{self.service.port}; tries=1"


@dataclass
class Processes:
    """Started together, each with a log of its own; at the end told to end together, and all end in order."""

    folder: Path
    _started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], **environ: str) -> None:
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("PLEXMESH_") and not key.lower().endswith("_proxy")
        }
        with self.log(name).open("wb") as log:
            self._started[name] = subprocess.Popen(
                command, env=kept | environ, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def end(self) -> dict[str, int]:
        """Exit codes."""
        for each in self._started.values():
            each.terminate()
        return {name: each.wait(END_S) for name, each in self._started.items()}

    def kill(self) -> None:
        for each in self._started.values():
            each.kill()
            each.wait()

    def defects(self) -> list[str]:
        """What none of them should have said."""
        lines = [line for name in self._started for line in self.log(name).read_text().splitlines()]
        return [line for line in lines if "Traceback" in line or '"level": "ERROR"' in line]


@contextlib.contextmanager
def behind_two_gateways(folder: Path, *services: Service) -> Iterator[None]:
    """Routed by both. They leave in order, and nobody has logged a defect."""
    with pair(folder, *HOSTS.values()) as nodes:
        processes = Processes(folder)
        try:
            for node, other in (nodes, nodes[::-1]):
                _start_gateway(processes, node, other)
            for service in services:
                own = next(node for node in nodes if node.lpar == service.lpar)
                _start(processes, service, own)
            wanted = {each.id for each in services}
            for lpar in HOSTS:
                poll(f"the gateway of {lpar} routes all", lambda lpar=lpar: wanted <= _routed(lpar), START_S)
            yield
            codes = processes.end()
        finally:
            processes.kill()
        assert set(codes.values()) <= {0, -15}, codes
        assert processes.defects() == []
        for node in nodes:
            poll(f"{node.lpar} lists nobody any more", lambda node=node: not node.instances())


def _start_gateway(processes: Processes, node: DiscoveryNode, other: DiscoveryNode) -> None:
    processes.start(
        f"gateway-{node.lpar}",
        [*PYTHON, "gateway"],
        PLEXMESH_HOST=node.host,
        PLEXMESH_LPAR=node.lpar,
        PLEXMESH_DISCOVERY=f"{node.url},{other.url}",
        PLEXMESH_DATA=str(processes.folder),
        PLEXMESH_VIPA="",
        PLEXMESH_GATEWAY_DRAIN_S="0.1",
    )


def _start(processes: Processes, service: Service, node: DiscoveryNode) -> None:
    """It registers at the node of its LPAR alone."""
    processes.start(
        service.id,
        service.command,
        HOST=service.host,
        PORT=str(service.port),
        PLEXMESH_LPAR=service.lpar,
        PLEXMESH_DISCOVERY=node.url,
        PLEXMESH_DATA=str(processes.folder),
        NODE_PATH=str(HERE.parents[1] / "node_modules"),
        PYTHONUNBUFFERED="1",
    )


def _routed(lpar: str) -> set[str]:
    """The services with an instance that is UP, as that gateway sees it."""
    with contextlib.suppress(OSError):
        status, body = request(f"http://{HOSTS[lpar]}:{GATEWAY_PORT}/gateway/v1/upstreams")
        if status == 200:
            upstreams = json.loads(body)["upstreams"]
            return {each["service"] for each in upstreams if any(one["status"] == "UP" for one in each["instances"])}
    return set()
