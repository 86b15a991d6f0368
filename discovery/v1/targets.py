"""What Prometheus is to scrape: the instances that are UP, in the form of its http_sd.

Metadata says more, in the words of Prometheus' own Eureka discovery: `prometheus.path` and `prometheus.port` where the
metrics are, `prometheus.scrape` false that there are none. All metadata comes as `__meta_plexmesh_metadata_…`, for
relabelling.

Source: Prometheus, "Writing HTTP service discovery"; its configuration, `http_sd_config` and `eureka_sd_config`.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
from aiohttp import web

from discovery.node import Node
from discovery.record import UP
from discovery.registration import unpack
from discovery.v1.answers import Answers
from discovery.v1.shapes import TargetGroup
from discovery.view import Held
from shared.wire import Instance

PATH, PORT, SCRAPE = "prometheus.path", "prometheus.port", "prometheus.scrape"

_encode = msgspec.json.Encoder().encode
_NOT_IN_A_LABEL = re.compile(r"[^A-Za-z0-9_]")


class Targets:
    def __init__(self, node: Node, answers: Answers) -> None:
        self._node = node
        self._answers = answers

    async def targets(self, request: web.Request) -> web.StreamResponse:
        service = request.query.get("service")
        view = self._node.view
        held = list(view.all()) if service is None else view.of(service.lower())
        instances = (_instance(each) for each in held if each[1].state == UP)
        parts = (_encode(group) for each in instances if (group := target_of(each)) is not None)
        return await self._answers.listed(request, b"[", parts, b"]", len(held))


def target_of(instance: Instance) -> TargetGroup | None:
    """None: it has no metrics."""
    if instance.metadata.get(SCRAPE, "").lower() == "false":
        return None
    host = f"[{instance.host}]" if ":" in instance.host else instance.host
    labels = {
        "__meta_plexmesh_service": instance.service,
        "__meta_plexmesh_instance": instance.instance,
        "__meta_plexmesh_status": instance.status,
        "__meta_plexmesh_lpar": instance.lpar or "",
        "__scheme__": "https" if instance.secure else "http",
    }
    if PATH in instance.metadata:
        labels["__metrics_path__"] = instance.metadata[PATH]
    for name, value in instance.metadata.items():
        labels[_label(name)] = value
    port = instance.metadata.get(PORT, "")
    return TargetGroup([f"{host}:{port if port.isdigit() else instance.port}"], labels)


@lru_cache(10_000)
def _label(name: str) -> str:
    """Of a metadata key."""
    return "__meta_plexmesh_metadata_" + _NOT_IN_A_LABEL.sub("_", name)


def _instance(held: Held) -> Instance:
    origin, record = held
    return unpack(record.body).seen_by_watchers(origin, record.gen, record.rev)
