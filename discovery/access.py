"""Who may use a node when it speaks TLS: the registry is for holders of a certificate that is believed.

    /eureka/…, /v1/…    403 without one: empty as Eureka's clients expect it, else as a problem
    everything else     open: the dashboard, /application/…

In plain everything is open, as nothing could be proved. Peers' messages are signed besides.

Source: Zowe API Mediation Layer, access to Discovery's endpoints.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.config import ServiceConfig
from shared.errors import Forbidden
from shared.tls import peer

EUREKA = "/eureka/"
GUARDED = (EUREKA, "/v1/", "/peer/")


def certified(config: ServiceConfig) -> Middleware:
    @web.middleware
    async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not config.tls or not request.path.startswith(GUARDED) or peer(request.transport):
            return await handler(request)
        if request.path.startswith(EUREKA):
            return web.Response(status=403)
        raise Forbidden("the registry is for holders of a certificate of this sysplex (plexmesh certs issue NAME)")

    return let_in
