"""The Lab: people break something on purpose, from a browser.

    POST   /console/v1/lab/lpars/{lpar}/{action}                      kill pause resume stop start quiesce activate
    POST   /console/v1/lab/lpars/{lpar}/components/{name}/{action}    kill pause resume stop start
    POST   /console/v1/lab/drills                                     {"drill", "control"}: 202 {"run"}
    DELETE /console/v1/lab/drills/{run}                               stop it; what it has broken is mended
    GET    /console/v1/lab/drills/{run}/report                        the page of a drill that has ended

Nothing is done here: orders go to `up`, which has started this gateway, and where there is none (containers), those
for components to their launchers, which are in the registry. They are taken from the console's own pages only
(`gateway.console.origin`), with TLS from operators (`gateway.console.operators`). Without `up` the Lab is off unless
the configuration says otherwise.

A report is a page with a script, and quotes answers of services nobody here has written: it is shown in a sandbox, as a
page of no origin, that can load nothing and send nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

from gateway.config import GatewayConfig
from gateway.console import ordered
from gateway.console.operators import Operators
from gateway.console.origin import same_origin
from gateway.console.runs import Runs
from gateway.fetching import TROUBLE
from gateway.plane import Plane
from gateway.views import instances_of
from shared.errors import BadInput, Conflict, Forbidden, NotFound, PlexmeshError, Unavailable, nearest
from shared.net import to_ours

LPAR_ACTIONS = ("kill", "pause", "resume", "stop", "start", "quiesce", "activate")
COMPONENT_ACTIONS = ("kill", "pause", "resume", "stop", "start")

WITHIN_S = 90.0
"""Starting answers when everything is ready."""

OFF = (
    "This gateway was not started by plexmesh up, so the Lab is off. Who wants it here all the same sets "
    "components.gateway.console.lab: true in plexmesh.yaml; then everybody who reaches this page can break something."
)
SWITCHED_OFF = "The Lab is switched off by components.gateway.console.lab: false in plexmesh.yaml."
NO_UP = "Orders for whole LPARs and drills need plexmesh up, which has not started this gateway."

SANDBOX = {
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}
"""The page's own policy narrows the scripts to the one it came with."""

ERRORS: dict[int, type[PlexmeshError]] = {400: BadInput, 403: Forbidden, 404: NotFound, 409: Conflict}


