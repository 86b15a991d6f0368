"""`behaviour: zowe`: this gateway's settings as a model of what Zowe documents of its own. Not a run of Zowe.

Modelled, with every time divided by `speed`: the registry is fetched every 30 s and nothing is heard in between; a call
waits up to 60 s for a connection and as long for an answer; GETs that met an I/O error, a time-out or a 503 are tried
up to five times more, each through the balancer, other methods never; instances take turns. There are no probes, no
ejection, no evidence from a refused connect, no doubt, no slow start, no budget.

Not modelled: the circuit breaker of a route, JVM start-up times, and how long a peer of discovery's takes to hear of a
registration (here it is milliseconds, there up to half a second).

Source: Zowe API ML's documentation (gateway retry and time limits, registry fetch interval).
"""

from __future__ import annotations

import dataclasses

from gateway.config import GatewayConfig

FETCH_S = 30.0
CONNECT_S, RESPONSE_S = 60.0, 60.0
RETRIES = 5
WITHOUT = ("evidence", "silence", "doubt", "probes", "ejection", "panic", "slow_start", "reroute", "budget")


def modelled(config: GatewayConfig) -> GatewayConfig:
    """Those of plexmesh as they are."""
    if config.behaviour != "zowe":
        return config
    everywhere = {"picker": "roundRobin", "retries": RETRIES, **config.services.get("*", {})}
    return dataclasses.replace(
        config,
        registry_fetch_s=FETCH_S / config.speed,
        connect_timeout_s=CONNECT_S / config.speed,
        response_timeout_s=RESPONSE_S / config.speed,
        tick_s=min(config.tick_s, 1.0),
        services={**config.services, "*": everywhere},
        without=tuple(dict.fromkeys((*config.without, *WITHOUT))),
        probe_rounds=False,
        doubt_s=0.0,
    )
