"""Counting without cost: plain integers on the path of a request, read by a collector when somebody asks.

Names are `plexmesh_gateway_<noun>_<unit>`. Labels come from closed sets: service ids of the registry (dropped with the
last route to them), status classes, kinds of trouble.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "cut")
CUT = 6
"""Status class of an answer that broke off."""

MAX_SERVICES = 2000
OTHER = "other"
"""Requests that belong to no service, and those of services beyond MAX_SERVICES."""


class ServiceMeter:
    __slots__ = ("answers", "buckets", "seconds")

    def __init__(self) -> None:
        self.answers = [0] * 7
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.seconds = 0.0

    def answered(self, status_class: int, seconds: float) -> None:
        self.answers[status_class] += 1
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds += seconds


class Meters(Collector):
    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        """`gauges`: name → (help, how to read it)."""
        self._gauges = gauges
        self.services: dict[str, ServiceMeter] = {}
        self.retries = 0
        self.refused_connects = 0
        self.unknown_outcomes = 0
        self.malformed = 0
        self.upgrades = 0
        self.accepted = 0
        self.accept_pauses = 0
        self.watch_connects = 0
        self.watch_out_of_step = 0

    def of(self, service: str) -> ServiceMeter:
        meter = self.services.get(service)
        if meter is None:
            if len(self.services) >= MAX_SERVICES:
                service = OTHER
            meter = self.services.setdefault(service, ServiceMeter())
        return meter

    def collect(self) -> Iterable[Metric]:
        prefix = "plexmesh_gateway_"
        yield self._answers(prefix)
        yield self._latency(prefix)
        for name, help in COUNTERS.items():
            counter = CounterMetricFamily(f"{prefix}{name}", help)
            counter.add_metric([], getattr(self, name))
            yield counter
        for name, (help, read) in self._gauges.items():
            gauge = GaugeMetricFamily(f"{prefix}{name}", help)
            gauge.add_metric([], read())
            yield gauge

    def _answers(self, prefix: str) -> Metric:
        family = CounterMetricFamily(
            f"{prefix}requests", "answers by service and status class", labels=["upstream", "status"]
        )
        for service, meter in self.services.items():
            for number, name in enumerate(CLASSES, start=1):
                if meter.answers[number]:
                    family.add_metric([service, name], meter.answers[number])
        return family

    def _latency(self, prefix: str) -> Metric:
        family = HistogramMetricFamily(f"{prefix}request_seconds", "from head to end of answer", labels=["upstream"])
        for service, meter in self.services.items():
            total, buckets = 0, []
            for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], meter.buckets, strict=True):
                total += count
                buckets.append((bound, float(total)))
            family.add_metric([service], buckets, meter.seconds)
        return family


COUNTERS = {
    "retries": "attempts after the first one of a request",
    "refused_connects": "connects that were refused, unreachable or too slow",
    "unknown_outcomes": "calls answered 503 because an instance died with them",
    "malformed": "requests refused because of their form",
    "upgrades": "connections turned into tunnels",
    "accepted": "client connections accepted",
    "accept_pauses": "times accepting paused at a limit of connections or descriptors",
    "watch_connects": "watch streams opened to a discovery node",
    "watch_out_of_step": "watch streams given up because a change was lost",
}
