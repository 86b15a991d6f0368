"""A caching instance's numbers for Prometheus: operations by kind and outcome, and the commits behind them."""

from __future__ import annotations

import functools
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OUTCOMES = {
    400: "bad_input",
    401: "no_caller",
    403: "refused",
    404: "missing",
    409: "exists",
    412: "changed",
    413: "too_long",
    503: "unavailable",
    504: "unknown",
    507: "full",
}
"""By the error's status; none is `ok`, any other is `error`."""

OPERATION_S = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
COMMIT_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
WRITES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class CachingMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        operations = Counter(
            "plexmesh_caching_operations", "Operations by kind and outcome", ["kind", "outcome"], registry=registry
        )
        seconds = Histogram(
            "plexmesh_caching_operation_seconds", "From request to answer", ["kind"], buckets=OPERATION_S,
            registry=registry,
        )  # fmt: skip
        self._registry = registry
        self._commit_writes = Histogram(
            "plexmesh_caching_commit_writes", "Writes in one commit", buckets=WRITES, registry=registry
        )
        self._commit_s = Histogram(
            "plexmesh_caching_commit_seconds", "One commit with its wait for the lock", buckets=COMMIT_S,
            registry=registry,
        )  # fmt: skip
        # labels() takes a lock and costs more than counting; there are few of them
        self._operations = functools.cache(operations.labels)
        self._seconds = functools.cache(seconds.labels)

    def operation(self, kind: str, error_status: int | None, seconds: float) -> None:
        outcome = "ok" if error_status is None else OUTCOMES.get(error_status, "error")
        self._operations(kind, outcome).inc()
        self._seconds(kind).observe(seconds)

    def committed(self, writes: int, seconds: float) -> None:
        self._commit_writes.observe(writes)
        self._commit_s.observe(seconds)

    def waiting(self, count: Callable[[], float]) -> None:
        gauge = Gauge("plexmesh_caching_waiting_writes", "Writes waiting for a commit", registry=self._registry)
        gauge.set_function(count)
