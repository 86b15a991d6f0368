"""Who may use a service whose door speaks TLS: parts of it are for holders of a certificate that is believed.

In plain everything is open, as nothing could be proved.

Source: Zowe API Mediation Layer, access to Discovery's and the Caching Service's endpoints.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.config import ServiceConfig
from shared.errors import Forbidden
from shared.tls import peer

ORDERS = "orders are taken from holders of a certificate of this sysplex"
WHY = "this is for holders of a certificate of this sysplex (plexmesh certs issue NAME)"


def certified(
    config: ServiceConfig, guarded: Callable[[str], bool], silent: Callable[[str], bool] = lambda path: False
) -> Middleware:
    """`guarded` says which paths are answered 403 without a certificate, `silent` which of them without a body."""

    @web.middleware
    async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not config.tls or not guarded(request.path) or peer(request.transport):
            return await handler(request)
        if silent(request.path):
            return web.Response(status=403)
        raise Forbidden(WHY)

    return let_in
