"""The flat, dotted keys of a registration, read back into what they say.

    apiml.apiInfo.<i>.{apiId, version, gatewayUrl, …}, apiml.apiInfo.<i>.codeSnippet.<j>.{…}     one API each
    apiml.authentication.{scheme, applid, headers, sso}
    anything that does not begin with "apiml."                                                   the service's own

What is not said is not there: no empty strings stand in for it.

Source: Zowe API Mediation Layer, metadata of onboarded services.
Not here: routes as requests use them (`gateway.routes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ZOWES = "apiml."
API_INFO = ZOWES + "apiInfo."
AUTHENTICATION = ZOWES + "authentication."
SERVICE = ZOWES + "service."
TILE = ZOWES + "catalog.tile."

API_FIELDS = ("apiId", "version", "gatewayUrl", "swaggerUrl", "documentationUrl")
SNIPPET = "codeSnippet"
SNIPPET_FIELDS = ("endpoint", "codeBlock", "language")


def below(metadata: Mapping[str, str], prefix: str) -> dict[str, str]:
    """What stands below a prefix, by the rest of its key."""
    return {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix)}


def numbered(metadata: Mapping[str, str], prefix: str) -> dict[str, dict[str, str]]:
    """`<prefix><name>.<rest>` by name, then by rest; names in order, with 10 behind 9."""
    found: dict[str, dict[str, str]] = {}
    for key, value in below(metadata, prefix).items():
        name, _, rest = key.partition(".")
        found.setdefault(name, {})[rest] = value
    return {name: found[name] for name in sorted(found, key=lambda each: (len(each), each))}


def apis(metadata: Mapping[str, str]) -> list[dict[str, Any]]:
    return [_api(said) for said in numbered(metadata, API_INFO).values()]


def _api(said: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = given(said, API_FIELDS)
    if "gatewayUrl" in found:
        found["gatewayUrl"] = found["gatewayUrl"].strip("/")
    snippets = [given(each, SNIPPET_FIELDS) for each in numbered(said, SNIPPET + ".").values()]
    if snippets:
        found[SNIPPET] = snippets
    found["defaultApi"] = truth(said.get("defaultApi", ""))
    return found


def authentication(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Empty where nothing is said of it."""
    said = below(metadata, AUTHENTICATION)
    found: dict[str, Any] = given(said, ("scheme", "applid", "headers"))
    if "sso" in said:
        found["sso"] = truth(said["sso"])
    return found


def custom(metadata: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if not key.startswith(ZOWES)}


def given(said: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Those of the names that have a value."""
    return {name: said[name] for name in names if said.get(name)}


def truth(text: str) -> bool:
    return text.strip().lower() == "true"
