"""A whole sysplex of stand-in components for the launcher's tests, with the real command and real processes.

Its addresses lie in 127.0.50.x to 127.0.53.x and depend on our pid, so that two test runs do not meet. Whatever a test
leaves behind is killed by `close`; `processes` finds everything that belongs to it by its data folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import yaml

N = os.getpid() % 250 + 1
ADDRESS = f"127.0.50.{N}:7550"
VIPA_HOST = f"127.0.53.{N}"
HOSTS = {"LPAR1": f"127.0.51.{N}", "LPAR2": f"127.0.52.{N}"}
PORTS = {"discovery": 7553, "gateway": 7554, "sample": 7560}

PROGRAM = Path(sys.executable).with_name("plexmesh")
STAND_IN = Path(__file__).with_name("launcher_stand_in.py")
STAND_IN_COMMAND = f"{sys.executable} -P {STAND_IN} --host {{host}} --port {{port}}"

T = TypeVar("T")


def poll(what: str, ask: Callable[[], T], within_s: float = 15.0) -> T:
    """The first true answer; asked again until the deadline."""
    deadline = time.monotonic() + within_s
    while not (found := ask()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)
    return found


class Rig:
    def __init__(self, folder: Path, lpars: tuple[str, ...] = ("LPAR1", "LPAR2"), **zowe: Any) -> None:
        """`zowe` is merged into that section of plexmesh.yaml."""
        self.folder = folder
        self.data = folder / "data"
        self.tree: dict[str, Any] = {
            "zowe": {
                "externalDomains": [VIPA_HOST],
                "launcher": {"restartIntervals": [0.2, 0.2, 0.2], "minUptime": 10},
                **zowe,
            },
            "components": {name: {"command": STAND_IN_COMMAND} for name in PORTS},
            "haInstances": {name: {"hostname": HOSTS[name]} for name in lpars},
            "plexmesh": {"sysplex": "TESTPLEX", "address": ADDRESS},
        }
        self.started: list[subprocess.Popen[bytes]] = []
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_") and key != "COLUMNS"
        }

    @property
    def file(self) -> Path:
        return self.folder / "plexmesh.yaml"

    @property
    def output(self) -> str:
        return (self.folder / "up.out").read_text()

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.tree))

    def spawn(self, *args: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """The command, in the background; its output goes to up.out."""
        self.write()
        with (self.folder / "up.out").open("wb") as out:
            started = subprocess.Popen(
                [PROGRAM, *args],
                cwd=cwd or self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(started)
        return started

    def up(self, *args: str, within_s: float = 40.0) -> subprocess.Popen[bytes]:
        """Running, and everything ready."""
        started = self.spawn("up", "--data", str(self.data), *args)
        poll("up", lambda: "What happens from now on" in self.output or started.poll() is not None, within_s)
        assert started.poll() is None, self.output
        return started

    def call(self, *args: str, within_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """The command in the foreground, with our data folder."""
        return self.call_as_is(*args, "--data", str(self.data), within_s=within_s)

    def call_as_is(self, *args: str, within_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *args], cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=within_s
        )

    def ok(self, *args: str) -> str:
        done = self.call(*args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.call("status", "--json").stdout)
        return found

    def component(self, lpar: str, name: str) -> dict[str, Any]:
        """As in `status --json`."""
        found = next(each for each in self.status()["lpars"] if each["id"] == lpar)
        part: dict[str, Any] = next(each for each in found["components"] if each["name"] == name)
        return part

    def wait_for(self, lpar: str, name: str, state: str, not_pid: int | None = None) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            part = self.component(lpar, name)
            return part if part["state"] == state and (not_pid is None or part.get("pid") != not_pid) else None

        return poll(f"{lpar} {name} {state}", reached)

    def launcher_pid(self, lpar: str) -> int:
        return next(pid for pid, line in self.processes().items() if "launcher" in line and lpar in line)

    def processes(self) -> dict[int, list[str]]:
        """Every living process of this sysplex: its pid and command line."""
        found = {}
        for each in psutil.process_iter():
            try:
                mine = each.environ().get("PLEXMESH_DATA") == str(self.data) or str(self.data) in each.cmdline()
                if mine and each.status() != psutil.STATUS_ZOMBIE:
                    found[each.pid] = each.cmdline()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def nothing_left(self) -> bool:
        return not self.processes()

    def logged(self, lpar: str, name: str) -> str:
        return (self.data / lpar / "logs" / f"{name}.log").read_text()

    def close(self) -> None:
        for each in self.started:
            each.kill()
            each.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


def request(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """`Content_Type="text/plain"` is that header."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(url, method=method, headers=fields, data=b"{}" if method == "POST" else None)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
