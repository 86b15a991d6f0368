"""Token buckets: what comes in at once and in the long run, who is told to wait how long, who is forgotten."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rates import Buckets, Rate

UPTIMES = st.sampled_from((0.0, 0.1, 1e3, 5e6))
"""What a monotonic clock may show at first: it counts from a machine's start."""


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("20/1m", Rate(20, 20, 60.0)),
        ("100/1s", Rate(100, 100, 1.0)),
        ("5/1h", Rate(5, 5, 3600.0)),
        ("20/15m", Rate(20, 20, 900.0)),
        ("20/1m,40", Rate(40, 20, 60.0)),
        ("20/1m,1", Rate(1, 20, 60.0)),
        (" 20/1m, 40 ", Rate(40, 20, 60.0)),
    ],
)
def test_rates_are_read(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        "", "20", "20/m", "/1m", "20/1", "20/1d", "20/1M", "0/1m", "20/0m", "20/1m,0", "20/1m,", "20/1m,,40", "-1/1m",
        "1.5/1s", "20/1m 40", "20 / 1m", "٢٠/1m", "20/1m\n,40", "9" * 8 + "/1s", "9" * 5000 + "/1s", "20/1m,40,60",
    ],
)  # fmt: skip
def test_what_is_no_rate_is_refused_and_an_example_given(text: str) -> None:
    with pytest.raises(ValueError, match="expected calls per time, such as 100/1s, 20/1m or 5/1h") as refusal:
        Rate.parse(text)
    assert str(refusal.value).startswith(repr(text))


def test_capacity_at_once_then_one_for_each_that_comes_back() -> None:
    buckets, rate = Buckets(10), Rate.parse("20/1m,3")
    assert [buckets.take(rate, "a", 100.0) for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(3.0)]
    assert buckets.take(rate, "a", 101.0) == pytest.approx(2.0)
    assert buckets.take(rate, "a", 103.0) == 0.0
    assert buckets.take(rate, "a", 103.0) == pytest.approx(3.0)


def test_a_rest_fills_the_bucket_up_to_its_capacity_and_no_further() -> None:
    buckets, rate = Buckets(10), Rate.parse("20/1m,3")
    taken(buckets, rate, "a", 0.0)
    assert taken(buckets, rate, "a", 1e6) == 3


def test_callers_do_not_take_from_one_another() -> None:
    buckets, rate = Buckets(10), Rate.parse("5/1h")
    assert taken(buckets, rate, "a", 0.0) == taken(buckets, rate, "b", 0.0) == 5


def test_a_new_rate_holds_at_once() -> None:
    buckets, quick, slow = Buckets(10), Rate.parse("100/1s"), Rate.parse("1/1h")
    assert buckets.take(quick, "rich", 0.0) == 0.0
    assert buckets.take(slow, "rich", 0.5) == 0.0
    assert buckets.take(slow, "rich", 0.5) == pytest.approx(3600.0), "99 were held, and 1 is the most now"
    assert taken(buckets, slow, "poor", 0.0) == 1
    assert buckets.take(quick, "poor", 1.0) == 0.0, "nobody waits for an hour any more"


def test_who_asks_on_and_on_is_not_forgotten_and_who_is_away_longest_is() -> None:
    buckets, rate = Buckets(2), Rate.parse("1/1h")
    assert buckets.take(rate, "greedy", 0.0) == 0.0
    for number in range(100):
        assert buckets.take(rate, f"other {number}", 1.0) == 0.0
        assert buckets.take(rate, "greedy", 1.0) > 0.0
    assert buckets.take(rate, "other 99", 1.0) > 0.0
    assert buckets.take(rate, "other 98", 1.0) == 0.0, "room for two: this one had been forgotten"


@given(
    capacity=st.integers(1, 20),
    tokens=st.integers(1, 100),
    per_s=st.sampled_from((1.0, 7.0, 60.0, 3600.0)),
    begin=UPTIMES,
    steps=st.lists(st.sampled_from((0.0, 0.0, 0.0, 0.01, 0.1, 0.5, 1.0, 3.0)), max_size=60),
)
def test_in_no_stretch_of_time_more_get_in_than_capacity_and_what_comes_back(
    capacity: int, tokens: int, per_s: float, begin: float, steps: list[float]
) -> None:
    """And no fewer: when one is refused, there is a stretch in which with him it would have been more."""
    buckets, rate, interval_s = Buckets(1), Rate(capacity, tokens, per_s), per_s / tokens
    now, let_in = begin, []
    for step in steps:
        now += step * interval_s
        if buckets.take(rate, "a", now) == 0.0:
            let_in.append(now)
        else:
            assert any(lasting(let_in, since) + 1 > allowed(rate, now - since) for since in let_in)
    for first, since in enumerate(let_in):
        for last, until in enumerate(let_in[first:], first):
            assert last - first + 1 <= allowed(rate, until - since)


@given(
    rate=st.builds(Rate, st.integers(1, 50), st.integers(1, 1000), st.sampled_from((1.0, 60.0, 3600.0))),
    begin=UPTIMES,
    early=st.floats(0.0, 0.99),
)
def test_who_waits_as_long_as_he_was_told_gets_in_and_who_comes_earlier_does_not(
    rate: Rate, begin: float, early: float
) -> None:
    buckets = Buckets(1)
    assert taken(buckets, rate, "a", begin) == rate.capacity
    wait_s = buckets.take(rate, "a", begin)
    assert wait_s == pytest.approx(rate.per_s / rate.tokens)
    rest_s = buckets.take(rate, "a", begin + wait_s * early)
    assert rest_s == pytest.approx(wait_s * (1 - early), rel=1e-3)
    assert buckets.take(rate, "a", begin + wait_s * early + rest_s) == 0.0


@given(
    takes=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from((0.0, 0.5, 1.0, 4.0))), max_size=60),
    room=st.integers(1, 6),
)
def test_with_room_for_all_forgetting_makes_no_difference_and_with_less_it_is_in_the_callers_favour(
    takes: list[tuple[str, float]], room: int
) -> None:
    few, all_of_them, rate, now = Buckets(room), Buckets(6), Rate(2, 1, 1.0), 0.0
    counts = {"few": 0, "all": 0}
    for key, step in takes:
        now += step
        counts["few"] += few.take(rate, key, now) == 0.0
        counts["all"] += all_of_them.take(rate, key, now) == 0.0
    assert counts["few"] >= counts["all"]
    if room == 6:
        assert counts["few"] == counts["all"]


def taken(buckets: Buckets, rate: Rate, key: str, now: float) -> int:
    """As many as there are."""
    count = 0
    while buckets.take(rate, key, now) == 0.0:
        count += 1
        assert count < 10_000
    return count


def allowed(rate: Rate, elapsed_s: float) -> int:
    return math.floor(rate.capacity + rate.tokens * elapsed_s / rate.per_s + 1e-4)


def lasting(let_in: list[float], since: float) -> int:
    return sum(at >= since for at in let_in)
