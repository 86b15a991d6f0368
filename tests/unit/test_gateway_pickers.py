"""Two random choices: the less busy wins, ties and draws are fair, and do not go to one that is much slower."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from gateway.pickers import LeastRequests
from gateway.snapshot import endpoint_of
from gateway.standing import Standing
from tests.fakes import an_instance

ENDPOINTS = [endpoint_of(an_instance(host=f"127.0.40.{n}")) for n in range(1, 6)]


def standings(count: int, in_flight: dict[str, int]) -> list[Standing]:
    made = [Standing(each, 0.0) for each in ENDPOINTS[:count]]
    for each in made:
        each.in_flight = in_flight.get(each.key, 0)
    return made


def drawn(count: int, in_flight: dict[str, int], times: int = 4000) -> Counter[str]:
    picker = LeastRequests(random.Random(11))
    picker.renew(standings(count, in_flight))
    return Counter(picker.pick(0.0).endpoint.host for _ in range(times))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_idle_endpoints_get_equal_shares(count: int) -> None:
    shares = drawn(count, {})
    assert len(shares) == count
    for share in shares.values():
        assert share == pytest.approx(4000 / count, rel=0.1)


def test_of_two_the_less_busy_one_is_always_taken() -> None:
    assert set(drawn(2, {ENDPOINTS[0].key: 1})) == {"127.0.40.2"}


def test_the_busiest_is_never_taken_among_several() -> None:
    assert "127.0.40.3" not in drawn(5, {ENDPOINTS[2].key: 9})


def test_no_queue_grows_long() -> None:
    """Balls into bins: with two choices the fullest of five bins stays close to the mean."""
    picker, made = LeastRequests(random.Random(3)), standings(5, {})
    picker.renew(made)
    for _ in range(5000):
        picker.pick(0.0).in_flight += 1
    busy = [each.in_flight for each in made]
    assert max(busy) - min(busy) <= 4


def taken(latencies_s: list[float], in_flight: dict[str, int]) -> Counter[str]:
    picker = LeastRequests(random.Random(5))
    made = standings(len(latencies_s), in_flight)
    for each, latency_s in zip(made, latencies_s, strict=True):
        each.answered(0.0, latency_s)
    picker.renew(made)
    return Counter(picker.pick(0.0).endpoint.host for _ in range(600))


def test_of_two_idle_ones_a_much_slower_one_is_not_taken() -> None:
    assert set(taken([0.5, 0.01], {})) == {"127.0.40.2"}
    assert "127.0.40.1" not in taken([0.5, 0.01, 0.01], {})


@pytest.mark.parametrize("latencies_s", [[0.02, 0.01], [0.015, 0.001], [0.5, 0.2]])
def test_a_somewhat_slower_one_is_taken_as_often(latencies_s: list[float]) -> None:
    """Twice as slow is no trouble, and thousandths of a second say nothing."""
    assert taken(latencies_s, {})["127.0.40.1"] == pytest.approx(300, rel=0.2)


def test_a_much_slower_one_is_taken_where_others_are_busier_by_far() -> None:
    assert set(taken([0.5, 0.01], {ENDPOINTS[1].key: 1})) == {"127.0.40.2"}
    assert set(taken([0.5, 0.01], {ENDPOINTS[1].key: 2})) == {"127.0.40.1"}


def test_a_much_slower_one_is_tried_again_when_its_latency_is_long_ago() -> None:
    picker = LeastRequests(random.Random(5))
    slow, quick = made = standings(2, {})
    slow.answered(0.0, 0.5)
    picker.renew(made)
    found = []
    for now in (0.0, 5.0, 30.0):
        quick.answered(now, 0.01)
        found.append(slow in {picker.pick(now) for _ in range(40)})
    assert found == [False, False, True]
