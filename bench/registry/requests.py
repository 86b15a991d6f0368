"""The requests of the load, as bytes: written once, before the clock starts."""

from __future__ import annotations

import json
from collections.abc import Sequence

PORT = 7553

JSON = "application/json"


def request(method: str, path: str, host: str, body: object = None) -> bytes:
    data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    kind = f"Content-Type: {JSON}\r\nContent-Length: {len(data)}\r\n" if body is not None else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}:{PORT}\r\nAccept: {JSON}\r\n{kind}\r\n".encode() + data


def instance(service: str, name: str, lease_s: int) -> dict[str, object]:
    """An instance of /v1 with the metadata that a service of a Zowe-like mesh has; about 300 bytes as a record."""
    return {
        "service": service,
        "instance": name,
        "host": "127.0.1.1",
        "port": 8080,
        "lease_s": lease_s,
        "health_check_url": "http://127.0.1.1:8080/application/health",
        "metadata": {
            "zos.lpar": "LPAR1",
            "apiml.routes.api-v1.gatewayUrl": "api/v1",
            "apiml.routes.api-v1.serviceUrl": "/",
            "apiml.service.title": service,
        },
    }


def register(host: str, instances: Sequence[dict[str, object]]) -> bytes:
    return request("POST", "/v1/instances", host, {"instances": instances})


def beat(host: str, keys: Sequence[str]) -> bytes:
    return request("POST", "/v1/heartbeats", host, {"keys": keys})


def leave(host: str, service: str, name: str) -> bytes:
    return request("DELETE", f"/v1/instances/{service}/{name}", host)


def eureka_register(host: str, service: str, name: str, lease_s: int) -> bytes:
    body = {
        "instanceId": name,
        "app": service.upper(),
        "hostName": "127.0.1.1",
        "ipAddr": "127.0.1.1",
        "status": "UP",
        "port": {"$": 8080, "@enabled": "true"},
        "healthCheckUrl": "http://127.0.1.1:8080/application/health",
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": lease_s},
        "metadata": instance(service, name, lease_s)["metadata"],
    }
    return request("POST", f"/eureka/apps/{service.upper()}", host, {"instance": body})


def eureka_beat(host: str, key: str) -> bytes:
    service, _, name = key.partition("/")
    return request("PUT", f"/eureka/apps/{service.upper()}/{name}?status=UP", host)


def eureka_leave(host: str, service: str, name: str) -> bytes:
    return request("DELETE", f"/eureka/apps/{service.upper()}/{name}", host)
