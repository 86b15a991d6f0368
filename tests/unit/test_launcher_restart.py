"""The restart rule: scripted histories of one component."""

from __future__ import annotations

import pytest

from launcher.restart import CONFIGURATION, Ended, GiveUp, RestartAfter, Restarts
from shared.errors import Conflict

ZOWE = (1, 1, 1, 5, 5, 10, 20, 60, 120, 240)


def running(intervals_s: tuple[float, ...] = ZOWE, min_uptime_s: float = 10, *, built_in: bool = True) -> Restarts:
    restarts = Restarts(intervals_s, min_uptime_s, exit_2_is_final=built_in)
    restarts.start()
    restarts.started(0.0)
    return restarts


def test_zowes_intervals_are_waited_one_after_the_other_and_the_eleventh_quick_exit_is_the_last() -> None:
    restarts = running()
    waited = []
    for exit_number in range(1, 11):
        decision = restarts.exited(1, now=exit_number * 1000.0 + 1)
        assert decision == RestartAfter(ZOWE[exit_number - 1], exit_number, 10)
        assert restarts.state == "starting"
        waited.append(decision.delay_s)
        restarts.started(now=(exit_number + 1) * 1000.0)
    assert sum(waited) == 463
    assert isinstance(restarts.exited(1, now=11_001.0), GiveUp)
    assert restarts.state == "failed"
    assert restarts.restarts == 10


@pytest.mark.parametrize("code", [0, 1, 2, 143, -9, -15])
def test_any_exit_of_a_component_that_was_ready_is_followed_by_a_restart(code: int) -> None:
    restarts = running()
    restarts.answered(True)
    assert restarts.exited(code, now=3.0) == RestartAfter(1, 1, 10)


@pytest.mark.parametrize(("uptime_s", "nth"), [(9.9, 3), (10.0, 3), (10.1, 1), (1000.0, 1)])
def test_a_run_longer_than_the_configured_minimum_begins_the_count_again(uptime_s: float, nth: int) -> None:
    restarts = running(min_uptime_s=10)
    for now in (1.0, 2.0):
        restarts.exited(1, now)
        restarts.started(now)
    decision = restarts.exited(1, now=2.0 + uptime_s)
    assert isinstance(decision, RestartAfter)
    assert decision.nth == nth


def test_without_intervals_the_first_quick_exit_is_the_last() -> None:
    restarts = running(intervals_s=())
    assert isinstance(restarts.exited(0, now=1.0), GiveUp)


def test_stopped_on_purpose_is_followed_by_nothing() -> None:
    restarts = running()
    restarts.stop()
    assert restarts.state == "starting", "it is still there until its process has ended"
    assert restarts.exited(0, now=1.0) == Ended()
    assert restarts.state == "stopped"
    assert restarts.restarts == 0


def test_a_stop_while_it_waits_for_its_restart_ends_it_at_once() -> None:
    restarts = running()
    restarts.exited(1, now=1.0)
    orders = restarts.orders
    restarts.stop()
    assert restarts.state == "stopped"
    assert restarts.orders > orders, "the wait must notice"


def test_an_operators_start_gives_a_clean_record() -> None:
    restarts = running(intervals_s=(1, 1))
    for now in (1.0, 2.0, 3.0):
        restarts.exited(1, now)
        if restarts.state == "starting":
            restarts.started(now)
    assert restarts.state == "failed"
    restarts.start()
    restarts.started(4.0)
    assert restarts.exited(1, now=5.0) == RestartAfter(1, 1, 2)


def test_an_operators_start_ends_the_wait_for_a_restart() -> None:
    restarts = running()
    restarts.exited(1, now=1.0)
    orders = restarts.orders
    restarts.start()
    assert restarts.orders > orders
    assert restarts.state == "starting"


def test_exit_code_2_before_it_was_ever_ready_is_a_configuration_error_and_final() -> None:
    restarts = running()
    assert restarts.exited(2, now=0.3) == GiveUp(CONFIGURATION)
    assert restarts.state == "failed"


def test_exit_code_2_says_nothing_about_somebody_elses_program() -> None:
    assert running(built_in=False).exited(2, now=0.3) == RestartAfter(1, 1, 10)


def test_a_command_that_cannot_be_run_is_not_tried_again() -> None:
    restarts = Restarts(ZOWE, 10)
    restarts.start()
    restarts.not_started("no such file")
    assert (restarts.state, restarts.running) == ("failed", False)


