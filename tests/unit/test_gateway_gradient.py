"""A limit that is found out by measuring, in front of a server with a few workers and a queue, in simulated time."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gradient import LOOK_S, TOLERANCE, Gradient

SERVICE_S = 0.05
PATIENCE_S = 1.0
"""An answer that takes longer is good for nobody."""

TIMES: dict[str, Callable[[random.Random], float]] = {
    "even": lambda _: 1.0,
    "exponential": lambda rng: rng.expovariate(1.0),
    "heavy-tailed": lambda rng: rng.lognormvariate(-0.5, 1.0),
}
"""How long the server works on a call, in parts of its average."""


class Unlimited:
    limit = 1_000_000

    def sample(self, latency_s: float, in_flight: int, failed: bool, now: float) -> None: ...

    def tick(self, now: float) -> None: ...


class World:
    """Calls come at random at `load` times what the server can do, each at any of the gateways."""

    def __init__(
        self,
        gateways: list[Gradient] | list[Unlimited],
        *,
        workers: int = 10,
        load: float = 3.0,
        times: str = "exponential",
        seed: int = 1,
    ) -> None:
        self.workers, self.load, self.slowness, self.failing = workers, load, 1.0, False
        self.gateways = gateways
        self.in_flight = [0] * len(gateways)
        self.now = 0.0
        self.good, self.refused = 0, 0
        self.limits: list[int] = []
        """Of all gateways together, at each call that comes."""
        self._rng, self._work = random.Random(seed), TIMES[times]
        self._queue: deque[tuple[int, float]] = deque()
        self._working = 0
        self._ends: list[tuple[float, int, float]] = []
        self._next = 0.0

    @property
    def peak_per_s(self) -> float:
        return self.workers / (SERVICE_S * self.slowness)

    def run(self, seconds: float) -> float:
        """Returns the good answers of this time, as a part of what the server can do."""
        until, self.good, self.refused = self.now + seconds, 0, 0
        self.limits = []
        while self.now < until:
            if self._ends and self._ends[0][0] <= self._next:
                self._end()
            else:
                self._come()
            while self._queue and self._working < self.workers:
                self._working += 1
                gateway, since = self._queue.popleft()
                lasts_s = SERVICE_S * self.slowness * self._work(self._rng)
                heapq.heappush(self._ends, (self.now + lasts_s, gateway, since))
        return self.good / seconds / self.peak_per_s

    def _come(self) -> None:
        self.now = self._next
        self._next += self._rng.expovariate(self.load * self.peak_per_s)
        self.limits.append(sum(each.limit for each in self.gateways))
        number = self._rng.randrange(len(self.gateways))
        if self.in_flight[number] < self.gateways[number].limit:
            self.in_flight[number] += 1
            self._queue.append((number, self.now))
        else:
            self.refused += 1
            self.gateways[number].tick(self.now)

    def _end(self) -> None:
        self.now, number, since = heapq.heappop(self._ends)
        self._working -= 1
        latency_s = self.now - since
        self.gateways[number].sample(latency_s, self.in_flight[number], self.failing, self.now)
        self.in_flight[number] -= 1
        self.good += latency_s <= PATIENCE_S and not self.failing


def near(limit: float, workers: int) -> bool:
    """By Little's law the server needs as many calls as it has workers; a few more keep it busy."""
    return workers <= limit <= 2 * workers + 5


def test_without_a_limit_overload_leaves_almost_no_good_answer() -> None:
    """What the others are measured against: the simulation punishes a gateway that does nothing."""
    world = World([Unlimited()])
    world.run(10.0)
    assert world.run(10.0) == 0.0


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("workers", [3, 10, 50])
def test_under_three_times_the_load_the_server_does_its_best_and_the_limit_is_near_littles(
    workers: int, times: str
) -> None:
    world = World([Gradient()], workers=workers, times=times)
    world.run(10.0)
    assert world.run(40.0) > 0.9
    assert near(median(world.limits), workers)


def test_a_long_overload_does_not_make_the_limit_drift() -> None:
    world = World([Gradient()])
    for _ in range(4):
        world.run(50.0)
        assert near(median(world.limits), 10)


@pytest.mark.parametrize("gateways", [2, 3])
def test_nor_do_gateways_drift_that_share_a_server(gateways: int) -> None:
    world = World([Gradient(min_limit=1) for _ in range(gateways)], workers=20)
    for _ in range(4):
        assert world.run(40.0) > 0.9
    assert near(median(world.limits), 25)


SEEDS = (1, 2, 3)
"""What one look measures scatters: of a hundred runs some five have a limit beside the mark until the next look. So it
is the median of these that must be right after a change."""


def after_a_change(worlds: list[World], settle_s: float) -> tuple[float, float]:
    """The good answers and the limit, medians of all."""
    for world in worlds:
        world.run(settle_s)
    good = median([world.run(20.0) for world in worlds])
    return good, median([median(world.limits) for world in worlds])


@pytest.mark.parametrize("times", ["even", "exponential"])
def test_it_follows_a_server_that_becomes_slower_and_quicker(times: str) -> None:
    worlds = [World([Gradient()], workers=20, times=times, seed=seed) for seed in SEEDS]
    for slowness in (1.0, 2.0, 0.5, 1.0):
        for world in worlds:
            world.slowness = slowness
        good, limit = after_a_change(worlds, 2 * LOOK_S + 10.0)
        assert good > 0.9
        assert near(limit, 20)


