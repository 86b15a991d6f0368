"""Who may use a service whose door speaks TLS: parts of it are for holders of a certificate that is believed, some for
those of a certain role (`shared.identity`).

    service     any certificate: the registry, the cache
    operator    an operator's, or an LPAR's: orders
    peer        an LPAR's: what only plexmesh's own processes say to one another

In plain everything is open, as nothing could be proved.

Source: Zowe API Mediation Layer, access to Discovery's and the Caching Service's endpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.config import ServiceConfig
from shared.errors import Forbidden
from shared.identity import Access, Identity, Role, identity
from shared.wire import in_one_line

WHY = "X-Plexmesh-Why"
"""Of a 403 without a body."""

HOW: dict[Role, str] = {
    "service": "this is for holders of a certificate of this sysplex (plexmesh certs issue NAME)",
    "operator": "this is for operators of this sysplex (plexmesh certs issue NAME --operator)",
    "peer": "this is for LPARs of this sysplex (plexmesh certs init; whom else: plexmesh.access.peers)",
}


def who(transport: asyncio.BaseTransport | None, access: Access) -> Identity | None:
    """Whose certificate was shown and believed; None: none was."""
    return identity(transport.get_extra_info("peercert"), access) if transport is not None else None


def refusal(found: Identity | None, wanted: Role) -> str:
    """Why somebody may not do what is for that role, and how he may; empty: he may."""
    if found is not None and (wanted == "service" or found.role == "peer" or found.role == wanted):
        return ""
    shown = f'; yours, "{found.distinguished_name}", is a {found.role}\'s' if found is not None else ""
    return f"{HOW[wanted]}{shown}"


def require(found: Identity | None, wanted: Role) -> None:
    """Raises Forbidden."""
    if why := refusal(found, wanted):
        raise Forbidden(why)


def certified(
    config: ServiceConfig,
    guarded: Callable[[str], bool],
    silent: Callable[[str], bool] = lambda path: False,
    wanted: Callable[[str], Role] = lambda path: "service",
) -> Middleware:
    """`guarded` says which paths are answered 403 without a certificate, `silent` which of them without a body;
    `wanted`: a certificate of which role."""

    @web.middleware
    async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        if not config.tls or not guarded(path):
            return await handler(request)
        why = refusal(who(request.transport, config.access), wanted(path))
        if not why:
            return await handler(request)
        if silent(path):
            return web.Response(status=403, headers={WHY: in_one_line(why)})
        raise Forbidden(why)

    return let_in
