"""/application/…: what every process says about itself.

    live          200 as soon as the loop turns
    ready         200 or 503, {"ready": bool, "why": [reason, …]}
    health        Spring's shape: {"status": "UP"|"DOWN", "components": {…}}; 503 when DOWN; with TLS for those who have
                  shown a certificate (401), unless it is not to be protected
    info          who this is, and what is simulated
    metrics       Prometheus text
    events        SSE over the ring of the last state changes; resumes by Last-Event-ID
    openapi.json  everything this process answers, by its routes (`shared.operation`)

One `Application` per process; `routes()` is added to its aiohttp application. Readiness is asked, never stored: `why`
returns the reasons for not being ready, none when it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from aiohttp import web
from aiohttp_sse import sse_response
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from shared import access, simulated, validity
from shared.access import HOW
from shared.config import ServiceConfig
from shared.errors import Unauthorized
from shared.events import Events
from shared.operation import EVENTS, JSON, TEXT, Document, Operation, document, whole
from shared.tls import Tls, secured

Why = Callable[[], list[str]]
Parts = Callable[[], dict[str, object]]
"""Further parts of the health page, each in Spring's shape: {"status", "details"}."""
Own = Callable[[], tuple[bool, dict[str, object]]]
"""Whether the service is UP, and details of its part; for one that may be well without being ready."""

Known = Callable[[web.Request], Awaitable[bool]]
"""Whether it is known who asks."""
Documents = Callable[[], Iterable[Document]]

OPERATIONS = (
    Operation("GET", "/application/live", "200 as soon as the process answers"),
    Operation("GET", "/application/ready", "Whether it is ready, and why not", dict.fromkeys((200, 503), JSON)),
    Operation(
        "GET",
        "/application/health",
        "Whether it is well, in Spring's shape; with TLS for those who are known",
        dict.fromkeys((200, 401, 503), JSON),
    ),
    Operation("GET", "/application/info", "Who this is, and what is simulated"),
    Operation("GET", "/application/metrics", "For Prometheus", {200: TEXT}),
    Operation("GET", "/application/events", "Its last state changes, and those to come", {200: EVENTS}),
    Operation("GET", "/application/openapi.json", "Everything this process answers"),
)


class Application:
    def __init__(
        self,
        service: str,
        config: ServiceConfig,
        events: Events,
        why: Why,
        parts: Parts = dict,
        own: Own | None = None,
        known: Known | None = None,
        documents: Documents = tuple,
        beside: Documents = tuple,
        tls: Tls | None = None,
    ) -> None:
        """`known`: default, who has shown a certificate. `documents`: what is told of the routes; `beside`: of what is
        answered past them. `tls`: of one that is in no LPAR."""
        self.service = service
        self.config = config
        self.events = events
        self.why = why
        self.parts = parts
        self.own = own
        self._known = known or self._certified
        self._tls = tls
        self._documents = documents
        self._beside = beside
        self._document = b""
        self.metrics = CollectorRegistry()
        ProcessCollector(registry=self.metrics)
        PlatformCollector(registry=self.metrics)
        GCCollector(registry=self.metrics)
        self._started = time.monotonic()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/application/live", self.live),
            web.get("/application/ready", self.ready),
            web.get("/application/health", self.health),
            web.get("/application/info", self.info),
            web.get("/application/metrics", self.expose),
            web.get("/application/events", self.follow),
            web.get("/application/openapi.json", self.openapi),
        ]

    async def live(self, _: web.Request) -> web.Response:
        return _json({"live": True})

    async def ready(self, _: web.Request) -> web.Response:
        why = self.why()
        return _json({"ready": not why, "why": why}, 503 if why else 200)

    async def health(self, request: web.Request) -> web.Response:
        if self.config.tls and self.config.health_protected and not await self._known(request):
            raise Unauthorized(f"{HOW['service']}; /application/live and /application/ready are for everybody")
        why = self.why()
        up, details = self.own() if self.own else (not why, {})
        status = "UP" if up else "DOWN"
        part = {"status": status, "details": {"lpar": self.config.lpar, "why": why, **details}}
        components = {self.service: part, **self._certificate(), **self.parts()}
        return _json({"status": status, "components": components}, 200 if up else 503)

    async def _certified(self, request: web.Request) -> bool:
        return access.who(request.transport, self.config.access) is not None

    def _certificate(self) -> dict[str, object]:
        own = self._tls or secured(self.config)
        return {"certificate": validity.part(own.files.certificate)} if own else {}

    async def info(self, _: web.Request) -> web.Response:
        return _json(
            {
                "service": self.service,
                "sysplex": self.config.sysplex,
                "lpar": self.config.lpar,
                "pid": os.getpid(),
                "started": round(self.events.began, 3),
                "uptime_s": round(time.monotonic() - self._started, 1),
                **self._compared(),
                "simulated": simulated.IN_ONE_LINE,
                "onFailure": simulated.ON_FAILURE,
            }
        )

    def _compared(self) -> dict[str, object]:
        """What makes this process behave otherwise than it usually does."""
        said: dict[str, object] = {}
        if self.config.behaviour != "plexmesh":
            said |= {"behaviour": f"{self.config.behaviour}: {simulated.MODEL}", "speed": self.config.speed}
        return said | ({"without": list(self.config.without_guards)} if self.config.without_guards else {})

    async def expose(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def follow(self, request: web.Request) -> web.StreamResponse:
        after = request.headers.get("Last-Event-ID", "0")
        async with sse_response(request) as stream:
            async for event in self.events.follow(int(after) if after.isdigit() else 0):
                data = msgspec.json.encode(event).decode()
                await stream.send(data, id=str(event.seq), event=event.event)
        return stream

    async def openapi(self, request: web.Request) -> web.Response:
        if not self._document:
            self._document = msgspec.json.encode(self._whole(request.app))
        return web.Response(body=self._document, content_type="application/json")

    def _whole(self, app: web.Application) -> Document:
        routes = [
            (each.method, each.resource.canonical)
            for each in app.router.routes()
            if each.resource is not None and each.method != "HEAD"
        ]
        own = document(self.service, OPERATIONS)
        return whole(f"plexmesh {self.service}", routes, [own, *self._documents()], self._beside())


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
