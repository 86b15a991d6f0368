"""The gateway's own HTTP: the console, /gateway/v1/…, /application/….

    …    /, /console/…          the console (`gateway.console.site`)
    GET  /gateway/v1/sysplex    LPARs, services and instances as this gateway sees them
    GET  /gateway/v1/upstreams  services, routes, instances: status, in flight, why skipped
    GET  /gateway/v1/explain    ?url=…[&method=GET]: why such a call is answered as it is, step by step
    GET  /gateway/v1/workers    processes that serve, come and go: number, pid, state, uptime_s, connections
    GET  /gateway/v1/vipa       {"state": "in" | "out", "address": …}
    PUT  /gateway/v1/vipa       the same, to leave or rejoin the sysplex address
    PUT  /gateway/v1/reload     new workers with the configuration as it is now; answers when they serve

Zowe's endpoints are in `gateway.zowe.api`, those for logins in `gateway.login.api`. Everything else of
its own is 404 in Zowe's form.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import aiohttp_jinja2
import jinja2
import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway import asked, audience, replies, views
from gateway.config import GatewayConfig
from gateway.console.site import FOLDER, Site
from gateway.explain import explain
from gateway.explanation import Place
from gateway.inquiry import Inquiry
from gateway.login.api import LoginApi, whose
from gateway.login.service import Logins
from gateway.plane import Plane
from gateway.report import Report
from gateway.snapshot import Snapshot
from gateway.zowe.api import ZoweApi
from shared import problem
from shared.application import Application
from shared.errors import Forbidden, Unavailable

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class VipaState(msgspec.Struct, forbid_unknown_fields=True):
    state: Literal["in", "out"]


class Api:
    def __init__(self, config: GatewayConfig, plane: Plane, site: Site, logins: Logins) -> None:
        self._config = config
        self.plane = plane
        self.site = site
        self.logins = logins
        self.recognised = audience.recognised(config, whose(logins))
        self._inquiry = Inquiry(config)

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/gateway/v1/sysplex", self.sysplex),
            web.get("/gateway/v1/upstreams", self.upstreams),
            web.get("/gateway/v1/explain", self.explain),
            web.get("/gateway/v1/workers", self.workers),
            web.get("/gateway/v1/vipa", self.vipa),
            web.put("/gateway/v1/vipa", self.set_vipa),
            web.put("/gateway/v1/reload", self.reload),
            *LoginApi(self._config, self.logins).routes(),
            *ZoweApi(self._config, self.plane).routes(),
            *self.site.routes(),
        ]

    async def sysplex(self, request: web.Request) -> web.Response:
        report = await self.plane.ask()
        return _json({**self._who(report), **views.sysplex(self._shown(request), report)})

    async def upstreams(self, request: web.Request) -> web.Response:
        report = await self.plane.ask()
        return _json(
            {**self._who(report), "upstreams": views.upstreams(self._shown(request), report, time.monotonic())}
        )

    async def explain(self, request: web.Request) -> web.Response:
        question = asked.question_of(request.query, request.raw_headers, time.time())
        id = asked.read(question).id
        heard = await self._inquiry.ask(id, self.plane.snapshot)
        report = await self.plane.ask()
        snapshot = self._shown(request)
        if not audience.sees_all(self._config, request) and not list(views.instances_of(snapshot, id)):
            heard = audience.hushed(heard)
        config = self._config
        place = Place(config.lpar, config.host, config.port, config.vipa, config.allow_encoded_slashes, config.scheme)
        return _json(explain(question, place, snapshot, report, heard))

    async def workers(self, _: web.Request) -> web.Response:
        await self.plane.ask()
        return _json(self.plane.workers())

    async def vipa(self, _: web.Request) -> web.Response:
        return _json({"state": self.plane.report().vipa, "address": self._config.vipa})

    async def set_vipa(self, request: web.Request) -> web.Response:
        await self.site.operators.require(request)
        wanted = msgspec.json.decode(await request.read(), type=VipaState).state
        if wanted == "in" and (why := self.plane.why_not_ready()):
            raise Unavailable("this gateway is not ready: " + "; ".join(why))
        await self.plane.place(wanted)
        if trouble := self.plane.report().vipa_trouble:
            raise Unavailable(f"the sysplex address cannot be opened: {trouble}")
        return await self.vipa(request)

    async def reload(self, request: web.Request) -> web.Response:
        await self.site.operators.require(request)
        await self.plane.reload()
        return await self.workers(request)

    def _shown(self, request: web.Request) -> Snapshot:
        return audience.shown(self._config, request, self.plane.snapshot)

    def _who(self, report: Report) -> dict[str, Any]:
        config, watch = self._config, report.watch
        return {
            "sysplex": config.sysplex,
            "gateway": {"lpar": config.lpar, "url": config.url(config.port)},
            "vipa": {"address": config.vipa, "state": report.vipa},
            "watch": {"node": watch.node, "token": watch.token, "trouble": watch.trouble},
        }


def fresh(plane: Plane, logins: Logins) -> Middleware:
    """Metrics and health are read where nothing can be waited for, so what they are made of is asked for first."""

    @web.middleware
    async def ask_first(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/application/metrics":
            await plane.ask()
        elif request.path == "/application/health":
            await logins.look()
        return await handler(request)

    return ask_first


@web.middleware
async def orders_from_programs_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Browsers put an Origin on every PUT, and no page of ours sends any."""
    if request.method == "PUT" and "Origin" in request.headers:
        raise Forbidden("orders are not taken from web pages")
    return await handler(request)


def of_console() -> Middleware:
    """Errors of the console's own API are not in Zowe's form, which escapes quotes as HTML."""
    plainly = problem.middleware()

    @web.middleware
    async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/console/v1/"):
            return await plainly(request, handler)
        return await handler(request)

    return answer_errors


def make_app(api: Api, application: Application) -> web.Application:
    doors = [
        problem.middleware(render), of_console(), orders_from_programs_only, api.recognised,
        fresh(api.plane, api.logins),
    ]  # fmt: skip
    app = web.Application(middlewares=doors)
    aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True)
    app.add_routes([*api.routes(), *application.routes()])
    app.on_response_prepare.append(_harden)
    return app


def render(status: int, detail: str) -> web.StreamResponse:
    return web.Response(status=status, body=replies.error_body(status, detail), content_type="application/json")


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
