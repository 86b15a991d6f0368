"""The routes of the page; all are GET and change nothing.

    /                           the page; it keeps itself up to date
    /lastn                      Spring's second page: the same, at its last events
    /dashboard/state            what the page shows, as JSON; q: only what matches, last: how many came and went
    /dashboard/static/{name}    its script, style and icon

Its answers carry a policy by which a browser runs and loads nothing but what is from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp_jinja2
import jinja2
import msgspec
from aiohttp import web

from discovery import clock
from discovery.config import DiscoveryConfig
from discovery.dashboard.comings import RING, Comings
from discovery.dashboard.finder import Finder
from discovery.dashboard.matrix import matrix, sighting, there
from discovery.dashboard.search import TEXT_CHARS
from discovery.dashboard.sight import Sight
from discovery.dashboard.state import EVENTS, EurekaServer, State, state
from discovery.node import Node
from discovery.v1.decode import known_only, shown, whole
from discovery.zowe.refusal import Refusal
from shared import simulated
from shared.errors import BadInput, NotFound
from shared.events import Events

FOLDER = Path(__file__).parent

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

LAST = 20


class Dashboard:
    """`servers`: the real Eureka servers this node keeps in step with; `refusals`: of static definitions."""

    def __init__(
        self,
        config: DiscoveryConfig,
        node: Node,
        comings: Comings,
        events: Events,
        servers: Callable[[], Sequence[EurekaServer]] = list,
        refusals: Callable[[], Sequence[Refusal]] = list,
    ) -> None:
        self._config = config
        self._node = node
        self._comings = comings
        self._events = events
        self._servers = servers
        self._refusals = refusals
        self._finder = Finder(node.view, lambda: comings.heard)
        self._sight = Sight(config)
        self._assets = {each.name: each.read_bytes() for each in (FOLDER / "static").iterdir()}

    def install(self, app: web.Application) -> None:
        aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True)
        app.add_routes(
            [
                web.get("/", self.home),
                web.get("/lastn", self.lastn),
                web.get("/dashboard/state", self.state),
                web.get("/dashboard/static/{name}", self.asset),
            ]
        )

    async def close(self) -> None:
        await self._sight.close()

    async def home(self, request: web.Request) -> web.StreamResponse:
        config = self._config
        context = {
            "sysplex": config.sysplex,
            "lpar": config.lpar,
            "address": config.address,
            "console": f"{config.scheme}://{config.vipa}/" if config.vipa else "",
            "simulated": simulated.IN_ONE_LINE,
        }
        answer = aiohttp_jinja2.render_template("home.html", request, context)
        answer.headers.update(HEADERS)
        return answer

    async def lastn(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/#events", **HEADERS})

    async def asset(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._assets:
            raise NotFound(f"{request.path}: there is no such file")
        return web.Response(body=self._assets[name], content_type=TYPES[Path(name).suffix], headers=HEADERS)

    async def state(self, request: web.Request) -> web.StreamResponse:
        known_only(request.query, ("q", "last"))
        text = request.query.get("q", "")
        if len(text) > TEXT_CHARS:
            raise BadInput(f"q: {shown(text)}, expected at most {TEXT_CHARS} characters")
        last = whole("last", request.query.get("last", str(LAST)), 1, RING)
        body = msgspec.json.encode(await self._state(text, last))
        return web.Response(
            body=body, content_type="application/json", headers={**HEADERS, "Cache-Control": "no-store"}
        )

    async def _state(self, text: str, last: int) -> State:
        node = self._node
        search = await self._finder.find(text)
        others = await self._sight.of(there(sighting(node)))
        mesh = matrix(node.address, sighting(node), others)
        return state(
            self._config.sysplex,
            node,
            search,
            mesh,
            servers=self._servers(),
            refusals=self._refusals(),
            comings=self._comings,
            events=self._events.last(EVENTS),
            last=last,
            now=clock.now(),
        )