def test_it_follows_a_server_that_loses_workers_and_gets_more() -> None:
    worlds = [World([Gradient()], workers=20, seed=seed) for seed in SEEDS]
    for workers in (20, 5, 40):
        for world in worlds:
            world.workers = workers
        good, limit = after_a_change(worlds, LOOK_S + 10.0)
        assert good > 0.9
        assert near(limit, workers)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_at_a_load_that_can_be_served_nobody_is_refused(load: float) -> None:
    world = World([Gradient()], workers=50, load=load)
    world.run(5.0)
    assert world.run(30.0) == pytest.approx(load, rel=0.1)
    assert world.refused == 0


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    world = World([Gradient()], workers=50, load=0.1)
    world.run(30.0)
    assert world.gateways[0].limit < 4 * 0.1 * 50 + 10


def test_after_a_calm_time_the_overload_that_follows_finds_a_good_limit() -> None:
    world = World([Gradient()], workers=20, load=0.6)
    world.run(30.0)
    world.load = 3.0
    assert world.run(10.0) > 0.9
    assert near(median(world.limits), 20)


def test_quick_errors_are_no_quick_answers_and_bring_the_limit_down_until_they_end() -> None:
    world = World([gradient := Gradient(min_limit=6)], workers=20)
    world.run(20.0)
    world.failing, world.slowness = True, 0.1
    world.run(10.0)
    assert median(world.limits[-100:]) == 6
    world.failing, world.slowness = False, 1.0
    world.run(LOOK_S)
    assert world.run(20.0) > 0.9
    assert near(gradient.limit, 20)


def samples(gradient: Gradient, count: int, latency_s: float, in_flight: int, now: float, gap_s: float = 0.01) -> float:
    """So many in a row; returns when the last was."""
    for _ in range(count):
        now += gap_s
        gradient.sample(latency_s, in_flight, False, now)
    return now


def at_its_first_look() -> tuple[Gradient, float]:
    gradient, now = Gradient(), 100.0
    assert gradient.limit == 20
    while gradient.limit == 20:
        now = samples(gradient, 1, 0.1, 20, now)
        assert now < 101.0
    assert gradient.limit == 5
    return gradient, now


def test_it_looks_with_a_quarter_and_goes_on_with_what_it_had() -> None:
    gradient, now = at_its_first_look()
    now = samples(gradient, 100, 0.02, 5, now)
    assert gradient.limit == 20


def test_what_it_saw_decides_whether_there_is_a_queue() -> None:
    """The same answers once it is open: five times as long as what was seen, or just as long."""
    limits = []
    for seen_s in (0.02, 0.1):
        gradient, now = at_its_first_look()
        now = samples(gradient, 200, seen_s, 5, now)
        samples(gradient, 100, 0.1, gradient.limit, now)
        limits.append(gradient.limit)
    assert limits[0] < 20 < limits[1]


def test_calls_from_before_it_looked_are_not_what_it_looks_for() -> None:
    """They take so long because they stood in the queue."""
    gradient, now = at_its_first_look()
    for _ in range(200):
        now = samples(gradient, 1, 0.02, 5, now)
        if gradient.limit == 5:
            gradient.sample(9.0, 5, False, now)
    samples(gradient, 100, 0.1, 20, now)
    assert gradient.limit < 20


def test_a_look_ends_though_calls_that_last_hold_all_places_and_no_sample_comes() -> None:
    gradient, now = at_its_first_look()
    gradient.tick(now + 0.2)
    assert gradient.limit == 5
    gradient.tick(now + 0.4)
    assert gradient.limit == 20


def test_a_look_ends_though_those_that_last_let_some_others_pass() -> None:
    gradient, now = at_its_first_look()
    samples(gradient, 50, 0.1, 7, now)
    assert gradient.limit == 20


def test_when_the_first_look_was_in_vain_it_goes_on_with_what_is_known_and_does_not_look_at_once_again() -> None:
    gradient, now = at_its_first_look()
    gradient.tick(now := now + 1.0)
    limits = set()
    for _ in range(100):
        now = samples(gradient, 1, 0.1, gradient.limit, now)
        limits.add(gradient.limit)
    assert min(limits) == 20
    assert max(limits) > 20


def test_it_tries_for_more_while_the_time_is_hardly_above_what_it_tolerates() -> None:
    gradient, now = at_its_first_look()
    now = samples(gradient, 200, 0.1, 5, now)
    reached = gradient.limit
    samples(gradient, 200, 1.05 * 0.1 * TOLERANCE, reached, now)
    assert reached < gradient.limit < 2 * reached


@given(
    least=st.integers(1, 20),
    more=st.integers(0, 100),
    calls=st.lists(
        st.tuples(
            st.sampled_from((0.0, 1e-6, 0.001, 0.05, 1.0, 60.0)),
            st.integers(1, 200),
            st.booleans(),
            st.sampled_from((0.0, 0.001, 0.1, 1.0, 20.0)),
            st.integers(1, 30),
        ),
        max_size=40,
    ),
)
def test_whatever_comes_it_stays_within_its_bounds_and_no_look_lasts(
    least: int, more: int, calls: list[tuple[float, int, bool, float, int]]
) -> None:
    gradient, now = Gradient(min_limit=least, max_limit=least + more), 0.0
    for latency_s, in_flight, failed, gap_s, times in calls:
        for _ in range(times):
            now += gap_s
            gradient.sample(latency_s, in_flight, failed, now)
            gradient.tick(now)
            assert 1 <= gradient.limit <= least + more
            assert gradient.limit >= min(least, max(least // 4, 1))
    gradient.tick(math.inf)
    assert least <= gradient.limit <= least + more
