"""Register a Python program in a plexmesh (or any Eureka) registry, and find the others in it.

    import plexmesh

    service = plexmesh.Service("orders", port=9000, routes={"api/v1": "/"})

    async with service:                                   # any asyncio program
        ...
    app.cleanup_ctx.append(service.cleanup_ctx)           # aiohttp
    app = FastAPI(lifespan=service.lifespan)              # FastAPI, Starlette
    with service.in_thread():                             # Flask, scripts
        ...

    async for instances in plexmesh.instances("stock"):   # who serves stock now, and again at each change
        ...
    async with plexmesh.Cache("orders") as cache:         # state that outlives this program
        ...

    registration, registry       what is told, and the protocol
    entry, workers               keeping one entry true; several processes on one port are one instance
    service, thread, farewell    the life of a program, its threads and its signals
    environment                  what is not given in the program's text
    lookup                       the other services
    cache, cache_tries,          the caching service: entries with ETags and times to live, tried until answered
      cache_errors
    asgi                         the address the caller used, behind a gateway
    testing                      a registry and a gateway for tests

Where discovery is comes from `PLEXMESH_DISCOVERY` (URLs, comma-separated, tried in turn). Unset: one INFO line, and the
program runs unregistered. Unreachable: the program runs, one WARNING, and registering is tried again until it works.

What holds: the instance is listed UP only while its port answers and `health` says so; it is renewed every `renew_s`; a
registry that has forgotten it is told again; at the end it is taken out of rotation (OUT_OF_SERVICE), given `drain_s`,
then deregistered; of several worker processes one registers, another takes over when that one dies, and only the last
one deregisters. What does not: nothing here retries or routes the program's own calls.

Needs aiohttp, and tenacity for the cache, which is imported when it is used. Sources: Eureka's REST operations; Zowe's
onboarding metadata (`apiml.routes.…`) and Caching Service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plexmesh import asgi
from plexmesh.lookup import Instance, instances
from plexmesh.registration import Registration
from plexmesh.registry import RegistryUnreachable
from plexmesh.service import Service
from plexmesh.thread import ServiceThread

if TYPE_CHECKING:
    from plexmesh.cache import Cache, Cached

__all__ = [
    "Cache",
    "Cached",
    "Instance",
    "Registration",
    "RegistryUnreachable",
    "Service",
    "ServiceThread",
    "asgi",
    "instances",
]


def __getattr__(name: str) -> Any:
    """The cache's client is imported by who uses it: it needs more than the rest."""
    if name in ("Cache", "Cached"):
        from plexmesh import cache

        return getattr(cache, name)
    raise AttributeError(f"module 'plexmesh' has no attribute {name!r}")
