"""Reads a list as Prometheus does (`eureka_sd_configs`), only more strictly: what has a type there must be of it.

Source: Prometheus, discovery/eureka (the structs that its XML is decoded into): whole numbers for `versions__delta`,
`countryId` and both ports, true or false for `isCoordinatingDiscoveryServer` and both `enabled`; text else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

TEXTS = {
    "instanceId", "hostName", "app", "ipAddr", "status", "overriddenstatus", "vipAddress", "secureVipAddress",
    "homePageUrl", "statusPageUrl", "healthCheckUrl", "secureHealthCheckUrl", "appGroupName", "asgName", "actionType",
}  # fmt: skip
WHOLE = {"countryId", "lastUpdatedTimestamp", "lastDirtyTimestamp"}
NEEDED = {"instanceId", "hostName", "app", "ipAddr", "status", "port", "securePort", "dataCenterInfo", "metadata"}


@dataclass
class Target:
    """One instance as Prometheus has it."""

    texts: dict[str, str]
    port: tuple[int, bool]
    secure_port: tuple[int, bool]
    metadata: dict[str, str]


def read(body: bytes) -> list[Target]:
    """Raises ValueError, or ElementTree's ParseError."""
    root = ElementTree.fromstring(body)
    if root.tag != "applications" or root.attrib:
        raise ValueError(f"expected applications, got {root.tag} {root.attrib}")
    version, hashcode, *applications = root
    if (version.tag, hashcode.tag) != ("versions__delta", "apps__hashcode"):
        raise ValueError(f"expected version and hash, got {version.tag}, {hashcode.tag}")
    whole(version)
    return [target(each) for application in applications for each in instances(application)]


def instances(application: Element) -> list[Element]:
    name, *found = application
    if (application.tag, name.tag, {each.tag for each in found}) != ("application", "name", {"instance"}):
        raise ValueError(f"expected a name and instances, got {ElementTree.tostring(application)!r}")
    return found


def target(instance: Element) -> Target:
    parts = {each.tag: each for each in instance}
    if len(parts) != len(instance):
        raise ValueError(f"expected each field once, got {[each.tag for each in instance]}")
    if missing := NEEDED - parts.keys():
        raise ValueError(f"expected all that is needed, missing {missing}")
    for name in WHOLE & parts.keys():
        whole(parts[name])
    true_or_false(parts["isCoordinatingDiscoveryServer"].text)
    for stamp in parts["leaseInfo"]:
        whole(stamp)
    if set(parts["dataCenterInfo"].attrib) != {"class"}:
        raise ValueError(f"dataCenterInfo: expected its class, got {parts['dataCenterInfo'].attrib}")
    return Target(
        texts={name: text(parts[name]) for name in TEXTS & parts.keys()},
        port=port(parts["port"]),
        secure_port=port(parts["securePort"]),
        metadata={unescaped(each.tag): text(each) for each in parts["metadata"]},
    )


def port(element: Element) -> tuple[int, bool]:
    if set(element.attrib) != {"enabled"}:
        raise ValueError(f"{element.tag}: expected enabled, got {element.attrib}")
    return whole(element), true_or_false(element.attrib["enabled"])


def whole(element: Element) -> int:
    if not re.fullmatch("-?[0-9]{1,19}", element.text or "") or len(element) or abs(int(element.text or "")) >> 63:
        raise ValueError(f"{element.tag}: expected a whole number, got {element.text!r}")
    return int(element.text or "")


def text(element: Element) -> str:
    if element.attrib or len(element):
        raise ValueError(f"{element.tag}: expected nothing but text, got {ElementTree.tostring(element)!r}")
    return element.text or ""


def true_or_false(said: str | None) -> bool:
    if said not in ("true", "false"):
        raise ValueError(f"expected true or false, got {said!r}")
    return said == "true"


def unescaped(name: str) -> str:
    """The key that XStream's escaping made this element's name of. Raises ValueError for an escape that is none."""
    units = re.sub("_(_|-|\\.[0-9a-f]{4}|)", lambda found: meant(name, found[1]), name)
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


def meant(name: str, escape: str) -> str:
    if not escape:
        raise ValueError(f"{name}: expected an escape after _")
    return {"_": "_", "-": "$"}.get(escape) or chr(int(escape[1:], 16))
