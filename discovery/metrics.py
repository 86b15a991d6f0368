"""A discovery node's numbers for Prometheus, read from the node when asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from discovery.node import Node
from discovery.record import STATUS_OF
from discovery.watch import Watch


class NodeMetrics(Collector):
    def __init__(self, node: Node, watch: Watch) -> None:
        self._node = node
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        instances = GaugeMetricFamily("plexmesh_discovery_instances", "Visible instances by status", labels=["status"])
        counts = Counter(STATUS_OF[record.state] for _, record in self._node.view.all())
        for status in STATUS_OF.values():
            instances.add_metric([status], counts[status])
        yield instances
        peers = GaugeMetricFamily("plexmesh_discovery_peers", "Peers by this node's judgement", labels=["state"])
        states = Counter(link.liveness.state for link in self._node.links.values())
        for state in ("alive", "suspect", "dead"):
            peers.add_metric([state], states[state])
        yield peers
        yield GaugeMetricFamily("plexmesh_discovery_leases", "Leases this node owns", self._node.leases)
        yield GaugeMetricFamily("plexmesh_discovery_watchers", "Open watch streams", len(self._watch))
        yield GaugeMetricFamily("plexmesh_discovery_covered", "1 when lists are served", int(self._node.covered))
