"""How old an instance's lease is. Heartbeats do not travel: the discovery node that holds the lease alone knows, so it
is asked when somebody wants to see it.

    GET /console/v1/instances/{service}/{instance id}/lease    {"renewedS", "leaseS", "node"}

`renewedS`: seconds since the last heartbeat; null while the node that is asked does not hold the lease (its owner is
dead, or nobody has taken it yet). 503: the node does not answer.
"""

from __future__ import annotations

from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp import web

from gateway import audience
from gateway.config import GatewayConfig
from gateway.console.document import lpar_of
from gateway.plane import Plane
from gateway.snapshot import Snapshot
from gateway.views import instances_of
from shared.errors import NotFound, Unavailable
from shared.net import to_ours
from shared.wire import Instance

WITHIN_S = 1.0


class _Told(msgspec.Struct):
    owner: str
    lease_s: int
    renewed_s: float | None


class Leases:
    def __init__(self, config: GatewayConfig, plane: Plane) -> None:
        self._config = config
        self._plane = plane

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/console/v1/instances/{service}/{instance:.+}/lease", self.lease)]

    async def lease(self, request: web.Request) -> web.Response:
        key = f"{request.match_info['service'].lower()}/{request.match_info['instance']}"
        snapshot = audience.shown(self._config, request, self._plane.snapshot)
        instance = snapshot.instances.get(key)
        if instance is None:
            raise NotFound(f"{key}: not registered")
        told = await self._ask(_holder(instance, snapshot) or next(iter(self._config.discovery), ""), instance)
        body = {"renewedS": told.renewed_s, "leaseS": told.lease_s, "node": lpar_of(told.owner)}
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    async def _ask(self, node: str, instance: Instance) -> _Told:
        """Raises NotFound, Unavailable."""
        path = f"/v1/leases/{quote(instance.service)}/{quote(instance.instance, safe=':')}"
        timeout = aiohttp.ClientTimeout(total=WITHIN_S)
        calls = to_ours(self._config)
        async with aiohttp.ClientSession(connector=calls, timeout=timeout) as session:
            try:
                async with session.get(node + path, allow_redirects=False) as answer:
                    if answer.status == 404:
                        raise NotFound(f"{instance.key}: {node} does not know it")
                    return msgspec.json.decode(await answer.read(), type=_Told)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                raise Unavailable(f"{node or 'discovery'} does not tell how old the lease is") from error


def _holder(instance: Instance, snapshot: Snapshot) -> str:
    """The URL of the node that holds the lease, empty where it is not registered."""
    lpar = lpar_of(instance.owner)
    return next((each.url for each in instances_of(snapshot, "discovery") if each.lpar == lpar), "")
