"""Instances that fail: when they are left out, for how long, how they come back, and when all that is ignored."""

from __future__ import annotations

import pytest

from gateway.guards import Guards
from gateway.health import FIRST_RETRY_S, FORGIVEN_S, IN_A_ROW, LAST_RETRY_S, MIN_CALLS
from gateway.snapshot import Endpoint
from tests.balancing import Service, endpoints, probes, states

TWO = endpoints(100, 100)
FOUR = endpoints(100, 100, 100, 100)


def left(service: Service) -> list[Endpoint]:
    return [each.endpoint for each in service.balancer.candidates]


def eject(service: Service, endpoint: Endpoint, now: float = 1.0) -> bool:
    return states(service.fail(endpoint, now, IN_A_ROW)) == ["ejected"]


# --- when


def test_five_failures_in_a_row_eject() -> None:
    service = Service(TWO)
    assert not states(service.fail(TWO[0], 1.0, IN_A_ROW - 1))
    assert states(service.fail(TWO[0], 1.0)) == ["ejected"]
    assert left(service) == [TWO[1]]


def test_an_answer_between_them_ends_the_row() -> None:
    service = Service(TWO)
    service.fail(TWO[0], 1.0, IN_A_ROW - 1)
    service.of(TWO[0]).answered(1.0, 0.01)
    assert not states(service.fail(TWO[0], 1.0, IN_A_ROW - 1))


@pytest.mark.parametrize(
    ("good", "bad", "ejected"), [(10, 9, False), (10, 10, True), (11, 10, False), (20, 20, True), (300, 299, False)]
)
def test_half_of_twenty_and_more_in_the_window_eject(good: int, bad: int, ejected: bool) -> None:
    """Never five of them in a row."""
    service = Service(TWO)
    for _ in range(good - bad):
        service.of(TWO[0]).answered(1.0, 0.01)
    found = []
    for _ in range(bad):
        service.of(TWO[0]).answered(1.0, 0.01)
        found += states(service.fail(TWO[0], 1.0))
    assert found == ["ejected"] * ejected
    assert good + bad >= MIN_CALLS - 1


def test_what_failed_long_ago_does_not_count() -> None:
    service = Service(TWO)
    for _ in range(12):
        service.of(TWO[0]).answered(1.0, 0.01)
        service.of(TWO[0]).answered(1.0, 0.01, failed=True)
    assert not states(service.fail(TWO[0], 20.0))


def test_an_instance_that_asks_to_be_left_alone_is() -> None:
    service = Service(TWO)
    standing = service.of(TWO[0])
    standing.answered(1.0, 0.01, failed=True)
    service.perform(service.health.failed(standing, TWO, "it answered 503", 1.0, wait_s=7.0))
    assert service.health.records[TWO[0].key].due == 8.0
    assert left(service) == [TWO[1]]


@pytest.mark.parametrize(
    ("asked_s", "least_s", "most_s"),
    [(9999.0, LAST_RETRY_S, LAST_RETRY_S), (0.01, FIRST_RETRY_S * 0.8, FIRST_RETRY_S * 1.2)],
)
def test_it_cannot_ask_for_ever_nor_for_less_than_is_due(asked_s: float, least_s: float, most_s: float) -> None:
    service = Service(TWO)
    standing = service.of(TWO[0])
    standing.answered(1.0, 0.01, failed=True)
    service.health.failed(standing, TWO, "it answered 503", 1.0, wait_s=asked_s)
    assert least_s <= service.health.records[TWO[0].key].due - 1.0 <= most_s


# --- of how many


@pytest.mark.parametrize(("count", "most"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (10, 5)])
def test_at_most_half_are_ejected_but_one_of_two_may_be(count: int, most: int) -> None:
    every = endpoints(*[100] * count)
    service = Service(every)
    assert sum(eject(service, each) for each in every) == most
    assert len(left(service)) == count - most


def test_the_last_one_that_can_be_called_is_never_ejected() -> None:
    service = Service(TWO)
    service.perform(service.health.connect_failed(TWO[1], "refused", 1.0))
    assert not eject(service, TWO[0])
    assert left(service) == [TWO[0]]


def test_those_that_are_out_do_not_use_the_cap_up() -> None:
    service = Service(FOUR)
    service.perform(service.health.connect_failed(FOUR[0], "refused", 1.0))
    assert eject(service, FOUR[1])
    assert eject(service, FOUR[2])
    assert not eject(service, FOUR[3])


# --- how long


def test_each_ejection_is_twice_as_long_give_or_take_a_fifth() -> None:
    service = Service(TWO)
    now = 1.0
    pauses: list[float] = []
    for _ in range(9):
        assert eject(service, TWO[0], now) or pauses
        record = service.health.records[TWO[0].key]
        if record.state == "trial":
            service.fail(TWO[0], now)
            record = service.health.records[TWO[0].key]
        pauses.append(record.due - now)
        now = record.due
        assert states(service.health.tick(now)) == ["trial"]
    for pause_s, due_s in zip(pauses, (0.5, 1, 2, 4, 8, 16, 30, 30, 30), strict=True):
        assert 0.8 * due_s <= pause_s <= 1.2 * due_s
    assert len({round(pause_s / due_s, 6) for pause_s, due_s in zip(pauses[6:], (30, 30, 30), strict=True)}) == 3


def test_gateways_do_not_all_come_back_in_the_same_moment() -> None:
    ends = set()
    for seed in range(5):
        service = Service(TWO, seed=seed)
        eject(service, TWO[0])
        ends.add(service.health.records[TWO[0].key].due)
    assert len(ends) == 5


