"""Putting a gateway together: as a parent with workers (`main`), or all of it in the caller's process (`Gateway`)."""

from __future__ import annotations

import dataclasses
import logging

from gateway.callers import Callers
from gateway.config import GatewayConfig
from gateway.crew import Crew
from gateway.desk import Desk
from gateway.guards import guards_without
from gateway.outside import settings_of
from gateway.zowe_model import modelled
from shared import config as settings
from shared import guards
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.tls import secured, trust

log = logging.getLogger("plexmesh.gateway")


class Gateway:
    """Pages and one data path in this process, without workers: for tests and programs that have a gateway inside."""

    def __init__(self, config: GatewayConfig) -> None:
        from gateway.front import Front  # late: the parent of workers needs nothing of a data path

        self.config = config
        self.events = Events(log)
        front = Front(config, self.events)
        self.path, self.watch, self.vipa = front.path, front.watch, front.vipa
        self._desk = Desk(config, self.events, front)

    def why_not_ready(self) -> list[str]:
        return self._desk.why_not_ready()

    async def start(self, lifecycle: Lifecycle) -> None:
        """Raises AddressInUse or ConfigError when the own port cannot be had."""
        await self._desk.start(lifecycle)

    async def stop(self) -> None:
        await self._desk.stop()


def load() -> GatewayConfig:
    """Flags, environment and file as they are now. Raises ConfigError."""
    config = settings.load(GatewayConfig, "gateway")
    _ = config.worker_count  # raises when it has no meaning
    Callers(config.trusted_proxies, config.max_connections_per_client)  # likewise
    trust(config), secured(config)
    guards_without(config.without)
    shared_guards = tuple(each for each in config.without_guards if each in guards.GATEWAY)
    config = modelled(dataclasses.replace(config, without=(*config.without, *shared_guards)))
    settings_of(config.services, config.static, config.apiml_id)
    return config


async def main(lifecycle: Lifecycle, config: GatewayConfig) -> None:
    events = Events(log)
    desk = Desk(config, events, Crew(config, events, load))
    await desk.start(lifecycle)
    await lifecycle.stopped()
    await desk.stop()
