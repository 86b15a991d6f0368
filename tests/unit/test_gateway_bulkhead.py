"""Who is under way, who waits and in which order they go on; that nobody is lost, and no place."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.bulkhead import NEVER, Bulkhead


class Call:
    """A waiter is told from others by its identity only."""


def calls(count: int) -> list[Call]:
    return [Call() for _ in range(count)]


def entered(bulkhead: Bulkhead[Call], waiters: Iterable[Call], now: float) -> list[str]:
    return [bulkhead.enter(each, now) for each in waiters]


def test_up_to_the_limit_they_are_in_then_they_wait_then_it_is_full() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(2, 1, 1.0)
    assert entered(bulkhead, calls(4), 0.0) == ["in", "in", "wait", "full"]
    assert (bulkhead.in_flight, bulkhead.waiting) == (2, 1)


def test_without_a_limit_all_are_in_and_counted() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(0, 1, 1.0)
    assert entered(bulkhead, calls(1000), 0.0) == ["in"] * 1000
    assert bulkhead.leave(1.0) is None
    assert (bulkhead.in_flight, bulkhead.waiting) == (999, 0)


def test_without_a_queue_nobody_waits() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(1, 0, 1.0)
    assert entered(bulkhead, calls(2), 0.0) == ["in", "full"]
    assert bulkhead.leave(0.0) is None
    assert bulkhead.enter(Call(), 0.0) == "in"


def test_a_place_that_comes_free_goes_to_who_waited_longest_and_is_taken_at_once() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(1, 2, 1.0)
    _, first, second = waiters = calls(3)
    assert entered(bulkhead, waiters, 0.0) == ["in", "wait", "wait"]
    assert bulkhead.leave(0.5) is first
    assert (bulkhead.in_flight, bulkhead.waiting) == (1, 1)
    assert bulkhead.enter(Call(), 0.5) == "wait", "nobody slips in before those who wait"
    assert bulkhead.leave(0.6) is second


def test_time_is_up_after_so_long_and_those_who_waited_longest_are_told_first() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(1, 9, 1.0)
    _, first, second, third = waiters = calls(4)
    assert bulkhead.next_deadline() == NEVER
    for number, each in enumerate(waiters):
        bulkhead.enter(each, number * 0.25)
    assert bulkhead.next_deadline() == 1.25
    assert bulkhead.expired(1.24) == []
    assert bulkhead.expired(1.5) == [first, second]
    assert bulkhead.next_deadline() == 1.75
    assert bulkhead.leave(1.6) is third
    assert bulkhead.expired(9.0) == []


def test_who_withdraws_is_passed_over_and_leaves_room_in_the_queue() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(1, 2, 1.0)
    _, first, second = waiters = calls(3)
    entered(bulkhead, waiters, 0.0)
    bulkhead.withdraw(first)
    bulkhead.withdraw(first)
    assert bulkhead.waiting == 1
    assert bulkhead.enter(Call(), 0.0) == "wait"
    assert bulkhead.leave(0.0) is second


def test_with_more_room_some_who_wait_go_in_and_with_no_limit_all_do() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(1, 9, 1.0)
    waiters = calls(5)
    entered(bulkhead, waiters, 0.0)
    assert bulkhead.resize(3, 0.1) == waiters[1:3]
    assert (bulkhead.in_flight, bulkhead.waiting) == (3, 2)
    assert bulkhead.resize(0, 0.2) == waiters[3:]
    assert (bulkhead.in_flight, bulkhead.waiting) == (5, 0)


def test_with_less_room_those_inside_stay_and_nobody_takes_the_places_that_are_gone() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(3, 9, 1.0)
    *_, waiter = waiters = calls(4)
    entered(bulkhead, waiters, 0.0)
    assert bulkhead.resize(1, 0.0) == []
    assert bulkhead.in_flight == 3
    assert [bulkhead.leave(0.1), bulkhead.leave(0.1), bulkhead.leave(0.1)] == [None, None, waiter]
    assert bulkhead.in_flight == 1


def test_a_queue_that_is_never_empty_for_so_long_goes_on_with_the_newest() -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(1, 9, 1.0)
    waiters = calls(6)
    for each, now in zip(waiters, (0.0, 0.0, 0.4, 0.5, 0.6, 0.7), strict=True):
        bulkhead.enter(each, now)
    assert bulkhead.leave(0.99) is waiters[1]
    assert bulkhead.leave(1.0) is waiters[5]
    assert bulkhead.leave(1.1) is waiters[4]
    assert bulkhead.expired(1.45) == [waiters[2]]
    assert bulkhead.leave(1.46) is waiters[3]


@pytest.mark.parametrize("emptied_by", ["leave", "withdraw", "expired", "resize"])
def test_once_it_has_been_empty_the_order_is_as_before(emptied_by: str) -> None:
    bulkhead: Bulkhead[Call] = Bulkhead(1, 9, 1.0)
    _, waiter = waiters = calls(2)
    entered(bulkhead, waiters, 0.0)
    match emptied_by:
        case "leave":
            assert bulkhead.leave(5.0) is waiter
        case "withdraw":
            bulkhead.withdraw(waiter)
        case "expired":
            assert bulkhead.expired(5.0) == [waiter]
        case "resize":
            assert bulkhead.resize(2, 5.0) == [waiter]
    old, _ = later = calls(2)
    assert entered(bulkhead, later, 5.0) == ["wait", "wait"]
    assert bulkhead.leave(5.5) is old


def waits_of_served(load: float, wait_s: float, seconds: float) -> list[float]:
    """Ten at a time, each for 0.1 s, come evenly at so many times what can be served: how long those waited who got in,
    in order of getting in."""
    bulkhead: Bulkhead[Arrival] = Bulkhead(10, 1000, wait_s)
    gap_s = 0.01 / load
    events = [(number * gap_s, number, "comes") for number in range(int(seconds / gap_s))]
    waits = []
    while events:
        now, number, what = heapq.heappop(events)
        bulkhead.expired(now)
        if what == "comes":
            arrival: Arrival | None = Arrival(now)
            admitted = arrival if bulkhead.enter(arrival, now) == "in" else None
        else:
            admitted = bulkhead.leave(now)
        if admitted is not None:
            waits.append(now - admitted.at)
            heapq.heappush(events, (now + 0.1, number, "ends"))
    assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)
    return waits


class Arrival:
    def __init__(self, at: float) -> None:
        self.at = at


def test_under_overload_most_of_those_who_are_served_hardly_wait() -> None:
    waits = waits_of_served(load=2.0, wait_s=0.5, seconds=20.0)
    assert len(waits) == pytest.approx(20.0 / 0.01, rel=0.05), "no place is idle"
    later = sorted(waits[200:])
    assert later[len(later) // 2] < 0.02
    assert later[-1] <= 0.5


def test_at_a_load_that_can_be_served_all_are() -> None:
    waits = waits_of_served(load=0.99, wait_s=0.5, seconds=20.0)
    assert len(waits) == int(20.0 / (0.01 / 0.99))
    assert max(waits) < 1e-6


class Accounts(RuleBasedStateMachine):
    """A bulkhead beside the plain truth: who is in, and since when who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.limit, self.max_queue, self.wait_s = 2, 3, 1.0
        self.bulkhead: Bulkhead[Call] = Bulkhead(self.limit, self.max_queue, self.wait_s)
        self.inside: set[Call] = set()
        self.since: dict[Call, float] = {}

    def has_room(self) -> bool:
        return not self.limit or len(self.inside) < self.limit

    def went_in(self, call: Call) -> None:
        assert self.has_room(), "never above the limit"
        assert call in self.since, "only one that waits, and only once"
        del self.since[call]
        self.inside.add(call)

    @rule()
    def enter(self) -> None:
        call = Call()
        match self.bulkhead.enter(call, self.now):
            case "in":
                assert self.has_room()
                self.inside.add(call)
            case "wait":
                assert not self.has_room()
                self.since[call] = self.now
            case "full":
                assert not self.has_room()
                assert len(self.since) == self.max_queue

    @precondition(lambda self: self.inside)
    @rule()
    def leave(self) -> None:
        self.inside.pop()
        admitted = self.bulkhead.leave(self.now)
        if admitted is not None:
            self.went_in(admitted)

    @precondition(lambda self: self.since)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(list(self.since)))
        self.bulkhead.withdraw(call)
        del self.since[call]

    @rule(step=st.sampled_from((0.0, 0.25, 0.5, 1.0, 2.0)))
    def rest(self, step: float) -> None:
        self.now += step

    @rule()
    def expire(self) -> None:
        late = [call for call, since in self.since.items() if since + self.wait_s <= self.now]
        assert self.bulkhead.expired(self.now) == late
        for call in late:
            del self.since[call]

    @rule(limit=st.integers(0, 4))
    def resize(self, limit: int) -> None:
        self.limit = limit
        for call in self.bulkhead.resize(limit, self.now):
            self.went_in(call)

    @invariant()
    def the_counts_are_right(self) -> None:
        assert self.bulkhead.in_flight == len(self.inside)
        assert self.bulkhead.waiting == len(self.since) <= self.max_queue

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        assert not self.since or not self.has_room()

    @invariant()
    def the_next_deadline_is_the_first(self) -> None:
        assert self.bulkhead.next_deadline() == min(self.since.values(), default=NEVER) + self.wait_s


Accounts.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
test_nobody_is_lost_and_no_place = Accounts.TestCase
