"""The checker itself: histories that are right, and histories that are not."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nemesis.checker import NOTHING, State, check, effects
from tests.nemesis.history import ABSENT, UNTOLD, Operation, Read, Refused, Result, Written


def op(
    kind: Any, called: float, returned: float | None, result: Result | None, value: str = "", etag: str | None = None
) -> Operation:
    return Operation(0, "k", kind, called, value, etag, float("inf") if returned is None else returned, result)


def create(called: float, returned: float | None, value: str, result: Result | None) -> Operation:
    return op("create", called, returned, result, value)


def put(called: float, returned: float | None, value: str, etag: str | None) -> Operation:
    return op("put", called, returned, None if etag is None else Written(etag), value)


def read(called: float, returned: float, value: str | None, etag: str | None = None) -> Operation:
    return op("read", called, returned, Read(value, etag))


GOOD: dict[str, list[Operation]] = {
    "nothing at all": [],
    "read of nothing": [read(0, 1, None)],
    "write then read": [put(0, 1, "a", "1"), read(2, 3, "a", "1")],
    "a read beside a write may see either": [
        put(0, 1, "a", "1"), put(2, 5, "b", "2"), read(3, 4, "a"), read(3, 4.5, "b"),
    ],
    "one of two creates": [create(0, 3, "a", Written("1")), create(1, 2, "b", Refused("1"))],
    "an unknown write that surfaces": [put(0, None, "a", None), read(5, 6, None), read(7, 8, "a", "1")],
    "an unknown write that never does": [
        put(0, 1, "a", "1"), put(2, None, "b", None), read(5, 6, "a"), read(7, 8, "a"),
    ],
    "an unknown write whose etag is seen later": [
        put(0, None, "a", None), read(2, 3, "a", "9"),
        op("replace", 4, 5, Written("10"), "b", "9"), read(6, 7, "b", "10"),
    ],
    "an unknown replace that was refused": [
        put(0, 1, "a", "1"), op("replace", 2, None, None, "b", "0"), read(4, 5, "a", "1"),
    ],
    "refused, told what is there": [put(0, 1, "a", "1"), op("replace", 2, 3, Refused("1"), "b", "0")],
    "refused, because nothing is there": [
        op("replace", 0, 1, Refused(None), "b", "0"), op("delete", 2, 3, Refused(None)),
    ],
    "refused, and not told what is there": [put(0, 1, "a", "1"), create(2, 3, "b", Refused(UNTOLD))],
    "delete and create again": [
        create(0, 1, "a", Written("1")), op("delete", 2, 3, Written("")),
        read(4, 5, None), create(6, 7, "b", Written("2")),
    ],
    "a read that was never answered says nothing": [put(0, 1, "a", "1"), op("read", 2, None, None), read(4, 5, "a")],
}  # fmt: skip

BAD: dict[str, list[Operation]] = {
    "a lost write": [put(0, 1, "a", "1"), read(2, 3, None)],
    "a stale read": [put(0, 1, "a", "1"), put(2, 3, "b", "2"), read(4, 5, "a")],
    "a read of what was never written": [put(0, 1, "a", "1"), read(2, 3, "c")],
    "the right value under another's etag": [put(0, 1, "a", "1"), read(2, 3, "a", "2")],
    "two creates that both won": [create(0, 3, "a", Written("1")), create(1, 2, "b", Written("2"))],
    "a create refused where nothing was": [create(0, 1, "a", Refused("1"))],
    "a replace by an old etag": [
        put(0, 1, "a", "1"), put(2, 3, "b", "2"), op("replace", 4, 5, Written("3"), "c", "1"),
    ],
    "two replaces of one etag": [
        put(0, 1, "a", "1"), op("replace", 2, 9, Written("2"), "b", "1"), op("replace", 2, 9, Written("3"), "c", "1"),
    ],
    "a replace of nothing": [op("replace", 0, 1, Written("1"), "a")],
    "refused with what is not there": [put(0, 1, "a", "1"), op("replace", 2, 3, Refused("7"), "b", "0")],
    "refused although it was the one": [put(0, 1, "a", "1"), op("replace", 2, 3, Refused("1"), "b", "1")],
    "an unknown write that surfaces and goes": [put(0, None, "a", None), read(2, 3, "a"), read(4, 5, None)],
    "an unknown write that takes effect twice": [
        put(0, 1, "a", "1"), op("replace", 2, None, None, "b", "1"),
        read(4, 5, "b"), put(6, 7, "c", "3"), read(8, 9, "b"),
    ],
    "what was deleted comes back": [
        create(0, 1, "a", Written("1")), op("delete", 2, 3, Written("")), read(4, 5, "a", "1"),
    ],
    "reads that go back": [put(0, 1, "a", "1"), put(2, 9, "b", "2"), read(3, 4, "b"), read(5, 6, "a")],
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_histories_that_are_right(name: str) -> None:
    assert check("k", GOOD[name]).outcome == "linearizable"


@pytest.mark.parametrize("name", BAD)
def test_histories_that_are_not(name: str) -> None:
    verdict = check("k", BAD[name])
    assert verdict.outcome == "violated"
    assert verdict.culprit in BAD[name]


def test_too_many_unknown_writes_are_no_verdict() -> None:
    unknown = [put(0, None, str(n), None) for n in range(30)]
    assert check("k", [*unknown, read(1, 2, "7")]).outcome == "undecided"


# --- beside every order there is

VALUES = st.sampled_from(["a", "b"])
ETAGS = st.sampled_from(["1", "2"])
RESULTS: dict[str, st.SearchStrategy[Result]] = {
    "read": st.builds(Read, VALUES, st.none() | ETAGS) | st.just(ABSENT),
    "create": st.builds(Written, ETAGS) | st.builds(Refused, ETAGS | st.just(UNTOLD)),
    "put": st.builds(Written, ETAGS),
    "replace": st.builds(Written, ETAGS) | st.builds(Refused, st.none() | ETAGS),
    "delete": st.just(Written("")) | st.builds(Refused, st.none() | ETAGS),
}


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    kind: Any = draw(st.sampled_from(sorted(RESULTS)))
    called = draw(st.integers(0, 8))
    known = kind == "read" or draw(st.booleans())
    result = draw(RESULTS[kind]) if known else None
    etag = draw(st.none() | ETAGS) if kind in ("replace", "delete") else None
    return op(kind, called, called + draw(st.integers(1, 6)) if known else None, result, draw(VALUES), etag)


def possible(history: list[Operation]) -> bool:
    """Some order of all known and some of the unknown operations that keeps to the instants and to the answers."""
    unknown = [n for n, each in enumerate(history) if not each.known]
    known = [n for n, each in enumerate(history) if each.known]
    for count in range(len(unknown) + 1):
        for taken in itertools.combinations(unknown, count):
            for order in itertools.permutations([*known, *taken]):
                if _keeps_time(history, order) and _answers(history, order):
                    return True
    return False


def _keeps_time(history: list[Operation], order: tuple[int, ...]) -> bool:
    return not any(
        history[later].returned < history[sooner].called
        for place, sooner in enumerate(order)
        for later in order[place + 1 :]
    )


def _answers(history: list[Operation], order: tuple[int, ...]) -> bool:
    states: set[State] = {NOTHING}
    for n in order:
        states = {after for state in states for after in effects(state, history[n], n)}
    return bool(states)


@given(st.lists(operations(), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_it_finds_what_trying_every_order_finds(history: list[Operation]) -> None:
    # Two instants that are equal would leave the order of call and return open.
    for n, each in enumerate(history):
        each.called += n / 100
        each.returned += 0.5 + n / 100
    assert (check("k", history).outcome == "linearizable") == possible(history)
