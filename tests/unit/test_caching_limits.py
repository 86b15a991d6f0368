"""What makes room for a write: in which order, how much of it, and never what is another's."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caching.backends.in_memory import InMemoryTable
from caching.entries import Content, Entry, Name, size_of
from caching.limits import Eviction, Limit
from caching.refusals import Full

NOW_MS = 1_000
DUE, LATER = NOW_MS, NOW_MS + 1


def entry(owner: str, key: str, size: int = 1, expires_ms: int | None = None, map: str | None = None) -> Entry:
    """`size`: with the key, which is of one byte."""
    return Entry(Name(owner, key, map), Content(b"v" * (size - 1)), 0, 0, "w", expires_ms)


def table_of(*entries: Entry) -> InMemoryTable:
    """Written in that order."""
    table = InMemoryTable()
    for each in entries:
        table.store(each, table.find(each.name))
    return table


def held(table: InMemoryTable, *owners: str) -> set[Name]:
    found = set()
    for owner in owners:
        found |= {each.name for each in table.entries(owner)}
        found |= {each.name for map in table.maps(owner) for each in table.items(owner, map)}
    return found


def make_room(limit: Limit, table: InMemoryTable, new: Entry) -> None:
    limit.make_room(table, new.name, new.content, table.find(new.name), NOW_MS)


def keys(table: InMemoryTable, owner: str = "me") -> str:
    return "".join(sorted(name.key for name in held(table, owner)))


THREE = (entry("me", "a"), entry("me", "b"), entry("me", "c"))


@pytest.mark.parametrize("eviction", ["reject", "removeOldest"])
def test_what_has_expired_gives_way_first_whatever_the_strategy(eviction: Eviction) -> None:
    table = table_of(*THREE, entry("me", "d", expires_ms=DUE), entry("me", "e", expires_ms=LATER))
    make_room(Limit(eviction=eviction, owner_entries=5), table, entry("me", "n"))
    assert keys(table) == "abce"


def test_the_oldest_give_way_in_the_order_of_their_last_write() -> None:
    table = table_of(*THREE, THREE[0])
    make_room(Limit(eviction="removeOldest", owner_entries=3), table, entry("me", "n"))
    assert keys(table) == "ac"


def test_nothing_gives_way_when_there_is_room_and_no_more_than_is_needed() -> None:
    table = table_of(entry("me", "a", 10), entry("me", "b", 10, DUE), entry("me", "c", 10, DUE))
    limit = Limit(owner_entries=4, owner_bytes=40)
    make_room(limit, table, entry("me", "n", 10))
    assert keys(table) == "abc"
    make_room(limit, table, entry("me", "n", 11))
    assert len(keys(table)) == 2
    assert "a" in keys(table)


@pytest.mark.parametrize("eviction", ["reject", "removeOldest"])
def test_a_refusal_removes_nothing_not_even_what_has_expired(eviction: Eviction) -> None:
    table = table_of(*THREE, entry("me", "d", expires_ms=DUE))
    with pytest.raises(Full, match="quotaBytes"):
        make_room(Limit(eviction=eviction, owner_bytes=100), table, entry("me", "n", 101))
    assert keys(table) == "abcd"


def test_a_write_that_does_not_grow_fits_in_a_storage_that_is_too_full() -> None:
    """A quota that was lowered is no reason to refuse what makes it smaller."""
    table = table_of(entry("me", "a", 50), *THREE[1:])
    limit = Limit(size=1, owner_entries=1, owner_bytes=10)
    make_room(limit, table, entry("me", "a", 50))
    with pytest.raises(Full, match="quotaBytes"):
        make_room(limit, table, entry("me", "a", 51))
    assert keys(table) == "abc"


def test_a_growing_one_is_not_dropped_to_make_room_for_itself() -> None:
    table = table_of(entry("me", "a", 50), entry("me", "b", 50))
    limit = Limit(eviction="removeOldest", owner_bytes=100)
    make_room(limit, table, entry("me", "a", 51))
    assert keys(table) == "a"
    with pytest.raises(Full):
        make_room(limit, table, entry("me", "a", 101))
    assert keys(table) == "a"


def test_items_are_no_entries() -> None:
    items = [entry("me", key, map="m") for key in "xyz"]
    table = table_of(*THREE, *items)
    limit = Limit(eviction="removeOldest", owner_entries=3)
    with pytest.raises(Full, match="items of lists"):
        make_room(limit, table, entry("me", "n", map="other"))
    make_room(limit, table, entry("me", "n"))
    assert keys(table) == "bcxyz"


def test_a_full_storage_is_named_by_its_setting() -> None:
    table = table_of(*(entry(str(n), "k") for n in range(3)))
    with pytest.raises(Full, match=r"storage\.size"):
        make_room(Limit(size=3, eviction="removeOldest"), table, entry("me", "n"))
    assert len(held(table, "0", "1", "2")) == 3
    make_room(Limit(size=3, eviction="removeOldest"), table, entry("0", "n"))
    assert len(held(table, "0", "1", "2")) == 2


# --- against a model

ENTRIES = st.builds(
    entry,
    st.sampled_from(["me", "you"]),
    st.sampled_from("abcde"),
    st.integers(1, 12),
    st.sampled_from([None, None, DUE - 1, DUE, LATER]),
    st.sampled_from([None, None, None, "m", "l"]),
)
LIMITS = st.builds(
    Limit,
    st.none() | st.integers(1, 10),
    st.sampled_from(["reject", "removeOldest"]),
    owner_entries=st.none() | st.integers(1, 6),
    owner_bytes=st.integers(1, 60),
)


@given(st.lists(ENTRIES, max_size=14), LIMITS, ENTRIES)
def test_as_a_model_that_tries_one_victim_more_each_time(written: list[Entry], limit: Limit, new: Entry) -> None:
    table = table_of(*written)
    before = held(table, "me", "you")
    victims = expected(table, limit, new)
    if victims is None:
        with pytest.raises(Full):
            make_room(limit, table, new)
    else:
        make_room(limit, table, new)
    assert before - held(table, "me", "you") == (victims or set())
    assert all(name.owner == new.name.owner for name in victims or ())


def expected(table: InMemoryTable, limit: Limit, new: Entry) -> set[Name] | None:
    """Who has to go; None: whoever goes, it does not fit."""
    old = table.find(new.name)
    if old is not None and new.size <= old.size:
        return set()
    owner, all = new.name.owner, entries_of(table)
    own = [each for each in all if each.name.owner == owner and each.name != new.name]
    willing = [each for each in table.due(owner, NOW_MS) if each.name != new.name]
    assert set(willing) == {each for each in own if each.expired(NOW_MS)}
    if limit.eviction == "removeOldest":
        rest = [each for each in own if each.name.map is None and each not in willing]
        willing += sorted(rest, key=lambda each: each.rev)
    for count in range(len(willing) + 1):
        gone = {each.name for each in willing[:count]}
        if fits(limit, [each for each in all if each.name not in gone], new, old):
            return gone
    return None


def fits(limit: Limit, left: list[Entry], new: Entry, old: Entry | None) -> bool:
    after = [each for each in left if each.name != new.name] + [new]
    alike = [each for each in after if (each.name.map is None) == (new.name.map is None)]
    own = [each for each in after if each.name.owner == new.name.owner]
    grown = old is None
    return (
        (not grown or limit.size is None or len(alike) <= limit.size)
        and (not grown or limit.owner_entries is None or len([e for e in own if e in alike]) <= limit.owner_entries)
        and sum(each.size for each in own) <= limit.owner_bytes
    )


def entries_of(table: InMemoryTable) -> list[Entry]:
    found = [table.find(name) for name in held(table, "me", "you")]
    return [each for each in found if each is not None]


def test_the_size_is_that_of_key_and_value_in_bytes() -> None:
    assert size_of(Name("owner", "ü", "map"), Content(b"123", "text/plain")) == 5
    assert msgspec.structs.replace(entry("me", "a"), content=Content(b"")).size == 1
