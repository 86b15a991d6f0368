"""A static service in the registry's words: its metadata, and one registration for each base URL.

    services[].routes[]         apiml.routes.<k>.gatewayUrl, serviceUrl       <k>: gatewayUrl with dashes for slashes
    catalogUiTiles.<id>         apiml.catalog.tile.id, title, description, version
    services[].apiInfo[i]       apiml.apiInfo.<i>.…, with codeSnippet.<j>.…
    services[].authentication   apiml.authentication.scheme, applid
    services[].customMetadata   flattened, with dots between the keys

Nobody beats for it but the nodes that have read its file, so two nodes with one file must say the same: nothing here
depends on who reads it.

Source: Zowe API Mediation Layer, static onboarding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from discovery.registration import Registration
from discovery.zowe.base_url import BaseUrl, joined
from discovery.zowe.shapes import ApiInfo, Route, Service, Tile
from discovery.zowe.translation import ROUTES, SCHEME_KEY, VERSION, VERSION_KEY

TILE_VERSION = "1.0.0"


def registration(service: Service, base: BaseUrl, metadata: Mapping[str, str]) -> Registration:
    """`metadata` is what all instances of the service have in common."""
    name = service.service_id or ""
    health = _url(base, service.health_check_relative_url)
    return Registration(
        app=name.upper(),
        instance=f"STATIC-{base.authority}:{name}:{base.port}",
        host=base.host,
        ip=base.host,
        port=base.port,
        port_enabled=not base.secure,
        secure_port=base.port if base.secure else 0,
        secure_port_enabled=base.secure,
        metadata={**routes(service, base.path), **metadata},
        home_page_url=_url(base, service.home_page_relative_url) or base.text,
        status_page_url=_url(base, service.status_page_relative_url),
        health_check_url="" if base.secure else health,
        secure_health_check_url=health if base.secure else "",
        vip=name,
        secure_vip=name,
    )


def metadata(service: Service, tile: Tile | None, custom: Mapping[str, str]) -> dict[str, str]:
    """All but the routes, which depend on the base URL."""
    said: dict[str, str | None] = {VERSION_KEY: VERSION}
    said |= _below("apiml.service", {"title": service.title, "description": service.description})
    if tile is not None:
        names = {"id": service.catalog_ui_tile_id, "title": tile.title, "description": tile.description}
        said |= _below("apiml.catalog.tile", {**names, "version": TILE_VERSION})
    for number, info in enumerate(service.api_info or ()):
        said |= _api_info(f"apiml.apiInfo.{number}", info)
    if service.authentication is not None:
        said |= {
            SCHEME_KEY: service.authentication.scheme,
            "apiml.authentication.applid": service.authentication.applid,
        }
    return {key: value for key, value in said.items() if value is not None} | dict(custom)


def routes(service: Service, base_path: str | None) -> dict[str, str]:
    """`base_path` None: of a service that is elsewhere, whose own paths are left alone where none is said."""
    found = {}
    for route in (*(service.routes or ()), *(service.routed_services or ())):
        name, relative = key_of(route), route.service_relative_url
        found[f"{ROUTES}{name}.gatewayUrl"] = route.gateway_url.strip("/")
        if base_path is not None or relative is not None:
            found[f"{ROUTES}{name}.serviceUrl"] = joined(base_path or "", relative or "") or "/"
    return found


def key_of(route: Route) -> str:
    """No slash, and no dot: a dot ends the key."""
    return route.gateway_url.strip("/").replace("/", "-").replace(".", "-")


def flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each leaf with the keys that lead to it; a list is a leaf, which the caller may not like."""
    if not isinstance(value, Mapping):
        yield path, "" if value is None else value
        return
    for key, below in value.items():
        yield from flat(below, (*path, key))


def _api_info(prefix: str, info: ApiInfo) -> dict[str, str | None]:
    named: dict[str, Any] = msgspec.to_builtins(info)
    snippets = named.pop("codeSnippet") or ()
    default = named.pop("defaultApi")
    said = _below(prefix, {**named, "defaultApi": None if default is None else str(default).lower()})
    for number, snippet in enumerate(snippets):
        said |= _below(f"{prefix}.codeSnippet.{number}", snippet)
    return said


def _below(prefix: str, said: Mapping[str, str | None]) -> dict[str, str | None]:
    return {f"{prefix}.{name}": value for name, value in said.items()}


def _url(base: BaseUrl, relative: str | None) -> str:
    return "" if relative is None else joined(base.text, relative)
