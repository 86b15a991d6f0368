"""Swagger UI's script and style, from the package that has them; nothing of it is kept here.

GET /console/swagger/{name}              302 to the same below its version
GET /console/swagger/{version}/{name}    the file; it never changes, so browsers may keep it
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from aiohttp import web

from shared.errors import NotFound

PACKAGE, FOLDER = "swagger_ui_bundle", "swagger-ui-"
TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class SwaggerUi:
    def __init__(self) -> None:
        self._folder = next(Path(str(resources.files(PACKAGE))).glob(f"vendor/{FOLDER}*"))
        self._version = self._folder.name.removeprefix(FOLDER)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/console/swagger/{name}", self.newest),
            web.get("/console/swagger/{version}/{name}", self.file),
        ]

    async def newest(self, request: web.Request) -> web.Response:
        name = self._known(request)
        return web.Response(status=302, headers={"Location": f"/console/swagger/{self._version}/{name}"})

    async def file(self, request: web.Request) -> web.StreamResponse:
        name = self._known(request)
        if request.match_info["version"] != self._version:
            raise NotFound(f"{request.path}: expected version {self._version}")
        return web.FileResponse(self._folder / name, headers=FOR_EVER | {"Content-Type": TYPES[name]})

    def _known(self, request: web.Request) -> str:
        name = request.match_info["name"]
        if name not in TYPES:
            raise NotFound(f"{request.path}: there is no such file")
        return name
