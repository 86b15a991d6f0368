"""The service objects of /gateway/services: each service as a client outside may find and call it.

    {serviceId, status, apiml: {apiInfo: […], service: {…}, authentication: […]}, instances: {<id>: {…}}}

- A service is UP if any of its instances is.
- Of an API that instances have in several versions, the lowest of each major version is shown: it holds everywhere.
- Title, description and home page are those of the instance with the highest version.
- What a registration does not say is left out.

`discovery` and `launcher` are no services to a client: no gateway leads there, and they are never shown.

Source: Zowe API Mediation Layer, the gateway's services API, version 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from gateway.routes import NEVER_ROUTED, Route
from gateway.snapshot import Snapshot
from gateway.zowe.address import public_url
from gateway.zowe.metadata import SERVICE, apis, authentication, custom, given
from shared.wire import Instance

UI = "ui"


def by_id(snapshot: Snapshot) -> dict[str, list[Instance]]:
    """Instances of any status of the services that are shown, both in the order of their ids."""
    ordered = sorted(snapshot.instances.values(), key=lambda each: (each.service, each.instance))
    groups = groupby(ordered, key=lambda each: each.service)
    return {service: list(instances) for service, instances in groups if service not in NEVER_ROUTED}


def listed(snapshot: Snapshot, external: str, api_id: str = "") -> list[dict[str, Any]]:
    """All service objects, or those that have an API of this id."""
    found = [_view(snapshot, service, instances, external) for service, instances in by_id(snapshot).items()]
    return [each for each in found if not api_id or api_id in api_ids(each)]


def one(snapshot: Snapshot, service: str, external: str) -> dict[str, Any] | None:
    """None: nobody has registered as this. Ids are compared without regard to case, as a registry does."""
    instances = by_id(snapshot).get(service.lower())
    return _view(snapshot, service.lower(), instances, external) if instances else None


def unknown(service: str) -> dict[str, str]:
    return {"serviceId": service, "status": "UNKNOWN"}


def api_ids(view: dict[str, Any]) -> list[str]:
    """Of a service object, each once."""
    return list(dict.fromkeys(each["apiId"] for each in view["apiml"]["apiInfo"] if "apiId" in each))


def _view(snapshot: Snapshot, service: str, instances: Sequence[Instance], external: str) -> dict[str, Any]:
    upstream = snapshot.upstreams.get(service.encode())
    routes = upstream.routes if upstream else ()
    said = [authentication(each.metadata) for each in instances]
    return {
        "serviceId": service,
        "status": "UP" if any(each.status == "UP" for each in instances) else "DOWN",
        "apiml": {
            "apiInfo": _apis(instances, routes, external),
            "service": _service(instances, routes, external),
            "authentication": [each for number, each in enumerate(said) if each and each not in said[:number]],
        },
        "instances": {each.instance: _instance(each) for each in instances},
    }


def _apis(instances: Sequence[Instance], routes: tuple[Route, ...], external: str) -> list[dict[str, Any]]:
    kept: dict[tuple[object, ...], dict[str, Any]] = {}
    for instance in instances:
        for api in apis(instance.metadata):
            version = _version(api)
            key = (api.get("apiId"), version[:1], api.get("gatewayUrl"))
            if key not in kept or version < _version(kept[key]):
                kept[key] = _api(api, instance, routes, external)
    return list(kept.values())


def _version(api: dict[str, Any]) -> tuple[int, ...]:
    """Major, minor, patch; what is no number counts as 0, and an API that says nothing comes first."""
    parts = api["version"].split(".")[:3] if "version" in api else []
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else 0 for part in parts)


def _api(api: dict[str, Any], instance: Instance, routes: tuple[Route, ...], external: str) -> dict[str, Any]:
    found = dict(api)
    gateway_url = api.get("gatewayUrl", "")
    if gateway_url:
        found["basePath"] = f"/{instance.service}/{gateway_url}"
        found["baseUrl"] = external + found["basePath"]
    if "swaggerUrl" in api:
        found["swaggerUrl"] = public_url(api["swaggerUrl"], instance, routes, gateway_url, external)
    return found


def _service(instances: Sequence[Instance], routes: tuple[Route, ...], external: str) -> dict[str, str]:
    newest = max(instances, key=lambda each: max(map(_version, apis(each.metadata)), default=()))
    pages = tuple(route for route in routes if route.gateway_url.partition("/")[0] == UI)
    said = {
        "title": newest.metadata.get(SERVICE + "title", ""),
        "description": newest.metadata.get(SERVICE + "description", ""),
        "homePageUrl": public_url(newest.home_page_url, newest, pages, "", external) if newest.home_page_url else "",
    }
    return given(said, said)


def _instance(instance: Instance) -> dict[str, Any]:
    names = {"hostname": instance.host, "ipAddr": instance.ip}
    urls = {
        "homePageUrl": instance.home_page_url,
        "healthCheckUrl": instance.health_check_url,
        "statusPageUrl": instance.status_page_url,
    }
    return {
        "status": instance.status,
        **given(names, names),
        "protocol": "https" if instance.secure else "http",
        "port": instance.port,
        **given(urls, urls),
        "customMetadata": custom(instance.metadata),
    }
