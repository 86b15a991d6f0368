"""The gateway's metrics as Prometheus reads them, made of the merged `Report` of its data paths when somebody asks.

Names are `plexmesh_gateway_<noun>_<unit>`, labels those of `meters`. A counter never goes down while the gateway lives:
what workers had counted when they ended is in the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.handshakes import REASONS
from gateway.meters import BOUNDS_S, CLASSES, Meters
from gateway.report import Report

PREFIX = "plexmesh_gateway_"

COUNTERS = {
    "retries": "attempts after the first one of a request",
    "retried_answers": "503 answers to safe methods that were not passed on, because another instance was tried",
    "retries_denied": "retries not made, because nobody else was worth it or too many had been made",
    "ejections": "times an instance was left out because of its answers",
    "shed": "calls answered 503 because as many as may be were under way",
    "rate_limited": "calls answered 429",
    "refused_connects": "connects that were refused, unreachable or too slow",
    "unknown_outcomes": "calls answered 503 because an instance died with them",
    "malformed": "requests refused because of their form",
    "upgrades": "connections turned into tunnels",
    "accepted": "client connections accepted",
    "accept_pauses": "times accepting paused at a limit of connections or descriptors",
    "received_bytes": "bytes received from clients",
    "sent_bytes": "bytes sent to clients",
    "access_dropped": "calls that have no line in the access log, because it could not be written or not fast enough",
    "sticky_reads": "users whose instance was asked for in the caching service",
    "sticky_chosen": "users who got an instance of their own",
    "sticky_moved": "users led to another instance, theirs being gone or ejected",
    "sticky_adopted": "choices given up for another gateway's, which was quicker",
    "sticky_dropped": "choices lost, because too many waited to be written",
    "sticky_write_failures": "tries to write a choice that failed",
    "watch_connects": "watch streams opened to a discovery node",
    "watch_out_of_step": "watch streams given up because a change was lost",
}

TIMEOUTS = ("head", "body", "connect", "response", "idle", "write")


class MeterCollector(Collector):
    def __init__(self, read: Callable[[], Report]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        report = self._read()
        meters = report.meters
        yield answers(meters)
        yield latency(meters)
        yield timeouts(meters)
        yield handshakes(meters)
        yield from pools(report)
        for name, help in COUNTERS.items():
            yield _counter(name, help, [([], getattr(meters, name))])
        for name, (help, value) in gauges(report).items():
            family = GaugeMetricFamily(PREFIX + name, help)
            family.add_metric([], value)
            yield family


def gauges(report: Report) -> dict[str, tuple[str, float]]:
    return {
        "in_flight_requests": ("requests being answered", sum(report.in_flight.values())),
        "connections": ("client connections", report.clients),
        "tunnels": ("client connections that are tunnels (websockets)", report.meters.tunnels),
        "endpoints": ("instances that requests may go to", report.endpoints),
        "endpoints_out": ("instances this gateway avoids", len(report.health)),
        "workers": ("worker processes that serve", report.workers),
    }


def answers(meters: Meters) -> Metric:
    labels = ["upstream", "route", "status"]
    family = CounterMetricFamily(f"{PREFIX}requests", "answers by service, route and status class", labels=labels)
    for service, routes in meters.routes.items():
        for route, meter in routes.items():
            for number, name in enumerate(CLASSES, start=1):
                if meter.answers[number]:
                    family.add_metric([service, route, name], meter.answers[number])
    return family


def latency(meters: Meters) -> Metric:
    labels = ["upstream", "route"]
    family = HistogramMetricFamily(f"{PREFIX}request_seconds", "from head to end of answer", labels=labels)
    for service, routes in meters.routes.items():
        for route, meter in routes.items():
            total, buckets = 0, []
            for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], meter.buckets, strict=True):
                total += count
                buckets.append((bound, float(total)))
            family.add_metric([service, route], buckets, meter.seconds)
    return family


def timeouts(meters: Meters) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}timeouts", "waits that were given up, by what was awaited", labels=["kind"])
    for kind in TIMEOUTS:
        family.add_metric([kind], getattr(meters, f"{kind}_timeouts"))
    return family


def handshakes(meters: Meters) -> Metric:
    help = "handshakes of clients that came to nothing, by the reason"
    family = CounterMetricFamily(f"{PREFIX}handshakes_failed", help, labels=["reason"])
    for reason in REASONS:
        family.add_metric([reason], getattr(meters, f"{reason}_handshakes"))
    return family


def pools(report: Report) -> Iterator[Metric]:
    pools = report.meters.pools
    yield _counter(
        "pool_opened", "connections opened to instances", [([name], pool.opened) for name, pool in pools.items()]
    )
    yield _counter(
        "pool_reused",
        "requests sent over a connection that was there already",
        [([name], pool.reused) for name, pool in pools.items()],
    )
    idle = GaugeMetricFamily(f"{PREFIX}pool_idle", "kept-alive connections to instances", labels=["upstream"])
    for service, count in report.idle_by_service().items():
        idle.add_metric([service], count)
    yield idle


def _counter(name: str, help: str, samples: Iterable[tuple[list[str], float]]) -> Metric:
    samples = list(samples)
    labels = ["upstream"] if any(labels for labels, _ in samples) else []
    family = CounterMetricFamily(PREFIX + name, help, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
