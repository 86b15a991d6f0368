"""What a server says about itself, and what is wrong with that: what makes it lose entries it has acknowledged.

    refused     maxmemory-policy other than noeviction: it drops entries, and nobody counts that
                fewer `min-replicas-to-write` than `minReplicas` of the setting
    remarked    no append-only file; replicas or sentinels, and min-replicas-to-write 0; too few replicas

A primary that is cut off or frozen goes on to acknowledge writes that nobody will have; min-replicas-to-write is what
stops it.

Source: Redis' documentation of replication ("Allow writes only with N attached replicas"), persistence and eviction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import ConfigError

CONFIG = "min-replicas-to-write"


@dataclass(frozen=True)
class Facts:
    """`min_replicas` None: the user may not ask for it."""

    role: str = ""
    replicas: int = 0
    aof: bool = False
    policy: str = ""
    min_replicas: int | None = None


def facts(info: bytes, configs: Sequence[bytes] | None) -> Facts:
    """Of INFO and CONFIG GET (`CONFIG`), None if that is forbidden."""
    pairs = (line.partition(":") for line in info.decode(errors="replace").splitlines() if not line.startswith("#"))
    found = {name: value for name, _, value in pairs if name}
    given = {} if configs is None else dict(zip(configs[::2], configs[1::2], strict=False))
    said = found.get("connected_slaves", "0")
    return Facts(
        role=found.get("role", ""),
        replicas=int(said) if said.isdecimal() else 0,
        aof=found.get("aof_enabled") == "1",
        policy=found.get("maxmemory_policy", ""),
        min_replicas=None if configs is None else int(given.get(CONFIG.encode(), b"0")),
    )


def check(found: Facts, min_replicas: int) -> None:
    """Raises ConfigError."""
    if found.policy and found.policy != "noeviction":
        raise ConfigError(
            f"Redis: maxmemory-policy is {found.policy}, which drops entries when memory is short; noeviction is needed"
        )
    if found.min_replicas is not None and found.min_replicas < min_replicas:
        raise ConfigError(
            f"Redis: min-replicas-to-write is {found.min_replicas}, the configuration says minReplicas {min_replicas}"
        )


def remarks(found: Facts, *, sentinels: bool, min_replicas: int) -> list[str]:
    said = []
    if found.policy and found.policy != "noeviction":
        said.append(f"maxmemory-policy is {found.policy}: entries are dropped when memory is short")
    if not found.aof:
        said.append("appendonly is off: a restart of the server forgets what was acknowledged")
    if found.min_replicas is None:
        said.append("CONFIG GET is forbidden: min-replicas-to-write could not be checked")
    elif found.min_replicas == 0 and (sentinels or found.replicas):
        said.append("min-replicas-to-write is 0: a primary that is cut off acknowledges writes that get lost")
    if (needed := max(min_replicas, found.min_replicas or 0)) > found.replicas:
        said.append(f"replicas connected: {found.replicas}, needed for writes: {needed}")
    return said
