"""Counting without cost: plain integers on the way of a request, summed and read by others when somebody asks.

    path.meter(service, route) ──► RouteMeter.answered(status_class, seconds)       looked up once per route
    meters.pool(service)       ──► PoolMeter.opened += 1, .reused += 1              looked up once per pool
    meters.<counter> += 1                                                           everything else

A `Meters` is plain data, so a worker can send its own, and those of several are summed by `add`. Labels come from
closed sets: services and routes of the registry. A service that has been gone for a while is forgotten, or its name
would stay for ever; nothing else ever takes a count back.

Not here: how Prometheus is told (`collector`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection

import msgspec

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "cut")
CUT = 6
"""Status class of an answer that broke off."""

MAX_SERVICES = 2000
MAX_ROUTES = 64
"""Of one service. Both bounds are for registrations that name something new again and again."""

OTHER = "other"
"""Requests that belong to no service, and what lies beyond the bounds."""

OWN = "gateway"
"""Requests to the gateway's own pages."""

GONE_S = 600.0
"""A service that left the registry is shown for so long: a restart of all its instances breaks no curve."""

KEPT_LONGER_S = 60.0
"""And its count is kept a little longer, so that of several workers none drops its share while the sum is shown."""


class RouteMeter(msgspec.Struct):
    """The answers to one route's requests. Status classes are 1 to 5, and `CUT`."""

    answers: list[int] = msgspec.field(default_factory=lambda: [0] * (CUT + 1))
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    """Per bound, those that took at most so long and longer than the bound before; the last one has no bound."""
    seconds: float = 0.0

    def answered(self, status_class: int, seconds: float) -> None:
        self.answers[status_class] += 1
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds += seconds

    def add(self, other: RouteMeter) -> None:
        self.answers = [one + two for one, two in zip(self.answers, other.answers, strict=True)]
        self.buckets = [one + two for one, two in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds


class PoolMeter(msgspec.Struct):
    """Connections to the instances of one service."""

    opened: int = 0
    reused: int = 0
    """Requests that went over a connection that was there already."""

    def add(self, other: PoolMeter) -> None:
        self.opened += other.opened
        self.reused += other.reused


class Meters(msgspec.Struct):
    """Everything one data path counts. Each integer field only grows, except `tunnels`: those open now."""

    routes: dict[str, dict[str, RouteMeter]] = {}
    """Service → gatewayUrl of the route → its meter; what was refused before a route was found has the route ""."""
    pools: dict[str, PoolMeter] = {}
    gone: dict[str, float] = {}
    """Service → since when it is not in the registry any more; monotonic, the same for all processes of a machine."""

    retries: int = 0
    retried_answers: int = 0
    retries_denied: int = 0
    ejections: int = 0
    shed: int = 0
    rate_limited: int = 0
    refused_connects: int = 0
    unknown_outcomes: int = 0
    malformed: int = 0
    upgrades: int = 0
    tunnels: int = 0
    accepted: int = 0
    accept_pauses: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    head_timeouts: int = 0
    body_timeouts: int = 0
    connect_timeouts: int = 0
    response_timeouts: int = 0
    idle_timeouts: int = 0
    write_timeouts: int = 0
    plain_http_handshakes: int = 0
    unknown_authority_handshakes: int = 0
    expired_handshakes: int = 0
    protocol_handshakes: int = 0
    refused_handshakes: int = 0
    cut_handshakes: int = 0
    silent_handshakes: int = 0
    other_handshakes: int = 0
    access_dropped: int = 0
    sticky_reads: int = 0
    sticky_chosen: int = 0
    sticky_moved: int = 0
    sticky_adopted: int = 0
    sticky_dropped: int = 0
    sticky_write_failures: int = 0
    watch_connects: int = 0
    watch_out_of_step: int = 0

    def meter(self, service: str, route: bytes) -> RouteMeter:
        """`route` is the public path (`/orders/api/v1`), or empty."""
        return _entry(self._routes(service), _label(route))

    def pool(self, service: str) -> PoolMeter:
        if service not in self.pools and len(self.pools) >= MAX_SERVICES:
            service = OTHER
        return self.pools.setdefault(service, PoolMeter())

    def _routes(self, service: str) -> dict[str, RouteMeter]:
        if service not in self.routes and len(self.routes) >= MAX_SERVICES:
            service = OTHER
        return self.routes.setdefault(service, {})

    def add(self, other: Meters) -> None:
        for service, meters in other.routes.items():
            ours = self._routes(service)
            for route, meter in meters.items():
                _entry(ours, route).add(meter)
        for service, pool in other.pools.items():
            self.pool(service).add(pool)
        for service, since in other.gone.items():
            self.gone[service] = min(since, self.gone.get(service, since))
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def forget(self, known: Collection[str], now: float) -> None:
        """Note which services are not among the `known` ones, and drop what nobody shows any more."""
        missing = (self.routes.keys() | self.pools.keys()) - set(known) - {OTHER, OWN}
        self.gone = {service: self.gone.get(service, now) for service in missing}
        self.drop_gone(now, GONE_S + KEPT_LONGER_S)

    def drop_gone(self, now: float, after_s: float = GONE_S) -> None:
        for service in [each for each, since in self.gone.items() if now - since >= after_s]:
            self.routes.pop(service, None)
            self.pools.pop(service, None)
            del self.gone[service]


COUNTED = tuple(name for name in Meters.__struct_fields__ if name not in ("routes", "pools", "gone"))


def total(meters: Collection[Meters]) -> Meters:
    found = Meters()
    for each in meters:
        found.add(each)
    return found


def _label(route: bytes) -> str:
    """`/orders/api/v1` → `api/v1`."""
    return route.decode("ascii", "replace").strip("/").partition("/")[2]


def _entry(meters: dict[str, RouteMeter], route: str) -> RouteMeter:
    if route not in meters and len(meters) >= MAX_ROUTES:
        route = OTHER
    return meters.setdefault(route, RouteMeter())
