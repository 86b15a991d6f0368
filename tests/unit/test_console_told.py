"""What a gateway tells of its calls, and the rates that follow from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.config import GatewayConfig
from gateway.console.told import Told, figures, glances, percentile_ms, recent, told
from gateway.meters import BOUNDS_S, OWN, Meters
from gateway.report import Judgement, Report, Seen
from gateway.snapshot import EMPTY, Snapshot, endpoint_of
from shared.wire import Instance, OwnerState
from tests.fakes import an_instance

ONE = an_instance("orders", 9000)
KEY = ONE.key


def a_snapshot(*instances: Instance, owners: dict[str, OwnerState] | None = None) -> Snapshot:
    endpoints = {each.key: endpoint_of(each) for each in instances}
    return Snapshot({}, endpoints, {each.key: each for each in instances}, owners or {})


def a_told(at: float = 0.0, calls: int = 0, **more: object) -> Told:
    buckets = [0] * (len(BOUNDS_S) + 1)
    buckets[3] = calls
    return replace(
        Told(
            lpar="LPAR1", url="http://127.0.1.1:7554", at=at, calls=calls, errors=0, buckets=buckets, in_flight=0,
            clients=0, workers=1, node="", on_address=True, seen={},
        ),
        **more,
    )  # fmt: skip


def test_calls_of_services_count_and_those_of_the_own_pages_do_not() -> None:
    meters = Meters()
    for service, route, status in (("orders", b"/orders/api/v1", 2), ("orders", b"", 5), (OWN, b"", 2)):
        meters.meter(service, route).answered(status, 0.003)
    report = Report(meters, in_flight={KEY: 2, "": 1}, clients=4)
    said = told(GatewayConfig(), EMPTY, report, 7.0)
    assert (said.calls, said.errors, said.in_flight, said.clients, said.at) == (2, 1, 2, 4, 7.0)
    assert sum(said.buckets) == 2


def test_how_each_instance_looks_from_there() -> None:
    snapshot = a_snapshot(ONE, an_instance("orders", 9001))
    out = Judgement("out", "connection refused", 3.0)
    report = Report(Meters(), health={KEY: out}, seen={KEY: Seen(calls=5, failed=2, per_s=0.5, reached=True)})
    seen = told(GatewayConfig(), snapshot, report, 10.0).seen
    assert [each["view"] for each in seen.values()] == ["out", "fine"]
    assert seen[KEY] == {
        "view": "out", "why": "connection refused", "sinceS": 7.0, "perS": 0.5, "inFlight": 0, "failedShare": 0.0,
        "latencyMs": 0.0, "calls": 5, "failed": 2, "ejections": 0,
    }  # fmt: skip


def test_rates_are_of_the_last_seconds() -> None:
    samples: list[Told] = []
    for second in range(20):
        samples = recent([*samples, a_told(float(second), calls=second * 10 if second < 15 else 150)])
    assert len(samples) <= 5
    assert figures(samples) == {"perS": 0.0, "errorsPerS": 0.0, "p50Ms": None, "p99Ms": None}
    assert figures(recent([*samples, a_told(20.0, calls=240)]))["perS"] == 30.0


def test_the_counts_of_a_process_that_was_started_anew_are_not_compared_with_the_ones_before() -> None:
    samples = recent([a_told(1.0, calls=900), a_told(2.0, calls=905), a_told(0.5, calls=3)])
    assert [each.calls for each in samples] == [3]
    assert figures(samples)["perS"] is None


@given(st.lists(st.integers(0, 50), min_size=len(BOUNDS_S) + 1, max_size=len(BOUNDS_S) + 1), st.floats(0.01, 1.0))
def test_a_percentile_lies_within_its_bucket(buckets: list[int], share: float) -> None:
    found = percentile_ms(buckets, share)
    if found is None:
        assert not any(buckets)
        return
    below = sum(count for count, bound in zip(buckets, BOUNDS_S, strict=False) if bound * 1000 < found - 0.01)
    assert below <= sum(buckets) * share + 1e-9
    assert 0 <= found <= BOUNDS_S[-1] * 1000


def test_the_rate_to_an_instance_is_of_the_same_window_as_the_gateways() -> None:
    before = a_told(1.0, calls=10, seen={KEY: {"calls": 4, "perS": 9.9}})
    after = a_told(3.0, calls=30, seen={KEY: {"calls": 14, "perS": 9.9}, "orders/new": {"calls": 10, "perS": 9.9}})
    assert {key: each["perS"] for key, each in glances([before, after]).items()} == {KEY: 5.0, "orders/new": 5.0}
    assert glances([after]) == after.seen
    anew = a_told(5.0, calls=31, seen={KEY: {"calls": 1, "perS": 0.2}})
    assert glances([after, anew])[KEY]["perS"] == 0.2, "a newer process of that id"


def test_a_percentile_of_one_bucket() -> None:
    buckets = [0] * (len(BOUNDS_S) + 1)
    buckets[1] = 10
    assert percentile_ms(buckets, 0.5) == pytest.approx(0.75)
    assert percentile_ms(buckets, 1.0) == pytest.approx(1.0)
