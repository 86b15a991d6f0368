"""What a registration says otherwise than the gateway's configuration: time-outs, and the size of a body.

    apiml.connectTimeout    ms   to connect to an instance
    apiml.readTimeout       ms   until the first byte of an answer, and the longest pause in one
    plexmesh.connectTimeoutMs, plexmesh.responseTimeoutMs, plexmesh.idleTimeoutMs, plexmesh.maxBodyBytes

The second kind wins over the first; `plexmesh.routes.<k>.responseTimeoutMs` and so on are for the route
`apiml.routes.<k>` alone, and win over both. A value that is no positive whole number says nothing.

Source: Zowe API Mediation Layer's service metadata (`apiml.connectTimeout`, `apiml.readTimeout`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_MS = 86_400_000
"""A day."""


@dataclass(frozen=True, slots=True)
class Limits:
    """None: as the gateway is configured. Times in seconds, sizes in bytes."""

    connect_s: float | None = None
    response_s: float | None = None
    idle_s: float | None = None
    max_body_bytes: int | None = None


UNLIMITED = Limits()


def limits_of(metadata: Mapping[str, str], route: str) -> Limits:
    """Those of the route of that name; empty: of no name."""

    def first(name: str, zowe: str = "") -> int | None:
        keys = [f"plexmesh.routes.{route}.{name}"] if route else []
        for key in [*keys, f"plexmesh.{name}", zowe]:
            number = _positive(metadata.get(key, ""))
            if number is not None:
                return number
        return None

    return Limits(
        connect_s=_seconds(first("connectTimeoutMs", "apiml.connectTimeout")),
        response_s=_seconds(first("responseTimeoutMs", "apiml.readTimeout")),
        idle_s=_seconds(first("idleTimeoutMs", "apiml.readTimeout")),
        max_body_bytes=first("maxBodyBytes"),
    )


def _positive(text: str) -> int | None:
    return int(text) if len(text) <= 18 and text.isascii() and text.isdigit() and int(text) > 0 else None


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else min(ms, LONGEST_MS) / 1000
