"""Zowe's endpoints of a gateway, over HTTP. Each is served at the paths of both spellings that clients use.

    GET  /gateway/services, /gateway/api/v1/services    service objects, ?apiId= some of them; none: 404, empty
    GET  …/services/{id}                                one of them; 404 {"serviceId", "status": "UNKNOWN"}
    GET  /gateway/conformance/{id}, /gateway/api/v1/…   200, or 400 with the faults
    POST /gateway/validate, /gateway/api/v1/validate    the same, older: the body is `serviceID=<id>`
    GET  /gateway/version, /gateway/api/v1/version, /application/version
    GET  /gateway/certificates, /gateway/api/v1/…       the chain of this gateway's certificate, PEM
    GET  /gateway/api/v1/registry[/{apimlId}]           only where `registry_endpoint` is on; ?apiId= ?serviceId=

With TLS, services, conformance and the registry are for those who have shown a certificate: 401 ZWEAO402E for others.

Without TLS a gateway has no certificate, and its chain is empty: 200 with no text. A client that reads PEM finds
nothing to trust in it, and goes on; a 404 would tell it that this is no gateway.
"""

from __future__ import annotations

import os

import msgspec
from aiohttp import web

from gateway import audience
from gateway.config import GatewayConfig
from gateway.plane import Plane
from gateway.snapshot import Snapshot
from gateway.zowe import conformance, registry, services, version
from gateway.zowe.address import external_url
from gateway.zowe.conformance import Verdict
from shared.tls import secured

HOMES = ("/gateway", "/gateway/api/v1")
VERSIONED = {"Content-Version": "1"}


class ZoweApi:
    def __init__(self, config: GatewayConfig, plane: Plane) -> None:
        """Raises ConfigError: the certificate cannot be used."""
        self._config = config
        self._plane = plane
        self._tls = secured(config)
        self._external = external_url(config)
        self._sysplex = config.sysplex
        self._registry = config.registry_endpoint
        self._version = version.about(os.environ)

    def routes(self) -> list[web.RouteDef]:
        found = [web.get("/application/version", self.version)]
        for home in HOMES:
            found += [
                web.get(f"{home}/services", self.services),
                web.get(f"{home}/services/{{id}}", self.service),
                web.get(f"{home}/conformance/{{id}}", self.conformance),
                web.post(f"{home}/validate", self.validate),
                web.get(f"{home}/version", self.version),
                web.get(f"{home}/certificates", self.certificates),
            ]
        if self._registry:
            found.append(web.get("/gateway/api/v1/registry", self.registry))
            found.append(web.get("/gateway/api/v1/registry/{domain}", self.registry))
        return found

    async def _snapshot(self, request: web.Request) -> Snapshot:
        """As the workers have it now: what they last told may be a second old. Raises Unauthorized."""
        audience.require_known(self._config, request)
        await self._plane.ask()
        return audience.shown(self._config, request, self._plane.snapshot)

    async def services(self, request: web.Request) -> web.Response:
        found = services.listed(await self._snapshot(request), self._external, request.query.get("apiId", ""))
        return _json(found, headers=VERSIONED) if found else web.Response(status=404, headers=VERSIONED)

    async def service(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        found = services.one(await self._snapshot(request), id, self._external)
        if found is None:
            return _json(services.unknown(id), 404, VERSIONED)
        return _json(found, headers=VERSIONED)

    async def conformance(self, request: web.Request) -> web.Response:
        return _told(conformance.verdict(await self._snapshot(request), request.match_info["id"]))

    async def validate(self, request: web.Request) -> web.Response:
        snapshot = await self._snapshot(request)
        return _told(conformance.verdict(snapshot, conformance.asked(await request.read())))

    async def version(self, _: web.Request) -> web.Response:
        return _json(self._version)

    async def certificates(self, _: web.Request) -> web.Response:
        return web.Response(text=self._tls.chain() if self._tls else "", content_type="text/plain")

    async def registry(self, request: web.Request) -> web.Response:
        found = registry.domains(
            await self._snapshot(request),
            self._sysplex,
            self._external,
            domain=request.match_info.get("domain", ""),
            api_id=request.query.get("apiId", ""),
            service=request.query.get("serviceId", ""),
        )
        return _json(found)


def _told(verdict: Verdict) -> web.Response:
    return _json(verdict.body, verdict.status)


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json")
