"""`up` over HTTP: what `plexmesh status`, `kill`, `down` … and the console ask.

GET  /v1/status                                     the whole sysplex (`plexmesh status --json`)
GET  /v1/sysplex                                    whose it is: name, pid, data folder
POST /v1/lpars/{lpar}/{action}                      kill, pause, resume, stop, start: answers when it is done
POST /v1/lpars/{lpar}/components/{name}/{action}    the same for a component, by its launcher; reload too
POST /v1/lpars/{lpar}/components/{name}/fence       {"pid"}: kill it if it is that process, frozen LPAR or not
POST /v1/down                                       stop everything: answers at once
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from aiohttp import web

from launcher.api import answer
from launcher.states import action
from launcher.sysplex import Sysplex
from shared.errors import BadInput
from shared.lifecycle import Lifecycle


class Suspect(msgspec.Struct, frozen=True):
    pid: int


class SysplexApi:
    def __init__(self, sysplex: Sysplex, name: str, data: Path, lifecycle: Lifecycle) -> None:
        self._sysplex = sysplex
        self._name = name
        self._data = data
        self._lifecycle = lifecycle

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/status", self.status),
            web.get("/v1/sysplex", self.whose),
            web.post("/v1/lpars/{lpar}/{action}", self.order),
            web.post("/v1/lpars/{lpar}/components/{name}/fence", self.fence),
            web.post("/v1/lpars/{lpar}/components/{name}/{action}", self.order_component),
            web.post("/v1/down", self.down),
        ]

    async def status(self, _: web.Request) -> web.Response:
        return answer(await self._sysplex.status())

    async def whose(self, _: web.Request) -> web.Response:
        return answer({"sysplex": self._name, "pid": os.getpid(), "data": str(self._data)})

    async def order(self, request: web.Request) -> web.Response:
        order = action(request.match_info["action"])
        return answer(await self._sysplex.order(request.match_info["lpar"], order))

    async def order_component(self, request: web.Request) -> web.Response:
        order = action(request.match_info["action"])
        match = request.match_info
        return answer(await self._sysplex.order_component(match["lpar"], match["name"].lower(), order))

    async def fence(self, request: web.Request) -> web.Response:
        match = request.match_info
        try:
            suspect = msgspec.json.decode(await request.read(), type=Suspect)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput(f'expected {{"pid": number}}: {error}') from error
        await self._sysplex.fence(match["lpar"], match["name"].lower(), suspect.pid)
        return answer({"fenced": True})

    async def down(self, _: web.Request) -> web.Response:
        self._lifecycle.stop()
        return answer({"stopping": True}, 202)
