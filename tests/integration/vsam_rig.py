"""`plexmesh vsam` on a data folder of its own, and data sets opened in the test's process."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from caching.backends.vsam import VsamStorage
from caching.clock import Clock
from tests.contract.storages import vsam

NAME = "TEST.CACHE"


class Commands:
    """On a data folder of its own, whose sysplex does not run."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.volume = self.data / "volume"
        self.folder = folder
        (folder / "plexmesh.yaml").write_text("plexmesh: {sysplex: TESTPLEX}\n")

    def call(self, *args: str) -> subprocess.CompletedProcess[str]:
        """What `plexmesh vsam` runs, without its detour."""
        place = {"PLEXMESH_DATA": str(self.data), "PLEXMESH_CONFIG": str(self.folder / "plexmesh.yaml")}
        return self.run([sys.executable, "-P", "-m", "caching.idcams", *args], place)

    def run(self, command: Sequence[str | Path], place: dict[str, str]) -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_")} | place
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
        )

    def ok(self, *args: str) -> str:
        done = self.call(*args)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    def fails(self, code: int, *args: str) -> str:
        """Its one line."""
        done = self.call(*args)
        assert (done.returncode, done.stdout) == (code, ""), done
        [line] = done.stderr.splitlines()
        return line

    def listed(self, name: str = NAME) -> dict[str, Any]:
        [found] = json.loads(self.ok("listcat", name, "--json"))
        return dict(found)


@contextlib.asynccontextmanager
async def opened(commands: Commands, clock: Clock | None = None, **more: Any) -> Any:
    commands.volume.mkdir(parents=True, exist_ok=True)
    storage: VsamStorage = vsam(commands.volume, clock=clock, **more)
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


def change(path: Path, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)
