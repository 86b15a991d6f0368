"""Eureka clients that others wrote, unmodified, each in a program of its own, in front of two discovery nodes; and who
watches the nodes' lists meanwhile.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.discovery_rig import PORT, DiscoveryNode, running
from tests.integration.launcher_rig import poll

ROOT = Path(__file__).parents[2]
CLIENT_HOST = f"127.0.112.{os.getpid() % 250 + 1}"
INTERVAL_S = 1
LEASE_S = 3
WATCH_S = 0.05
ANSWER_S = 15.0
PORTS = itertools.count(10_000)

# Each program's first arguments, and the options that it takes for granted.
PYTHON = [sys.executable, "-P", "-m"]
PROGRAMS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "py-eureka-client": ([*PYTHON, "tests.integration.eureka_client_sticky"], {"library": "py_eureka_client"}),
    "eurekapy": ([*PYTHON, "tests.integration.eureka_client_sticky"], {"library": "eurekapy"}),
    "wasp-eureka": ([*PYTHON, "tests.integration.eureka_client_wasp"], {}),
    "spring-ready-python": ([*PYTHON, "tests.integration.eureka_client_spring_ready"], {}),
    "eureka-js-client": (["node", str(Path(__file__).with_name("eureka_client.js"))], {}),
}


def needs_javascript() -> None:
    """Skip, naming what is missing."""
    if not shutil.which("node"):
        pytest.skip("node is missing: sudo apt-get install nodejs npm && make deps")
    if not (ROOT / "node_modules" / "eureka-js-client").exists():
        pytest.skip("eureka-js-client is missing: make deps")


class Client:
    """One of these programs, started; `kind` is its library. It talks to the first of the nodes first."""

    def __init__(self, folder: Path, kind: str, app: str, port: int, *nodes: DiscoveryNode, **options: Any) -> None:
        if kind == "eureka-js-client":
            needs_javascript()
        command, defaults = PROGRAMS[kind]
        self.app, self.port = app, port
        self.id = f"{CLIENT_HOST}:{app.lower()}:{port}"
        self.key = f"{app.upper()}/{self.id}"
        given = {
            "servers": [f"{node.url}/eureka" for node in nodes],
            "app": app,
            "host": CLIENT_HOST,
            "port": port,
            "interval_s": options.pop("interval_s", INTERVAL_S),
            "lease_s": options.pop("lease_s", LEASE_S),
            "metadata": options.pop("metadata", {}),
            "options": {**defaults, **options},
        }
        # A proxy of the machine's is not for loopback addresses, and not every library knows that.
        environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.log = folder / f"{app}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, json.dumps(given)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=environ,
                bufsize=0,
            )

    def started(self) -> Client:
        self._answer()
        return self

    def ask(self, word: str, *values: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([word, *values]).encode() + b"\n")
        return self._answer()

    def view(self) -> dict[str, str]:
        """What the client itself knows: `APP/id` → status."""
        found: dict[str, str] = self.ask("view")
        return found

    def sees(self, key: str, status: str | None) -> None:
        """Wait until it does; None: not any more."""
        poll(f"{self.app} sees {key} {status}", lambda: self.view().get(key) == status)

    def leave(self) -> None:
        """Deregister and end, as a program does."""
        self.ask("stop")
        self.kill()

    def kill(self) -> None:
        """Once or more."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], ANSWER_S)[0], f"{self.app} does not answer"
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        said = json.loads(line)
        assert "error" not in said, said["error"]
        return said["value"]


@contextmanager
def pair(folder: Path, *hosts: str, **settings: object) -> Iterator[tuple[DiscoveryNode, DiscoveryNode]]:
    """Two nodes that know one another."""
    one, two = (
        DiscoveryNode(folder, f"LPAR{number}", host, *hosts, **settings) for number, host in enumerate(hosts, 1)
    )
    with running(one, two):
        for node, other in ((one, two), (two, one)):
            poll("they see each other", lambda node=node, other=other: node.peer_states().get(other.url) == "alive")
        yield one, two


def listed(node: DiscoveryNode) -> dict[str, str]:
    """What that node lists: `APP/id` → status; discovery's own are left out. Raises what the connection does."""
    answer = ask(node, "GET", "/eureka/apps", Accept="application/json")
    assert answer[0] == 200, answer
    apps = json.loads(answer[1])["applications"]["application"]
    return {
        f"{each['app']}/{each['instanceId']}": each["status"]
        for app in apps
        if app["name"] != "DISCOVERY"
        for each in app["instance"]
    }


def ask(node: DiscoveryNode, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """One request on a connection of its own; `body` is sent as JSON."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        fields["Content-Type"] = "application/json"
    with contextlib.closing(http.client.HTTPConnection(node.host, PORT, timeout=5)) as connection:
        connection.request(method, path, json.dumps(body) if body is not None else None, fields)
        answer = connection.getresponse()
        return answer.status, answer.read()


def instance(app: str, id: str, **fields: Any) -> dict[str, Any]:
    """A register body; each with a port of its own, since one client takes two on the same port for one."""
    plain = {
        "instanceId": id,
        "app": app,
        "hostName": "h.test",
        "ipAddr": "192.0.2.1",
        "port": {"$": next(PORTS), "@enabled": "true"},
        "dataCenterInfo": {"name": "MyOwn"},
        "vipAddress": app.lower(),
    }
    return {"instance": plain | fields}


class Watch:
    """Asks the nodes for their lists without pause. Whatever is `expected` must be on each that answers, whatever is
    `gone` on none: what is otherwise is noted, as (node, key).
    """

    def __init__(self, *nodes: DiscoveryNode) -> None:
        self.expected: set[str] = set()
        self.gone: set[str] = set()
        self.missing: list[tuple[str, str]] = []
        self.ghosts: list[tuple[str, str]] = []
        self.rounds = 0
        self._nodes = nodes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(WATCH_S):
            for node in self._nodes:
                self._look(node)
            self.rounds += 1

    def _look(self, node: DiscoveryNode) -> None:
        expected, gone = set(self.expected), set(self.gone)
        with contextlib.suppress(OSError, http.client.HTTPException):  # killed
            found = listed(node).keys()
            self.missing += [(node.lpar, key) for key in expected & self.expected - found]
            self.ghosts += [(node.lpar, key) for key in gone & self.gone & found]
