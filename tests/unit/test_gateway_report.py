"""Several reports as one, and what the pages make of it."""

from __future__ import annotations

from dataclasses import replace

from gateway import report, views
from gateway.collector import MeterCollector
from gateway.crew import common
from gateway.fold import Fold
from gateway.meters import Meters
from gateway.policy import Policy
from gateway.report import Judgement, Report, Seen, WatchState
from gateway.snapshot import EMPTY, Snapshot
from shared.wire import Mark, Put, checksum
from tests.fakes import an_instance

ORDERS = an_instance("orders", 9000)
KEY = ORDERS.key


def a_report(**fields: object) -> Report:
    return Report(Meters(), **fields)  # type: ignore[arg-type]


def merged(*reports: Report) -> Report:
    found = report.nothing()
    for each in reports:
        found.add(each)
    return found


def a_snapshot() -> Snapshot:
    fold = Fold()
    fold.begin()
    fold.apply(Put([ORDERS]))
    snapshot = fold.apply(Mark("t1", 1, checksum(0, KEY, ORDERS.gen, ORDERS.rev), True))
    assert snapshot is not None
    return snapshot


def test_numbers_are_summed() -> None:
    one = a_report(in_flight={KEY: 2, "x": 1}, idle={KEY: 1}, clients=3, endpoints=5)
    two = a_report(in_flight={KEY: 3}, idle={KEY: 4, "orders/2": 1, "a/1": 1}, clients=4, endpoints=4)
    one.meters.retries, two.meters.retries = 1, 2
    both = merged(one, two)
    assert both.in_flight == {KEY: 5, "x": 1}
    assert both.idle_by_service() == {"orders": 6, "a": 1}
    assert (both.clients, both.workers, both.endpoints, both.meters.retries) == (7, 2, 5, 3)


def test_the_worst_that_anybody_says_about_an_instance_counts() -> None:
    fine, unproven = a_report(seen={KEY: Seen(reached=True)}), a_report(health={KEY: Judgement("unproven", "silent")})
    out = a_report(health={KEY: Judgement("out", "refused")})
    for order in ((fine, unproven, out), (out, unproven, fine), (unproven, out, fine)):
        both = merged(*order)
        assert both.health == {KEY: Judgement("out", "refused")}
        (upstream,) = views.upstreams(a_snapshot(), both)
        assert (upstream["instances"][0]["view"], upstream["instances"][0]["why"]) == ("out", "refused")
    assert merged(fine, unproven).health[KEY].state == "unproven"
    assert not merged(fine, fine).health


def test_reasons_are_told_once_and_any_trouble_shows() -> None:
    one = a_report(why_not_ready=["a", "b"], vipa="out", watch=WatchState("n1", "t1"))
    two = a_report(why_not_ready=["b", "c"], vipa="in", watch=WatchState("", "t0", "it is silent"), vipa_trouble="x")
    for both in (merged(one, two), merged(two, one)):
        assert sorted(both.why_not_ready) == ["a", "b", "c"]
        assert (both.vipa, both.vipa_trouble) == ("in", "x")
        assert both.watch == WatchState("", "t0", "it is silent")
    assert merged(one).watch.node == "n1"
    assert merged(one, one).vipa == "out"


def test_pages_show_what_the_slowest_worker_has() -> None:
    history = [replace(EMPTY, token=token) for token in ("t1", "t2", "t3")]
    assert common(history, {"t3", "t2"}).token == "t2"
    assert common(history, {"t3"}).token == "t3"
    assert common(history, {"t4", "t3"}).token == "t3"
    assert common(history, {"elsewhere"}).token == "t3"
    assert common(history, ()).token == "t3"


def test_one_that_drains_counts_but_says_nothing_about_the_whole() -> None:
    both = report.nothing()
    draining = a_report(
        why_not_ready=["leaving"], clients=2, in_flight={KEY: 1}, vipa="in", listening=True,
        health={KEY: Judgement("out", "")},
    )  # fmt: skip
    both.add(draining, serving=False)
    both.add(a_report(clients=1, watch=WatchState("n", "t")))
    assert (both.clients, both.in_flight, both.workers) == (3, {KEY: 1}, 1)
    assert (both.why_not_ready, both.vipa, both.listening, both.health) == ([], "out", False, {})
    assert both.watch.node == "n"


def test_the_collector_names_every_counter_of_the_meters() -> None:
    one = a_report(idle={KEY: 3}, workers=2)
    for number, name in enumerate(Meters.__struct_fields__[3:]):
        setattr(one.meters, name, 1000 + number)
    one.meters.pool("orders").opened = 5
    one.meters.pool("orders").reused = 6
    one.meters.meter("orders", b"/orders/api/v1").answered(2, 0.002)
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in MeterCollector(lambda: one).collect()
        for sample in family.samples
    }
    values = set(samples.values())
    assert all(1000 + number in values for number in range(len(Meters.__struct_fields__[3:])))
    upstream = ("upstream", "orders")
    assert samples["plexmesh_gateway_pool_opened_total", upstream] == 5
    assert samples["plexmesh_gateway_pool_reused_total", upstream] == 6
    assert samples["plexmesh_gateway_pool_idle", upstream] == 3
    route = ("route", "api/v1")
    assert samples["plexmesh_gateway_requests_total", route, ("status", "2xx"), upstream] == 1
    assert samples["plexmesh_gateway_request_seconds_bucket", ("le", "0.0025"), route, upstream] == 1
    assert samples["plexmesh_gateway_request_seconds_bucket", ("le", "0.001"), route, upstream] == 0
    assert samples[("plexmesh_gateway_workers",)] == 2


def test_a_policy_is_shown_as_it_would_stand_in_the_file() -> None:
    assert views.policy_view(Policy(queue_s=0.25, max_queue=3)) == {"queueMs": 250, "maxQueue": 3}
