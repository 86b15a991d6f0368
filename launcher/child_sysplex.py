"""A sysplex of this process's own: `plexmesh up` as a child, which ends with us whatever becomes of us."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from launcher.process import Process
from shared.errors import Unavailable
from shared.plexfile import Plexfile

UP_WITHIN_S, DOWN_WITHIN_S = 60.0, 30.0

OnLine = Callable[[str], None]


class ChildSysplex:
    def __init__(self, file: Plexfile, data: Path, on_line: OnLine = lambda line: None) -> None:
        """With TLS as `file` has it, which may be otherwise than it is written; `on_line` gets what `up` prints."""
        self._sysplex = file.sysplex
        self._on_line = on_line
        self._up = asyncio.Event()
        self._last = ""
        command = [sys.executable, "-P", "-m", "launcher.cli", "up", "--config", str(file.path), "--data", str(data)]
        environ = dict(os.environ) | {"PLEXMESH_TLS": "on" if file.tls else "off"}
        self._process = Process(command, environ, self._line)

    async def ready(self) -> None:
        """Raises Unavailable, with the last line it said."""
        ended = asyncio.create_task(self._process.ended())
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait([ended, up], timeout=UP_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if not self._up.is_set():
            up.cancel()
            raise Unavailable(f"the sysplex did not come up: {self._last.removeprefix('plexmesh: ')}")

    async def stop(self) -> None:
        await self._process.stop(DOWN_WITHIN_S)

    def _line(self, data: bytes) -> None:
        self._last = line = data.decode(errors="replace").strip()
        self._on_line(line)
        if line.startswith(f"{self._sysplex} is up"):
            self._up.set()
