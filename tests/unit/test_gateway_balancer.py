"""Whom the calls of one service go to: affinity, scope, what was tried, retries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.balancer import CROWD, SOUND_ROW
from gateway.budget import FLOOR_PER_S, WINDOW_S
from gateway.guards import Guards
from gateway.policy import PICKERS, PLAIN, Policy
from gateway.snapshot import Endpoint
from gateway.standing import Standing
from tests.balancing import Service, an_endpoint, closed_loop, endpoints

NEAR = (an_endpoint(1), an_endpoint(2))
FAR = (an_endpoint(3, lpar="LPAR2"), an_endpoint(4, lpar="LPAR2"))
AFFINITY = replace(PLAIN, affinity=True)
SCOPE = replace(PLAIN, scope_lpar=True)
HERE = {each.host for each in NEAR}


def picked(service: Service, times: int = 60, now: float = 1.0, **more: tuple[str, ...]) -> set[str]:
    return {service.balancer.pick(now, b"%d" % number, **more).endpoint.host for number in range(times)}


def hosts(*endpoints: Endpoint) -> set[str]:
    return {each.host for each in endpoints}


# --- candidates


def test_there_is_nobody_in_a_service_of_which_none_is_up() -> None:
    service = Service(())
    assert not service.balancer.candidates
    service.adopt(NEAR)
    assert len(service.balancer.candidates) == 2
    service.adopt(())
    assert not service.balancer.candidates


def test_candidates_are_what_health_leaves() -> None:
    service = Service(NEAR)
    service.perform(service.health.connect_failed(NEAR[0], "refused", 1.0))
    assert picked(service) == hosts(NEAR[1])
    service.perform(service.health.connect_failed(NEAR[1], "refused", 1.0))
    assert picked(service) == hosts(*NEAR), "with nobody left, all are tried"
    service.perform(service.health.probed(NEAR[0], "", 2.0))
    assert picked(service) == hosts(NEAR[0])


def test_a_new_picker_holds_from_the_next_snapshot_on() -> None:
    service = Service(NEAR)
    service.policy = replace(PLAIN, picker="ringHash")
    service.adopt(NEAR)
    assert len({service.balancer.pick(1.0, b"key").key for _ in range(20)}) == 1
    service.policy = PLAIN
    service.adopt(NEAR)
    assert len({service.balancer.pick(1.0, b"key").key for _ in range(20)}) == 2


# --- affinity


@pytest.mark.parametrize("picker", PICKERS)
def test_affinity_keeps_calls_in_the_own_lpar(picker: str) -> None:
    service = Service((*NEAR, *FAR), replace(AFFINITY, picker=picker))
    got = closed_loop(service.balancer.pick, 1000, 4)
    assert set(got) == HERE


@pytest.mark.parametrize("picker", PICKERS)
def test_it_spills_over_when_those_here_are_crowded_and_comes_back(picker: str) -> None:
    """The one here does one call at a time, 54 of those there are here; those elsewhere do as many as come."""
    here, there = NEAR[:1], FAR
    service = Service((*here, *there), replace(AFFINITY, picker=picker))

    def took_s(standing: Standing) -> float:
        return 0.01 * standing.in_flight if standing.endpoint in here else 0.01

    quiet = closed_loop(service.balancer.pick, 300, 2, took_s=took_s)
    crowded = closed_loop(service.balancer.pick, 2000, 40, begin=10.0, took_s=took_s)
    after = closed_loop(service.balancer.pick, 300, 2, begin=100.0, took_s=took_s)
    assert set(quiet) == hosts(*here)
    assert 40 < crowded[here[0].host] < 200, crowded
    assert set(after) == hosts(*here)


def test_a_queue_is_no_reason_to_leave_while_it_is_longer_elsewhere() -> None:
    service = Service((*NEAR, *FAR), AFFINITY)
    for each in NEAR:
        service.of(each).in_flight = 10
    for each in FAR:
        service.of(each).in_flight = 6
    assert picked(service) == HERE
    for each in FAR:
        service.of(each).in_flight = 1
    assert picked(service) == hosts(*FAR)


def test_a_few_calls_are_no_crowd() -> None:
    service = Service((*NEAR, *FAR), AFFINITY)
    for each in NEAR:
        service.of(each).in_flight = CROWD - 1
        service.of(each).answered(0.9, 0.9)
    assert picked(service) == HERE


def test_without_anybody_here_calls_go_elsewhere() -> None:
    service = Service((*NEAR, *FAR), AFFINITY)
    for each in NEAR:
        service.perform(service.health.connect_failed(each, "refused", 1.0))
    assert picked(service) == hosts(*FAR)
    service.perform(service.health.probed(NEAR[1], "", 2.0))
    assert picked(service) == hosts(NEAR[1])


def test_the_only_one_here_on_trial_has_one_call_and_the_others_go_elsewhere() -> None:
    here = NEAR[0]
    service = Service((here, *FAR), AFFINITY)
    now = service.try_out(here, 1.0)
    assert service.balancer.pick(now).endpoint is here
    service.of(here).in_flight = 1
    assert picked(service, now=now) == hosts(*FAR)


def test_the_only_one_here_in_its_slow_start_gets_a_share_and_the_others_go_elsewhere() -> None:
    here = NEAR[0]
    service = Service((here, *FAR), AFFINITY)
    service.of(here).ramp(0.0, 100.0)
    got = [service.balancer.pick(20.0).endpoint.host for _ in range(1000)]
    assert got.count(here.host) == pytest.approx(200, rel=0.25)


# --- scope


@pytest.mark.parametrize("picker", PICKERS)
def test_scope_lpar_means_nobody_elsewhere(picker: str) -> None:
    service = Service((*NEAR, *FAR), replace(SCOPE, picker=picker))
    for each in NEAR:
        service.of(each).in_flight = 1000
    assert picked(service) == HERE
    assert picked(service, tried=(NEAR[0].key,)) == hosts(NEAR[1])
    assert picked(service, tried=(NEAR[0].key, NEAR[1].key)) <= HERE


def test_scope_lpar_without_anybody_here_is_nobody() -> None:
    service = Service(FAR, SCOPE)
    assert not service.balancer.candidates
    assert not service.balancer.may_retry((), 1.0)


def test_one_lpar_can_be_named() -> None:
    service = Service((*NEAR, *FAR))
    there = {service.balancer.pick_in("LPAR2", 1.0) for _ in range(40)}
    assert there == {service.of(each) for each in FAR}
    assert service.balancer.pick_in("LPAR2", 1.0, (FAR[0].key,)) is service.of(FAR[1])
    assert service.balancer.pick_in("LPAR3", 1.0) is None


def test_in_a_named_lpar_health_counts_too() -> None:
    service = Service((*NEAR, *FAR))
    service.perform(service.health.connect_failed(FAR[0], "refused", 1.0))
    assert {service.balancer.pick_in("LPAR2", 1.0) for _ in range(20)} == {service.of(FAR[1])}
    service.perform(service.health.connect_failed(FAR[1], "refused", 1.0))
    assert service.balancer.pick_in("LPAR2", 1.0) in {service.of(each) for each in FAR}, "not elsewhere, even so"


# --- again


@pytest.mark.parametrize("picker", PICKERS)
def test_a_retry_goes_to_somebody_else(picker: str) -> None:
    service = Service((*NEAR, *FAR), replace(PLAIN, picker=picker))
    assert picked(service, tried=(NEAR[0].key, FAR[1].key)) <= hosts(NEAR[1], FAR[0])
    every = tuple(each.key for each in (*NEAR, *FAR))
    assert picked(service, tried=every[:3]) == hosts(FAR[1])
    assert picked(service, tried=every) <= hosts(*NEAR, *FAR), "any, when all were tried"


def test_when_the_well_ones_were_tried_the_best_of_the_others_is() -> None:
    one, two, three = endpoints(100, 100, 100)
    service = Service((one, two, three))
    service.perform(service.health.connect_failed(two, "refused", 1.0))
    service.perform(service.health.doubt(three, "silent", 1.0))
    assert picked(service, tried=(one.key,)) == hosts(three)
    assert picked(service, tried=(one.key, three.key)) == hosts(two)


def test_a_key_leads_on_when_its_own_was_tried() -> None:
    service = Service(endpoints(100, 100, 100))
    pick = service.balancer.pick_by
    first = pick(b"key", 1.0)
    second = pick(b"key", 1.0, (first.key,))
    third = pick(b"key", 1.0, (first.key, second.key))
    assert len({first, second, third}) == 3
    assert pick(b"key", 1.0) is first
    assert pick(b"key", 1.0, (first.key, second.key, third.key)) in {first, second, third}


def test_a_key_leads_to_the_new_one_after_a_change() -> None:
    service = Service(endpoints(100, 100, 100))
    owner = service.balancer.pick_by(b"key", 1.0)
    service.perform(service.health.connect_failed(owner.endpoint, "refused", 1.0))
    assert service.balancer.pick_by(b"key", 1.0) is not owner
    service.perform(service.health.probed(owner.endpoint, "", 2.0))
    assert service.balancer.pick_by(b"key", 1.0) is owner


# --- whether again


def test_a_retry_needs_somebody_else() -> None:
    service = Service(NEAR)
    assert service.balancer.may_retry((NEAR[0].key,), 1.0)
    assert not service.balancer.may_retry((NEAR[0].key, NEAR[1].key), 1.0)


def test_a_retry_needs_somebody_who_has_not_failed_lately() -> None:
    service = Service(NEAR)
    other = service.of(NEAR[1])
    for _ in range(SOUND_ROW):
        assert service.balancer.may_retry((NEAR[0].key,), 1.0)
        other.answered(1.0, 0.1, failed=True)
    assert not service.balancer.may_retry((NEAR[0].key,), 1.0)
    other.answered(1.0, 0.1)
    assert service.balancer.may_retry((NEAR[0].key,), 1.0)


def test_one_on_trial_is_not_worth_a_retry() -> None:
    service = Service(NEAR)
    now = service.try_out(NEAR[1], 1.0)
    assert not service.balancer.may_retry((NEAR[0].key,), now)
    service.perform(service.health.succeeded(service.of(NEAR[1])))
    assert service.balancer.may_retry((NEAR[0].key,), now)


def test_in_panic_calls_are_tried_again_at_whoever_has_not_failed_lately() -> None:
    four = endpoints(100, 100, 100, 100)
    service = Service(four)
    for each in four[:2]:
        assert service.fail(each, 1.0, 5)
    assert service.balancer.may_retry((four[0].key,), 1.0)
    service.perform(service.health.connect_failed(four[2], "refused", 1.0))
    assert service.balancer.panic
    assert service.balancer.may_retry((four[0].key,), 1.0)
    service.fail(four[3], 1.0, 5)
    assert not service.balancer.may_retry((four[0].key, four[1].key), 1.0, free=True)


def test_retries_are_a_share_of_the_calls() -> None:
    service = Service(NEAR)
    for _ in range(1000):
        service.of(NEAR[0]).answered(1.0, 0.01)
    floor = int(FLOOR_PER_S * WINDOW_S)
    done = 0
    while done < 1000 and service.balancer.may_retry((NEAR[0].key,), 1.0):
        done += 1
        service.of(NEAR[1]).answered(1.0, 0.01)
    assert done == pytest.approx(floor + 200, abs=1)
    assert service.balancer.may_retry((NEAR[0].key,), 1.0, free=True), "without a budget there is no end"


def test_with_the_guard_left_out_nobody_panics() -> None:
    four = endpoints(100, 100, 100, 100)
    service = Service(four, guards=Guards(panic=False))
    for each in four[:2]:
        service.fail(each, 1.0, 5)
    service.perform(service.health.connect_failed(four[2], "refused", 1.0))
    assert not service.balancer.panic
    assert picked(service) == hosts(four[3])


# --- tunnels


def tunnels_of(service: Service, count: int) -> list[int]:
    """After so many were opened."""
    for _ in range(count):
        service.balancer.pick_for_tunnel(1.0).tunnels += 1
    return [each.tunnels for each in service.standings.values()]


@pytest.mark.parametrize("picker", PICKERS)
def test_tunnels_are_spread_by_tunnels_and_weight(picker: str) -> None:
    """They last, and whatever is under way in them is nobody's business."""
    policy = replace(PLAIN, picker=picker)
    assert tunnels_of(Service(endpoints(100, 100, 100), policy), 30) == [10, 10, 10]
    few, more = tunnels_of(Service(endpoints(100, 300), policy), 40)
    assert (few, more) == (10, 30)


