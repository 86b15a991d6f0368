"""What each write decides."""

from __future__ import annotations

import pytest

from caching.backends.in_memory import InMemoryTable
from caching.conditions import ABSENT, ANY, PRESENT, Condition, matching
from caching.entries import Content, Entry, Name, Usage
from caching.limits import Limit
from caching.refusals import Changed, Exists, Full, Missing, ValueTooLong
from caching.writes import Clear, Delete, Evict, Put
from shared.errors import PlexmeshError

NAME = Name("me", "k")
ROOM = Limit()
NONE = Limit(owner_entries=1, owner_bytes=1)


def put(id: str, value: bytes = b"v", condition: Condition = ANY, ttl_ms: int | None = None, name: Name = NAME) -> Put:
    return Put(name, Content(value), id, condition, ttl_ms)


@pytest.fixture
def table() -> InMemoryTable:
    return InMemoryTable()


def state(table: InMemoryTable) -> tuple[list[Entry], Usage]:
    return table.entries("me"), table.usage("me")


# --- Put


def test_the_first_is_new_and_each_has_a_number_of_its_own(table: InMemoryTable) -> None:
    made = put("a", b"1").apply(table, ROOM, 10)
    assert made == Entry(NAME, Content(b"1"), 10, made.rev, "a", None, True)
    changed = put("b", b"2", ttl_ms=5).apply(table, ROOM, 20)
    assert changed == Entry(NAME, Content(b"2"), 20, changed.rev, "b", 25, False)
    assert changed.rev > made.rev
    assert table.entries("me") == [changed]


@pytest.mark.parametrize("condition", [ANY, ABSENT, PRESENT, matching("0.x")])
def test_a_repeat_is_answered_as_the_first_time_and_changes_nothing(table: InMemoryTable, condition: Condition) -> None:
    """Whatever it asks for: its condition held once, and need not hold of what it made."""
    made = put("a", b"1").apply(table, ROOM, 10)
    before = state(table)
    assert put("a", b"other", condition, 5).apply(table, NONE, 99) is made
    assert state(table) == before


def test_a_repeat_after_anothers_write_is_one_of_its_own(table: InMemoryTable) -> None:
    put("a", b"1").apply(table, ROOM, 10)
    put("b", b"2").apply(table, ROOM, 10)
    with pytest.raises(Exists):
        put("a", b"1", ABSENT).apply(table, ROOM, 10)
    assert put("a", b"1").apply(table, ROOM, 10).first is False


def test_an_id_of_another_key_is_another_write(table: InMemoryTable) -> None:
    put("a").apply(table, ROOM, 10)
    for name in (Name("me", "l"), Name("you", "k"), Name("me", "k", "m")):
        assert put("a", name=name).apply(table, ROOM, 10).name == name


def test_what_has_expired_is_not_there_at_its_instant(table: InMemoryTable) -> None:
    made = put("a", ttl_ms=5).apply(table, ROOM, 10)
    with pytest.raises(Exists):
        put("b", condition=ABSENT).apply(table, ROOM, 14)
    for condition, refusal in ((PRESENT, Missing), (matching(made.etag), Changed)):
        with pytest.raises(refusal):
            put("b", condition=condition).apply(table, ROOM, 15)
        with pytest.raises(refusal):
            Delete(NAME, condition).apply(table, ROOM, 15)
    again = put("a", b"2", ABSENT).apply(table, ROOM, 15)
    assert (again.first, again.value, again.expires_ms) == (True, b"2", None)
    assert table.usage("me") == Usage(1, 0, 2)


class Narrow(InMemoryTable):
    def check_size(self, name: Name, content: Content) -> None:
        if len(content.value) > 3:
            raise ValueTooLong("too long")


@pytest.mark.parametrize(
    ("write", "limit", "refusal"),
    [
        (put("b", b"long"), ROOM, ValueTooLong),
        (put("b", b"new", ABSENT), ROOM, Exists),
        (put("b", b"new", matching("0.x")), ROOM, Changed),
        (put("b", b"new", PRESENT, name=Name("me", "l")), ROOM, Missing),
        (put("b", b"new"), NONE, Full),
        (put("b", b"", name=Name("me", "l")), NONE, Full),
        (put("b", b"long", ABSENT), NONE, Exists),
        (Delete(NAME, matching("0.x")), ROOM, Changed),
        (Delete(Name("me", "l")), ROOM, Missing),
        (Delete(Name("me", "k", "m")), ROOM, Missing),
    ],
)
def test_a_refused_write_changes_nothing(write: Put | Delete, limit: Limit, refusal: type[PlexmeshError]) -> None:
    table = Narrow()
    put("a", b"v").apply(table, ROOM, 10)
    before = state(table)
    with pytest.raises(refusal) as refused:
        write.apply(table, limit, 10)
    assert type(refused.value) is refusal
    assert state(table) == before


# --- the others


@pytest.mark.parametrize("condition", [PRESENT, ANY])
def test_a_delete_of_what_is_not_there_is_told_so(table: InMemoryTable, condition: Condition) -> None:
    with pytest.raises(Missing):
        Delete(NAME, condition).apply(table, ROOM, 10)
    put("a").apply(table, ROOM, 10)
    Delete(NAME, condition).apply(table, ROOM, 10)
    assert state(table) == ([], Usage())


def test_clear_leaves_lists_and_others(table: InMemoryTable) -> None:
    for name in (NAME, Name("me", "l"), Name("me", "i", "m"), Name("you", "k")):
        put("a", name=name, ttl_ms=1 if name.key == "l" else None).apply(table, ROOM, 10)
    assert Clear("me").apply(table, ROOM, 99) == 2
    assert table.usage("me") == Usage(0, 1, 2)
    assert table.usage("you") == Usage(1, 0, 2)
    assert Clear("nobody").apply(table, ROOM, 99) == 0


def test_evict_drops_what_is_past_in_one_list(table: InMemoryTable) -> None:
    for map, key, value in (("m", "old", b"0"), ("m", "new", b"9999999999999"), ("other", "old", b"0")):
        put("a", value, name=Name("me", key, map)).apply(table, ROOM, 10)
    assert Evict("me", "m", "rules").apply(table, ROOM, 1 << 42) == 1
    assert [each.name.key for each in table.items("me", "m")] == ["new"]
    assert [each.name.key for each in table.items("me", "other")] == ["old"]
