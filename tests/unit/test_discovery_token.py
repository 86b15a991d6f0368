"""Tokens: what changed since one, at whichever node, folds to that node's view exactly."""

from __future__ import annotations

import random

import pytest

from discovery.record import DROPPED, LEFT, UP, Record
from discovery.space import Space
from discovery.token import MAX_CHANGED, MAX_TOKEN_CHARS, Place, behind, changed_since, formatted, parsed, token_at
from discovery.view import Held, View
from shared.errors import BadInput

LEASES = (15, 30, 90)


def record(key: str, rev: int = 1, state: int = UP, lease_s: int = 15) -> Record:
    return Record(key.partition("/")[0], key, 1, rev, 0, state, lease_s, b"")


def written(origin: str, *records: Record) -> Space:
    space = Space(origin)
    for each in records:
        space.write(each, each.rev)
    return space


class Copy:
    """One node's copies of all logs, and the view over them."""

    def __init__(self, *origins: str) -> None:
        self.spaces = {origin: Space(origin) for origin in origins}
        self.view = View(self.spaces)

    def pull(self, log: Space, limit: int = 1000) -> None:
        delta = log.delta_since(self.spaces[log.origin].position, limit)
        if delta is not None:
            self.view.update(self.spaces[log.origin].apply(delta) or [])

    def hide(self, origin: str, dead_s: float) -> None:
        self.view.update(self.view.hide(origin, dead_s))

    def show(self, origin: str) -> None:
        self.view.update(self.view.show(origin))

    def token(self) -> dict[str, Place]:
        return token_at(self.spaces, self.view.hidden())

    def visible(self) -> dict[str, Held]:
        return {held[1].key: held for held in self.view.all()}

    def changed_since(self, token: dict[str, Place], service: str | None = None) -> dict[str, str] | None:
        return changed_since(token, self.spaces, self.view.hidden(), service)


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("0", {}),
        ("LPAR1@17:3", {"LPAR1@17": Place(3, -1)}),
        ("LPAR1@17:3,LPAR2@18:4:90", {"LPAR1@17": Place(3, -1), "LPAR2@18": Place(4, 90)}),
        ("odd:name@17:3", {"odd:name@17": Place(3, -1)}),
        ("LPAR1@17:3+2,LPAR2@18:0+9:90", {"LPAR1@17": Place(3, -1, 2), "LPAR2@18": Place(0, 90, 9)}),
    ],
)
def test_a_token_is_written_and_read(text: str, token: dict[str, Place]) -> None:
    assert parsed(text) == token
    assert formatted(token) == text


@pytest.mark.parametrize(
    "part", ["", "x", "LPAR1@17", "LPAR1:3", "LPAR1@17:-3", "LPAR1@17:3:", "LPAR1@17: 3", "A@1:1\n"]
)
def test_what_is_none_is_refused_and_named(part: str) -> None:
    with pytest.raises(BadInput) as refused:
        parsed(f"LPAR1@17:3,{part}")
    assert repr(part) in str(refused.value)


def test_too_long_a_token_is_refused() -> None:
    with pytest.raises(BadInput, match=f"at most {MAX_TOKEN_CHARS}"):
        parsed("A@1:1," * MAX_TOKEN_CHARS)


def test_empty_logs_are_not_in_a_token() -> None:
    spaces = {"A@1": Space("A@1"), "B@1": written("B@1", record("s/a"), record("s/b"))}
    assert token_at(spaces, {"B@1": 30}) == {"B@1": Place(2, 30)}


def test_a_copy_that_came_in_part_is_whole_up_to_where_it_was_and_seen_further() -> None:
    log = written("A@1", record("s/a"), record("s/b"))
    early, late = Copy("A@1"), Copy("A@1")
    early.pull(log)
    late.pull(log)
    for key in ("s/a", "s/c", "s/d"):
        log.write(record(key), 2)
    late.pull(log, limit=2)
    token = late.token()
    assert token == {"A@1": Place(2, -1, 2)}
    assert behind(token, early.spaces) == behind(token, late.spaces) == ["A@1"]
    assert late.changed_since(token) is None
    late.pull(log)
    assert late.changed_since(token) == {"s/a": "s", "s/c": "s", "s/d": "s"}


