"""Fencing: a gateway that no longer answers at all is killed, so that the sysplex address stops sending calls to it.

Its shared listening socket takes connections as long as the process exists, whether anybody serves them or not. Three
probes of `/application/live` in a row without an answer are a hang; then SIGKILL, and its launcher starts it again. A
refused or broken connection is no hang: that process has gone, and the kernel sends it nothing. One that was paused on
purpose is fenced like any other: to its callers it makes no difference.

Probes of a healthy gateway are 1 s apart. A silent probe is waited for 0.5 s, as a busy process may need; but one that
is stopped, as the kernel says, needs no patience: 0.15 s. So a stopped gateway is fenced within 1.5 s of its last sign
of life, and one that hangs in any other way within 2.5 s.

When no other gateway answers either, the machine is more likely too busy than every gateway hung, and fencing would
turn slow answers into none. So one that is not stopped is killed only on the word of a witness, another gateway that
has answered lately; without one, after ten seconds.

`plexmesh up` has a fence for each gateway; where there is no `up`, as in a container, the launcher has one for its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from launcher import pids

FAILURES = 3
PATIENCE_S = 0.5
STOPPED_S = 0.15
PAUSE_S = 1.0
WITNESS_S = 2.0
"""A gateway that has answered within that time is a witness."""
ALONE_S = 10.0
"""Without a witness it is killed after so much silence."""


class Witnesses:
    """When each gateway has answered last; seconds, monotonic."""

    def __init__(self) -> None:
        self._answered: dict[str, float] = {}

    def answered(self, lpar: str, now: float) -> None:
        self._answered[lpar] = now

    def against(self, lpar: str, now: float) -> bool:
        """Whether some other gateway has answered lately, so that this one's silence is its own."""
        return any(now - at <= WITNESS_S for other, at in self._answered.items() if other != lpar)


class Fence:
    def __init__(
        self,
        lpar: str,
        url: str,
        run_folder: Path,
        session: aiohttp.ClientSession,
        fenced: Callable[[int], None],
        witnesses: Witnesses,
    ) -> None:
        """`url` is the gateway's own; `run_folder` is where the LPAR's pids are recorded; `fenced` is told whom it has
        killed. Fences share `witnesses`."""
        self._witnesses = witnesses
        self._silent_since: float | None = None
        self._lpar = lpar
        self._session = session
        self._url = url
        self._run_folder = run_folder
        self._fenced = fenced
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
        suspect, begun = self._gateway(), time.monotonic()
        for _ in range(FAILURES):
            if not await self._silent(suspect):
                self._silent_since = None
                return
        if self._silent_since is None:
            self._silent_since = begun
        if suspect is not None and suspect == self._gateway() and self._proven(suspect, time.monotonic()):
            self._silent_since = None
            pids.signal_group(suspect, signal.SIGKILL)
            self._fenced(suspect.pid)

    def _proven(self, suspect: pids.Pid, now: float) -> bool:
        alone_s = now - self._silent_since if self._silent_since is not None else 0.0
        return _stopped(suspect) or self._witnesses.against(self._lpar, now) or alone_s >= ALONE_S

    async def _silent(self, suspect: pids.Pid | None) -> bool:
        timeout = aiohttp.ClientTimeout(total=STOPPED_S if _stopped(suspect) else PATIENCE_S)
        try:
            async with self._session.get(f"{self._url}/application/live", timeout=timeout) as response:
                await response.read()
                self._witnesses.answered(self._lpar, time.monotonic())
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