class Lab:
    def __init__(self, config: GatewayConfig, plane: Plane, up: str, operators: Operators) -> None:
        """`up`: the URL of what has started this gateway, or empty."""
        self._config = config
        self._operators = operators
        self._plane = plane
        self._up = up.rstrip("/")
        self._runs = Runs(self._up)

    def routes(self) -> list[web.RouteDef]:
        below = "/console/v1/lab"
        return [
            web.post(f"{below}/lpars/{{lpar}}/{{action}}", self.order),
            web.post(f"{below}/lpars/{{lpar}}/components/{{name}}/{{action}}", self.order_component),
            web.post(f"{below}/drills", self.start),
            web.delete(f"{below}/drills/{{run}}", self.stop),
            web.get(f"{below}/drills/{{run}}/report", self.report),
        ]

    # --- what the document says

    @property
    def enabled(self) -> bool:
        wanted = self._config.console_lab
        return bool(self._up) if wanted is None else wanted

    def facts(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Its sections of the document: lab, runs, slices, moments."""
        lab = {
            "enabled": self.enabled,
            "why": self._why(),
            "lpars": self.enabled and bool(self._up),
            "drills": self._runs.drills,
            "running": self._runs.running,
        }
        return {"lab": {"": lab}, **self._runs.sections()}

    async def follow(self, changed: Callable[[], None]) -> None:
        """Until it is cancelled, while somebody watches."""
        if self.enabled and self._up:
            async with self._session() as session:
                await self._runs.follow(session, changed)

    def _why(self) -> str:
        if not self.enabled:
            return SWITCHED_OFF if self._config.console_lab is False else OFF
        return self._runs.trouble if self._up else NO_UP

    # --- orders

    async def order(self, request: web.Request) -> web.Response:
        await self._check(request)
        lpar, action = request.match_info["lpar"], _known(request.match_info["action"], LPAR_ACTIONS)
        if not self._up:
            raise Conflict(NO_UP)
        body = await self._passed_on("POST", self._up, "lpars", lpar, action)
        if action in ("quiesce", "activate"):
            return _json({"done": ordered.distributed(lpar.upper(), action, body)})
        return _json({"done": ordered.lpar(action, body)})

    async def order_component(self, request: web.Request) -> web.Response:
        await self._check(request)
        match = request.match_info
        lpar, name, action = match["lpar"], match["name"], _known(match["action"], COMPONENT_ACTIONS)
        if self._up:
            body = await self._passed_on("POST", self._up, "lpars", lpar, "components", name, action)
        else:
            body = await self._passed_on("POST", self._launcher(lpar), "components", name, action)
        return _json({"done": ordered.component(lpar.upper(), action, body)})

    async def start(self, request: web.Request) -> web.Response:
        await self._check(request)
        if not self._up:
            raise Conflict(NO_UP)
        body = await self._passed_on("POST", self._up, "drills", body=await request.read())
        self._runs.look_now()
        return web.Response(status=202, body=body, content_type="application/json")

    async def stop(self, request: web.Request) -> web.Response:
        await self._check(request)
        if not self._up:
            raise Conflict(NO_UP)
        await self._passed_on("DELETE", self._up, "drills", request.match_info["run"])
        return _json({"done": "It mends what it has broken, and ends."}, 202)

    async def report(self, request: web.Request) -> web.Response:
        self._check_enabled()
        if not self._up:
            raise NotFound(NO_UP)
        page = await self._passed_on("GET", self._up, "drills", request.match_info["run"], "report")
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=SANDBOX)

    async def _check(self, request: web.Request) -> None:
        """Raises Forbidden, Conflict."""
        same_origin(request, self._config)
        await self._operators.require(request)
        self._check_enabled()

    def _check_enabled(self) -> None:
        if not self.enabled:
            raise Conflict(self._why())

    def _launcher(self, lpar: str) -> str:
        """Its URL, as registered. Raises NotFound."""
        found = {each.lpar: each for each in instances_of(self._plane.snapshot, "launcher") if each.lpar}
        if lpar.upper() not in found:
            raise NotFound(f"no launcher of an LPAR {lpar.upper()} is registered{nearest(lpar.upper(), found)}")
        return found[lpar.upper()].url

    async def _passed_on(self, method: str, base: str, *path: str, body: bytes = b"{}") -> bytes:
        """The body of the answer. Raises the error its status stands for, with its one line; Unavailable."""
        url = URL("/".join([base, "v1", *(quote(each, safe="") for each in path)]), encoded=True)
        try:
            async with (
                self._session() as session,
                session.request(
                    method,
                    url,
                    data=body if method == "POST" else None,
                    headers={"Content-Type": "application/json"} if method == "POST" else {},
                    allow_redirects=False,
                ) as answer,
            ):
                found = await answer.read()
        except TROUBLE as error:
            raise Unavailable(f"{base} does not answer: {error or type(error).__name__}") from error
        if answer.status >= 300:
            raise ERRORS.get(answer.status, Unavailable)(_detail(found) or f"{base} answers {answer.status}")
        return found

    def _session(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=WITHIN_S, sock_connect=1.0)
        return aiohttp.ClientSession(connector=to_ours(self._config), timeout=timeout)


def _known(action: str, actions: tuple[str, ...]) -> str:
    if action not in actions:
        raise NotFound(f"{action}: unknown action{nearest(action, actions)}")
    return action


def _detail(body: bytes) -> str:
    with contextlib.suppress(msgspec.DecodeError, KeyError, TypeError):
        return " ".join(str(msgspec.json.decode(body)["detail"]).split())
    return ""


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
