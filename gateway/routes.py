"""Routes: which service a path belongs to, and what its instance is asked for.

A service's route metadata is Zowe's: `apiml.routes.<k>.gatewayUrl` (the public part after the service id) and
`serviceUrl` (the path on the service). `/{serviceId}/{gatewayUrl}/rest` becomes `{serviceUrl}/rest`. Without route
metadata a service gets `api/v1`, `ui/v1` and `ws/v1`, each to `/`.

- The longest gatewayUrl wins, compared by path segments: `api/v1` does not match `api/v10`.
- Ids are lower case; the request's path is case-sensitive.
- `discovery` and `launcher` are never routed. The ids in RESERVED are paths of the gateway itself.

Source: Zowe API Mediation Layer's routing (longest route first, path rewriting), without its rewriting of every
occurrence of the prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.limits import UNLIMITED, Limits, limits_of

NEVER_ROUTED = frozenset(("discovery", "launcher"))
RESERVED = frozenset(("gateway", "application", "eureka", "console", "static"))

DEFAULT_ROUTES = (("api/v1", "/"), ("ui/v1", "/"), ("ws/v1", "/"))
KEY = "apiml.routes."

SOUND = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*\Z")
"""What a declared path may hold. It becomes part of request lines, so anything else makes the route void."""


@dataclass(frozen=True, slots=True)
class Route:
    """`prefix` is the public path (`/orders/api/v1`), `target` the path on the service (empty: its root).

    `cut` is what goes out as X-Forwarded-Prefix: it is known only where the outgoing path is a proper tail of the
    incoming one.
    """

    prefix: bytes
    target: bytes
    cut: bytes
    limits: Limits = UNLIMITED
    early_upgrade: bool = False
    """Websockets are accepted before their instance is asked, as Zowe does it."""

    @property
    def gateway_url(self) -> str:
        return self.prefix.decode().split("/", 2)[2]


def routable(service: str) -> bool:
    return service not in NEVER_ROUTED and service not in RESERVED


def routes_of(service: str, metadatas: Iterable[Mapping[str, str]]) -> tuple[Route, ...]:
    """The routes of a service, longest gatewayUrl first. Where its instances disagree, the first one says it."""
    found: dict[bytes, Route] = {}
    for metadata in metadatas:
        for name, gateway_url, service_url in declared(metadata):
            early = metadata.get("plexmesh.earlyUpgrade", "").lower() == "true"
            route = make_route(service, gateway_url, service_url, limits_of(metadata, name), early_upgrade=early)
            found.setdefault(route.prefix, route)
    return tuple(sorted(found.values(), key=lambda route: (-len(route.prefix), route.prefix)))


def declared(metadata: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(name, gatewayUrl, serviceUrl) of each complete route in an instance's metadata, or the default ones."""
    found = []
    for key, gateway_url in metadata.items():
        name, _, part = key.removeprefix(KEY).partition(".")
        if key.startswith(KEY) and part == "gatewayUrl" and gateway_url.strip("/"):
            pair = (gateway_url, metadata.get(f"{KEY}{name}.serviceUrl", "/"))
            if all(SOUND.match(each) for each in pair):
                found.append((name, *pair))
    return found or [("", *pair) for pair in DEFAULT_ROUTES]


def make_route(
    service: str, gateway_url: str, service_url: str, limits: Limits = UNLIMITED, *, early_upgrade: bool = False
) -> Route:
    prefix = f"/{service}/{gateway_url.strip('/')}".encode()
    trimmed = service_url.strip("/")
    target = f"/{trimmed}".encode() if trimmed else b""
    cut = prefix[: len(prefix) - len(target)] if prefix.endswith(target) else b""
    return Route(prefix, target, cut, limits, early_upgrade)


def within(path: bytes, prefix: bytes) -> bool:
    """The path is the prefix or below it."""
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"", b"/", b"?")


def first_segment(path: bytes) -> bytes:
    end = path.find(b"/", 1)
    return path[1:] if end < 0 else path[1:end]


def match(path: bytes, routes: tuple[Route, ...]) -> Route | None:
    """The route a normalised path takes; `routes` longest first."""
    for route in routes:
        prefix = route.prefix
        if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == 47):  # a slash
            return route
    return None


def outgoing_path(path: bytes, route: Route) -> bytes:
    return (route.target + path[len(route.prefix) :]) or b"/"
