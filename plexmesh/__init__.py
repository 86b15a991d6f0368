"""Register a Python program in a plexmesh (or any Eureka) registry.

    import plexmesh

    service = plexmesh.Service("orders", port=9000, routes={"api/v1": "/"})

    async with service:                                   # any asyncio program
        ...
    app.cleanup_ctx.append(service.cleanup_ctx)           # an aiohttp application

Where discovery is comes from `PLEXMESH_DISCOVERY` (URLs, comma-separated, tried in turn). Unset: one INFO line, and the
program runs unregistered. Unreachable: the program runs, one WARNING, and registering is tried again until it works.

What holds: the instance is listed UP only while its port answers and `health` says so; it is renewed every `renew_s`; a
registry that has forgotten it is told again; at the end it is taken out of rotation (OUT_OF_SERVICE), given `drain_s`,
then deregistered. What does not: nothing here retries or routes the program's own calls.

Needs aiohttp and nothing else. Sources: Eureka's REST operations; Zowe's onboarding metadata (`apiml.routes.…`).
"""

from plexmesh.registration import Registration
from plexmesh.service import Service

__all__ = ["Registration", "Service"]
