"""One LPAR's launcher over HTTP.

    GET  /v1/lpar                            the LPAR and its components
    POST /v1/components/{name}/{action}      kill, pause, resume, stop, start, reload: answers when it is done

Orders must be `application/json` and must not come from a web page: a form cannot send that type without asking first,
and browsers put an Origin on every POST, so neither a foreign page nor one behind a rebound name can order anything.
"""

from __future__ import annotations

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from launcher.states import action
from launcher.supervisor import Supervisor
from shared.application import Application
from shared.errors import Forbidden
from shared.problem import middleware


class LauncherApi:
    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/lpar", self.lpar),
            web.post("/v1/components/{name}/{action}", self.order),
        ]

    async def lpar(self, _: web.Request) -> web.Response:
        return answer(self._supervisor.report())

    async def order(self, request: web.Request) -> web.Response:
        order = action(request.match_info["action"])
        return answer(await self._supervisor.order(request.match_info["name"].lower(), order))


def answer(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


@web.middleware
async def orders_from_programs_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method == "POST":
        if "Origin" in request.headers:
            raise Forbidden("orders are not taken from web pages")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(reason="Content-Type must be application/json")
    return await handler(request)


def application(routes: list[web.RouteDef], about: Application) -> web.Application:
    app = web.Application(middlewares=[middleware(), orders_from_programs_only], client_max_size=64 * 1024)
    app.add_routes(routes + about.routes())

    async def end_streams(_: web.Application) -> None:
        about.events.close()

    app.on_shutdown.append(end_streams)
    return app