def test_readiness_changes_the_state_only_when_it_changes() -> None:
    restarts = running()
    assert restarts.answered(False) is False
    assert restarts.answered(True) is True
    assert restarts.state == "ready"
    assert restarts.answered(True) is False
    assert restarts.answered(False) is True
    assert restarts.state == "starting"


def test_an_answer_that_comes_after_the_end_changes_nothing() -> None:
    restarts = running()
    restarts.exited(1, now=1.0)
    assert restarts.answered(True) is False
    assert restarts.state == "starting"


def test_paused_stays_paused_until_resumed_whatever_is_answered() -> None:
    restarts = running()
    restarts.answered(True)
    restarts.pause()
    assert restarts.answered(True) is False
    assert restarts.state == "paused"
    restarts.resume()
    assert restarts.state == "starting", "it has to say again that it is ready"


def test_one_killed_while_paused_is_started_again() -> None:
    restarts = running()
    restarts.pause()
    assert restarts.exited(-9, now=20.0) == RestartAfter(1, 1, 10)


@pytest.mark.parametrize(
    ("reach", "order"),
    [
        ("starting", "start"), ("starting", "resume"),
        ("ready", "start"), ("ready", "resume"),
        ("paused", "start"), ("paused", "pause"),
        ("waiting", "pause"), ("waiting", "resume"), ("waiting", "require_running"),
        ("stopped", "stop"), ("stopped", "pause"), ("stopped", "resume"), ("stopped", "require_running"),
        ("failed", "stop"), ("failed", "pause"), ("failed", "resume"), ("failed", "require_running"),
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_refused_with_the_reason(reach: str, order: str) -> None:
    restarts = reached(reach)
    before = (restarts.state, restarts.running, restarts.orders)
    with pytest.raises(Conflict, match=r"\w+"):
        getattr(restarts, order)()
    assert (restarts.state, restarts.running, restarts.orders) == before


def reached(state: str) -> Restarts:
    if state == "stopped":
        return Restarts(ZOWE, 10)
    restarts = running(intervals_s=() if state == "failed" else ZOWE)
    if state == "ready":
        restarts.answered(True)
    elif state == "paused":
        restarts.pause()
    elif state in ("waiting", "failed"):
        restarts.exited(1, now=1.0)
    assert restarts.state == ("starting" if state == "waiting" else state)
    return restarts


# --- hangs


def served(hung_after: int = 3) -> Restarts:
    """One that has been ready."""
    restarts = Restarts(ZOWE, 10, hung_after=hung_after)
    restarts.start()
    restarts.started(0.0)
    restarts.answered(True)
    return restarts


def test_the_third_silence_in_a_row_is_a_hang_and_its_end_counts_like_any_other() -> None:
    restarts = served()
    assert [restarts.lives(sign) for sign in (False, False, True, False, False, False)] == [False] * 5 + [True]
    assert restarts.exited(-9, now=7.0) == RestartAfter(1, 1, 10)


def test_a_hang_after_a_long_run_begins_the_count_again() -> None:
    restarts = served(hung_after=1)
    for now in (1.0, 2.0):
        restarts.exited(1, now)
        restarts.started(now)
    restarts.answered(True)
    assert restarts.lives(False)
    assert restarts.exited(-9, now=100.0) == RestartAfter(1, 1, 10)


def test_one_that_was_never_ready_owes_no_sign_of_life() -> None:
    restarts = Restarts(ZOWE, 10, hung_after=1)
    restarts.start()
    restarts.started(0.0)
    assert not restarts.lives(False)
    restarts.answered(True)
    restarts.exited(1, now=1.0)
    assert not restarts.owes_sign_of_life, "nothing runs"
    restarts.started(2.0)
    assert not restarts.lives(False), "the new process has not been ready yet"


def test_one_that_is_paused_by_order_is_never_a_hang_and_has_all_its_time_again_afterwards() -> None:
    restarts = served(hung_after=2)
    restarts.lives(False)
    restarts.pause()
    assert not any(restarts.lives(False) for _ in range(9))
    restarts.resume()
    assert [restarts.lives(False), restarts.lives(False)] == [False, True]


def test_one_that_is_told_to_stop_may_be_silent_until_it_has_gone() -> None:
    restarts = served(hung_after=1)
    restarts.stop()
    assert not restarts.lives(False)


def test_nothing_hangs_when_that_is_switched_off() -> None:
    restarts = served(hung_after=0)
    assert not restarts.owes_sign_of_life
    assert not any(restarts.lives(False) for _ in range(9))
