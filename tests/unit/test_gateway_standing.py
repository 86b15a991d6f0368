"""How an instance stands: its latency, the window of its failures, how long it is left out, its share."""

from __future__ import annotations

from math import e

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.standing import DECAY_S, HALF_S, PENALTY_S, Standing
from tests.balancing import an_endpoint


def a_standing(now: float = 0.0) -> Standing:
    return Standing(an_endpoint(), now)


# --- latency


def test_of_a_new_one_no_latency_is_known() -> None:
    assert a_standing().latency(5.0) == 0.0


def test_a_slower_answer_counts_at_once() -> None:
    standing = a_standing()
    standing.answered(1.0, 0.01)
    standing.answered(1.1, 0.5)
    assert standing.latency(1.1) == 0.5


def test_it_sinks_slowly_with_quicker_answers() -> None:
    standing = a_standing()
    standing.answered(1.0, 0.5)
    standing.answered(1.0 + DECAY_S, 0.1)
    assert standing.latency(1.0 + DECAY_S) == pytest.approx(0.1 + 0.4 / e)


def test_it_sinks_while_nobody_calls() -> None:
    standing = a_standing()
    standing.answered(1.0, 0.5)
    assert standing.latency(1.0 + DECAY_S) == pytest.approx(0.5 / e)
    assert standing.latency(1.0 + 10 * DECAY_S) < 0.001


def test_how_quick_it_was_before_its_slow_start_says_nothing() -> None:
    standing = a_standing()
    standing.answered(1.0, 0.5, failed=True)
    standing.ramp(2.0, 5.0)
    assert standing.latency(2.0) == 0.0


@pytest.mark.parametrize("said", [{"failed": True}, {"slow": True}])
def test_failures_and_refusals_count_as_slow(said: dict[str, bool]) -> None:
    standing = a_standing()
    standing.answered(1.0, 0.001, **said)
    assert standing.latency(1.0) == PENALTY_S


def test_no_answer_counts_for_more_than_a_failure() -> None:
    """A call may be meant to take long, as one that waits for news does."""
    standing = a_standing()
    standing.answered(1.0, 25.0)
    assert standing.latency(1.0) == PENALTY_S


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, PENALTY_S)), min_size=1, max_size=30))
def test_it_is_never_below_what_a_plain_decay_of_any_answer_leaves(answers: list[tuple[float, float]]) -> None:
    standing, now = a_standing(), 0.0
    seen: list[tuple[float, float]] = []
    for pause_s, took_s in answers:
        now += pause_s
        standing.answered(now, took_s)
        seen.append((now, took_s))
    for at, took_s in seen:
        assert standing.latency(now) >= took_s * e ** ((at - now) / DECAY_S) - 1e-9
    assert standing.latency(now) <= max(took_s for _, took_s in seen)


# --- failures


def test_failures_in_a_row_end_with_an_answer() -> None:
    standing = a_standing()
    for _ in range(3):
        standing.answered(1.0, 0.1, failed=True)
    assert standing.failures_in_row == 3
    standing.answered(1.0, 0.1, slow=True)
    assert standing.failures_in_row == 0
    assert (standing.total, standing.total_failed) == (4, 3)


def test_the_window_has_the_last_five_to_ten_seconds() -> None:
    standing = a_standing()
    standing.answered(1.0, 0.1, failed=True)
    standing.answered(4.0, 0.1)
    assert standing.recent(4.9) == (2, 1)
    standing.answered(6.0, 0.1, failed=True)
    assert standing.recent(6.0) == (3, 2)
    standing.answered(12.0, 0.1)
    assert standing.recent(12.0) == (2, 1), "the first half is gone"


def test_the_window_is_empty_when_nobody_called_for_long() -> None:
    standing = a_standing()
    standing.answered(1.0, 0.1, failed=True)
    assert standing.recent(9.9) == (1, 1)
    assert standing.recent(10.0) == (0, 0)
    standing.answered(50.0, 0.1)
    assert standing.recent(50.0) == (1, 0)


@given(st.lists(st.tuples(st.floats(0, 4), st.booleans()), max_size=60), st.floats(0, 12))
def test_the_window_holds_what_is_recent_and_nothing_old(calls: list[tuple[float, bool]], later_s: float) -> None:
    standing, now = a_standing(), 0.0
    times: list[tuple[float, bool]] = []
    for pause_s, failed in calls:
        now += pause_s
        standing.answered(now, 0.1, failed=failed)
        times.append((now, failed))
    now += later_s
    count, failures = standing.recent(now)
    assert count <= sum(at > now - 2 * HALF_S - 1e-6 for at, _ in times)
    assert failures <= sum(at > now - 2 * HALF_S - 1e-6 and failed for at, failed in times)
    if later_s == 0 and times:
        assert count >= 1


def test_what_is_back_is_forgiven_and_its_calls_still_count() -> None:
    standing = a_standing()
    for _ in range(4):
        standing.answered(1.0, 0.1, failed=True)
    standing.answered(6.0, 0.1, failed=True)
    standing.forgive()
    assert standing.failures_in_row == 0
    assert standing.recent(6.0) == (5, 0)


# --- ejections


def test_each_ejection_is_twice_as_long_as_the_last_up_to_the_longest() -> None:
    standing, now, pauses = a_standing(), 5.0, []
    for _ in range(8):
        pause_s = standing.ejected(now, 0.5, 30.0, 60.0)
        pauses.append(pause_s)
        now += pause_s + 1
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert standing.ejections == 8


def test_after_a_while_without_one_they_begin_anew() -> None:
    standing = a_standing()
    for now in (10.0, 11.0, 12.0):
        standing.ejected(now, 0.5, 30.0, 60.0)
    assert standing.pause_s == 2.0
    assert standing.ejected(12.0 + 2.0 + 60.0, 0.5, 30.0, 60.0) == 4.0, "a minute from its end, not yet more"
    assert standing.ejected(76.0 + 4.0 + 60.1, 0.5, 30.0, 60.0) == 0.5


def test_an_ejection_ends_the_row() -> None:
    standing = a_standing()
    for _ in range(5):
        standing.answered(1.0, 0.1, failed=True)
    standing.ejected(1.0, 0.5, 30.0, 60.0)
    assert standing.failures_in_row == 0


# --- shares


def test_a_share_grows_from_a_tenth_to_the_whole() -> None:
    standing = a_standing()
    assert standing.share(3.0) == 1.0
    standing.ramp(10.0, 20.0)
    assert [standing.share(now) for now in (10.0, 11.0, 20.0, 25.0, 30.0, 31.0)] == [0.1, 0.1, 0.5, 0.75, 1.0, 1.0]


def test_tender_is_one_on_trial_or_in_its_slow_start() -> None:
    standing = a_standing()
    assert not standing.tender
    standing.try_out(True)
    assert standing.tender
    standing.ramp(10.0, 5.0)
    standing.try_out(False)
    assert standing.tender, "its slow start goes on"
    standing.share(15.0)
    assert not standing.tender
    standing.ramp(20.0, 5.0)
    standing.try_out(True)
    standing.share(26.0)
    assert standing.tender, "its trial goes on"
    standing.try_out(False)
    assert not standing.tender


def test_a_slow_start_of_no_time_is_none() -> None:
    standing = a_standing()
    standing.ramp(10.0, 0.0)
    assert not standing.tender
    assert standing.share(10.0) == 1.0
