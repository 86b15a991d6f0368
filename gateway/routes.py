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

SOUND = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*\Z")
"""What a declared path may hold: it becomes part of request lines, and is compared with paths in their one spelling.
Anything else makes the route void, and a dot segment does."""

MAX_ROUTES = 64
MAX_URL = 512


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
        """Empty for one that takes every path of its service."""
        return "/".join(self.prefix.decode().split("/")[2:])


BY_HEADER = Route(b"", b"", b"")
"""Of a call that X-Forward-To sends: its path stays as it is."""


def routable(service: str) -> bool:
    return service not in NEVER_ROUTED and service not in RESERVED


def routes_of(service: str, metadatas: Iterable[Mapping[str, str]]) -> tuple[Route, ...]:
    """The routes of a service, longest gatewayUrl first. Where its instances disagree, the first one says it."""
    return read_routes(service, metadatas)[0]


def read_routes(service: str, metadatas: Iterable[Mapping[str, str]]) -> tuple[tuple[Route, ...], tuple[str, ...]]:
    """And what is wrong with what was declared, each a sentence."""
    found: dict[bytes, Route] = {}
    faults: dict[str, None] = {}
    for metadata in metadatas:
        routes, wrong = declared(metadata)
        faults |= dict.fromkeys(wrong)
        for name, gateway_url, service_url in routes:
            early = metadata.get("plexmesh.earlyUpgrade", "").lower() == "true"
            route = make_route(service, gateway_url, service_url, limits_of(metadata, name), early_upgrade=early)
            if len(found) < MAX_ROUTES:
                found.setdefault(route.prefix, route)
            elif route.prefix not in found:
                faults[f"more than {MAX_ROUTES} routes: the rest is left out"] = None
    return tuple(sorted(found.values(), key=lambda route: (-len(route.prefix), route.prefix))), tuple(faults)


def declared(metadata: Mapping[str, str]) -> tuple[list[tuple[str, str, str]], list[str]]:
    """(name, gatewayUrl, serviceUrl) of each complete route in an instance's metadata, or the default ones; and what is
    wrong with others, which are void."""
    found: list[tuple[str, str, str]] = []
    faults: list[str] = []
    for key in sorted(each for each in metadata if each.startswith(KEY)):
        name, _, part = key.removeprefix(KEY).partition(".")
        gateway_url = metadata[key].strip()
        if part != "gatewayUrl" or not gateway_url.strip("/"):
            if part not in ("gatewayUrl", "serviceUrl"):
                faults.append(f"{key[:128]}: no key of a route; a route's name has no dot")
            continue
        service_url = metadata.get(f"{KEY}{name}.serviceUrl", "/").strip()
        why = next((why for each in (gateway_url, service_url) if (why := unsound(each))), "")
        if why:
            faults.append(f"{KEY}{name[:64]}: {why}: this route is left out")
        elif len(found) < MAX_ROUTES + 1:
            found.append((name, gateway_url, service_url))
    return found or ([("", *pair) for pair in DEFAULT_ROUTES] if not faults else []), faults[:MAX_ROUTES]


def unsound(path: str) -> str:
    """Why a declared path cannot be used, or empty."""
    if len(path) > MAX_URL:
        return f"a path of more than {MAX_URL} characters"
    said = path[:64]
    if not SOUND.match(path):
        return f"{said!r} holds a character that no route may have"
    segments = path.strip("/").split("/")
    if any(segment.partition(";")[0] in (".", "..") for segment in segments):
        return f"{said!r} has a dot segment"
    if "" in segments[1:]:
        return f"{said!r} has an empty segment"
    return ""


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
