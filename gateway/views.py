"""What this gateway sees, as plain data for its pages and /gateway/v1: the registry's word and its own, side by side.

`view` is this gateway's: "fine", "unproven", "ejected", "trial", "out" (with why and since when), "UNREACHABLE" for one
that is out and that neither a call nor a probe of this gateway has ever reached (an address of another network, a name
that does not resolve), or "not a candidate" when the registry or the form of the registration says so. All of it is a
view, never a registry status: another gateway may reach it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.policy import PLAIN, SETTINGS, Policy
from gateway.report import Report, Seen
from gateway.snapshot import Snapshot
from shared.wire import Instance

NOT_SEEN = Seen()
UNREACHABLE = "UNREACHABLE"

COMPONENTS = ("discovery", "gateway", "caching", "cachingservice", "launcher")
"""Services that are parts of plexmesh; shown with their LPAR."""


def upstreams(snapshot: Snapshot, report: Report, now: float | None = None) -> list[dict[str, Any]]:
    """Each routed service: its routes, and its instances."""
    return [
        {
            "service": upstream.service,
            "sticky": upstream.sticky,
            "policy": policy_view(upstream.policy),
            "faults": list(upstream.faults),
            "panic": upstream.service in report.panic,
            "room": msgspec.to_builtins(report.rooms[upstream.service]) if upstream.service in report.rooms else None,
            "routes": [
                {"gatewayUrl": route.gateway_url, "serviceUrl": route.target.decode() or "/"}
                for route in upstream.routes
            ],
            "instances": [
                instance_view(snapshot, report, each, now) for each in instances_of(snapshot, upstream.service)
            ],
        }
        for upstream in sorted(snapshot.upstreams.values(), key=lambda each: each.service)
    ]


def policy_view(policy: Policy) -> dict[str, Any]:
    """What differs from the default, named as in plexmesh.yaml."""
    return {
        setting.name: setting.shown(getattr(policy, setting.field))
        for setting in SETTINGS
        if getattr(policy, setting.field) != getattr(PLAIN, setting.field)
    }


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


def instance_view(snapshot: Snapshot, report: Report, instance: Instance, now: float | None = None) -> dict[str, Any]:
    """`now`: monotonic seconds, for how long it has been so."""
    view, why = _judged(snapshot, report, instance)
    judgement, seen = report.health.get(instance.key), report.seen.get(instance.key, NOT_SEEN)
    endpoint = snapshot.endpoints.get(instance.key) or snapshot.drained.get(instance.key)
    return {
        "service": instance.service,
        "instance": instance.instance,
        "lpar": instance.lpar,
        "url": instance.url,
        "status": instance.status,
        "view": view,
        "why": why,
        "inFlight": report.in_flight.get(instance.key, 0),
        "idleConnections": report.idle.get(instance.key, 0),
        "owner": snapshot.owners.get(instance.owner, "alive"),
        "sinceS": round(now - judgement.since, 1) if judgement is not None and now is not None else None,
        "weight": endpoint.weight if endpoint is not None else None,
        "calls": seen.calls,
        "failed": seen.failed,
        "perS": seen.per_s,
        "failedShare": seen.failed_share,
        "latencyMs": seen.latency_ms,
        "ejections": seen.ejections,
    }


def _never_reached(snapshot: Snapshot, report: Report, instance: Instance) -> bool:
    """One whose LPAR is silent is not reached for another reason."""
    reached = report.seen.get(instance.key, NOT_SEEN).reached
    return not reached and snapshot.owners.get(instance.owner, "alive") == "alive"


def _judged(snapshot: Snapshot, report: Report, instance: Instance) -> tuple[str, str]:
    judgement = report.health.get(instance.key)
    if judgement is not None and judgement.state == "out" and _never_reached(snapshot, report, instance):
        return UNREACHABLE, f"{instance.host or instance.ip}:{instance.port}: {judgement.why}"
    if judgement is not None:
        return judgement.state, judgement.why
    if instance.status != "UP":
        return "not a candidate", f"its status is {instance.status}"
    if instance.key in snapshot.endpoints:
        return "fine", ""
    if instance.service.encode() not in snapshot.upstreams:  # nobody probes what nobody calls
        owner = snapshot.owners.get(instance.owner, "alive")
        return ("fine", "") if owner == "alive" else ("silent", f"its discovery node is {owner}")
    return "not a candidate", "it has no usable address"
