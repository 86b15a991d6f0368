"""The document of one API, fetched from an instance that has it, and set to call the API through this gateway.

    GET /console/v1/apidoc/{service}/{n}     n: the number of the API (`gateway.console.catalog`)

A registration names the document's URL (`apiml.apiInfo.*.swaggerUrl`), so it could make a gateway ask anybody. It is
asked for at the instance that registered it, or, where it names a gateway, through this one; nowhere else, and no
redirect is followed. Instances are tried in order, those that are UP first; the first one's reason is told.

    404   no such service, no such API, no document named
    503   it is somewhere else; cannot be reached; is silent; answers another status than 200; is too large;
          is neither JSON nor YAML, neither OpenAPI 3 nor Swagger 2; blows up

Not here: what is made of it (`gateway.console.documents`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
import msgspec
from aiohttp import web

from gateway import audience
from gateway.config import GatewayConfig
from gateway.console import documents
from gateway.console.catalog import documented
from gateway.console.documents import Document
from gateway.dialing import reason
from gateway.fetching import NotUsable, whole
from gateway.plane import Plane
from gateway.routes import Route, match, outgoing_path
from gateway.snapshot import Snapshot
from shared.errors import BadInput, NotFound, Unavailable
from shared.net import connector
from shared.tls import trust
from shared.wire import Instance, authority

ACCEPT = {"Accept": "application/json, application/yaml;q=0.9, */*;q=0.5"}
WITHIN_S = 3.0
MAX_BYTES = 5 * 1024 * 1024
PORTS = {"http": 80, "https": 443}
MAX_TRIES = 3
"""Instances asked for one document."""


class _NotHad(Exception):
    """Why a document is not had from this place, as the rest of a sentence."""


class Apidocs:
    def __init__(self, config: GatewayConfig, plane: Plane) -> None:
        self._config = config
        self._plane = plane

    def routes(self) -> list[web.RouteDef]:
        return [web.get(r"/console/v1/apidoc/{service}/{n:\d{1,3}}", self.apidoc)]

    async def apidoc(self, request: web.Request) -> web.Response:
        await self._plane.ask()
        service, n = request.match_info["service"].lower(), int(request.match_info["n"])
        snapshot = audience.shown(self._config, request, self._plane.snapshot)
        document = await self.document(snapshot, service, n)
        return web.Response(body=msgspec.json.encode(document), content_type="application/json")

    async def document(self, snapshot: Snapshot, service: str, n: int) -> Document:
        """Raises NotFound, Unavailable."""
        api, places = documented(snapshot, service, n)
        upstream = snapshot.upstreams.get(service.encode())
        base_path = api.get("basePath", "")
        route = match(base_path.encode(), upstream.routes) if upstream and base_path else None
        if upstream is None or route is None:
            raise NotFound(f"{service}: no route leads to its API number {n}")
        url, body = await self._fetched(service, snapshot, upstream.routes, places)
        try:
            found = await asyncio.to_thread(documents.read, body)
        except BadInput as error:
            raise Unavailable(f"{service}: its document at {url} {error}") from error
        target = outgoing_path(base_path.encode(), route).decode().rstrip("/")
        return documents.through(found, url, base_path, target)

    async def _fetched(
        self, service: str, snapshot: Snapshot, routes: tuple[Route, ...], places: Sequence[tuple[Instance, str]]
    ) -> tuple[str, bytes]:
        """Where it was registered to be, and what is there."""
        why, timeout = "", aiohttp.ClientTimeout(total=WITHIN_S)
        believed = trust(self._config).context
        async with aiohttp.ClientSession(connector=connector(self._config.host), timeout=timeout) as session:
            for instance, registered in places[:MAX_TRIES]:
                try:
                    url = urljoin(f"{instance.url}/", registered)
                    return url, await _get(session, believed, self._place(url, instance, snapshot, routes))
                except _NotHad as error:
                    why = why or f"{service}: its document at {registered[:200]} {error}"
                except ValueError:
                    why = why or f"{service}: its document is at {registered[:200]!r}, which is no URL"
        raise Unavailable(why)

    def _place(self, url: str, instance: Instance, snapshot: Snapshot, routes: tuple[Route, ...]) -> str:
        """Where to ask for it. Raises _NotHad, ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise _NotHad("is at no http or https URL")
        if _at(parts, instance.host, instance.port) or _at(parts, instance.ip, instance.port):
            return url
        if self._is_gateway(parts, snapshot) and match(parts.path.encode(), routes):
            own = authority(self._config.host, self._config.port)
            return parts._replace(scheme=self._config.scheme, netloc=own).geturl()
        raise _NotHad("is on neither its instance's address nor a route of its own")

    def _is_gateway(self, url: SplitResult, snapshot: Snapshot) -> bool:
        host, _, port = self._config.vipa.rpartition(":")
        places = [(each.host, each.port) for each in snapshot.instances.values() if each.service == "gateway"]
        places += [(self._config.host, self._config.port)] + ([(host, int(port))] if port.isdecimal() else [])
        return any(_at(url, *place) for place in places)


def _at(url: SplitResult, host: str, port: int) -> bool:
    place = url.hostname or "", url.port or PORTS.get(url.scheme)
    return bool(host) and place == (host.lower().strip("[]"), port)


async def _get(session: aiohttp.ClientSession, believed: ssl.SSLContext, url: str) -> bytes:
    """Raises _NotHad."""
    try:
        async with session.get(url, headers=ACCEPT, allow_redirects=False, ssl=believed) as answer:
            if answer.status != 200:
                raise _NotHad(f"is answered {answer.status}")
            return await whole(answer, MAX_BYTES)
    except NotUsable as error:
        raise _NotHad(f"is longer than {MAX_BYTES} bytes") from error
    except TimeoutError as error:
        raise _NotHad(f"is not there within {WITHIN_S:g} s") from error
    except aiohttp.ClientConnectorError as error:
        raise _NotHad(f"cannot be reached: {reason(error)}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise _NotHad(f"breaks off: {type(error).__name__}") from error