def test_after_a_minute_without_one_they_are_short_again() -> None:
    service = Service(TWO)
    now = service.try_out(TWO[0], 1.0)
    for _ in range(4):
        service.fail(TWO[0], now)
        now = service.health.records[TWO[0].key].due
        service.perform(service.health.tick(now))
    service.perform(service.health.succeeded(service.of(TWO[0])))
    assert service.of(TWO[0]).pause_s == 8.0
    now += FORGIVEN_S + 10
    eject(service, TWO[0], now)
    assert service.health.records[TWO[0].key].due - now < 1.0


# --- back


def test_when_its_time_is_over_a_call_finds_out() -> None:
    service = Service(TWO)
    now = service.try_out(TWO[0], 1.0)
    assert left(service) == list(TWO)
    assert states(service.health.succeeded(service.of(TWO[0]))) == [None]
    assert not service.health.records
    assert service.health.next_deadline() == float("inf")
    assert now < 2.0


def test_one_failure_on_trial_ejects_again() -> None:
    service = Service(TWO)
    now = service.try_out(TWO[0], 1.0)
    assert states(service.fail(TWO[0], now)) == ["ejected"]


def test_it_is_ejected_until_its_time_is_over_and_no_longer() -> None:
    service = Service(TWO)
    eject(service, TWO[0])
    due = service.health.next_deadline()
    assert not service.health.tick(due - 0.001)
    assert states(service.health.tick(due)) == ["trial"]
    assert not probes(service.health.tick(due + 100)), "a call finds out, not a probe"


def test_answers_of_calls_that_began_before_change_nothing() -> None:
    service = Service(TWO)
    eject(service, TWO[0])
    assert not service.health.succeeded(service.of(TWO[0]))
    assert not service.fail(TWO[0], 1.0, 5), "and failures of such do not make it longer"
    assert not service.health.connected(TWO[0])


def test_what_failed_before_it_was_ejected_does_not_eject_it_again() -> None:
    service = Service(TWO)
    for _ in range(30):
        service.of(TWO[0]).answered(1.0, 0.01)
        service.of(TWO[0]).answered(1.0, 0.01, failed=True)
    assert states(service.fail(TWO[0], 1.0)) == ["ejected"]
    now = service.health.records[TWO[0].key].due
    service.perform(service.health.tick(now))
    service.of(TWO[0]).answered(now, 0.01)
    service.perform(service.health.succeeded(service.of(TWO[0])))
    assert not states(service.fail(TWO[0], now, IN_A_ROW - 1))


def test_a_refused_connect_puts_an_ejected_one_out() -> None:
    service = Service(TWO)
    eject(service, TWO[0])
    assert states(service.health.connect_failed(TWO[0], "refused", 1.1)) == ["out"]
    assert states(service.health.probed(TWO[0], "", 2.0)) == [None]


# --- panic


def test_with_fewer_than_half_well_ejections_are_ignored() -> None:
    service = Service(FOUR)
    assert eject(service, FOUR[0])
    assert eject(service, FOUR[1])
    assert left(service) == [FOUR[2], FOUR[3]]
    service.perform(service.health.connect_failed(FOUR[2], "refused", 1.0))
    assert service.balancer.panic
    assert left(service) == [FOUR[0], FOUR[1], FOUR[3]], "but not that one is out"
    service.perform(service.health.probed(FOUR[2], "", 2.0))
    assert not service.balancer.panic
    assert left(service) == [FOUR[2], FOUR[3]]


def test_unproven_ones_are_up_and_not_well() -> None:
    """Half are in doubt, a quarter is ejected: the one that is left must not get everything."""
    service = Service(FOUR)
    assert eject(service, FOUR[0])
    for each in FOUR[2:]:
        service.perform(service.health.doubt(each, "silent", 1.0))
    assert service.balancer.panic
    assert left(service) == [FOUR[0], FOUR[1]]


def test_without_ejections_there_is_no_panic() -> None:
    service = Service(FOUR)
    for each in FOUR[1:]:
        service.perform(service.health.connect_failed(each, "refused", 1.0))
    assert not service.balancer.panic
    assert left(service) == [FOUR[0]]


# --- guards left out


def test_without_ejection_nobody_is_ejected() -> None:
    service = Service(TWO, guards=Guards(ejection=False))
    assert not service.fail(TWO[0], 1.0, 100)
    assert left(service) == list(TWO)


def test_without_panic_ejections_hold() -> None:
    service = Service(FOUR, guards=Guards(panic=False))
    assert eject(service, FOUR[0])
    assert eject(service, FOUR[1])
    service.perform(service.health.connect_failed(FOUR[2], "refused", 1.0))
    assert left(service) == [FOUR[3]]


def test_without_panic_an_ejected_one_comes_before_one_in_doubt() -> None:
    """It answers at least."""
    service = Service(TWO, guards=Guards(panic=False))
    assert eject(service, TWO[0])
    service.perform(service.health.doubt(TWO[1], "silent", 1.0))
    assert left(service) == [TWO[0]]


def test_without_evidence_a_refused_connect_changes_nothing() -> None:
    service = Service(TWO, guards=Guards(evidence=False))
    assert not service.health.connect_failed(TWO[0], "refused", 1.0)
    assert left(service) == list(TWO)


def test_a_guard_left_out_leaves_the_others_in() -> None:
    service = Service(TWO, guards=Guards(evidence=False, panic=False, doubt=False, silence=False, probes=False))
    assert eject(service, TWO[0])
    service = Service(TWO, guards=Guards(ejection=False))
    assert service.health.connect_failed(TWO[0], "refused", 1.0)
