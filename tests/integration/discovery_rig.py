"""Discovery nodes as real processes, each with its own address, its log of events, and settings by environment."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.launcher_rig import poll, request

LPAR1, LPAR2 = (f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (74, 75))
PORT = 7553


class DiscoveryNode:
    """`settings` are fields of its configuration; `seeds` are hosts, itself or not."""

    def __init__(self, folder: Path, lpar: str, host: str, *seeds: str, sysplex: str = "PLEX1", **settings: object):
        self.lpar, self.host = lpar, host
        self.url = f"http://{host}:{PORT}"
        self.data = folder
        self.log = folder / f"{lpar}.log"
        self.snapshot = folder / lpar / "state" / "registry.snapshot"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PLEXMESH_")},
            "PLEXMESH_SYSPLEX": sysplex,
            "PLEXMESH_LPAR": lpar,
            "PLEXMESH_HOST": host,
            "PLEXMESH_DATA": str(folder),
            "PLEXMESH_DISCOVERY": ",".join(f"http://{seed}:{PORT}" for seed in seeds),
            **{f"PLEXMESH_DISCOVERY_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._from = 0

    def start(self) -> None:
        """Start it; events are those of this start."""
        self._from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            command = [sys.executable, "-P", "-m", "discovery"]
            self.process = subprocess.Popen(command, env=self._environ, stderr=log)

    def started(self) -> DiscoveryNode:
        self.start()
        poll(f"{self.lpar} is ready", self.ready)
        return self

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """Its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def ready(self) -> bool:
        try:
            return request(f"{self.url}/application/ready")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> Any:
        status, body = request(self.url + path)
        assert status == 200, body
        return json.loads(body)

    def instances(self) -> set[str]:
        """The ids listed, without discovery's own."""
        listed = self.get("/v1/instances")["instances"]
        return {each["instance"] for each in listed if each["service"] != "discovery"}

    def metric(self, name: str) -> float:
        """The sum of that metric over its labels, or one value where labels are given; 0 if it is not there."""
        lines = request(f"{self.url}/application/metrics")[1].decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"plexmesh_discovery_{name}"))

    def peer_states(self) -> dict[str, str]:
        """By address."""
        return {each["address"]: each["state"] for each in self.get("/v1/peers")["peers"]}

    def register(self, *ids: str, lease_s: int = 60, filler: str = "") -> None:
        for id in ids:
            instance = {
                "instanceId": id,
                "app": "ORDERS",
                "hostName": "h.test",
                "ipAddr": "192.0.2.1",
                "port": {"$": 8080, "@enabled": "true"},
                "dataCenterInfo": {"name": "MyOwn"},
                "leaseInfo": {"durationInSecs": lease_s},
                "metadata": {"filler": filler},
            }
            assert self.eureka("POST", "ORDERS", {"instance": instance}) == 204

    def eureka(self, method: str, path: str, body: object = None) -> int:
        connection = http.client.HTTPConnection(self.host, PORT, timeout=10)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, f"/eureka/apps/{path}", json.dumps(body) if body else None, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it said under that name since it was started."""
        lines = self.log.read_bytes()[self._from :].split(b"\n")[:-1]
        said = [json.loads(line) for line in lines if line.startswith(b"{")]
        return [each for each in said if each["event"] == name]

    def awaited(self, name: str) -> dict[str, Any]:
        return poll(f"{self.lpar} says {name}", lambda: self.events(name))[0]


@contextmanager
def running(*nodes: DiscoveryNode) -> Iterator[None]:
    """Start them and wait until they are ready; kill them at the end."""
    try:
        for node in nodes:
            node.start()
        for node in nodes:
            poll(f"{node.lpar} is ready", node.ready)
        yield
    finally:
        for node in nodes:
            node.kill()
