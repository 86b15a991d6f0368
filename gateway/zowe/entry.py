"""What a gateway registers of itself, so that clients of Zowe's registry know it for one.

Its one route, `/`, says that all of it is called as it stands. `apiml.service.externalUrl` is the sysplex address.

Source: Zowe API Mediation Layer, the gateway's registration. Two of its keys are missing: `apiml.service.apimlId`,
which is blank in a packaged Zowe too, and `apiml.service.supportClientCertForwarding`, until identity exists: a
forwarded certificate would mean nothing here.
"""

from __future__ import annotations

from gateway.config import GatewayConfig
from gateway.zowe.address import external_url
from gateway.zowe.version import release

TITLE = "Gateway"
DESCRIPTION = "Routes and balances calls to every service of the sysplex"
ROUTES = {"/": "/"}


def metadata(config: GatewayConfig) -> dict[str, str]:
    return {
        "apiml.apiBasePath": "/gateway/api/v1",
        "apiml.apiInfo.api-v1.apiId": "zowe.apiml.gateway",
        "apiml.apiInfo.api-v1.version": release(),
        "apiml.apiInfo.api-v1.gatewayUrl": "api/v1",
        "apiml.catalog.tile.id": "apimediationlayer",
        "apiml.catalog.tile.title": "API Mediation Layer",
        "apiml.catalog.tile.description": "The parts of the mesh itself",
        "apiml.catalog.tile.version": "1.0.0",
        "apiml.service.externalUrl": external_url(config),
    }
