"""What Eureka's servers say about themselves: `GET status` and `GET serverinfo/statusoverrides`.

Source: Netflix Eureka, StatusResource (StatusInfo) and ServerInfoResource.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from discovery.eureka import document
from discovery.registration import Registration


def overrides(registrations: Iterable[Registration]) -> dict[str, str]:
    """Instance id → the status an operator has put over its own."""
    return {each.instance: each.override for each in registrations if each.override != "UNKNOWN"}


def status(
    up_s: float, replicas: Sequence[str], available: Sequence[str], own: Registration | None
) -> document.Document:
    """`replicas` are the other nodes' URLs, `own` is this node's registration, if it has one."""
    there = [each for each in replicas if each in available]
    general = {
        "environment": "plexmesh",
        "num-of-cpus": str(os.cpu_count() or 1),
        "server-uptime": f"{int(up_s // 3600):02}:{int(up_s // 60 % 60):02}",
    }
    return {
        "generalStats": general,
        "applicationStats": {
            "registered-replicas": _list(replicas),
            "available-replicas": _list(there),
            "unavailable-replicas": _list(each for each in replicas if each not in there),
        },
    } | ({"instanceInfo": document.instance(own)} if own is not None else {})


def _list(urls: Iterable[str]) -> str:
    """As Eureka writes it: each followed by a comma."""
    return "".join(f"{url}/eureka/," for url in urls)
