"""Is a history linearizable: could one register per key, doing one operation at a time, have answered so?

Each operation has to take effect at one instant between its call and its return. Keys are judged one by one, which is
enough (linearizability is local). Just in time: the instants are swept in order; kept are the configurations that are
still possible, each the register's state and the open operations that have taken effect already. When an operation
returns, those where it has not taken effect with that answer, now or after other open ones, are dropped. None left: the
history is not linearizable, and this operation is the culprit.

Writes whose outcome nobody knows stay open for ever; reads without an answer say nothing and are left out. With many
such writes the configurations multiply: beyond `MOST` the key is undecided, which is no verdict.

Sources: Wing and Gong 1993; Lowe, "Testing for Linearizability" 2017; Horn and Kroening 2015 (keys apart).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tests.nemesis.history import UNTOLD, Operation, Read, Refused, Written

MOST = 200_000
"""Configurations of one key at one time."""


class State(NamedTuple):
    """Of a register. `etag` None: nothing is there; "unseen …": of a write whose answer nobody got."""

    value: str | None = None
    etag: str | None = None


NOTHING = State()
Configuration = tuple[State, frozenset[int]]


@dataclass(frozen=True)
class Verdict:
    key: str
    outcome: Literal["linearizable", "violated", "undecided"]
    culprit: Operation | None = None


def check(key: str, operations: Iterable[Operation]) -> Verdict:
    ops = [each for each in operations if each.known or each.kind != "read"]
    calls = [(each.called, False, number) for number, each in enumerate(ops)]
    returns = [(each.returned, True, number) for number, each in enumerate(ops) if each.known]
    possible: set[Configuration] = {(NOTHING, frozenset())}
    open_ops: set[int] = set()
    for _, has_returned, number in sorted(calls + returns):
        if not has_returned:
            open_ops.add(number)
            continue
        reached = _expanded(possible, ops, open_ops)
        if reached is None:
            return Verdict(key, "undecided")
        possible = {(state, done - {number}) for state, done in reached if number in done}
        open_ops.discard(number)
        if not possible:
            return Verdict(key, "violated", ops[number])
    return Verdict(key, "linearizable")


def _expanded(possible: set[Configuration], ops: list[Operation], open_ops: set[int]) -> set[Configuration] | None:
    """With any of the open operations taken effect in any order; None: too many."""
    reached, fresh = set(possible), list(possible)
    while fresh:
        state, done = fresh.pop()
        for number in open_ops - done:
            for after in effects(state, ops[number], number):
                following = (after, done | {number})
                if following not in reached:
                    if len(reached) >= MOST:
                        return None
                    reached.add(following)
                    fresh.append(following)
    return reached


def effects(state: State, op: Operation, number: int) -> list[State]:
    """What the register may be after it; none: it could not have answered so."""
    if op.kind == "read":
        assert isinstance(op.result, Read)
        same = op.result.value == state.value and (op.result.etag is None or _may_be(state, op.result.etag))
        return [state if op.result.etag is None else State(state.value, op.result.etag)] if same else []
    allowed = _allowed(state, op)
    match op.result:
        case Refused(etag):
            fits = (
                etag == UNTOLD or (etag is None and state.etag is None) or (etag is not None and _may_be(state, etag))
            )
            return [state] if allowed is not True and fits else []
        case Written(etag):
            return [NOTHING if op.kind == "delete" else State(op.value, etag)] if allowed is not False else []
    if allowed is False:
        return [state]  # not known to anybody, and without effect
    return [NOTHING if op.kind == "delete" else State(op.value, _unseen(number))]


def _refused(state: State, etag: str | None) -> list[State]:
    if etag == UNTOLD or etag == state.etag:
        return [state]
    return [State(state.value, etag)] if etag is not None and _may_be(state, etag) else []


def _allowed(state: State, op: Operation) -> bool | None:
    """Does its condition hold? None: it may, since nobody has seen the ETag that is there."""
    if op.kind == "put":
        return True
    if op.kind == "create":
        return state.etag is None
    if state.etag is None:
        return False
    if op.etag is None or op.etag == state.etag:
        return True
    return None if state.etag.startswith("unseen") else False


def _may_be(state: State, etag: str) -> bool:
    return state.etag is not None and (state.etag == etag or state.etag.startswith("unseen"))


def _unseen(number: int) -> str:
    return f"unseen {number}"
