"""Services that are in plexmesh.yaml and in no registry: `components.gateway.static`.

    static:
      billing: { urls: ["http://10.0.0.7:8080", "http://10.0.0.8:80"], routes: { api/v1: /billing }, picker: peakEwma }

They are instances like any other, always UP in the registry's sense, without a lease: whether they can be called is
found out by health. Further keys are those of `components.gateway.services` (`policy`).

Not here: Zowe's definition files, which discovery registers for every gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway.policy import Configured, Policies, strict
from gateway.routes import KEY, routable, unsound
from gateway.snapshot import NAME, Settings
from shared.errors import ConfigError
from shared.wire import Instance

PLACE = "components.gateway.static"


def settings_of(services: Configured, static: Mapping[str, Any], apiml_id: str) -> Settings:
    """Raises ConfigError."""
    instances: list[Instance] = []
    merged = dict(services)
    for id, said in static.items():
        place = f"{PLACE}.{id}"
        if not isinstance(said, Mapping):
            raise ConfigError(f"{place}: expected urls and routes, got {said!r}")
        if not isinstance(id, str) or not re.fullmatch(r"[a-z0-9]{1,64}", id) or not routable(id):
            raise ConfigError(f"{place}: a service id has lower-case letters and digits, and is not reserved")
        instances += _instances(id, said, place)
        more = {key: value for key, value in said.items() if key not in ("urls", "routes")}
        if more and id in services:
            raise ConfigError(
                f"{place}: {', '.join(map(str, more))}: say it there or in components.gateway.services.{id}"
            )
        if more:
            strict(place, more)
            merged[id] = more
    return Settings(Policies(merged), tuple(instances), apiml_id)


def _instances(id: str, said: Mapping[str, Any], place: str) -> list[Instance]:
    urls, routes = said.get("urls"), said.get("routes", {})
    if not isinstance(urls, list) or not urls:
        raise ConfigError(f"{place}.urls: expected a list of URLs, got {urls!r}")
    if not isinstance(routes, Mapping):
        raise ConfigError(f"{place}.routes: expected gatewayUrl: serviceUrl, got {routes!r}")
    metadata = {}
    for number, (gateway_url, service_url) in enumerate(routes.items()):
        where = f"{place}.routes.{gateway_url}"
        if not isinstance(gateway_url, str) or not isinstance(service_url, str) or not gateway_url.strip("/ "):
            raise ConfigError(f"{where}: expected gatewayUrl: serviceUrl, such as api/v1: /")
        if why := unsound(gateway_url) or unsound(service_url):
            raise ConfigError(f"{where}: {why}")
        metadata[f"{KEY}r{number}.gatewayUrl"] = gateway_url
        metadata[f"{KEY}r{number}.serviceUrl"] = service_url
    return [_instance(id, url, metadata, f"{place}.urls") for url in urls]


def _instance(id: str, url: object, metadata: dict[str, str], place: str) -> Instance:
    wrong = ConfigError(f"{place}: expected http://host:port or https://host:port, got {url!r}")
    try:
        parts = urlsplit(str(url))
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise wrong from None
    more = parts.path not in ("", "/") or set("?#@") & set(str(url))
    if parts.scheme not in ("http", "https") or not NAME.match(host) or more:
        raise wrong
    return Instance(
        service=id, instance=f"STATIC-{host}:{id}:{port}", status="UP", owner="", gen=0, rev=0,
        host=host, ip="", port=port, secure=parts.scheme == "https", metadata=metadata,
    )  # fmt: skip
