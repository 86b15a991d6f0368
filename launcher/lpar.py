"""One LPAR as `up` sees it: a launcher process, and behind it the components.

    stopped ──start──► running ◄──resume── paused          killed, lost: as stopped, but nobody wanted it
       ▲                 │ │ └────pause──────▲
       └──────stop───────┘ └ launcher ended: lost; on order: killed

What its components do is the launcher's to say (GET /v1/lpar). While it cannot (paused, hung, gone) this side says what
can be known from outside: which recorded processes still exist. A lost LPAR is never started again from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import aiohttp
import msgspec

from launcher import orphans, pids
from launcher.follow import follow
from launcher.journal import Journal
from launcher.logfile import LogFile
from launcher.process import Process
from launcher.states import Action
from shared import wire
from shared.child import ending
from shared.errors import Conflict, NotFound, PlexmeshError, Unavailable
from shared.lifecycle import Lifecycle
from shared.plexfile import Plexfile

Condition = Literal["stopped", "running", "paused", "killed", "lost"]

ASK = aiohttp.ClientTimeout(total=1.0)
ORDER = aiohttp.ClientTimeout(total=60.0)
READY_WITHIN_S = 60.0
STOP_S = 25.0
"""Its launcher needs up to 20 s to stop its components."""


class Lpar:
    def __init__(
        self,
        lpar: str,
        file: Plexfile,
        environ: Mapping[str, str],
        folder: Path,
        session: aiohttp.ClientSession,
        lifecycle: Lifecycle,
        journal: Journal,
    ) -> None:
        """`environ` is what its launcher is told; `folder` the LPAR's own below the data folder."""
        self.id = lpar
        self.host = file.lpars[lpar].hostname
        self.url = file.launcher_url(lpar)
        self.run_folder = folder / "run"
        self.condition: Condition = "stopped"
        self.code: int | None = None
        """Exit code of its last launcher."""
        self._set(file, environ)
        self._log = LogFile(folder / "logs" / "launcher.log", 5_000_000)
        self._session = session
        self._lifecycle = lifecycle
        self._journal = journal
        self._process: Process | None = None
        self._wanted = False

    def _set(self, file: Plexfile, environ: Mapping[str, str]) -> None:
        self.addresses = {name: file.component_url(name, self.id) for name in file.enabled(self.id)}
        """Of its components: URLs. One that is no longer in the file keeps what it had."""
        self._environ = environ

    async def configure(self, file: Plexfile, environ: Mapping[str, str]) -> None:
        """Its launcher reads the file again; one that does not answer does so when it is started next."""
        self._set(file, environ)
        if self.condition == "running":
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._session.post(f"{self.url}/v1/reload", json={}, timeout=ORDER) as response:
                    await response.read()

    # --- orders

    def begin(self) -> None:
        if self.condition in ("running", "paused"):
            raise Conflict(f"{self.id} is already running" if self.condition == "running" else f"{self.id} is paused")
        pids.write(self.run_folder, {})
        self._log.last.clear()
        command = [sys.executable, "-P", "-m", "launcher", "--lpar", self.id]
        self._process = Process(command, self._environ, self._log.write)
        self.condition = "running"
        self._wanted = True
        process = self._process
        self._lifecycle.spawn(f"launcher {self.id}", lambda: self._watch(process))

    async def start(self) -> None:
        """All of it, or, where it runs, what was stopped or given up in it. Raises Conflict: nothing is to be done."""
        idle = [each.name for each in (await self.report()).components if each.state in ("stopped", "failed")]
        if self.condition == "running" and idle:
            await asyncio.gather(*(self.order(name, "start") for name in idle))
        else:
            self.begin()
        await self.settled(READY_WITHIN_S)

    async def kill(self) -> None:
        process = self._alive("kill")
        self._wanted = False
        process.signal(signal.SIGKILL)
        await self._bury(process)
        self.condition = "killed"

    async def pause(self) -> None:
        if self.condition == "paused":
            raise Conflict(f"{self.id} is already paused")
        process = self._alive("pause")
        self.condition = "paused"
        process.signal(signal.SIGSTOP)
        self._signal_components(signal.SIGSTOP)

    async def resume(self) -> None:
        if self.condition != "paused":
            raise Conflict(f"{self.id} is not paused")
        self.condition = "running"
        self._signal_components(signal.SIGCONT)
        self._alive("resume").signal(signal.SIGCONT)
        await self.settled(READY_WITHIN_S)

    async def stop(self) -> None:
        self._alive("stop")
        await self.leave()

    async def leave(self) -> None:
        """As stop, and nothing when it does not run."""
        process = self._process
        if process is None or not process.running:
            return
        self._wanted = False
        if self.condition == "paused":
            self._signal_components(signal.SIGCONT)
        if not await process.stop(STOP_S):
            await self._bury(process)
        self.condition = "stopped"

    def kill_now(self) -> None:
        """Without waiting: its components die with their launcher."""
        if self._process is not None:
            self._process.signal(signal.SIGKILL)

    async def order(self, component: str, action: Action) -> wire.Component:
        """Forwarded to its launcher."""
        if self.condition != "running":
            raise Conflict(f"{self.id} is {self.condition}")
        path = f"{self.url}/v1/components/{component}/{action}"
        try:
            async with self._session.post(path, json={}, timeout=ORDER) as response:
                body = await response.read()
                if response.status != 200:
                    raise _error(response.status, body)
                return msgspec.json.decode(body, type=wire.Component)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"the launcher of {self.id} does not answer: {error}") from error

    async def fence(self, component: str, pid: int) -> None:
        """Kill that process, whatever state its launcher is in: it finds it ended when it goes on, and starts it again.

        Raises Conflict when it has another process by now, or none.
        """
        recorded = pids.read(self.run_folder).get(component)
        if recorded is None or recorded.pid != pid or not pids.alive(recorded):
            raise Conflict(f"{self.id} {component} is not process {pid}")
        pids.signal_group(recorded, signal.SIGKILL)
        await pids.gone([recorded])

    # --- what is known

    async def report(self) -> wire.Lpar:
        if self.condition == "running":
            try:
                async with self._session.get(f"{self.url}/v1/lpar", timeout=ASK) as response:
                    return msgspec.json.decode(await response.read(), type=wire.Lpar)
            except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
                return self._assumed("starting", ["its launcher does not answer"])
        if self.condition == "paused":
            return self._assumed("paused", [f"{self.id} is paused"])
        return self._assumed("stopped" if self.condition == "stopped" else "failed", [f"{self.id} is {self.condition}"])

    async def settled(self, within_s: float) -> wire.Lpar:
        """Wait until every component is ready, or one has failed, or the LPAR has gone, or the time is over.

        A launcher that was just resumed may not have noticed yet that a component has ended meanwhile: what it reports
        counts when all that it had recorded before was alive.
        """
        deadline = time.monotonic() + within_s
        while True:
            noticed = all(pids.alive(each) for each in pids.read(self.run_folder).values())
            lpar = await self.report()
            if (lpar.state == "ready" and noticed) or lpar.state == "failed":
                return lpar
            if self.condition != "running" or time.monotonic() > deadline:
                return lpar
            await asyncio.sleep(0.1)

    @property
    def last_line(self) -> str:
        """What its launcher said last."""
        return self._log.last[-1] if self._log.last else ""

    def _assumed(self, state: wire.ComponentState, why: list[str]) -> wire.Lpar:
        recorded = pids.read(self.run_folder)
        components = []
        for name, url in self.addresses.items():
            pid = recorded.get(name)
            running = pid is not None and pids.alive(pid)
            gone = state == "paused" and not running
            components.append(
                wire.Component(
                    name=name,
                    state="failed" if gone else state,
                    pid=pid.pid if pid is not None and running else None,
                    url=url,
                    why=[*why, "its process has ended"] if gone else why,
                )
            )
        return wire.Lpar(id=self.id, state=state, address=self.host, components=components, launcher=self.url)

    # --- the launcher process

    def _alive(self, action: str) -> Process:
        if self._process is None or not self._process.running:
            raise Conflict(f"cannot {action} {self.id}: it is {self.condition}")
        return self._process

    async def _watch(self, process: Process) -> None:
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follow())
            self.code = await process.ended()
            following.cancel()
        if self._wanted:
            await self._bury(process)
            self._wanted = False
            if self.code == 0:  # an operator's STOP to the launcher itself
                self.condition = "stopped"
                self._journal.say("lpar.stopped", self.id)
            else:
                self.condition = "lost"
                self._journal.say("lpar.lost", self.id, status=ending(self.code))

    async def _bury(self, process: Process) -> None:
        """Nothing of it is left when this returns. What it started last may be recorded only after the first look."""
        for _ in range(2):
            recorded = list(pids.read(self.run_folder).values())
            for each in recorded:
                pids.signal_group(each, signal.SIGKILL)
            await process.ended()
            await pids.gone(recorded)
            await orphans.end("")  # living launchers adopt for themselves: who is ours has come from a dead one

    async def _follow(self) -> None:
        """Hand on what its launcher tells, as long as it lives."""
        seen = 0
        while True:
            try:
                async for event in follow(self._session, self.url, seen):
                    seen = event.seq
                    self._journal.hand_on(self.id, event)
            except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
                pass
            await asyncio.sleep(0.2 if seen == 0 else 1.0)

    def _signal_components(self, number: signal.Signals) -> None:
        for pid in pids.read(self.run_folder).values():
            pids.signal_group(pid, number)


def _error(status: int, body: bytes) -> PlexmeshError:
    try:
        detail = str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        detail = f"its launcher answered {status}"
    return {404: NotFound, 409: Conflict}.get(status, Unavailable)(detail)
