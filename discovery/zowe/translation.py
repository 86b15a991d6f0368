"""Metadata of Zowe's version 1 in the words of version 2, which is all that a gateway reads.

    routed-services.<k>.gateway-url, service-url      apiml.routes.<k>.gatewayUrl, serviceUrl
    mfaas.discovery.catalogUiTile.<name>              apiml.catalog.tile.<name>
    mfaas.discovery.service.<name>                    apiml.service.<name>
    enableApiDoc, apiVersionProperties                dropped
    version                                           2.2.0

Metadata without `version` is of version 1, and one that has a version is left as it is, so translating twice changes
nothing. An instance that says nothing of Zowe's gets no version: other clients of Eureka find what they registered.

A service of z/OSMF that says nothing of how it authenticates does it in z/OSMF's way.

Source: Zowe API Mediation Layer, metadata of onboarded services.
"""

from __future__ import annotations

VERSION_KEY = "version"
VERSION = "2.2.0"
SCHEME_KEY = "apiml.authentication.scheme"

OLD_ROUTES, ROUTES = "routed-services.", "apiml.routes."
PARTS = {"gateway-url": "gatewayUrl", "service-url": "serviceUrl"}
RENAMED = {
    f"{old}.{name}": f"{new}.{name}"
    for old, new, names in (
        ("mfaas.discovery.catalogUiTile", "apiml.catalog.tile", ("id", "version", "title", "description")),
        ("mfaas.discovery.service", "apiml.service", ("title", "description")),
    )
    for name in names
}
DROPPED = ("mfaas.discovery.enableApiDoc", "mfaas.api-info.apiVersionProperties.")
ZOWES = (OLD_ROUTES, "apiml.", "mfaas.")


def translated(service: str, metadata: dict[str, str]) -> dict[str, str]:
    """The same dict where there is nothing to do; it is never changed."""
    if "zosmf" in service.lower() and SCHEME_KEY not in metadata:
        metadata = {**metadata, SCHEME_KEY: "zosmf"}
    if VERSION_KEY not in metadata and any(key.startswith(ZOWES) for key in metadata):
        metadata = _version_2(metadata)
    return metadata


def _version_2(metadata: dict[str, str]) -> dict[str, str]:
    kept, renamed = {}, {}
    for key, value in metadata.items():
        name = _renamed(key)
        if name == key:
            kept[key] = value
        elif name:
            renamed[name] = value
    return kept | renamed | {VERSION_KEY: VERSION}


def _renamed(key: str) -> str:
    """Empty: dropped."""
    if key.startswith(OLD_ROUTES):
        name, _, part = key.removeprefix(OLD_ROUTES).rpartition(".")
        return f"{ROUTES}{name}.{PARTS.get(part, part)}"
    if key.startswith(DROPPED):
        return ""
    return RENAMED.get(key, key)
