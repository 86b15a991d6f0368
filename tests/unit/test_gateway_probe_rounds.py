"""Health URLs that are asked now and then: which, by whom, how often, and what two misses mean."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guards import Guards
from gateway.health import MAX_PROBERS, MAX_PROBES_PER_S, Health, Probe, Rounds
from gateway.snapshot import Endpoint
from gateway.standing import Standing
from tests.balancing import a_snapshot, an_endpoint, endpoints, probes, states

A, B = endpoints(100, 100)
EVERY_S = 10.0


def watching(*endpoints: Endpoint, interval_s: float = EVERY_S, seed: int = 1) -> Health:
    health = Health(Random(seed))
    health.adopt(a_snapshot(*endpoints), 0.0)
    health.watch({each.key: interval_s for each in endpoints}, 0.0)
    return health


def next_probe(health: Health, endpoint: Endpoint) -> float:
    """When that one is asked next; others that are due before are answered."""
    for _ in range(100):
        due = health.next_deadline()
        for key in probes(health.tick(due)):
            if key == endpoint.key:
                return due
            health.probed(B if endpoint is A else A, "", due)
    raise AssertionError("never")


def test_each_is_asked_once_in_an_interval_or_so() -> None:
    health, times = watching(A), []
    for _ in range(20):
        times.append(next_probe(health, A))
        assert not states(health.probed(A, "", times[-1]))
    assert 0.0 <= times[0] <= EVERY_S
    for last, this in pairwise(times):
        assert 0.9 * EVERY_S <= this - last <= 1.1 * EVERY_S


def test_nobody_waits_for_these() -> None:
    (probe,) = watching(A).tick(EVERY_S)
    assert probe == Probe(A, patient=True)


def test_gateways_do_not_all_ask_in_the_same_moment() -> None:
    assert len({watching(A, seed=seed).next_deadline() for seed in range(5)}) == 5


def test_it_is_not_asked_again_before_it_has_answered() -> None:
    health = watching(A)
    assert probes(health.tick(EVERY_S)) == [A.key]
    assert not health.tick(100.0)
    health.probed(A, "", 100.0)
    assert probes(health.tick(health.next_deadline())) == [A.key]


def test_two_misses_put_out_and_the_second_is_looked_for_soon() -> None:
    health = watching(A, B)
    now = next_probe(health, A)
    assert not health.probed(A, "silent", now)
    again = next_probe(health, A)
    assert again - now <= 1.0
    assert states(health.probed(A, "silent", again)) == ["out"]
    assert list(health.view((A, B)).candidates) == [B]
    assert states(health.probed(A, "", again + 1)) == [None]


def test_an_answer_between_them_forgives_the_first_miss() -> None:
    health = watching(A)
    for _ in range(4):
        assert not health.probed(A, "silent", next_probe(health, A))
        assert not health.probed(A, "", next_probe(health, A))


def test_a_good_answer_brings_nobody_back_early() -> None:
    """It adds to what calls have found out, and does not overrule it."""
    health = watching(A, B)
    standing = Standing(A, 0.0)
    for _ in range(5):
        standing.answered(1.0, 0.01, failed=True)
    assert states(health.failed(standing, (A, B), "503", 1.0)) == ["ejected"]
    assert not health.probed(A, "", 1.1)
    assert list(health.view((A, B)).candidates) == [B]


def test_one_that_fails_calls_and_probes_is_out() -> None:
    health = watching(A, B)
    health.probed(A, "silent", 1.0)
    assert states(health.probed(A, "silent", 2.0)) == ["out"]
    assert list(health.view((A, B)).candidates) == [B]


def test_those_that_are_out_are_asked_by_their_own_pauses() -> None:
    health = watching(A)
    health.connect_failed(A, "refused", 0.0)
    asked = 0
    now = 0.0
    while (now := health.next_deadline()) < 40.0:
        for key in probes(health.tick(now)):
            asked += 1
            health.probed(A, "refused", now)
            assert key == A.key
    assert asked == 6, "after 0.5, 1, 2, 4, 8 and 16 s"


def test_one_that_is_asked_no_more_has_no_misses() -> None:
    health = watching(A, B)
    health.probed(A, "silent", 1.0)
    health.watch({B.key: EVERY_S}, 2.0)
    health.watch({A.key: EVERY_S, B.key: EVERY_S}, 3.0)
    assert not health.probed(A, "silent", 4.0)


def test_a_miss_of_an_older_process_is_not_the_newers() -> None:
    health = watching(A)
    health.probed(A, "silent", 1.0)
    newer = an_endpoint(1, gen=2)
    health.adopt(a_snapshot(newer), 2.0)
    health.watch({newer.key: EVERY_S}, 2.0)
    assert not health.probed(newer, "silent", 3.0)
    assert states(health.probed(newer, "silent", 4.0)) == ["out"]


def test_what_left_the_registry_is_asked_no_more() -> None:
    health = watching(A, B)
    health.adopt(a_snapshot(B), 1.0)
    health.watch({B.key: EVERY_S}, 1.0)
    asked = {key for now in range(2, 200) for key in probes(health.tick(float(now)))}
    assert asked == {B.key}
    assert not health.probed(A, "silent", 3.0)


def test_a_shorter_interval_holds_from_now_on() -> None:
    health = watching(A, interval_s=3600.0)
    health.watch({A.key: 5.0}, 1.0)
    assert health.next_deadline() <= 6.0


def test_those_that_appear_are_asked_once_each_and_not_all_at_the_same_time() -> None:
    health = Health()
    appeared = endpoints(*[100] * 40)
    health.adopt(a_snapshot(*appeared), 5.0)
    health.look_at(appeared, 5.0)
    assert len(probes(health.tick(5.0))) == 1
    assert len(probes(health.tick(6.0))) == MAX_PROBES_PER_S
    health.tick(7.0)
    for each in appeared:
        assert not states(health.probed(each, "", 7.0))
    assert health.next_deadline() == float("inf")


def test_one_that_appears_and_cannot_be_reached_is_out_after_two_probes() -> None:
    health = Health()
    health.adopt(a_snapshot(A), 5.0)
    health.look_at([A], 5.0)
    assert probes(health.tick(5.0)) == [A.key]
    assert not states(health.probed(A, "refused", 5.0))
    assert probes(health.tick(6.0)) == [A.key]
    assert states(health.probed(A, "refused", 6.0)) == ["out"]


def test_one_that_leaves_before_it_was_asked_is_not() -> None:
    health = Health()
    health.adopt(a_snapshot(A, B), 5.0)
    health.look_at([A, B], 5.0)
    health.adopt(a_snapshot(B), 5.0)
    assert probes(health.tick(6.0)) == [B.key]


def test_without_the_guard_nobody_is_asked() -> None:
    health = Health(guards=Guards(probes=False))
    health.adopt(a_snapshot(A), 0.0)
    health.watch({A.key: 1.0}, 0.0)
    health.look_at([A], 0.0)
    assert health.next_deadline() == float("inf")
    assert not health.tick(100.0)


# --- by whom

GATEWAYS = [f"127.0.{n}.1:7554" for n in range(1, 17)]


@given(st.integers(1, 12), st.integers(1, 16))
def test_three_gateways_ask_each_and_all_agree_who(count: int, gateways: int) -> None:
    every = endpoints(*[100] * count)
    asked = [(each, EVERY_S) for each in every]
    known = GATEWAYS[:gateways]
    asking = [Rounds(own).of(asked, known[::-1]) for own in known]
    for each in every:
        assert sum(each.key in mine for mine in asking) == min(gateways, MAX_PROBERS)


def test_the_work_is_shared_out() -> None:
    asked = [(each, EVERY_S) for each in endpoints(*[100] * 200)]
    shares = [len(Rounds(own).of(asked, GATEWAYS)) for own in GATEWAYS]
    assert sum(shares) == 200 * MAX_PROBERS
    assert max(shares) < 2 * min(shares)


def test_a_gateway_that_does_not_know_itself_asks_all() -> None:
    asked = [(each, EVERY_S) for each in endpoints(*[100] * 10)]
    assert len(Rounds("127.0.99.1:7554").of(asked, GATEWAYS)) == 10
    assert len(Rounds("127.0.99.1:7554").of(asked, [])) == 10


@pytest.mark.parametrize(
    ("count", "interval_s", "found_s"), [(10, 10.0, 10.0), (200, 10.0, 10.0), (250, 10.0, 12.5), (100, 1.0, 5.0)]
)
def test_a_gateway_asks_twenty_a_second_at_most(count: int, interval_s: float, found_s: float) -> None:
    asked = [(each, interval_s) for each in endpoints(*[100] * count)]
    mine = Rounds("own").of(asked, ["own"])
    assert set(mine.values()) == {found_s}
    assert sum(1 / every_s for every_s in mine.values()) <= MAX_PROBES_PER_S + 1e-9


def test_nothing_to_ask_is_nothing_to_do() -> None:
    assert Rounds("own").of([], ["own"]) == {}
