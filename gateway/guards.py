"""What protects callers from instances, each a value that can be left out, so that a drill shows what it is worth.

A guard that is left out (`components.gateway.without: [ejection]`) changes nothing else: the rest works as before.

Not here: how each of them works (`health`, `retries`, `balancer`, `admission`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from shared.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True)
class Guards:
    evidence: bool = True
    """A refused or unreachable connect puts an instance out at once. Without: it is chosen again and again."""
    silence: bool = True
    """Instances of a discovery node that fell silent must prove themselves. Without: hung ones keep their calls."""
    doubt: bool = True
    """So must one that lets calls wait and answers none. Without: calls at a frozen process wait for their time-out."""
    probes: bool = True
    """Health URLs are asked now and then. Without: only calls find out."""
    ejection: bool = True
    """Instances that answer with failures are left out for a while. Without: fast failures attract calls."""
    panic: bool = True
    """With too many ejected, ejections are ignored. Without: the few left may be overrun."""
    slow_start: bool = True
    """What comes back gets its share by and by. Without: all of it at once."""
    retries: bool = True
    """Calls are tried elsewhere where that is safe. Without: callers see every failure."""
    reroute: bool = True
    """A call that could not be connected is tried elsewhere, whatever its method. Without: only if it is safe."""
    budget: bool = True
    """Retries are a share of the calls. Without: they multiply the load of a service that fails."""
    shedding: bool = True
    """Limits of calls at once and of their rate. Without: an overrun service answers late, or not at all."""


ALL = Guards()

NAMES = tuple(field.name for field in fields(Guards))


def guards_without(names: Iterable[str]) -> Guards:
    """Raises ConfigError."""
    names = tuple(names)
    for name in names:
        if name not in NAMES:
            raise ConfigError(f"components.gateway.without: {name!r} is no guard{nearest(name, NAMES)}")
    return Guards(**{name: name not in names for name in NAMES})
