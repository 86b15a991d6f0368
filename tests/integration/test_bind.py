"""Listening on several addresses: all are served alike, and are left in order; where one is taken, none is.

An LPAR's launcher with every component, and components alone, as processes. Addresses lie in 127.0.92.x to 127.0.94.x;
the last part depends on our pid, so that two test runs do not meet.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from shared.net import listen
from tests.integration.launcher_rig import PROGRAM, poll, request

N = os.getpid() % 250 + 1
HOST, SECOND, VIPA = (f"127.0.{part}.{N}" for part in (92, 93, 94))
PORTS = {"launcher": 7550, "discovery": 7553, "gateway": 7554, "caching": 7555, "sample": 7560}
FILE = f"""
zowe: {{externalDomains: [{VIPA}]}}
components:
  discovery: {{bind: [{HOST}, {SECOND}]}}
  gateway: {{bind: "{HOST}, {SECOND}", workers: 2, drainS: 0.2}}
  caching: {{bind: [{HOST}, {SECOND}], storage: inMemory}}
  sample: {{bind: [{HOST}, {SECOND}], drainS: 0}}
haInstances: {{LPAR1: {{hostname: {HOST}}}}}
"""


class Place:
    """A data folder, plexmesh.yaml, and one process."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        file, self.data = folder / "plexmesh.yaml", folder / "data"
        file.write_text(FILE)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_")}
        own = {"PLEXMESH_CONFIG": str(file), "PLEXMESH_LPAR": "LPAR1", "PLEXMESH_DATA": str(self.data)}
        self._environ = kept | own
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", name]
        if name == "launcher":
            command = [str(PROGRAM), "run", "--bind", f"{HOST},{SECOND}"]
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(command, cwd="/", env=self._environ, stdout=out, stderr=out)
        return self._process

    def close(self) -> None:
        """Its components end with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def get(host: str, name: str, path: str) -> tuple[int, bytes]:
    return request(f"http://{host}:{PORTS[name]}{path}")


def answers(host: str, name: str, path: str) -> bool:
    try:
        return get(host, name, path)[0] == 200
    except OSError:
        return False


def call_to_the_end(host: str, calls: Counter[str]) -> None:
    """A gateway, on a new connection each time, until nobody listens; raises when a call is cut."""
    while True:
        try:
            assert get(host, "gateway", "/application/live")[0] == 200
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError):
                return
            raise
        calls[host] += 1


def test_every_component_answers_on_each_address(place: Place) -> None:
    launcher = place.start("launcher")
    for host in (HOST, SECOND):
        for name in PORTS:
            poll(f"{name} on {host}", partial(answers, host, name, "/application/ready"))
        poll(f"a call at {host}", partial(answers, host, "gateway", "/sample/api/v1/hello"))
        listed = json.loads(get(host, "discovery", "/v1/instances")[1])["instances"]
        assert {each["host"] for each in listed} == {HOST}
    with ThreadPoolExecutor(8) as callers:
        calls: Counter[str] = Counter()
        calling = [callers.submit(call_to_the_end, host, calls) for host in (HOST, SECOND) * 4]
        poll("calls at both", lambda: min(calls[HOST], calls[SECOND]) > 20)
        launcher.send_signal(signal.SIGTERM)
        for each in calling:
            each.result()
    assert launcher.wait(20) == 0
    for host in (HOST, SECOND):
        for port in PORTS.values():
            listen(host, port).close()  # nobody is left there
    assert "Traceback" not in place.log.read_text()


@pytest.mark.parametrize("name", PORTS)
def test_where_one_address_is_taken_none_is(name: str, place: Place) -> None:
    with listen(SECOND, PORTS[name]):
        assert place.start(name).wait(15) == 2
    [line] = [line for line in place.log.read_text().splitlines() if not line.startswith("{")]
    assert line.startswith(f"plexmesh: {SECOND}:{PORTS[name]} is in use; stop what listens there")
