"""`up` over HTTP: what `plexmesh status`, `kill`, `down` … and the console ask.

GET  /v1/status                                     the whole sysplex (`plexmesh status --json`)
GET  /v1/sysplex                                    whose it is: name, pid, data folder
POST /v1/lpars/{lpar}/{action}                      kill, pause, resume, stop, start: answers when it is done
POST /v1/lpars/{lpar}/quiesce | activate            its gateway leaves the sysplex address, or may be there again
POST /v1/lpars/{lpar}/components/{name}/{action}    the same for a component, by its launcher; reload too
POST /v1/lpars/{lpar}/components/{name}/fence       {"pid"}: kill it if it is that process, frozen LPAR or not
POST /v1/restart                                    {"lpar", "component", "force"}: one instance after the other; a
                                                    line of JSON for each step, the last one says how it ended
POST /v1/reload                                     plexmesh.yaml is read again; {"added", "dropped"}: LPARs
POST /v1/down                                       stop everything: answers at once

Not here: /v1/drills (`launcher.drills_api`).
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from aiohttp import web

from launcher.adoption import Adoption
from launcher.api import answer, decoded
from launcher.rolling import Rolling
from launcher.states import action
from launcher.sysplex import Sysplex
from shared.lifecycle import Lifecycle


class Suspect(msgspec.Struct, frozen=True):
    pid: int


class Restart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to restart; empty: all LPARs, all components. `force`: also what nobody else can stand in for."""

    lpar: str = ""
    component: str = ""
    force: bool = False


class SysplexApi:
    def __init__(self, sysplex: Sysplex, adoption: Adoption, name: str, data: Path, lifecycle: Lifecycle) -> None:
        self._sysplex = sysplex
        self._adoption = adoption
        self._rolling = Rolling(sysplex)
        self._name = name
        self._data = data
        self._lifecycle = lifecycle

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/status", self.status),
            web.get("/v1/sysplex", self.whose),
            web.post("/v1/lpars/{lpar}/quiesce", self.quiesce),
            web.post("/v1/lpars/{lpar}/activate", self.activate),
            web.post("/v1/lpars/{lpar}/{action}", self.order),
            web.post("/v1/lpars/{lpar}/components/{name}/fence", self.fence),
            web.post("/v1/lpars/{lpar}/components/{name}/{action}", self.order_component),
            web.post("/v1/restart", self.restart),
            web.post("/v1/reload", self.reload),
            web.post("/v1/down", self.down),
        ]

    async def status(self, _: web.Request) -> web.Response:
        return answer(await self._sysplex.status())

    async def whose(self, _: web.Request) -> web.Response:
        return answer({"sysplex": self._name, "pid": os.getpid(), "data": str(self._data)})

    async def quiesce(self, request: web.Request) -> web.Response:
        await self._sysplex.quiesce(request.match_info["lpar"])
        return answer(self._sysplex.distributor.report())

    async def activate(self, request: web.Request) -> web.Response:
        await self._sysplex.activate(request.match_info["lpar"])
        return answer(self._sysplex.distributor.report())

    async def restart(self, request: web.Request) -> web.StreamResponse:
        wanted = decoded(await request.read(), Restart)
        itinerary = await self._rolling.plan(wanted.lpar, wanted.component, force=wanted.force)
        stream = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await stream.prepare(request)
        async for progress in self._rolling.run(itinerary, force=wanted.force):
            try:
                await stream.write(msgspec.json.encode(progress) + b"\n")
            except ConnectionError:
                self._rolling.give_up()
        return stream

    async def order(self, request: web.Request) -> web.Response:
        order = action(request.match_info["action"])
        return answer(await self._sysplex.order(request.match_info["lpar"], order))

    async def order_component(self, request: web.Request) -> web.Response:
        order = action(request.match_info["action"])
        match = request.match_info
        return answer(await self._sysplex.order_component(match["lpar"], match["name"].lower(), order))

    async def fence(self, request: web.Request) -> web.Response:
        match = request.match_info
        suspect = decoded(await request.read(), Suspect)
        await self._sysplex.fence(match["lpar"], match["name"].lower(), suspect.pid)
        return answer({"fenced": True})

    async def reload(self, _: web.Request) -> web.Response:
        return answer(await self._adoption.adopt())

    async def down(self, _: web.Request) -> web.Response:
        self._lifecycle.stop()
        return answer({"stopping": True}, 202)
