"""What is wrong with a registration by the rules a service of Zowe keeps: one sentence for each fault, none if sound.

A service with such faults may well be routed: the gateway is more forgiving than this list, which is for whoever wants
the service to work behind any gateway, and to look well in a catalog.

    routes            at least one; each with a name without dots, a gatewayUrl (api, ui or ws, and maybe a version)
                      and a serviceUrl
    APIs              each with apiId, version and the gatewayUrl of a route; its URLs absolute
    names             title and description of the service, and a tile of the catalog
    authentication    a known scheme; httpBasicPassTicket has an applid

Source: Zowe's onboarding guides and the conformance check of its gateway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from gateway.routes import KEY as ROUTES
from gateway.routes import RESERVED
from gateway.zowe.metadata import API_INFO, AUTHENTICATION, SERVICE, TILE, below, numbered

OWN = "gateway"
"""The gateway is not called by routes of its own: it says `/`, which nobody else may."""

PUBLIC = re.compile(r"(api|ui|ws)(/v[0-9]+)?")
SCHEMES = ("bypass", "zoweJwt", "httpBasicPassTicket", "zosmf", "x509", "safIdt")
URLS = ("swaggerUrl", "documentationUrl", "graphqlUrl")


def faults(service: str, metadata: Mapping[str, str]) -> list[str]:
    found = [*_names(metadata), *_authentication(metadata)]
    if service != OWN:
        found = [*_id(service), *_routes(metadata), *_apis(metadata), *found]
    return found


def _id(service: str) -> Iterator[str]:
    if service in RESERVED:
        yield f"{service} is a path of the gateway itself, which no service can be called by"


def _by_route(metadata: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """By name, which ends at the last dot, for it may wrongly hold some."""
    found: dict[str, dict[str, str]] = {}
    for key, value in below(metadata, ROUTES).items():
        name, _, part = key.rpartition(".")
        found.setdefault(name, {})[part] = value
    return found


def _routes(metadata: Mapping[str, str]) -> Iterator[str]:
    routes = _by_route(metadata)
    if not routes:
        yield f"there are no routes ({ROUTES}NAME.gatewayUrl and {ROUTES}NAME.serviceUrl)"
    for name, said in routes.items():
        key = ROUTES + name
        if not name or "." in name:
            yield f"{key}: a route has a name without dots, such as api-v1"
        for part in ("gatewayUrl", "serviceUrl"):
            if not said.get(part):
                yield f"{key}: it has no {part}"
        gateway_url = said.get("gatewayUrl", "")
        if gateway_url and not PUBLIC.fullmatch(gateway_url.strip("/")):
            yield f"{key}.gatewayUrl: expected api, ui or ws and maybe a version, such as api/v1 (it is {gateway_url})"


def _apis(metadata: Mapping[str, str]) -> Iterator[str]:
    public = {said.get("gatewayUrl", "").strip("/") for said in _by_route(metadata).values()}
    for name, said in numbered(metadata, API_INFO).items():
        key = API_INFO + name
        for part in ("apiId", "version", "gatewayUrl"):
            if not said.get(part):
                yield f"{key}: it has no {part}"
        gateway_url = said.get("gatewayUrl", "")
        if gateway_url and gateway_url.strip("/") not in public:
            yield f"{key}.gatewayUrl: no route has this gatewayUrl (it is {gateway_url})"
        for part in URLS:
            if said.get(part) and not _absolute(said[part]):
                yield f"{key}.{part}: expected an absolute URL, http or https (it is {said[part]})"


def _absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _names(metadata: Mapping[str, str]) -> Iterator[str]:
    for key in (SERVICE + "title", SERVICE + "description"):
        if not metadata.get(key):
            yield f"{key}: the service has none"
    if not metadata.get(TILE + "id"):
        yield f"{TILE}id: the service is on no tile of the catalog"


def _authentication(metadata: Mapping[str, str]) -> Iterator[str]:
    said = below(metadata, AUTHENTICATION)
    scheme = said.get("scheme", "")
    if scheme and scheme not in SCHEMES:
        yield f"{AUTHENTICATION}scheme: expected one of {', '.join(SCHEMES)} (it is {scheme})"
    if scheme == "httpBasicPassTicket" and not said.get("applid"):
        yield f"{AUTHENTICATION}applid: {scheme} needs one"
