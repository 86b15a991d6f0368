"""All components of one LPAR: started together, stopped together, ordered one by one.

Zowe's launcher starts all at once (there is no order of dependence; a component that needs another waits for it) and
stops all at once: SIGTERM to every session, SIGKILL to what is left after the grace. From the first moment of stopping
nothing is started again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from launcher import pids
from launcher.component import Component
from launcher.config import LauncherConfig
from launcher.logfile import LogFile
from launcher.messages import told
from launcher.spec import ComponentSpec
from launcher.states import Action, overall
from shared import wire
from shared.errors import Conflict, NotFound, nearest
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.net import connector

log = logging.getLogger("plexmesh.launcher")


class Supervisor:
    def __init__(
        self,
        specs: Sequence[ComponentSpec],
        config: LauncherConfig,
        folder: Path,
        events: Events,
        lifecycle: Lifecycle,
    ) -> None:
        """`folder` is the LPAR's own below the data folder; `logs` and `run` are there."""
        self._config = config
        self._run_folder = folder / "run"
        self._events = events
        self._stopping = False
        self._session = aiohttp.ClientSession(connector=connector(config.host))
        self.components = {
            spec.name: Component(
                spec,
                config,
                LogFile(folder / "logs" / f"{spec.name}.log", config.log_bytes),
                events,
                lifecycle,
                self._session,
                self._record,
            )
            for spec in specs
        }

    def start(self) -> None:
        self._say("launcher.starting", components=", ".join(self.components))
        for name, component in self.components.items():
            spec = component.spec
            self._say(
                "component.initialised",
                component=name,
                intervals=len(spec.intervals_s),
                min_uptime_s=spec.min_uptime_s,
            )
            if spec.moved:
                self._say("component.port_moved", component=name, port=spec.port)
            component.begin()

    async def stop(self) -> None:
        self._stopping = True
        self._say("launcher.stopping")
        async with asyncio.TaskGroup() as tasks:
            for component in self.components.values():
                tasks.create_task(component.leave())
        self._say("launcher.stopped")
        await self._session.close()

    async def order(self, name: str, action: Action) -> wire.Component:
        """Raises NotFound, and Conflict with the reason when it is not possible in this state."""
        component = self.components.get(name)
        if component is None:
            raise NotFound(f"{self._config.lpar} has no component {name!r}{nearest(name, self.components)}")
        if self._stopping:
            raise Conflict(f"{self._config.lpar} is being stopped")
        try:
            await getattr(component, action)()
        except Conflict as error:
            raise Conflict(f"cannot {action} {self._config.lpar} {name}: {error}") from error
        return component.report()

    def report(self) -> wire.Lpar:
        components = [component.report() for component in self.components.values()]
        return wire.Lpar(
            id=self._config.lpar,
            state=overall(component.state for component in components),
            address=self._config.host,
            components=components,
        )

    def _say(self, event: str, **values: object) -> None:
        self._events.emit(event, **told(event, **values))

    def _record(self) -> None:
        running = {
            name: component.process.record
            for name, component in self.components.items()
            if component.process is not None and component.restarts.running
        }
        try:
            pids.write(self._run_folder, running)
        except OSError as error:  # a full disk: the components matter more than the record of them
            log.warning("pids.not_recorded", extra={"fields": {"why": str(error)}})