def test_a_node_is_behind_what_it_lacks_and_what_it_never_heard_of() -> None:
    spaces = {"A@1": written("A@1", record("s/a"))}
    assert behind({"A@1": Place(1, -1)}, spaces) == []
    assert behind({"A@1": Place(2, -1), "B@1": Place(1, -1)}, spaces) == ["A@1", "B@1"]


def test_what_is_new_since_is_named_and_nothing_else() -> None:
    node = Copy("A@1")
    log = written("A@1", record("s/a"), record("s/b"))
    node.pull(log)
    token = node.token()
    log.write(record("t/c"), 1)
    log.write(record("s/a", state=DROPPED), 2)
    node.pull(log)
    assert node.changed_since(token) == {"t/c": "t", "s/a": "s"}
    assert node.changed_since(token, "t") == {"t/c": "t"}
    assert node.changed_since(node.token()) == {}


def test_of_an_origin_the_token_lacks_all_may_be_new() -> None:
    node = Copy("A@1", "B@1")
    node.pull(written("A@1", record("s/a")))
    token = node.token()
    node.pull(written("B@1", record("s/b"), record("s/c", state=LEFT)))
    assert node.changed_since(token) == {"s/b": "s", "s/c": "s"}


def test_what_was_hidden_or_shown_since_is_named() -> None:
    node = Copy("A@1")
    node.pull(written("A@1", *(record(f"s/{lease_s}", lease_s=lease_s) for lease_s in LEASES)))
    shown = node.token()
    node.hide("A@1", 15)
    some = node.token()
    node.hide("A@1", 40)
    assert node.changed_since(shown) == {"s/15": "s", "s/30": "s"}
    assert node.changed_since(some) == {"s/30": "s"}
    most = node.token()
    node.show("A@1")
    assert node.changed_since(most) == {"s/15": "s", "s/30": "s"}


def test_a_token_older_than_a_collected_tombstone_cannot_be_continued() -> None:
    log = written("A@1", record("s/a"), record("s/b"), record("s/a", state=DROPPED), record("s/c"))
    node = Copy("A@1")
    node.pull(log)
    log.collect(3)
    node.pull(log)
    assert node.changed_since({"A@1": Place(2, -1)}) is None
    assert node.changed_since({"A@1": Place(3, -1)}) == {"s/c": "s"}


def test_an_origin_that_is_forgotten_here_makes_a_token_useless() -> None:
    assert Copy("A@1").changed_since({"B@1": Place(2, -1)}) is None


def test_very_many_changes_are_not_listed() -> None:
    node = Copy("A@1")
    node.pull(written("A@1", record("s/first")))
    token = node.token()
    for number in range(MAX_CHANGED):
        node.spaces["A@1"].write(record(f"s/{number}"), 1)
    assert len(node.changed_since(token) or {}) == MAX_CHANGED
    node.spaces["A@1"].write(record("s/one more"), 1)
    assert node.changed_since(token) is None
    assert node.changed_since({"A@1": Place(MAX_CHANGED + 1, -1)}) == {"s/one more": "s"}


@pytest.mark.parametrize("seed", range(20))
def test_folding_by_token_gives_the_view_of_whichever_node(seed: int) -> None:
    """A watcher that goes from node to node, each at other positions and with other origins hidden."""
    draw = random.Random(seed)
    origins = ("A@1", "B@1", "C@1")
    logs = {origin: Space(origin) for origin in origins}
    nodes = [Copy(*origins) for _ in range(3)]
    token: dict[str, Place] | None = None
    held: dict[str, Held] = {}
    resumed = 0
    for rev in range(1, 1000):
        origin = draw.choice(origins)
        node = draw.choice(nodes)
        match draw.randrange(5):
            case 0 | 1:
                state = draw.choice([UP, UP, UP, DROPPED, LEFT])
                key = f"s/{draw.randrange(30)}"
                logs[origin].write(record(key, rev, state, draw.choice(LEASES)), rev)
            case 2:
                node.pull(logs[origin], limit=draw.choice([1, 2, 5, 1000]))
            case 3:
                node.hide(origin, draw.choice(LEASES)) if draw.random() < 0.5 else node.show(origin)
            case 4 if token is None or not behind(token, node.spaces):
                changed = None if token is None else node.changed_since(token)
                if changed is None:
                    held = node.visible()
                else:
                    resumed += 1
                    for key in changed:
                        now = node.view.get(key)
                        held.pop(key, None) if now is None else held.update({key: now})
                token = parsed(formatted(node.token()))
                assert held == node.visible()
    assert resumed > 5
