"""One process of the bench: started on its cores, its CPU time and memory read from outside, ended by its id."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from bench.gateway.cores import Cores

STARTS_IN_S = 20.0
ENDS_IN_S = 10.0
PR_SET_PDEATHSIG = 1
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


async def output(*command: str) -> bytes:
    """What a command says to its end; it does not outlive us."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said


class Process:
    """`address` is where it is to listen. It and its children count as one.

    It ends with the bench, however that ends.
    """

    def __init__(
        self,
        name: str,
        address: tuple[str, int],
        command: Sequence[str],
        cores: Cores,
        folder: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self._command = command
        self._cores = cores
        self._log = folder / f"{name}.log"
        self._environ = environ or {}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it takes connections."""
        libc = ctypes.CDLL(None)

        def pin() -> None:
            os.sched_setaffinity(0, self._cores)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # nginx's master then takes its worker along

        environ = {name: value for name, value in os.environ.items() if name not in PROXY_VARIABLES}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**environ, **self._environ},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=pin,
                start_new_session=True,  # Ctrl-C is for the bench, which stops the others in order
            )
        async with asyncio.timeout(STARTS_IN_S):
            while not await self._listens():
                assert self._process.returncode is None, f"{self.name} has ended: {self.said()}"
                await asyncio.sleep(0.05)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(*self.address)
        except OSError:
            return False
        writer.close()
        return True

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(ENDS_IN_S):
                await process.wait()
        except TimeoutError:
            self._kill(process.pid)
            await process.wait()

    def _kill(self, pid: int) -> None:
        for each in reversed(_tree(pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        assert self._process.returncode is None, f"{self.name} has ended: {self.said()}"
        return self._process.pid

    def busiest_pid(self) -> int:
        """Of it and its children, the one that has done the work."""
        return max(_tree(self.pid), key=lambda each: each.cpu_times().user).pid

    def cpu_s(self) -> float:
        times = [each.cpu_times() for each in _tree(self.pid)]
        return float(sum(each.user + each.system for each in times))

    def pss_bytes(self) -> float:
        return float(sum(each.memory_full_info().pss for each in _tree(self.pid)))

    def said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]
