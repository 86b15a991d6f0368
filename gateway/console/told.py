"""What a gateway tells the console of another gateway: its calls so far, and how each instance looks from there.

Counts only grow, so who asks twice knows the rates (`figures`), and nobody has to keep any for him.

    GET /console/v1/told    one `Told`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from gateway.config import GatewayConfig
from gateway.meters import BOUNDS_S, CUT, OWN, RouteMeter
from gateway.report import Report
from gateway.snapshot import Snapshot
from gateway.views import instance_view

WINDOW_S = 3.0
"""Rates and percentiles are of the last so many seconds."""

GLANCED = (
    "view", "why", "sinceS", "perS", "inFlight", "failedShare", "latencyMs", "calls", "failed", "ejections",
)  # fmt: skip

NONE = {"calls": 0}


class Told(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    lpar: str
    url: str
    at: float
    """Monotonic seconds there: only differences mean anything."""
    calls: int
    """Answers to calls of services, whatever they were; those of its own pages do not count."""
    errors: int
    """Of them, those with a status of 500 and more, and those that broke off."""
    buckets: list[int]
    """Of the time to the end of the answer, by `BOUNDS_S`."""
    in_flight: int
    clients: int
    workers: int
    node: str
    """The discovery node it follows, empty when there is none."""
    on_address: bool
    seen: dict[str, dict[str, Any]]
    """Instance key → `GLANCED` of it."""


def told(config: GatewayConfig, snapshot: Snapshot, report: Report, now: float) -> Told:
    meters = [
        meter
        for service, routes in report.meters.routes.items()
        if service != OWN
        for meter in routes.values()
    ]  # fmt: skip
    return Told(
        lpar=config.lpar,
        url=config.url(config.port),
        at=now,
        calls=sum(sum(each.answers) for each in meters),
        errors=sum(each.answers[5] + each.answers[CUT] for each in meters),
        buckets=_summed(meters),
        in_flight=sum(count for key, count in report.in_flight.items() if key),
        clients=report.clients,
        workers=report.workers,
        node=report.watch.node,
        on_address=report.vipa == "in",
        seen={key: _glance(snapshot, report, key, now) for key in snapshot.instances},
    )


def _summed(meters: Iterable[RouteMeter]) -> list[int]:
    return [sum(each) for each in zip([0] * (len(BOUNDS_S) + 1), *(meter.buckets for meter in meters), strict=True)]


def _glance(snapshot: Snapshot, report: Report, key: str, now: float) -> dict[str, Any]:
    view = instance_view(snapshot, report, snapshot.instances[key], now)
    return {name: view[name] for name in GLANCED}


def recent(samples: Sequence[Told]) -> list[Told]:
    """Those that are needed still: of one process, of the last seconds, and the one before these."""
    kept = list(samples)
    for number, (before, after) in enumerate(pairwise(samples), 1):
        if after.calls < before.calls:  # it was started anew
            kept = list(samples[number:])
    while len(kept) > 2 and kept[-1].at - kept[1].at >= WINDOW_S:
        del kept[0]
    return kept


def figures(samples: Sequence[Told]) -> dict[str, float | None]:
    """Of the window that these span: perS, errorsPerS, and p50Ms and p99Ms of what ended in it (None: nothing did)."""
    first, last = samples[0], samples[-1]
    seconds = last.at - first.at
    if seconds <= 0:
        return {"perS": None, "errorsPerS": None, "p50Ms": None, "p99Ms": None}
    buckets = [after - before for before, after in zip(first.buckets, last.buckets, strict=True)]
    return {
        "perS": round((last.calls - first.calls) / seconds, 1),
        "errorsPerS": round((last.errors - first.errors) / seconds, 2),
        "p50Ms": percentile_ms(buckets, 0.5),
        "p99Ms": percentile_ms(buckets, 0.99),
    }


def glances(samples: Sequence[Told]) -> dict[str, dict[str, Any]]:
    """How the last one sees each instance, with the rate of calls in the same window as the gateway's."""
    first, last = samples[0], samples[-1]
    seconds = last.at - first.at
    if seconds <= 0:
        return last.seen
    found = {}
    for key, glance in last.seen.items():
        calls = glance["calls"] - first.seen.get(key, NONE)["calls"]
        found[key] = glance | {"perS": round(calls / seconds, 1)} if calls >= 0 else glance
    return found


def percentile_ms(buckets: Sequence[int], share: float) -> float | None:
    """Within its bucket as if all took equally long steps; beyond the last bound: that bound."""
    wanted = sum(buckets) * share
    if not wanted:
        return None
    low_s = 0.0
    for count, high_s in zip(buckets, BOUNDS_S, strict=False):
        if count and wanted <= count:
            return round((low_s + (high_s - low_s) * wanted / count) * 1000, 2)
        wanted -= count
        low_s = high_s
    return round(BOUNDS_S[-1] * 1000, 2)
