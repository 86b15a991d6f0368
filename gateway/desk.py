"""What a gateway has once, however many data paths serve for it: its pages, its entry in the registry, its order of
coming and leaving.

up      own port (own pages are served, everything else once the registry is known) → watch → first whole snapshot:
        ready → the sysplex address
down    leave the sysplex address and the registry with the own port still open → not ready → close the port →
        calls in flight finish, answers say `Connection: close` → what is left is cut
"""

from __future__ import annotations

from aiohttp import web

from gateway import operations
from gateway.api import Api, make_app
from gateway.audience import known
from gateway.collector import MeterCollector
from gateway.config import GatewayConfig
from gateway.console.site import Site
from gateway.inner import Inner
from gateway.login.api import whose
from gateway.login.service import Logins
from gateway.plane import Plane
from gateway.zowe import entry
from gateway.zowe.health import health
from plexmesh import Service
from shared.application import Application
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.tls import client_tls


class Desk:
    def __init__(self, config: GatewayConfig, events: Events, plane: Plane) -> None:
        self._config = config
        self._events = events
        self._plane = plane
        self._leaving = False
        self._service = Service(
            "gateway",
            port=config.port,
            host=config.host,
            lpar=config.lpar,
            discovery=list(config.discovery),
            routes=entry.ROUTES,
            metadata=entry.metadata(config),
            title=entry.TITLE,
            description=entry.DESCRIPTION,
            secure=config.tls,
            tls=client_tls(config),
        )
        self._logins = Logins(config, events, lambda: plane.snapshot)
        application = Application(
            "gateway",
            config,
            events,
            self.why_not_ready,
            parts=lambda: {"login": self._logins.health()},
            own=self._health,
            known=self._known,
            documents=operations.documents,
        )
        application.metrics.register(MeterCollector(plane.report))
        self._site = Site(config, plane, events, whose(self._logins))
        self._inner = Inner(make_app(Api(config, plane, self._site, self._logins), application))

    def why_not_ready(self) -> list[str]:
        return (["this gateway is leaving"] if self._leaving else []) + self._plane.why_not_ready()

    def _health(self) -> tuple[bool, dict[str, object]]:
        return health(self._plane.snapshot, self._plane.report())

    async def _known(self, request: web.Request) -> bool:
        return known(self._config, request)

    async def start(self, lifecycle: Lifecycle) -> None:
        """Raises AddressInUse or ConfigError when the own port cannot be had."""
        await self._logins.open()
        await self._inner.start()
        await self._plane.start(lifecycle, self._inner, self._logins.check)
        lifecycle.spawn("console", self._site.collector.run)
        await self._service.start()
        self._events.emit("gateway.started", address=f"{self._config.host}:{self._config.port}")

    async def stop(self) -> None:
        self._events.emit("gateway.leaving")
        self._plane.leave()
        await self._service.stop()
        self._leaving = True
        self._events.close()
        self._site.collector.close()
        await self._plane.drain()
        await self._inner.stop()
        await self._logins.close()
        self._plane.close()
