"""The retry budget: in no ten seconds more than ten a second and a fifth of the calls."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.budget import FLOOR_PER_S, SHARE, WINDOW_S, Budget

FLOOR = FLOOR_PER_S * WINDOW_S


def spent(budget: Budget, calls: int, now: float, wanted: int = 1000) -> int:
    """How many retries of so many wanted there are. Each is a call as well."""
    done = 0
    for _ in range(wanted):
        if not budget.spend(calls + done, now):
            break
        done += 1
    return done


def test_a_service_seldom_called_has_the_floor() -> None:
    assert spent(Budget(), calls=0, now=5.0) == 100


@pytest.mark.parametrize(("calls", "retries"), [(0, 100), (100, 120), (1000, 300)])
def test_beyond_it_is_a_fifth_of_the_calls(calls: int, retries: int) -> None:
    assert spent(Budget(), calls, 5.0) == retries


def test_retries_earn_no_retries() -> None:
    budget = Budget()
    assert spent(budget, 1000, 5.0) == 300
    assert not budget.spend(1300, 5.1), "1000 calls, and 300 retries of them"
    assert budget.spend(1310, 5.1), "ten calls more"


def test_what_was_spent_comes_back_after_ten_seconds() -> None:
    budget = Budget()
    assert spent(budget, 0, 5.0, 60) == 60
    assert spent(budget, 0, 10.0) == 40
    assert not budget.spend(40, 14.9)
    assert spent(budget, 0, 15.0) == 60
    assert spent(budget, 0, 20.0) == 40


def test_refused_ones_cost_nothing() -> None:
    budget = Budget()
    spent(budget, 0, 5.0)
    for _ in range(50):
        assert not budget.spend(0, 6.0)
    assert spent(budget, 0, 15.0) == 100


STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 300), st.integers(0, 150)), min_size=1, max_size=15)


@settings(max_examples=50)
@given(STEPS)
def test_in_no_window_are_there_more_than_a_fifth_and_the_floor(steps: list[tuple[float, int, int]]) -> None:
    """`steps`: a pause, calls that are made then, and retries that are wanted. A retry counts for ten seconds, and so
    does the call it was allowed for."""
    budget, now = Budget(), 0.0
    calls: list[tuple[float, int]] = []
    retries: list[tuple[float, int]] = []

    def recent(counted: list[tuple[float, int]], at: float, within_s: float = WINDOW_S) -> int:
        return sum(count for when, count in counted if at - when < within_s)

    for pause_s, made, wanted in steps:
        now += pause_s
        calls.append((now, made))
        tries, before = recent(calls, now), recent(retries, now)
        done = spent(budget, tries + before, now, wanted)
        retries.append((now, done))
        assert not done or before + done <= FLOOR + SHARE * tries + 1
        assert before + done <= FLOOR + SHARE * recent(calls, now, 2 * WINDOW_S) + 1
        assert done == wanted or before + done >= FLOOR + SHARE * tries, "all that may be, are"
