"""What of a node is for holders of a certificate, where it speaks TLS: the registry. Its dashboard and /application/…
are open. Peers' messages are signed besides.
"""

from __future__ import annotations

from aiohttp.typedefs import Middleware

from shared import access
from shared.config import ServiceConfig

EUREKA = "/eureka/"
GUARDED = (EUREKA, "/v1/", "/peer/", "/discovery/")


def certified(config: ServiceConfig) -> Middleware:
    """Eureka's clients expect an empty 403."""
    return access.certified(config, lambda path: path.startswith(GUARDED), silent=lambda path: path.startswith(EUREKA))
