"""What of a node is for holders of a certificate, where it speaks TLS: everything but its dashboard, /application/…
and the document of /v1; its peers' messages, which are signed besides, are LPARs' alone.

What is open is named, and the rest is guarded: Eureka's operations have several spellings, and more may come.

Not here: who may register what (`discovery.rights`).
"""

from __future__ import annotations

import asyncio

from aiohttp.typedefs import Middleware

from discovery.rights import Caller
from shared import access
from shared.config import ServiceConfig
from shared.doorway import Admits
from shared.identity import Access, Role

EUREKA = ("/eureka", "/v2")
PEER = "/peer/"
PAGES = ("/", "/lastn", "/v1/openapi.json")
OPEN = ("/dashboard/", "/application/")


def certified(config: ServiceConfig) -> Middleware:
    """Eureka's clients expect an empty 403."""
    return access.certified(
        config,
        guarded=guarded,
        silent=lambda path: path.startswith(EUREKA),
        wanted=lambda path: "peer" if path.startswith(PEER) else "service",
    )


def caller_of(transport: asyncio.BaseTransport | None, known: Access) -> Caller:
    """Who is at the other end of that connection."""
    peer = transport.get_extra_info("peername") if transport is not None else None
    return Caller(access.who(transport, known), str(peer[0]) if peer else "")


def guarded(path: str) -> bool:
    return path not in PAGES and not path.startswith(OPEN)


def short_way(config: ServiceConfig) -> Admits:
    """Who is let in without aiohttp, which tells the others why they are not."""

    def admits(transport: asyncio.BaseTransport | None, beginning: bytes) -> bool:
        wanted: Role = "peer" if PEER.encode() in beginning else "service"
        return not config.tls or not access.refusal(access.who(transport, config.access), wanted)

    return admits
