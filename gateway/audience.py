"""What of the registry somebody is shown who asks a gateway about it.

With TLS a service that is `internal` does not exist for those who have shown no certificate: neither can they call it,
nor do views, explanations, catalog and console name it; but to an operator who has logged in they do. Who has logged in
at all is known. In plain everybody is shown everything.

Not here: calls of such a service (`entrance`).
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway import vouching
from gateway.config import GatewayConfig
from gateway.console.operators import Logins, User
from gateway.explanation import Heard
from gateway.policy import told_by
from gateway.snapshot import Snapshot
from shared.access import HOW
from shared.errors import Unauthorized, Unavailable
from shared.wire import Instance

USER = web.RequestKey("user", User)


def recognised(config: GatewayConfig, logins: Logins) -> Middleware:
    """Finds out who has logged in, if a request has anything to show for it. Where that cannot be found out, nobody
    has."""

    @web.middleware
    async def look(request: web.Request, handler: Handler) -> web.StreamResponse:
        if config.tls:
            with contextlib.suppress(Unavailable):
                if user := await logins(request):
                    request[USER] = user
        return await handler(request)

    return look


def known(config: GatewayConfig, request: web.Request) -> bool:
    """Nobody has to be, in plain."""
    return not config.tls or vouching.vouched(request.headers) is not None or request.get(USER) is not None


def sees_all(config: GatewayConfig, request: web.Request) -> bool:
    """What is internal, too."""
    if not config.tls or vouching.vouched(request.headers) is not None:
        return True
    user = request.get(USER)
    return user is not None and user.operator


def require_known(config: GatewayConfig, request: web.Request) -> None:
    """Raises Unauthorized."""
    if not known(config, request):
        raise Unauthorized(HOW["service"])


def shown(config: GatewayConfig, request: web.Request, snapshot: Snapshot) -> Snapshot:
    return snapshot if sees_all(config, request) else public(snapshot)


def public(snapshot: Snapshot) -> Snapshot:
    """Without what is internal."""
    hidden = internal(snapshot)
    if not hidden:
        return snapshot
    return replace(
        snapshot,
        upstreams={id: each for id, each in snapshot.upstreams.items() if each.service not in hidden},
        endpoints={key: each for key, each in snapshot.endpoints.items() if each.service not in hidden},
        instances={key: each for key, each in snapshot.instances.items() if each.service not in hidden},
        drained={key: each for key, each in snapshot.drained.items() if each.service not in hidden},
    )


def internal(snapshot: Snapshot) -> frozenset[str]:
    """Ids of services; of one that no gateway routes its registrations alone say it."""
    routed = {each.service: each.policy.internal for each in snapshot.upstreams.values()}
    said = {each.service for each in snapshot.instances.values() if each.service not in routed and _says_so(each)}
    return frozenset({service for service, hidden in routed.items() if hidden} | said)


def hushed(heard: Heard) -> Heard:
    """As if all who were asked had never heard of that service."""
    return Heard(
        [msgspec.structs.replace(each, instances={}) for each in heard.nodes],
        [msgspec.structs.replace(each, views=None) for each in heard.gateways],
    )


def _says_so(instance: Instance) -> bool:
    return bool(told_by(instance.metadata)[0].get("internal", False))
