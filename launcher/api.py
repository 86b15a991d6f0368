"""One LPAR's launcher over HTTP.

    GET  /v1/lpar                            the LPAR and its components, with what they use
    POST /v1/command                         {"command": "DISP"}: Zowe's words (`launcher.command`); {"messages": […]}
    POST /v1/reload                          plexmesh.yaml is read again; it holds from a component's next start
    POST /v1/components/{name}/{action}      kill, pause, resume, stop, start, reload: answers when it is done

Orders must be `application/json` and must not come from a web page: a form cannot send that type without asking first,
and browsers put an Origin on every POST and DELETE, so neither a foreign page nor one behind a rebound name can order
anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from launcher.command import Operator
from launcher.states import action
from launcher.supervisor import Supervisor
from shared.access import require, who
from shared.application import Application
from shared.errors import BadInput, Forbidden
from shared.identity import Access
from shared.problem import middleware

T = TypeVar("T", bound=msgspec.Struct)


class Ordered(msgspec.Struct, frozen=True):
    command: str


class LauncherApi:
    def __init__(self, supervisor: Supervisor, operator: Operator, reload: Callable[[], None]) -> None:
        """`reload` raises ConfigError."""
        self._supervisor = supervisor
        self._reload = reload
        self._operator = operator

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/lpar", self.lpar),
            web.post("/v1/command", self.command),
            web.post("/v1/reload", self.reload),
            web.post("/v1/components/{name}/{action}", self.order),
        ]

    async def lpar(self, _: web.Request) -> web.Response:
        return answer(self._supervisor.report())

    async def command(self, request: web.Request) -> web.Response:
        try:
            ordered = msgspec.json.decode(await request.read(), type=Ordered)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput(f'expected {{"command": "START(component)"}}: {error}') from error
        return answer({"messages": await self._operator.answer(ordered.command)})

    async def reload(self, _: web.Request) -> web.Response:
        self._reload()
        return answer({"reloaded": True})

    async def order(self, request: web.Request) -> web.Response:
        order = action(request.match_info["action"])
        return answer(await self._supervisor.order(request.match_info["name"].lower(), order))


def decoded(body: bytes, shape: type[T]) -> T:
    """What an order says. Raises BadInput."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fields = ", ".join(f'"{name}"' for name in shape.__struct_fields__)
        raise BadInput(f"expected an object with {fields}: {error}") from error


def answer(body: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def orders_from_programs_only(access: Access) -> Middleware:
    """With TLS from operators and LPARs only."""

    @web.middleware
    async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            if "Origin" in request.headers:
                raise Forbidden("orders are not taken from web pages")
            if request.secure:
                require(who(request.transport, access), "operator")
            if request.method == "POST" and request.content_type != "application/json":
                raise web.HTTPUnsupportedMediaType(reason="Content-Type must be application/json")
        return await handler(request)

    return let_in


def application(routes: list[web.RouteDef], about: Application, access: Access) -> web.Application:
    app = web.Application(middlewares=[middleware(), orders_from_programs_only(access)], client_max_size=64 * 1024)
    app.add_routes(routes + about.routes())

    async def end_streams(_: web.Application) -> None:
        about.events.close()

    app.on_shutdown.append(end_streams)
    return app
