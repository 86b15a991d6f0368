"""Registrations as Eureka's documents: plain dicts in Netflix's JSON dialect, which `render` turns into JSON or XML.

The dialect is sensitive: a port's number is a number and its flag is text, stamps are text, an empty map carries a Java
class name, `leaseInfo` is always there, nothing nested is added anywhere. One instance's document is the same in lists,
deltas and alone.

The hash of a list counts instances per status, in the order of the names: `DOWN_1_UP_2_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from discovery.registration import Registration

EMPTY_MAP = {"@class": "java.util.Collections$EmptyMap"}

COMPACT = frozenset(
    (
        "instanceId", "hostName", "app", "ipAddr", "status", "port", "securePort", "dataCenterInfo", "vipAddress",
        "secureVipAddress", "asgName", "lastUpdatedTimestamp", "actionType",
    )
)  # fmt: skip
"""What is left of an instance in the compact form."""

COMPACT_AMAZON = ("instance-id", "public-ipv4", "public-hostname", "local-ipv4", "availability-zone")
"""And of its data centre's metadata."""

Document = dict[str, Any]


def instance(given: Registration, action: str = "ADDED", evicted_ms: int = 0) -> Document:
    document: Document = {
        "instanceId": given.instance,
        "hostName": given.host,
        "app": given.app,
        "ipAddr": given.ip,
        "status": given.effective,
        "overriddenStatus": given.override,
        "port": {"$": given.port, "@enabled": _flag(given.port_enabled)},
        "securePort": {"$": given.secure_port, "@enabled": _flag(given.secure_port_enabled)},
        "countryId": given.country,
        "dataCenterInfo": _data_center(given),
        "leaseInfo": {
            "renewalIntervalInSecs": given.renew_s,
            "durationInSecs": given.lease_s,
            "registrationTimestamp": given.registered_ms,
            "lastRenewalTimestamp": given.updated_ms,
            "evictionTimestamp": evicted_ms,
            "serviceUpTimestamp": given.up_ms,
        },
        "metadata": given.metadata or EMPTY_MAP,
    }
    optional = {
        "appGroupName": given.app_group,
        "homePageUrl": given.home_page_url,
        "statusPageUrl": given.status_page_url,
        "healthCheckUrl": given.health_check_url,
        "secureHealthCheckUrl": given.secure_health_check_url,
        "vipAddress": given.vip,
        "secureVipAddress": given.secure_vip,
        "asgName": given.asg,
    }
    document |= {name: value for name, value in optional.items() if value}
    return document | {
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": str(given.updated_ms),
        "lastDirtyTimestamp": str(given.dirty_ms),
        "actionType": action,
    }


def compact(document: Document) -> Document:
    """An instance's compact form."""
    short = {name: value for name, value in document.items() if name in COMPACT}
    center = document["dataCenterInfo"]
    if "metadata" in center:
        kept = {name: center["metadata"][name] for name in COMPACT_AMAZON if name in center["metadata"]}
        short["dataCenterInfo"] = {**center, "metadata": kept or EMPTY_MAP}
    return short


def applications(documents: Iterable[Document], version: int, hashcode: str) -> Document:
    by_app: dict[str, list[Document]] = {}
    for document in documents:
        by_app.setdefault(document["app"], []).append(document)
    return {
        "versions__delta": str(version),
        "apps__hashcode": hashcode,
        "application": [application(app, by_app[app]) for app in sorted(by_app)],
    }


def application(app: str, documents: list[Document]) -> Document:
    return {"name": app, "instance": documents}


def hashcode(counts: Mapping[str, int]) -> str:
    """From how many instances there are of each status."""
    return "".join(f"{status}_{counts[status]}_" for status in sorted(counts) if counts[status])


def _data_center(given: Registration) -> Document:
    center: Document = {"@class": given.data_center.java_class, "name": given.data_center.name}
    return center | ({"metadata": given.data_center.metadata} if given.data_center.metadata else {})


def _flag(value: bool) -> str:
    return "true" if value else "false"
