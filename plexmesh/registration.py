"""What a program tells the registry about itself, and its form on Eureka's wire.

Source: Eureka's instance document (JSON, the dialect of Netflix's default codec) and Zowe's metadata keys. A route's
name in the metadata is its gateway URL with dashes (`api/v1` → `apiml.routes.api-v1.gatewayUrl`): names hold no dots.

Not here: when to tell it (`plexmesh.service`) and how (`plexmesh.registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

METADATA_VERSION = "2.2.0"
"""Zowe's metadata version; without it a Zowe discovery translates the metadata as if it were version 1."""


LEAVING = {"plexmesh.leaving": "true"}
"""An instance that takes itself out of rotation is about to end: gateways move its sessions too, which stay at one that
an operator takes out."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One instance. `routes` maps gateway URL to service URL; None leaves routing to the gateway's defaults."""

    service_id: str
    host: str
    port: int
    instance_id: str
    lpar: str | None = None
    routes: Mapping[str, str] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    description: str = ""
    health_path: str = "/application/health"
    renew_s: int = 5
    lease_s: int = 15
    secure: bool = False
    """Its port speaks TLS."""

    @property
    def app(self) -> str:
        return self.service_id.upper()

    def all_metadata(self) -> dict[str, str]:
        found = {"version": METADATA_VERSION}
        if self.lpar:
            found["zos.lpar"] = self.lpar
        if self.title:
            found["apiml.service.title"] = self.title
        if self.description:
            found["apiml.service.description"] = self.description
        for gateway_url, service_url in (self.routes or {}).items():
            name = gateway_url.strip("/").replace("/", "-").replace(".", "-") or "root"
            found[f"apiml.routes.{name}.gatewayUrl"] = gateway_url
            found[f"apiml.routes.{name}.serviceUrl"] = service_url
        return found | dict(self.metadata)

    def document(self, status: str, dirty_ms: int) -> dict[str, Any]:
        """The body of a register call. `dirty_ms`: wall clock of this state in ms; a later one wins."""
        base = f"{'https' if self.secure else 'http'}://{self.host}:{self.port}"
        health = f"{base}{self.health_path}"
        return {
            "instance": {
                "instanceId": self.instance_id,
                "app": self.app,
                "hostName": self.host,
                "ipAddr": self.host,
                "status": status,
                "overriddenStatus": "UNKNOWN",
                "port": {"$": 80 if self.secure else self.port, "@enabled": str(not self.secure).lower()},
                "securePort": {"$": self.port if self.secure else 443, "@enabled": str(self.secure).lower()},
                "countryId": 1,
                "dataCenterInfo": {
                    "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                    "name": "MyOwn",
                },
                "leaseInfo": {"renewalIntervalInSecs": self.renew_s, "durationInSecs": self.lease_s},
                "metadata": self.all_metadata() | (LEAVING if status == "OUT_OF_SERVICE" else {}),
                "homePageUrl": f"{base}/",
                "statusPageUrl": f"{base}/application/info",
                **({"secureHealthCheckUrl": health} if self.secure else {"healthCheckUrl": health}),
                "vipAddress": self.service_id,
                "secureVipAddress": self.service_id,
                "lastDirtyTimestamp": str(dirty_ms),
            }
        }
