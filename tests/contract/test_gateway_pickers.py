"""What every picker keeps to, alone and as its balancer asks it: one suite over all of them.

Draws are seeded, so that a share is the same in each run; bounds are those of the method, not of a seed. A ring's
shares depend on where its points fall: with 64 of them a candidate has an eighth more or less than its due, seldom a
third.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.pickers import BOUND, NOBODY, PICKERS
from gateway.policy import PLAIN
from gateway.standing import Standing
from tests.balancing import Service, an_endpoint, closed_loop, standings

WEIGHTS = st.lists(st.sampled_from([1, 3, 10, 100, 1000]), min_size=1, max_size=6)
CALLS = 2000


class Alone:
    """A picker, given its candidates."""

    def __init__(self, name: str, candidates: Sequence[Standing], seed: int) -> None:
        self._picker = PICKERS[name](Random(seed))
        self.renew(candidates)

    def renew(self, candidates: Sequence[Standing]) -> None:
        self._picker.renew(candidates)

    def pick(self, now: float, key: bytes, excluded: Collection[str] = NOBODY) -> Standing:
        return self._picker.pick(now, key, excluded)


class Balanced:
    """The same, behind a balancer."""

    def __init__(self, name: str, candidates: Sequence[Standing], seed: int) -> None:
        self._service = Service((), replace(PLAIN, picker=name), seed=seed)
        self.renew(candidates)

    def renew(self, candidates: Sequence[Standing]) -> None:
        self._service.standings |= {each.key: each for each in candidates}
        self._service.adopt([each.endpoint for each in candidates])

    def pick(self, now: float, key: bytes, excluded: Collection[str] = NOBODY) -> Standing:
        return self._service.balancer.pick(now, key, excluded)


class Keyed(Balanced):
    """A balancer asked by key, whatever its picker."""

    def pick(self, now: float, key: bytes, excluded: Collection[str] = NOBODY) -> Standing:
        return self._service.balancer.pick_by(key, now, excluded)


@dataclass(frozen=True)
class Way:
    kind: type[Alone | Balanced]
    picker: str

    def __call__(self, candidates: Sequence[Standing], seed: int = 1) -> Alone | Balanced:
        return self.kind(self.picker, candidates, seed)

    def __str__(self) -> str:
        return f"{self.kind.__name__}-{self.picker}"

    @property
    def ring(self) -> bool:
        return self.picker == "ringHash" or self.kind is Keyed

    @property
    def spread(self) -> float:
        """How far a share may be from its due, as a part of that."""
        return 0.45 if self.ring else 0.0 if self.picker == "roundRobin" else 0.3


WAYS = [Way(kind, name) for kind in (Alone, Balanced) for name in sorted(PICKERS)] + [Way(Keyed, "leastRequests")]

every_way = pytest.mark.parametrize("way", WAYS, ids=str)
every_ring = pytest.mark.parametrize("way", [way for way in WAYS if way.ring], ids=str)


# --- whom


@every_way
@settings(max_examples=25)
@given(data=st.data(), weights=WEIGHTS)
def test_an_excluded_one_is_never_picked_while_another_is_left(
    way: Way, data: st.DataObject, weights: list[int]
) -> None:
    candidates = standings(*weights)
    for each in candidates:
        each.in_flight = data.draw(st.integers(0, 9))
    keys = [each.key for each in candidates]
    excluded = data.draw(st.frozensets(st.sampled_from(keys)))
    chooser = way(candidates)
    for number in range(8):
        picked = chooser.pick(1.0, b"%d" % number, excluded)
        assert picked in candidates
        assert picked.key not in excluded or len(excluded) == len(keys)


@every_way
def test_excluding_one_that_is_gone_changes_nothing(way: Way) -> None:
    candidates = standings(100, 100)
    chooser = way(candidates)
    picked = {chooser.pick(1.0, b"%d" % number, ("orders/gone",)).key for number in range(50)}
    assert picked == {each.key for each in candidates}


@every_way
def test_there_may_be_one_candidate(way: Way) -> None:
    (only,) = standings(7)
    chooser = way([only])
    only.in_flight = 50
    assert {chooser.pick(1.0, b"%d" % number) for number in range(20)} == {only}
    assert chooser.pick(1.0, b"k", (only.key,)) is only


# --- shares


@every_way
@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("at_once", [1, 2, 40])
def test_equal_weights_have_equal_shares(way: Way, count: int, at_once: int) -> None:
    got = closed_loop(way(standings(*[100] * count)).pick, CALLS, at_once)
    due = CALLS / count
    assert len(got) == count
    for share in got.values():
        assert share == pytest.approx(due, rel=way.spread or 1 / due)


@every_way
def test_a_hundred_candidates_have_equal_shares_too(way: Way) -> None:
    got = closed_loop(way(standings(*[100] * 100)).pick, 5000, 150)
    assert len(got) == 100
    for share in got.values():
        assert share == pytest.approx(50, rel=0.6 if way.spread else 1 / 50)


@every_way
@pytest.mark.parametrize("at_once", [1, 2, 14, 140])
@pytest.mark.parametrize("weights", [(1, 3, 10), (1000, 100, 100, 100)])
def test_weights_are_kept_at_low_and_at_high_load(way: Way, at_once: int, weights: tuple[int, ...]) -> None:
    candidates = standings(*weights)
    got = closed_loop(way(candidates).pick, CALLS, at_once)
    for each in candidates:
        due = CALLS * each.weight / sum(weights)
        assert got[each.endpoint.host] == pytest.approx(due, rel=way.spread or 2 / due), got


@pytest.mark.parametrize("way", [way for way in WAYS if way.kind is Alone], ids=str)
def test_weights_are_kept_when_another_one_is_excluded(way: Way) -> None:
    """A picker alone: a balancer excludes only what a call was at already, which is one pick and no share."""
    candidates = standings(100, 100, 300, 1000)
    chooser = way(candidates)
    got = closed_loop(lambda now, key: chooser.pick(now, key, (candidates[0].key,)), CALLS, 1)
    for each in candidates[1:]:
        assert got[each.endpoint.host] == pytest.approx(CALLS * each.weight / 1400, rel=0.45), got


@every_way
@pytest.mark.parametrize("at_once", [1, 30])
def test_nobody_is_starved(way: Way, at_once: int) -> None:
    """Not the lightest, nor one that is somewhat slower than the others."""
    candidates = standings(10, 100, 100, 200)
    slower = candidates[1]
    chooser = way(candidates)
    got = closed_loop(chooser.pick, CALLS, at_once, took_s=lambda each: 0.012 if each is slower else 0.01)
    assert len(got) == 4
    assert min(got.values()) > CALLS * 10 / 410 / 3, got


@every_way
def test_candidates_may_be_replaced_while_calls_are_under_way(way: Way) -> None:
    every = standings(100, 100, 100, 100, 100, 100)
    draw = Random(4)
    now: list[Standing] = every[:3]
    chooser = way(now)
    picks = 0

    def choose(at: float, key: bytes) -> Standing:
        nonlocal now, picks
        picks += 1
        if picks % 7 == 0:
            now = draw.sample(every, draw.randint(1, 6))
            chooser.renew(now)
        picked = chooser.pick(at, key)
        assert picked in now
        return picked

    got = closed_loop(choose, CALLS, 12)
    assert [each.in_flight for each in every] == [0] * 6
    for share in got.values():
        assert share == pytest.approx(CALLS / 6, rel=0.4), got


@every_way
@pytest.mark.parametrize("at_once", [1, 20])
def test_a_new_weight_holds_at_once(way: Way, at_once: int) -> None:
    candidates = standings(1, 1000, 1000)
    chooser = way(candidates)
    closed_loop(chooser.pick, 500, at_once)
    candidates[0].weight, candidates[0].endpoint = 1000, an_endpoint(1, weight=1000)
    chooser.renew(candidates)
    got = closed_loop(chooser.pick, 600, at_once, begin=100.0)
    assert got[candidates[0].endpoint.host] == pytest.approx(200, rel=0.45), got


# --- rings


def owners(chooser: Alone | Balanced, keys: int = 2000) -> list[str]:
    return [chooser.pick(1.0, b"key %d" % number).key for number in range(keys)]


@every_ring
@pytest.mark.parametrize("weights", [(100,) * 5, (100, 100, 100, 200, 300)])
def test_when_one_goes_only_its_keys_move_and_come_back_with_it(way: Way, weights: tuple[int, ...]) -> None:
    candidates = standings(*weights)
    chooser = way(candidates)
    before = owners(chooser)
    gone = candidates[2]
    chooser.renew([each for each in candidates if each is not gone])
    after = owners(chooser)
    assert gone.key in before
    assert gone.key not in after
    moved = [was for was, is_ in zip(before, after, strict=True) if was != is_]
    assert set(moved) == {gone.key}
    heirs = {is_ for was, is_ in zip(before, after, strict=True) if was == gone.key}
    assert len(heirs) > 1, "its keys go to several others"
    chooser.renew(candidates)
    assert owners(chooser) == before


@every_ring
def test_two_gateways_lead_a_key_to_the_same_one(way: Way) -> None:
    """Whatever they draw, and whichever order they know the instances in."""
    here, there = standings(100, 100, 300, 50), standings(100, 100, 300, 50)
    assert owners(way(here, seed=1)) == owners(way(there[::-1], seed=2))


@every_ring
def test_an_excluded_owners_keys_go_where_they_would_if_it_were_gone(way: Way) -> None:
    candidates = standings(100, 100, 100, 100)
    chooser = way(candidates)
    gone = candidates[1]
    excluded = [chooser.pick(1.0, b"key %d" % number, (gone.key,)).key for number in range(300)]
    chooser.renew([each for each in candidates if each is not gone])
    assert excluded == owners(chooser, 300)


@every_ring
@settings(max_examples=25)
@given(data=st.data(), weights=WEIGHTS)
def test_nobody_gets_more_than_a_quarter_above_his_part_of_what_is_under_way(
    way: Way, data: st.DataObject, weights: list[int]
) -> None:
    candidates = standings(*weights)
    for each in candidates:
        each.in_flight = data.draw(st.integers(0, 40))
    chooser = way(candidates)
    under_way = sum(each.in_flight for each in candidates) + 1
    for number in range(8):
        picked = chooser.pick(1.0, b"%d" % number)
        part = under_way * picked.weight / sum(weights)
        assert picked.in_flight < max(BOUND * part, 2)


@every_ring
def test_a_key_that_everybody_uses_does_not_overrun_its_owner(way: Way) -> None:
    candidates = standings(100, 100, 100, 100)
    chooser = way(candidates)
    most = 0

    def choose(now: float, _: bytes) -> Standing:
        nonlocal most
        picked = chooser.pick(now, b"the same")
        most = max(most, picked.in_flight + 1)
        return picked

    closed_loop(choose, CALLS, 40)
    assert most <= 40 / 4 * BOUND + 1


def test_calls_without_a_key_are_spread_over_a_ring() -> None:
    """A header to hash on that a call does not have leads nowhere."""
    candidates = standings(100, 100, 100, 100)
    chooser = Way(Balanced, "ringHash")(candidates)
    got = closed_loop(lambda now, _: chooser.pick(now, b""), CALLS, 1)
    for each in candidates:
        assert got[each.endpoint.host] == pytest.approx(CALLS / 4, rel=0.15), got


# --- latency

PEAK = [way for way in WAYS if way.picker == "peakEwma"]


@pytest.mark.parametrize("way", PEAK, ids=str)
@pytest.mark.parametrize("weights", [(100, 100, 100), (300, 100, 100)])
@pytest.mark.parametrize("at_once", [1, 10])
def test_peak_ewma_avoids_a_slow_one(way: Way, weights: tuple[int, ...], at_once: int) -> None:
    candidates = standings(*weights)
    slow = candidates[0]
    got = closed_loop(way(candidates).pick, CALLS, at_once, took_s=lambda each: 0.2 if each is slow else 0.01)
    assert 0 < got[slow.endpoint.host] < CALLS / 50, got


@pytest.mark.parametrize("way", PEAK, ids=str)
def test_peak_ewma_avoids_one_that_fails_quickly(way: Way) -> None:
    candidates = standings(100, 100, 100)
    bad = candidates[1]
    chooser = way(candidates)
    got = closed_loop(
        chooser.pick, CALLS, 10, took_s=lambda each: 0.001 if each is bad else 0.01, failing=lambda each: each is bad
    )
    assert 0 < got[bad.endpoint.host] < CALLS / 50, got


@pytest.mark.parametrize("way", PEAK, ids=str)
def test_peak_ewma_tries_a_slow_one_again_after_a_while_and_then_uses_it(way: Way) -> None:
    candidates = standings(100, 100, 100)
    once_slow = candidates[0]
    chooser = way(candidates)
    once_slow.answered(0.0, 5.0)
    assert once_slow.endpoint.host not in closed_loop(chooser.pick, 100, 1, begin=1.0)
    later = closed_loop(chooser.pick, 1500, 1, begin=100.0)
    assert later[once_slow.endpoint.host] == pytest.approx(500, rel=0.3), later


@pytest.mark.parametrize("way", PEAK, ids=str)
def test_peak_ewma_sends_one_call_to_a_new_one_until_it_has_answered(way: Way) -> None:
    candidates = standings(100, 100, 100)
    for each in candidates[:2]:
        each.answered(0.0, 0.01)
    chooser = way(candidates)
    new = candidates[2]
    got = [0]

    def choose(now: float, key: bytes) -> Standing:
        picked = chooser.pick(now, key)
        got[0] += picked is new
        return picked

    closed_loop(choose, 20, 5, took_s=lambda each: 9.0 if each is new else 0.01)
    assert got == [1]


# --- those that come back


@pytest.mark.parametrize("way", [way for way in WAYS if way.kind is Balanced], ids=str)
@pytest.mark.parametrize("at_once", [1, 12])
def test_the_share_of_a_slow_start_grows_to_the_whole(way: Way, at_once: int) -> None:
    candidates = standings(100, 100, 100, 100)
    new = candidates[0]
    shares = []
    for after_s in (5.0, 50.0, 90.0, 200.0):
        chooser = way(candidates)
        new.ramp(0.0, 100.0)

        def choose(_: float, key: bytes, chooser: Alone | Balanced = chooser, at: float = after_s) -> Standing:
            return chooser.pick(at, key)

        shares.append(closed_loop(choose, CALLS, at_once)[new.endpoint.host] / CALLS)
    assert shares[0] < 0.25 * 0.3, shares
    assert shares[0] < shares[1] < shares[3], shares
    assert shares[1] < shares[2] * 1.05, shares
    assert shares[3] > 0.25 * 0.5, shares


@pytest.mark.parametrize("way", [way for way in WAYS if way.kind is not Alone], ids=str)
@pytest.mark.parametrize("trials", [1, 2, 5])
def test_one_on_trial_has_at_most_one_call_at_a_time(way: Way, trials: int) -> None:
    candidates = standings(*[100] * 2 * max(trials, 2))
    for each in candidates[:trials]:
        each.try_out(True)
    chooser = way(candidates)
    most: dict[str, int] = {}

    def choose(now: float, key: bytes) -> Standing:
        picked = chooser.pick(now, key)
        if picked.trial:
            most[picked.key] = max(most.get(picked.key, 0), picked.in_flight + 1)
        return picked

    closed_loop(choose, CALLS, 20)
    assert most == {each.key: 1 for each in candidates[:trials]}
