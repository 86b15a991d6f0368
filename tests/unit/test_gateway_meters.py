"""Counting, sums of several counts, and forgetting what has left."""

from __future__ import annotations

import msgspec

from gateway.meters import BOUNDS_S, COUNTED, CUT, GONE_S, KEPT_LONGER_S, MAX_ROUTES, MAX_SERVICES, OTHER, Meters


def some(service: str = "orders", route: bytes = b"/orders/api/v1", times: int = 1) -> Meters:
    meters = Meters()
    for _ in range(times):
        meters.meter(service, route).answered(2, 0.003)
    return meters


def test_answers_are_counted_by_class_and_by_how_long_they_took() -> None:
    meters = Meters()
    meter = meters.meter("orders", b"/orders/api/v1")
    for seconds in (0.0005, 0.0006, 11.0):
        meter.answered(2, seconds)
    meter.answered(CUT, 0.0)
    assert meter.answers == [0, 0, 3, 0, 0, 0, 1]
    assert meter.buckets == [2, 1, *[0] * (len(BOUNDS_S) - 2), 1]
    assert round(meter.seconds, 4) == 11.0011
    assert meters.meter("orders", b"/orders/api/v1") is meter
    assert list(meters.routes["orders"]) == ["api/v1"]
    assert meters.meter("orders", b"") is meters.routes["orders"][""]


def test_a_sum_has_everything() -> None:
    one, two = some(times=2), some("cache", times=3)
    two.meter("orders", b"/orders/ui/v1").answered(5, 1.0)
    one.pool("orders").opened = 4
    two.pool("orders").reused = 7
    for number, name in enumerate(COUNTED):
        setattr(one, name, number + 1)
        setattr(two, name, 100)
    one.add(two)
    assert {name: getattr(one, name) for name in COUNTED} == {name: 101 + n for n, name in enumerate(COUNTED)}
    assert one.routes["orders"]["api/v1"].answers[2] == 2
    assert one.routes["orders"]["ui/v1"].answers[5] == 1
    assert one.routes["cache"]["api/v1"].buckets[3] == 3
    assert (one.pools["orders"].opened, one.pools["orders"].reused) == (4, 7)
    assert two.routes["orders"]["ui/v1"] is not one.routes["orders"]["ui/v1"], "a sum shares nothing with its parts"


def test_what_is_sent_arrives_as_it_was() -> None:
    meters = some(times=2)
    meters.sent_bytes = 1 << 40
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(meters), type=Meters) == meters


def test_names_without_end_are_counted_together() -> None:
    meters = Meters()
    for number in range(MAX_SERVICES + 5):
        meters.meter(f"s{number}", b"").answered(2, 0.0)
        meters.pool(f"s{number}").opened += 1
    for number in range(MAX_ROUTES + 5):
        meters.meter("s1", b"/s1/r%d" % number).answered(2, 0.0)
    assert len(meters.routes) == len(meters.pools) == MAX_SERVICES + 1
    assert meters.routes[OTHER][""].answers[2] == 5
    assert meters.pools[OTHER].opened == 5
    assert len(meters.routes["s1"]) == MAX_ROUTES + 1
    assert meters.routes["s1"][OTHER].answers[2] == 6, "the route without a name took a place"
    twice = Meters()
    twice.add(meters)
    twice.add(meters)
    assert twice.routes[OTHER][""].answers[2] == 10
    assert twice.routes["s1"][""].answers[2] == 2


def test_a_service_that_has_left_is_forgotten_after_a_while() -> None:
    meters = some()
    meters.meter(OTHER, b"").answered(4, 0.0)
    meters.meter("gateway", b"").answered(2, 0.0)
    meters.pool("orders").opened = 1
    meters.forget({"orders"}, 0.0)
    assert not meters.gone
    meters.forget((), 1.0)
    meters.forget((), 1.0 + GONE_S)
    assert set(meters.routes) == {"orders", OTHER, "gateway"}
    meters.forget((), 1.0 + GONE_S + KEPT_LONGER_S)
    assert set(meters.routes) == {OTHER, "gateway"}
    assert not meters.pools
    assert not meters.gone


def test_one_that_came_back_is_not() -> None:
    meters = some()
    meters.forget((), 0.0)
    meters.forget({"orders"}, GONE_S)
    meters.forget((), GONE_S + 1.0)
    meters.forget((), GONE_S + KEPT_LONGER_S + 2.0)
    assert "orders" in meters.routes


def test_a_sum_hides_it_before_any_part_drops_its_share() -> None:
    early, late = some(times=2), some(times=3)
    early.forget((), 10.0)
    late.forget((), 12.0)
    for now, shown in ((10.0 + GONE_S - 1, True), (10.0 + GONE_S, False), (10.0 + GONE_S + KEPT_LONGER_S - 1, False)):
        early.forget((), now)
        late.forget((), now)
        both = Meters()
        both.add(late)
        both.add(early)
        assert both.routes["orders"]["api/v1"].answers[2] == 5
        both.drop_gone(now)
        assert ("orders" in both.routes) is shown
