"""Nonces and their windows: each request once, whatever the order, the repetitions and the evictions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.nonces import MAX_COUNTER, WINDOW, Nonces, Window

SECRET = b"s" * 32


@given(st.lists(st.one_of(st.integers(1, 20), st.integers(1, 3 * WINDOW), st.integers(1, MAX_COUNTER)), max_size=60))
def test_a_window_takes_each_counter_once_and_all_recent_ones(counters: list[int]) -> None:
    window, taken = Window(), set[int]()
    for counter in counters:
        new = counter not in taken and counter > max(taken, default=0) - WINDOW
        assert window.take(counter) is new
        if new:
            taken.add(counter)


def test_parallel_requests_may_overtake_one_another() -> None:
    window = Window()
    assert [window.take(each) for each in (64, *range(1, 64))] == [True] * 64
    assert not any(window.take(each) for each in range(1, 65))


def test_only_own_nonces_count() -> None:
    nonces = Nonces(SECRET)
    mine, foreign = nonces.issue(), Nonces(b"t" * 32).issue()
    assert nonces.take(mine, 1)
    assert not nonces.take(mine, 1)
    for nonce in (foreign, "", "0", mine[:-1], mine + "0", mine.upper() + "é", " " + mine[1:], "0x" + mine[2:]):
        assert not nonces.take(nonce, 2)
    for counter in (0, -1, MAX_COUNTER + 1):
        assert not nonces.take(mine, counter)
    assert nonces.take(mine, 2)


def test_issuing_remembers_nothing() -> None:
    nonces = Nonces(SECRET)
    for _ in range(1000):
        nonces.issue()
    assert len(nonces) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=80), st.integers(1, 4))
def test_nothing_is_taken_twice_however_small_the_table(tries: list[tuple[int, int]], held: int) -> None:
    nonces = Nonces(SECRET, held)
    issued = [nonces.issue() for _ in range(10)]
    taken = [(nonce, counter) for nonce, counter in tries if nonces.take(issued[nonce], counter)]
    assert len(taken) == len(set(taken))
    assert len(nonces) <= held


def test_a_dropped_nonce_is_never_fresh_again_and_newer_ones_stay() -> None:
    nonces = Nonces(SECRET, 2)
    first, second, third = nonces.issue(), nonces.issue(), nonces.issue()
    assert all(nonces.take(each, 1) for each in (first, second, third))
    assert not nonces.take(first, 2)
    assert nonces.take(second, 2)
    assert nonces.take(third, 2)