def test_calls_under_way_do_not_keep_tunnels_away() -> None:
    service = Service(endpoints(100, 100))
    next(iter(service.standings.values())).in_flight = 50
    assert tunnels_of(service, 20) == [10, 10]


def test_the_first_tunnel_of_each_gateway_goes_to_another_one() -> None:
    found = {Service(endpoints(100, 100, 100), seed=seed).balancer.pick_for_tunnel(1.0).key for seed in range(12)}
    assert len(found) == 3


def test_one_on_trial_gets_no_tunnel_beside_its_call() -> None:
    three = endpoints(100, 100, 100)
    service = Service(three)
    now = service.try_out(three[0], 1.0)
    service.of(three[0]).in_flight = 1
    for each in three[1:]:
        service.of(each).tunnels = 5
    assert service.balancer.pick_for_tunnel(now).endpoint in three[1:]
    service.of(three[0]).in_flight = 0
    assert service.balancer.pick_for_tunnel(now).endpoint is three[0]


def test_tunnels_stay_in_the_own_lpar_with_affinity() -> None:
    assert tunnels_of(Service((*NEAR, *FAR), AFFINITY), 10) == [5, 5, 0, 0]
    assert sum(tunnels_of(Service(FAR, AFFINITY), 4)) == 4
    assert tunnels_of(Service((*NEAR, *FAR), SCOPE), 10) == [5, 5, 0, 0]


# --- an instance's own limit


def test_at_its_limit_an_instance_is_passed_by() -> None:
    policy: Policy = replace(PLAIN, picker="random", max_calls_per_instance=3)
    service = Service(NEAR, policy)
    service.of(NEAR[0]).in_flight = 3
    assert picked(service) == hosts(NEAR[1])
    got = closed_loop(Service(NEAR, policy).balancer.pick, 500, 6)
    assert set(got) == HERE


def test_a_limit_gives_one_on_trial_no_second_call() -> None:
    three = endpoints(100, 100, 100)
    service = Service(three, replace(PLAIN, picker="random", max_calls_per_instance=3))
    now = service.try_out(three[0], 1.0)
    for standing, calls in zip(service.standings.values(), (1, 3, 2), strict=True):
        standing.in_flight = calls
    assert picked(service, now=now) <= hosts(*three[1:])
