"""All components of one LPAR: started together, stopped together, ordered one by one.

Zowe's launcher starts all at once (there is no order of dependence; a component that needs another waits for it) and
stops all at once: SIGTERM to every session, SIGKILL to what is left after the grace. From the first moment of stopping
nothing is started again. Here one may be told to wait at the start until others are ready (`launcher.after`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
import msgspec

from launcher import kin, orphans, pids
from launcher.component import Component, Turn
from launcher.config import LauncherConfig
from launcher.fence import FAILURES, Fence, Witnesses
from launcher.joblog import JobLog
from launcher.logfile import LogFile
from launcher.resources import Meter, Resources
from launcher.spec import ComponentSpec, component_mark
from launcher.states import Action, overall
from shared import wire
from shared.errors import Conflict, NotFound, nearest
from shared.lifecycle import Lifecycle
from shared.net import to_ours

log = logging.getLogger("plexmesh.launcher")


RESOURCES_S = 1.0
"""What they use is measured at most that often, however often somebody asks."""


class Supervisor:
    def __init__(
        self,
        specs: Sequence[ComponentSpec],
        config: LauncherConfig,
        folder: Path,
        joblog: JobLog,
        lifecycle: Lifecycle,
        url: str,
        *,
        fences: bool = False,
    ) -> None:
        """`folder` is the LPAR's own below the data folder; `logs` and `run` are there. `url` is the launcher's;
        `fences`: nobody else fences its gateway."""
        self._fenced_here = fences
        self._config = config
        self._run_folder = folder / "run"
        self.joblog = joblog
        self._url = url
        self._lifecycle = lifecycle
        self._stopping = False
        self._recorded: dict[str, pids.Pid] = {}
        self._news = asyncio.Event()
        self._measured: dict[str, Resources] = {}
        self._measured_at = 0.0
        self._session = aiohttp.ClientSession(connector=to_ours(config))
        self.components = {
            spec.name: Component(
                spec,
                config,
                LogFile(folder / "logs" / f"{spec.name}.log", config.log_bytes),
                joblog,
                lifecycle,
                self._session,
                self._changed,
            )
            for spec in specs
        }
        self._meters = {name: Meter() for name in self.components}

    def start(self) -> None:
        orphans.adopt()
        self._say("launcher.starting", components=", ".join(self.components))
        for name, component in self.components.items():
            self._say_settings(component.spec)
            others = [other for other in component.spec.after if other in self.components]
            component.begin(self._turn_after(name, others) if others else None)
        self._lifecycle.spawn("started", self._say_started)
        if self._fenced_here and "gateway" in self.components:
            self._lifecycle.spawn("fence", self._fence().watch)

    def _fence(self) -> Fence:
        def fenced(pid: int) -> None:
            self._say("gateway.fenced", pid=pid, failures=FAILURES)

        url = self.components["gateway"].spec.url
        return Fence(self._config.lpar, url, self._run_folder, self._session, fenced, Witnesses())

    def _say_settings(self, spec: ComponentSpec) -> None:
        name, intervals_s = spec.name, ", ".join(f"{each:g}" for each in spec.intervals_s)
        self._say(
            "component.initialised", component=name, intervals=len(spec.intervals_s), min_uptime_s=spec.min_uptime_s
        )
        self._say("component.intervals", component=name, intervals_s=intervals_s)
        if spec.moved:
            self._say("component.port_moved", component=name, port=spec.port)

    def _turn_after(self, name: str, others: Sequence[str]) -> Turn:
        async def turn() -> None:
            self._say("component.waiting", component=name, names=_are(others))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.after_s):
                    await self._until(lambda: not self._missing(others))
                    return
            missing = _are(self._missing(others))
            self._say("component.not_awaited", component=name, names=missing, seconds=self._config.after_s)

        return turn

    def _missing(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if not self.components[name].ready]

    async def _say_started(self) -> None:
        components = self.components.values()
        await self._until(lambda: self._stopping or all(each.tried for each in components))
        missing = [each.spec.name for each in components if each.process is None]
        if self._stopping:
            return
        if missing:
            self._say("launcher.not_all_started", why=f"{', '.join(missing)} failed or stopped before")
        else:
            self._say("launcher.started")

    async def stop(self) -> None:
        self._stopping = True
        self._changed()
        self._say("launcher.stopping")
        async with asyncio.TaskGroup() as tasks:
            for component in self.components.values():
                tasks.create_task(component.leave())
        if killed := [name for name, component in self.components.items() if component.killed]:
            self._say("launcher.stopped_by_force", killed=", ".join(killed))
        else:
            self._say("launcher.stopped")
        await orphans.end("")
        await self._session.close()

    def adopt(self, specs: Sequence[ComponentSpec]) -> None:
        """Each holds from its component's next start; one that is new, or no longer there, from the LPAR's."""
        for spec in specs:
            if (component := self.components.get(spec.name)) is not None:
                component.adopt(spec)

    def find(self, name: str) -> Component:
        """To give it an order. Raises NotFound, and Conflict when all are being stopped."""
        component = self.components.get(name)
        if component is None:
            raise NotFound(f"{self._config.lpar} has no component {name!r}{nearest(name, self.components)}")
        if self._stopping:
            raise Conflict(f"{self._config.lpar} is being stopped")
        return component

    async def order(self, name: str, action: Action) -> wire.Component:
        """Raises NotFound, and Conflict with the reason when it is not possible in this state."""
        component = self.find(name)
        try:
            await getattr(component, action)()
        except Conflict as error:
            raise Conflict(f"cannot {action} {self._config.lpar} {name}: {error}") from error
        return component.report()

    def report(self) -> wire.Lpar:
        """With what each component uses, as measured at most a second ago."""
        now = time.monotonic()
        if now - self._measured_at >= RESOURCES_S:
            self._measured, self._measured_at = self._measure(), now
        return self._lpar([self._with_resources(component.report()) for component in self.components.values()])

    def states(self) -> wire.Lpar:
        """As `report`, without what they use."""
        return self._lpar([component.report() for component in self.components.values()])

    def _lpar(self, components: list[wire.Component]) -> wire.Lpar:
        return wire.Lpar(
            id=self._config.lpar,
            state=overall(component.state for component in components),
            address=self._config.host,
            components=components,
            launcher=self._url,
        )

    def _with_resources(self, component: wire.Component) -> wire.Component:
        used = self._measured.get(component.name)
        if used is None or component.pid is None:
            return component
        return msgspec.structs.replace(
            component,
            cpu_percent=used.cpu_percent,
            rss_bytes=used.rss_bytes,
            threads=used.threads,
            descriptors=used.descriptors,
        )

    def _measure(self) -> dict[str, Resources]:
        processes = kin.table()
        found = {}
        for name, component in self.components.items():
            if component.leader is not None:
                leader = component.leader
                strayed = orphans.found(component_mark(self._config, name), [leader.pid], processes)
                below = (each.record for each in kin.below(processes, [leader.pid]) if not each.ended)
                found[name] = self._meters[name].measure({leader, *below, *strayed})
        return found

    def _say(self, event: str, **values: object) -> None:
        self.joblog.say(event, **values)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._news.wait()

    def _changed(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
        running = {name: each.leader for name, each in self.components.items() if each.leader is not None}
        if running != self._recorded:
            self._recorded = running
            self._record()

    def _record(self) -> None:
        try:
            pids.write(self._run_folder, self._recorded)
        except OSError as error:  # a full disk: the components matter more than the record of them
            log.warning("pids.not_recorded", extra={"fields": {"why": str(error)}})


def _are(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"
