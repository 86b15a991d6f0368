"""Taking an instance out of service, and back, as an operator does: by the registry's own status operations.

    POST /console/v1/instances/{key}/status    {"status": "OUT_OF_SERVICE" | "UP"}    200 {"status"}

`key` is "service/instance id". The first discovery node that carries it out is enough: it tells the others. An override
stays until it is cleared or the instance deregisters; "UP" clears it, so the instance is again what it says itself.
Instances of discovery stay as they are: a node's own status says whether it can be asked, and no gateway leads there.

Source: Eureka REST operations, "Take instance out of service" and "Move instance back into service".
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp import web

from gateway.config import GatewayConfig
from gateway.console.operators import Operators
from gateway.console.origin import same_origin
from shared.errors import Conflict, NotFound, Unavailable
from shared.net import to_ours

WITHIN_S = 2.0
"""For each discovery node."""

OPERATIONS = {"OUT_OF_SERVICE": ("PUT", "?value=OUT_OF_SERVICE"), "UP": ("DELETE", "")}


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    status: Literal["OUT_OF_SERVICE", "UP"]


class Statuses:
    def __init__(self, config: GatewayConfig, operators: Operators) -> None:
        self._config = config
        self._operators = operators

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/console/v1/instances/{service}/{instance:.+}/status", self.set_status)]

    async def set_status(self, request: web.Request) -> web.Response:
        same_origin(request, self._config)
        await self._operators.require(request)
        wanted = msgspec.json.decode(await request.read(), type=Wanted)
        service, instance = request.match_info["service"].lower(), request.match_info["instance"]
        if service == "discovery":
            raise Conflict("discovery: its status is not an operator's to set; stop the component instead")
        await self._order(service, instance, *OPERATIONS[wanted.status])
        return web.Response(body=msgspec.json.encode(wanted), content_type="application/json")

    async def _order(self, service: str, instance: str, method: str, query: str) -> None:
        """Raises NotFound: no node that answers knows it; Unavailable: none answers."""
        path = f"/eureka/apps/{quote(service.upper(), safe='')}/{quote(instance, safe=':')}/status{query}"
        troubles, timeout = [], aiohttp.ClientTimeout(total=WITHIN_S)
        calls = to_ours(self._config)
        async with aiohttp.ClientSession(connector=calls, timeout=timeout) as session:
            for node in self._config.discovery:
                status = await _asked(session, method, f"{node.rstrip('/')}{path}")
                if status == 200:
                    return
                if status == 404:
                    raise NotFound(f"{service}/{instance}: not registered")
                troubles.append(f"{node} {f'answers {status}' if status else 'does not answer'}")
        raise Unavailable("no discovery node takes the order: " + ("; ".join(troubles) or "none is configured"))


async def _asked(session: aiohttp.ClientSession, method: str, url: str) -> int:
    """The status of the answer; 0: none."""
    try:
        async with session.request(method, url, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return 0
