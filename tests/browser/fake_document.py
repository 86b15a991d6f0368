"""The document of a sysplex that never was, as a gateway's console streams it: section → key → entry."""

from __future__ import annotations

from typing import Any

Entry = dict[str, Any]
Document = dict[str, dict[str, Entry]]

USERS = "sample"


def sysplex(lpars: int = 2, each: int = 1) -> Document:
    """All is well in it: `each` instances of the sample service in every LPAR, and one service outside."""
    names = [f"LPAR{number}" for number in range(1, lpars + 1)]
    instances = [
        instance(service, lpar, number, names)
        for lpar in names
        for service in ("gateway", "cachingservice", USERS)
        for number in range(each if service == USERS else 1)
    ]
    instances.append(instance("payroll", None, 0, names))
    return {
        "lpars": {lpar: the_lpar(lpar) for lpar in names},
        "components": {
            f"{lpar}/{name}": component(lpar, name, position)
            for lpar in names
            for position, name in enumerate(("launcher", "discovery", "gateway", "caching", USERS))
        },
        "gateways": {lpar: gateway(lpar) for lpar in names},
        "nodes": {lpar: node(lpar, names) for lpar in names},
        "services": {service: the_service(service) for service in ("gateway", "cachingservice", USERS, "payroll")},
        "instances": {entry["key"]: entry for entry in instances},
        "caches": {lpar: cache(lpar) for lpar in names},
        "lab": {"": lab()},
        "runs": {},
        "slices": {},
        "moments": {},
    }


def host(lpar: str) -> str:
    return f"127.0.{lpar.removeprefix('LPAR')}.1"


def the_lpar(lpar: str) -> Entry:
    url = f"http://{host(lpar)}:7550"
    return {"id": lpar, "address": host(lpar), "state": "ready", "onAddress": True, "launcher": url}


def component(lpar: str, name: str, position: int) -> Entry:
    return {
        "lpar": lpar,
        "name": name,
        "state": "ready",
        "pid": 4000 + position,
        "restarts": 0,
        "uptimeS": 120.0,
        "cpuPercent": 0.4,
        "rssBytes": 42_000_000,
        "url": f"http://{host(lpar)}:{7550 + position}",
        "why": "",
    }


def gateway(lpar: str) -> Entry:
    return {
        "lpar": lpar,
        "url": f"http://{host(lpar)}:7554",
        "reachable": True,
        "why": "",
        "perS": 64.2,
        "errorsPerS": 0.0,
        "p50Ms": 1.8,
        "p99Ms": 6.4,
        "inFlight": 3,
        "clients": 12,
        "node": f"http://{host(lpar)}:7553",
        "workers": 1,
    }


def node(lpar: str, lpars: list[str]) -> Entry:
    peers = {other: "alive" for other in lpars if other != lpar}
    url = f"http://{host(lpar)}:7553"
    return {"lpar": lpar, "url": url, "reachable": True, "why": "", "instances": 3 * len(lpars) + 1, "peers": peers}


def key(service: str, lpar: str | None, number: int = 0) -> str:
    """Of an instance in the document."""
    where = "192.0.2.7" if lpar is None else host(lpar)
    return f"{service}/{where}:{service}:{PORTS.get(service, 9000) + number}"


PORTS = {"gateway": 7554, "cachingservice": 7555, USERS: 7560}


def instance(service: str, lpar: str | None, number: int, lpars: list[str]) -> Entry:
    where = "192.0.2.7" if lpar is None else host(lpar)
    port = PORTS.get(service, 9000) + number
    return {
        "key": key(service, lpar, number),
        "service": service,
        "instance": f"{where}:{service}:{port}",
        "lpar": lpar,
        "url": f"http://{where}:{port}",
        "status": "UP",
        "view": "fine",
        "why": "",
        "owner": "alive",
        "node": lpar or lpars[0],
        "leaseS": 15.0,
        "renewedS": 2.0,
        "weight": 1,
        "metadata": {"zos.lpar": lpar, "apiml.service.title": service} if lpar else {},
        "seen": {each: seen(service) for each in lpars},
    }


def seen(service: str) -> Entry:
    return {
        "view": "fine",
        "why": "",
        "sinceS": 90.0,
        "perS": 0.0 if service == "gateway" else 12.3,
        "inFlight": 1,
        "failedShare": 0.0,
        "latencyMs": 2.4,
        "calls": 1200,
        "failed": 0,
        "ejections": 0,
    }


def the_service(service: str) -> Entry:
    api = {
        "apiId": f"org.example.{service}",
        "version": "1.0.0",
        "gatewayUrl": "api/v1",
        "basePath": f"/{service}/api/v1",
        "swaggerUrl": True,
        "documentationUrl": "https://docs.example.org/",
        "title": f"{service} API",
    }
    return {
        "service": service,
        "title": f"The {service} service",
        "description": f"What {service} is for.",
        "routes": [{"gatewayUrl": "api/v1", "serviceUrl": f"/{service}/api/v1"}],
        "routed": True,
        "policy": {"picker": "roundRobin", "retries": 1},
        "faults": [],
        "panic": False,
        "apis": [api],
        "tile": {"id": "apps", "title": "Applications", "description": "What people use."},
        "homePageUrl": "",
        "sticky": False,
    }


def cache(lpar: str) -> Entry:
    return {
        "lpar": lpar,
        "url": f"http://{host(lpar)}:7555",
        "reachable": True,
        "colour": "green",
        "why": [],
        "backend": "vsam",
        "simulated": "a KSDS on SQLite, shared by the LPARs through one volume",
        "durable": True,
        "shared": True,
        "linearizable": True,
        "ackedLoss": "none",
        "remark": "VSAM with record sharing, simulated by an SQLite file on the shared volume",
        "entries": 128,
        "size": 4096,
        "identity": {"colour": "yellow", "why": ["callers are believed: no TLS"]},
        "perS": {"read": 3.1, "create": 0.4, "update": 0.2, "delete": 0.1},
        "errorsPerS": 0.0,
        "place": "PLEX1.CACHE",
    }


def lab() -> Entry:
    drills = [
        {"name": "lpar-crash", "title": "An LPAR crashes", "about": "Everything in it is killed at once."},
        {"name": "rolling-restart", "title": "A rolling restart", "about": "One LPAR after the other."},
    ]
    return {"enabled": True, "why": "", "lpars": True, "drills": drills, "running": ""}
