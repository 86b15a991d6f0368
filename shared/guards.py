"""What can be switched off to see what it is worth (`plexmesh.without`, `plexmesh drill --without`).

Those of the gateway are its own (`components.gateway.without`); `fencing` is `plexmesh up`'s, `self-preservation`
discovery's. Each stands with what happens without it.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.errors import ConfigError, nearest

GATEWAY = {
    "evidence": "an instance whose connect was refused is chosen again and again",
    "silence": "hung instances of an LPAR that fell silent keep their calls",
    "doubt": "calls at a frozen process wait for their time-out",
    "probes": "only calls find out that an instance is ill, or well again",
    "ejection": "an instance that fails fast attracts calls",
    "panic": "when many are ejected the few left may be overrun",
    "slow_start": "what comes back gets all of its share at once",
    "retries": "callers see every failure",
    "reroute": "a call that could not be connected is tried elsewhere only if it is a GET",
    "budget": "retries multiply the load of a service that fails",
    "shedding": "an overrun service answers late, or not at all",
}
FENCING, SELF_PRESERVATION = "fencing", "self-preservation"
SYSPLEX = {
    FENCING: "a hung gateway keeps its share of new connections",
    SELF_PRESERVATION: "a node that is cut off forgets everybody",
}
KNOWN = GATEWAY | SYSPLEX


def check(names: Iterable[str], where: str) -> None:
    """Raises ConfigError."""
    for name in names:
        if name not in KNOWN:
            raise ConfigError(f"{where}: {name!r} is no guard{nearest(name, KNOWN)}; there are {', '.join(KNOWN)}")
