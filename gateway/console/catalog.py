"""Services and their APIs, as the console shows them: what registrations and the configuration say, in one place.

    service, title, description, homePageUrl    as Zowe's services API has them; a home page behind a route is a path
    routed                                      false: no gateway leads there (`discovery`, `launcher`)
    routes                                      [{gatewayUrl, serviceUrl}], longest first
    policy                                      what differs from the default, named as in plexmesh.yaml
    faults                                      what is wrong with its registrations, each a sentence
    sticky, panic                               panic: too many instances are ejected, so ejections are ignored
    apis                                        [{apiId, version, gatewayUrl, basePath, documentationUrl, title,
                                                swaggerUrl: there is one}]
    tile                                        {id, title, description} of Zowe's catalog, or null

The number of an API is its place in `apis`; nothing else tells two of them apart for certain.

Not here: instances (they change often), and an API's document (`gateway.console.apidoc`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.report import Report
from gateway.snapshot import OWN, Snapshot, Upstream, grouped
from gateway.views import policy_view
from gateway.zowe import services as zowe
from gateway.zowe.metadata import SERVICE, TILE, apis, below
from shared.errors import NotFound
from shared.wire import Instance

Entry = dict[str, Any]

OWN_ROUTES = [{"gatewayUrl": "", "serviceUrl": f"/{OWN.service}"}]
"""A gateway is called as it stands."""


def services(snapshot: Snapshot, report: Report) -> dict[str, Entry]:
    """By id, every service of which an instance is known. It costs 35 µs an instance: `snapshot` and `report.panic`
    decide it, so nothing is new while they are not."""
    shown = {view["serviceId"]: view["apiml"] for view in zowe.listed(snapshot, "")}
    found = {}
    for service, instances in grouped(snapshot.instances.values()).items():
        apiml = shown.get(service) or _unrouted(instances.values())
        found[service] = _entry(service, instances.values(), apiml, snapshot.upstreams.get(service.encode()), report)
    return found


def documented(snapshot: Snapshot, service: str, n: int) -> tuple[Entry, list[tuple[Instance, str]]]:
    """The n-th API of a service, and the URL of its document at each instance that has one, those that are UP first.
    Raises NotFound."""
    view = zowe.one(snapshot, service, "")
    if view is None:
        raise NotFound(f"{service}: no such service is registered")
    said = view["apiml"]["apiInfo"]
    if not 0 <= n < len(said):
        raise NotFound(f"{service}: it describes {len(said)} APIs, and none of number {n} (they begin at 0)")
    instances = sorted(zowe.by_id(snapshot)[view["serviceId"]], key=_up_first)
    places = [
        (instance, api["swaggerUrl"])
        for instance in instances
        for api in apis(instance.metadata)
        if "swaggerUrl" in api and _same(api, said[n])
    ]
    if not places:
        raise NotFound(f"{service}: its API number {n} names no document (apiml.apiInfo.*.swaggerUrl)")
    return said[n], places


def _up_first(instance: Instance) -> tuple[bool, str]:
    return instance.status != "UP", instance.instance


def _same(one: Entry, other: Entry) -> bool:
    return all(one.get(name) == other.get(name) for name in ("apiId", "version", "gatewayUrl"))


def _entry(
    service: str, instances: Iterable[Instance], apiml: Entry, upstream: Upstream | None, report: Report
) -> Entry:
    about = apiml["service"]
    return {
        "service": service,
        "title": about.get("title", ""),
        "description": about.get("description", ""),
        "homePageUrl": about.get("homePageUrl", ""),
        "routed": upstream is not None or service == OWN.service,
        "routes": _routes(upstream) if upstream else OWN_ROUTES if service == OWN.service else [],
        "policy": policy_view(upstream.policy) if upstream else {},
        "faults": list(upstream.faults) if upstream else [],
        "sticky": upstream is not None and upstream.sticky,
        "panic": service in report.panic,
        "apis": [_api(api, about.get("title", "") or service) for api in apiml["apiInfo"]],
        "tile": _tile(instances),
    }


def _routes(upstream: Upstream) -> list[dict[str, str]]:
    return [{"gatewayUrl": route.gateway_url, "serviceUrl": route.target.decode() or "/"} for route in upstream.routes]


def _api(api: Entry, title: str) -> Entry:
    return {
        "apiId": api.get("apiId", ""),
        "version": api.get("version", ""),
        "gatewayUrl": api.get("gatewayUrl", ""),
        "basePath": api.get("basePath", ""),
        "swaggerUrl": "swaggerUrl" in api,
        "documentationUrl": api.get("documentationUrl", ""),
        "title": title,
    }


def _tile(instances: Iterable[Instance]) -> dict[str, str] | None:
    """Of the first instance that has one, those that are UP before others."""
    said = [below(each.metadata, TILE) for each in sorted(instances, key=_up_first)]
    tile = next((each for each in said if each.get("id")), None)
    return {name: tile.get(name, "") for name in ("id", "title", "description")} if tile else None


def _unrouted(instances: Iterable[Instance]) -> Entry:
    """Of a service that Zowe's API does not show."""
    metadata = next(iter(instances)).metadata
    return {"apiInfo": [], "service": {name: metadata.get(SERVICE + name, "") for name in ("title", "description")}}
