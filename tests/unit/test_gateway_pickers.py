"""Two random choices: the less busy wins, ties and draws are fair."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from gateway.pickers import LeastRequests
from gateway.snapshot import endpoint_of
from tests.fakes import an_instance

ENDPOINTS = [endpoint_of(an_instance(host=f"127.0.40.{n}")) for n in range(1, 6)]


def drawn(count: int, in_flight: dict[str, int], times: int = 4000) -> Counter[str]:
    picker = LeastRequests(random.Random(11))
    return Counter(picker.pick(ENDPOINTS[:count], in_flight).host for _ in range(times))


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
    picker, in_flight = LeastRequests(random.Random(3)), Counter[str]()
    for _ in range(5000):
        in_flight[picker.pick(ENDPOINTS, in_flight).key] += 1
    assert max(in_flight.values()) - min(in_flight.values()) <= 4
