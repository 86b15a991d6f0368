"""Fencing: a gateway that no longer answers at all is killed, so that the sysplex address stops sending calls to it.

Its shared listening socket takes connections as long as the process exists, whether anybody serves them or not. Three
probes of `/application/live` in a row without an answer are a hang; then SIGKILL, and its launcher starts it again. A
refused or broken connection is no hang: that process has gone, and the kernel sends it nothing. One that was paused on
purpose is fenced like any other: to its callers it makes no difference.

Probes of a healthy gateway are 1 s apart. A silent probe is waited for 0.5 s, as a busy process may need; but one that
is stopped, as the kernel says, needs no patience: 0.15 s. So a stopped gateway is fenced within 1.5 s of its last sign
of life, and one that hangs in any other way within 2.5 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import aiohttp

from launcher import pids
from launcher.journal import Journal

FAILURES = 3
PATIENCE_S = 0.5
STOPPED_S = 0.15
PAUSE_S = 1.0


class Fence:
    def __init__(self, lpar: str, url: str, run_folder: Path, session: aiohttp.ClientSession, journal: Journal) -> None:
        """`url` is the gateway's own; `run_folder` is where the LPAR's pids are recorded."""
        self._lpar = lpar
        self._session = session
        self._url = url
        self._run_folder = run_folder
        self._journal = journal
        self._look = asyncio.Event()

    def look_now(self) -> None:
        """There is a reason to think that it hangs."""
        self._look.set()

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._probe()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(began + PAUSE_S):
                    await self._look.wait()
            self._look.clear()

    async def _probe(self) -> None:
        suspect = self._gateway()
        for _ in range(FAILURES):
            if not await self._silent(suspect):
                return
        if suspect is not None and suspect == self._gateway():  # else somebody has replaced it meanwhile
            pids.signal_group(suspect, signal.SIGKILL)
            self._journal.say("gateway.fenced", self._lpar, pid=suspect.pid, failures=FAILURES)

    async def _silent(self, suspect: pids.Pid | None) -> bool:
        timeout = aiohttp.ClientTimeout(total=STOPPED_S if _stopped(suspect) else PATIENCE_S)
        try:
            async with self._session.get(f"{self._url}/application/live", timeout=timeout) as response:
                await response.read()
        except TimeoutError:  # before ClientError: some of aiohttp's are both
            return True
        except (aiohttp.ClientError, OSError):
            return False
        return False

    def _gateway(self) -> pids.Pid | None:
        recorded = pids.read(self._run_folder).get("gateway")
        return recorded if recorded is not None and pids.alive(recorded) else None


def _stopped(process: pids.Pid | None) -> bool:
    return process is not None and pids.state(process) == "T"
