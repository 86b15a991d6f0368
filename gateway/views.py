"""What this gateway sees, as plain data for its pages and /gateway/v1: the registry's word and its own, side by side.

`view` is this gateway's: "fine", "unproven", "out" (with why), or "not a candidate" when the registry or the form of
the registration says so. An unreachable instance is a view, never a registry status: another gateway may reach it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.report import Report
from gateway.snapshot import Snapshot
from shared.wire import Instance

COMPONENTS = ("discovery", "gateway", "caching", "cachingservice", "launcher")
"""Services that are parts of plexmesh; shown with their LPAR."""


def upstreams(snapshot: Snapshot, report: Report) -> list[dict[str, Any]]:
    """Each routed service: its routes, and its instances."""
    return [
        {
            "service": upstream.service,
            "sticky": upstream.sticky,
            "routes": [
                {"gatewayUrl": route.gateway_url, "serviceUrl": route.target.decode() or "/"}
                for route in upstream.routes
            ],
            "instances": [instance_view(snapshot, report, each) for each in instances_of(snapshot, upstream.service)],
        }
        for upstream in sorted(snapshot.upstreams.values(), key=lambda each: each.service)
    ]


def sysplex(snapshot: Snapshot, report: Report) -> dict[str, Any]:
    """LPARs with what runs in them, services, and instances outside the sysplex."""
    instances = sorted(snapshot.instances.values(), key=lambda each: (each.service, each.instance))
    names = sorted({each.lpar for each in instances if each.lpar})
    return {
        "lpars": [_lpar(snapshot, report, name, [each for each in instances if each.lpar == name]) for name in names],
        "services": upstreams(snapshot, report),
        "outside": [instance_view(snapshot, report, each) for each in instances if each.lpar is None],
    }


def _lpar(snapshot: Snapshot, report: Report, name: str, instances: list[Instance]) -> dict[str, Any]:
    own = [each for each in instances if each.service in COMPONENTS]
    return {
        "id": name,
        "address": next((each.host for each in own), ""),
        "silent": any(snapshot.owners.get(each.owner, "alive") != "alive" for each in own),
        "components": [instance_view(snapshot, report, each) for each in own],
        "instances": [instance_view(snapshot, report, each) for each in instances if each.service not in COMPONENTS],
    }


def instances_of(snapshot: Snapshot, service: str) -> Iterable[Instance]:
    found = [each for each in snapshot.instances.values() if each.service == service]
    return sorted(found, key=lambda each: each.instance)


def instance_view(snapshot: Snapshot, report: Report, instance: Instance) -> dict[str, Any]:
    view, why = _judged(snapshot, report, instance)
    return {
        "service": instance.service,
        "instance": instance.instance,
        "lpar": instance.lpar,
        "url": f"{'https' if instance.secure else 'http'}://{instance.host or instance.ip}:{instance.port}",
        "status": instance.status,
        "view": view,
        "why": why,
        "inFlight": report.in_flight.get(instance.key, 0),
        "idleConnections": report.idle.get(instance.key, 0),
        "owner": snapshot.owners.get(instance.owner, "alive"),
    }


def _judged(snapshot: Snapshot, report: Report, instance: Instance) -> tuple[str, str]:
    judgement = report.health.get(instance.key)
    if judgement is not None:
        return judgement.state, judgement.why
    if instance.status != "UP":
        return "not a candidate", f"its status is {instance.status}"
    if instance.key in snapshot.endpoints:
        return "fine", ""
    if instance.service.encode() not in snapshot.upstreams:  # nobody probes what nobody calls
        owner = snapshot.owners.get(instance.owner, "alive")
        return ("fine", "") if owner == "alive" else ("silent", f"its discovery node is {owner}")
    return "not a candidate", "it can only be called with TLS" if instance.secure else "it has no usable address"
