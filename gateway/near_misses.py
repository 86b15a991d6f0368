"""What is near to a path that does not lead where its caller thought: ids, and rules of the same service.

A rule and a path are compared by segments. How many they have in common from the left says how near they are; the
first that differs is the reason.

Source: the order of a path in Zowe API ML, /{serviceId}/api/v1, was /api/v1/{serviceId} in its version 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

import msgspec

from gateway.routes import Route
from gateway.snapshot import Upstream

MAX_IDS = 3
CLOSE = 0.6
MAX_RULE_SEGMENTS = 3
"""Of a gatewayUrl, when a path is looked at the other way round."""


class Miss(msgspec.Struct, frozen=True, rename="camel"):
    """A rule that is not the one; `common` counts segments, without the service's id."""

    gateway_url: str
    service_url: str
    common: int
    why: str


def ids(wanted: str, known: Collection[str]) -> list[str]:
    """The nearest first."""
    return difflib.get_close_matches(wanted.lower(), known, n=MAX_IDS, cutoff=CLOSE)


def misses(path: bytes, upstream: Upstream, won: Route | None) -> list[Miss]:
    """The rules of a service but for the one that won, the nearest first."""
    given = path.decode().split("/")[2:]
    found = [_miss(route, given) for route in upstream.routes if route is not won]
    return sorted(found, key=lambda miss: -miss.common)


def _miss(route: Route, given: list[str]) -> Miss:
    wanted = route.gateway_url.split("/")
    common = 0
    while common < min(len(wanted), len(given)) and wanted[common] == given[common]:
        common += 1
    return Miss(route.gateway_url, route.target.decode() or "/", common, _why(wanted[common:], given[common:]))


def _why(wanted: list[str], given: list[str]) -> str:
    """Of what is left on each side after what they have in common."""
    if not wanted:
        return "applies too, but a longer rule wins"
    if not any(given):
        return f"the path ends where it goes on with {wanted[0]!r}"
    if not given[0]:
        return f"the path has an empty segment, two slashes, where it has {wanted[0]!r}"
    if wanted[0].lower() == given[0].lower():
        return f"the path has {given[0]!r} where it has {wanted[0]!r}: upper and lower case differ"
    return f"the path has {given[0]!r} where it has {wanted[0]!r}"


def turned(path: bytes, upstreams: Mapping[bytes, Upstream]) -> str:
    """A path in the old order, /api/v1/{serviceId}/…, as it is written now; empty when it is none."""
    segments = path.split(b"/")[1:]
    for at, service in enumerate(segments[1 : MAX_RULE_SEGMENTS + 1], 1):
        upstream = upstreams.get(service)
        front = b"/".join((b"", service, *segments[:at]))
        if upstream is not None and any(route.prefix == front for route in upstream.routes):
            return b"/".join((front, *segments[at + 1 :])).decode()
    return ""
