"""The registry in short, by domain: `[{apimlId, services: [{serviceId, status, apiId: […], customMetadata}]}]`.

A domain is one mesh with gateways of its own. Here it is the sysplex, and its name the domain's id. A domain without
such services is left out. The customMetadata is that of the first instance.

Source: Zowe API Mediation Layer, the central gateway's registry.
Not here: services of other domains, whose gateways would have to be asked.
"""

from __future__ import annotations

from typing import Any

from gateway.snapshot import Snapshot
from gateway.zowe.services import api_ids, listed


def domains(
    snapshot: Snapshot, own: str, external: str, *, domain: str = "", api_id: str = "", service: str = ""
) -> list[dict[str, Any]]:
    """`own` is this domain's id; empty filters let all pass."""
    if domain not in ("", own):
        return []
    found = [each for each in listed(snapshot, external, api_id) if service in ("", each["serviceId"])]
    return [{"apimlId": own, "services": [_short(each) for each in found]}] if found else []


def _short(view: dict[str, Any]) -> dict[str, Any]:
    first = next(iter(view["instances"].values()))
    return {
        "serviceId": view["serviceId"],
        "status": view["status"],
        "apiId": api_ids(view),
        "customMetadata": first["customMetadata"],
    }
