"""Drills over HTTP, part of `up`'s API.

GET    /v1/drills                   what can be run, and the runs so far (`shared.wire.Drills`)
POST   /v1/drills                   {"drill": name, "control": false}: 202 {"run"}; 409 while another one runs
GET    /v1/drills/{run}             everything about it (`shared.wire.DrillCourse`)
GET    /v1/drills/{run}/progress    the same as it happens: a line of JSON each, from the beginning to the end
GET    /v1/drills/{run}/report      the page it ended with
DELETE /v1/drills/{run}             stop it: 202, and it ends when everything is mended
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
from aiohttp import web

from launcher.api import answer, decoded
from launcher.drills import Drills
from shared.errors import NotFound


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    drill: str
    control: bool = False


class DrillsApi:
    def __init__(self, drills: Drills) -> None:
        self._drills = drills

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/drills", self.list),
            web.post("/v1/drills", self.start),
            web.get("/v1/drills/{run}", self.run),
            web.get("/v1/drills/{run}/progress", self.progress),
            web.get("/v1/drills/{run}/report", self.report),
            web.delete("/v1/drills/{run}", self.stop),
        ]

    async def list(self, _: web.Request) -> web.Response:
        return answer(self._drills.report())

    async def start(self, request: web.Request) -> web.Response:
        wanted = decoded(await request.read(), Wanted)
        return answer({"run": self._drills.start(wanted.drill, control=wanted.control)}, 202)

    async def run(self, request: web.Request) -> web.Response:
        return answer(self._drills.course(request.match_info["run"]).whole())

    async def progress(self, request: web.Request) -> web.StreamResponse:
        course = self._drills.course(request.match_info["run"])
        stream = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await stream.prepare(request)
        with contextlib.suppress(ConnectionError):
            async for news in course.follow():
                await stream.write(msgspec.json.encode(news) + b"\n")
        return stream

    async def report(self, request: web.Request) -> web.Response:
        course = self._drills.course(request.match_info["run"])
        try:
            page = await asyncio.to_thread(course.page.read_bytes) if course.page else None
        except OSError as error:
            raise NotFound(f"{course.page}: {error.strerror}") from error
        if page is None:
            raise NotFound(f"run {course.now.run} of {course.now.drill} has no report")
        return web.Response(body=page, content_type="text/html", charset="utf-8")

    async def stop(self, request: web.Request) -> web.Response:
        self._drills.stop(request.match_info["run"])
        return answer({"stopping": True}, 202)
