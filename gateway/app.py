"""Putting a gateway together, and taking it down in order.

up      own port (requests are answered 503 until the registry is known) → watch → first whole snapshot: ready →
        the sysplex address
down    leave the sysplex address and the registry with the own port still open → not ready → close the port →
        calls in flight finish, answers say `Connection: close` → what is left is cut
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

from gateway.api import Api, make_app
from gateway.config import GatewayConfig
from gateway.datapath import DataPath
from gateway.inner import Inner
from gateway.listener import Listener
from gateway.probing import Prober
from gateway.snapshot import Snapshot
from gateway.vipa import Vipa
from gateway.watch import Watch
from plexmesh import Service
from shared.application import Application
from shared.errors import ConfigError
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.net import listen

log = logging.getLogger("plexmesh.gateway")

VIPA_RETRY_S = 1.0


class Gateway:
    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.events = Events(log)
        self.path = DataPath(config, self.events, random.Random(), lambda endpoint: self._inner.dial(endpoint))
        self.watch = Watch(config, self.path.meters, self.events, self._publish)
        self.vipa = Vipa(self.path, config.vipa, self.events)
        self.service = Service(
            "gateway",
            port=config.port,
            host=config.host,
            lpar=config.lpar,
            discovery=list(config.discovery),
            title="Gateway",
            description="Routes and balances calls to every service of the sysplex",
        )
        self._application = Application("gateway", config, self.events, self.why_not_ready)
        self._application.metrics.register(self.path.meters)
        self._inner = Inner(make_app(Api(config, self.path, self.watch, self.vipa), self._application))
        self._prober = Prober(self.path)
        self._first = asyncio.Event()
        self._vipa_trouble = ""
        self._leaving = False
        self._listener: Listener | None = None

    def why_not_ready(self) -> list[str]:
        why = ["this gateway is leaving"] if self._leaving else []
        if self._vipa_trouble:
            why.append(f"the sysplex address cannot be opened: {self._vipa_trouble}")
        return why + self.watch.why_not_ready()

    def _publish(self, snapshot: Snapshot) -> None:
        self.path.adopt(snapshot)
        self._first.set()

    async def start(self, lifecycle: Lifecycle) -> None:
        """Raises AddressInUse or ConfigError when the own port cannot be had."""
        sock = listen(self.config.host, self.config.port)
        await self._inner.start()
        self._listener = Listener(self.path, sock)
        lifecycle.spawn("watch", self.watch.run)
        lifecycle.spawn("probes", self._prober.run)
        lifecycle.spawn("vipa", self._enter_vipa)
        await self.service.start()
        self.events.emit("gateway.started", address=f"{self.config.host}:{self.config.port}")

    async def _enter_vipa(self) -> None:
        await self._first.wait()
        while not self._leaving:
            try:
                self.vipa.enter()
                self._vipa_trouble = ""
                return
            except ConfigError as error:
                if not self._vipa_trouble:
                    log.error("vipa.failed", extra={"fields": {"why": str(error)}})
                self._vipa_trouble = str(error)
                await asyncio.sleep(VIPA_RETRY_S)

    async def stop(self) -> None:
        self.events.emit("gateway.leaving")
        self.path.draining = True
        self.vipa.leave()
        await self.service.stop()
        self._leaving = True
        if self._listener is not None:
            self._listener.close()
        self.events.close()
        await self._drain()
        await self._inner.stop()
        self.path.close()

    async def _drain(self) -> None:
        """Until no client is left, or the time is over."""
        if self.path.clients:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.config.drain_s):
                    await self.path.deserted.wait()
        cut = [client for client in list(self.path.clients) if not client.rest_is_over()]
        for client in cut:
            client.reset()
        self.events.emit("gateway.drained", cut=len(cut))


async def main(lifecycle: Lifecycle, config: GatewayConfig) -> None:
    gateway = Gateway(config)
    await gateway.start(lifecycle)
    await lifecycle.stopped()
    await gateway.stop()
