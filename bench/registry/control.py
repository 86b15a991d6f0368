"""How the benchmark speaks to its child processes: a JSON line in, a JSON line out, over their stdin and stdout.

A child whose stdin ends has lost its parent and goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

Answer = Callable[..., Any]

ANSWER_S = 60.0


class Listener(asyncio.Protocol):
    """In the child: calls `answers[order](**arguments)` for each line."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            order, arguments = json.loads(line)
            answer = json.dumps(self._answers[order](**arguments)).encode() + b"\n"
            while answer:
                answer = answer[os.write(sys.stdout.fileno(), answer) :]

    def connection_lost(self, error: Exception | None) -> None:
        os._exit(0)


async def listen(answers: Mapping[str, Answer]) -> None:
    await asyncio.get_running_loop().connect_read_pipe(lambda: Listener(answers), sys.stdin)


class Child:
    """In the parent: one child process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._psutil = psutil.Process(process.pid)
        self._cpu_s = 0.0

    @classmethod
    async def start(cls, name: str, module: str, environ: Mapping[str, str], log: Path) -> Child:
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", module),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | dict(environ),
                limit=2**28,
            )
        return cls(name, process)

    async def ask(self, order: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([order, arguments]).encode() + b"\n")
        async with asyncio.timeout(ANSWER_S):
            line = await self._process.stdout.readline()
        assert line, f"{self.name} is gone, see its log"
        return json.loads(line)

    def cpu_s(self) -> float:
        """CPU time so far; of a killed process, as it was when last asked."""
        with contextlib.suppress(psutil.NoSuchProcess):
            times = self._psutil.cpu_times()
            self._cpu_s = float(times.user + times.system)
        return self._cpu_s

    def rss_bytes(self) -> int:
        return int(self._psutil.memory_info().rss)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def kill(self) -> None:
        """kill -9."""
        self.cpu_s()
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
