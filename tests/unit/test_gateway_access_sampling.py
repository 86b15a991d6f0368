"""Which exchanges are recorded when there are too many, and that the sums stay right."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access_sampling import Sampling


class Second:
    """Exchanges at an even rate, as the hot path has them, with a turn every quarter of a second."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self.now = 0.0

    def run(self, calls: int) -> list[int]:
        """A second with so many calls; what each record stands for."""
        records = []
        for quarter in range(4):
            self.sampling.turn(self.now + quarter * 0.25)
            records += records_of(self.sampling, calls * (quarter + 1) // 4 - calls * quarter // 4)
        self.now += 1.0
        return records


def records_of(sampling: Sampling, calls: int) -> list[int]:
    records = []
    for _ in range(calls):
        if sampling.skip:
            sampling.skip -= 1
        else:
            records.append(sampling.take())
    return records


@pytest.mark.parametrize("calls", [1, 999, 1000])
def test_up_to_the_limit_every_exchange_is_recorded(calls: int) -> None:
    second = Second(Sampling(1000))
    for _ in range(3):
        assert second.run(calls) == [1] * calls


def test_all_of_a_short_burst_within_the_limit_is_recorded_again_and_again() -> None:
    sampling = Sampling(1000)
    for now in (0.0, 1.0, 2.0, 60.0):
        sampling.turn(now)
        assert records_of(sampling, 1000) == [1] * 1000


def test_beyond_it_each_kth_is_and_stands_for_k() -> None:
    second = Second(Sampling(1000))
    second.run(30_000)
    for _ in range(3):
        records = second.run(30_000)
        assert 990 <= len(records) <= 1000
        assert set(records[1:]) == {30}


def test_a_rise_from_nothing_does_not_flood_the_first_second() -> None:
    records = Second(Sampling(1000)).run(30_000)
    assert records[:1000] == [1] * 1000
    assert 1000 < len(records) < 2000
    assert sum(records) > 30_000 - 128


def test_calm_is_noticed_and_what_was_skipped_is_told_by_the_next_record() -> None:
    second = Second(Sampling(1000))
    told = sum(sum(second.run(30_000)) for _ in range(2))
    assert second.run(0) == second.run(0) == []
    assert not second.sampling.skipping
    records = second.run(3)
    assert records[1:] == [1, 1]
    assert told + sum(records) == 60_003


def test_long_rest_is_calm() -> None:
    sampling = Sampling(10)
    sampling.turn(0.0)
    records_of(sampling, 500)
    sampling.turn(100.0)
    assert records_of(sampling, 5)[1:] == [1] * 4


@given(st.integers(1, 50), st.lists(st.integers(0, 400), max_size=12), st.randoms(use_true_random=False))
def test_sums_stay_right_whatever_comes(per_s: int, seconds: list[int], rng: random.Random) -> None:
    sampling, now, told, calls = Sampling(per_s), 0.0, 0, 0
    for count in seconds:
        now += rng.choice((0.1, 0.25, 1.0, 7.0))
        sampling.turn(now)
        told += sum(records_of(sampling, count))
        calls += count
        assert told <= calls
    while sampling.skip:
        calls += 1
        sampling.skip -= 1
    assert told + sampling.take() == calls + 1


def test_zero_records_none_for_ever() -> None:
    sampling = Sampling(0)
    for now in range(5):
        sampling.turn(float(now))
        assert records_of(sampling, 1000) == []
    assert not sampling.skipping


def test_a_record_that_is_taken_early_stands_for_what_was_skipped_before_it() -> None:
    sampling = Sampling(1)
    sampling.turn(0.0)
    assert records_of(sampling, 1) == [1]
    assert sampling.skip == 1
    assert sampling.take() == 1
    assert sampling.skip == 3
    sampling.skip -= 2
    assert sampling.take() == 3
