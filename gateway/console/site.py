"""Everything below / and /console, put together.

GET  /, /console/…           the pages: one application, which goes from page to page without loading
GET  /static/{name}          its files
GET  /console/v1/told        what this gateway tells others' consoles (`told`)
GET  /console/v1/stream      what is shown, as it happens (`stream`)
GET  /console/v1/me          who is at the page (`operators`)
…    /console/v1/…           orders (`statuses`, `lab`), leases (`leases`), OpenAPI documents (`apidoc`)
GET  /console/swagger/…      Swagger UI (`swagger`)
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import aiohttp_jinja2
import msgspec
from aiohttp import web

from gateway import audience
from gateway.config import GatewayConfig
from gateway.console.apidoc import Apidocs
from gateway.console.collector import Collector
from gateway.console.lab import Lab
from gateway.console.leases import Leases
from gateway.console.operators import Logins, Operators
from gateway.console.statuses import Statuses
from gateway.console.stream import Stream
from gateway.console.swagger import SwaggerUi
from gateway.console.told import told
from gateway.plane import Plane
from shared import simulated
from shared.errors import NotFound
from shared.events import Events
from shared.vipa import DISTRIBUTOR

FOLDER = Path(__file__).parent
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
NO_PAGE = ("v1", "swagger")
"""Below /console, what is no page and does not become one by a wrong name."""


class Site:
    def __init__(self, config: GatewayConfig, plane: Plane, events: Events, logins: Logins | None = None) -> None:
        """`logins`: whose token a request has; None: nobody can log in."""
        self._config = config
        self._plane = plane
        up = os.environ.get(DISTRIBUTOR, "")
        self.operators = Operators(config, logins)
        lab = Lab(config, plane, up, self.operators)
        self.collector = Collector(config, plane, events, lab, up)
        self._parts = (
            Stream(config, self.collector), self.operators, lab, Statuses(config, self.operators),
            Leases(config, plane), Apidocs(config, plane), SwaggerUi(),
        )  # fmt: skip
        self._assets = {each.name: each.read_bytes() for each in (FOLDER / "static").iterdir()}

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self.page),
            web.get("/static/{name}", self.asset),
            web.get("/console/v1/told", self.told),
            *(route for part in self._parts for route in part.routes()),
            web.get("/console", self.page),
            web.get("/console/{rest:.*}", self.page),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        if request.match_info.get("rest", "").partition("/")[0] in NO_PAGE:
            raise NotFound(f"{request.path}: there is no such thing")
        context = {"sysplex": self._config.sysplex, "lpar": self._config.lpar, "simulated": simulated.IN_ONE_LINE}
        return aiohttp_jinja2.render_template("page.html", request, context)

    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._assets:
            raise NotFound(f"{request.path}: there is no such file")
        return web.Response(body=self._assets[name], content_type=TYPES[Path(name).suffix])

    async def told(self, request: web.Request) -> web.Response:
        report = await self._plane.ask()
        snapshot = audience.shown(self._config, request, self._plane.snapshot)
        said = told(self._config, snapshot, report, time.monotonic())
        return web.Response(body=msgspec.json.encode(said), content_type="application/json")
