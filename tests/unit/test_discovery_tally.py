"""Counts and checksums by service: whatever changed, they are those of the set."""

from __future__ import annotations

import random

from discovery.record import UP, Record
from discovery.tally import Sum, Tally
from discovery.view import Change, Held
from shared.wire import checksum


def held(key: str, rev: int) -> Held:
    return "A@1", Record(key.partition("/")[0], key, 1, rev, 0, UP, 15, b"")


def counted(visible: dict[str, Held], *services: str) -> Sum:
    parts = size = 0
    for _, record in visible.values():
        if not services or record.service in services:
            parts = checksum(parts, record.key, record.gen, record.rev)
            size += 1
    return Sum(size, parts)


def test_it_keeps_up_with_every_change() -> None:
    draw = random.Random(3)
    visible: dict[str, Held] = {"a/0": held("a/0", 0)}
    tally = Tally(visible.values())
    for rev in range(1, 300):
        key = f"{draw.choice('abc')}/{draw.randrange(5)}"
        before, after = visible.get(key), held(key, rev) if draw.random() < 0.6 else None
        if before is None and after is None:
            continue
        assert tally.note(Change(key, before, after)) == key[0]
        visible.pop(key, None)
        if after is not None:
            visible[key] = after
        assert tally.of(None) == counted(visible)
        assert tally.of(frozenset("a")) == counted(visible, "a")
        assert tally.of(frozenset("bc")) == counted(visible, "b", "c")


def test_nothing_is_kept_of_what_went() -> None:
    tally = Tally()
    tally.note(Change("a/1", None, held("a/1", 1)))
    tally.note(Change("a/1", held("a/1", 1), None))
    assert tally.of(frozenset("a")) == tally.of(None) == Sum(0, 0)
    assert not tally._services
