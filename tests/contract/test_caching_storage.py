"""One suite over every backend of the caching service: what the `Storage` port promises."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from caching.limits import Limit
from caching.refusals import Exists, Full, Missing
from caching.storage import Storage
from tests.contract.calls import clear, create, delete, entries, evict, get, items, maps, put_item, replace
from tests.contract.conftest import Open

DAY_MS = 86_400_000


async def keys(storage: Storage, owner: str) -> set[str]:
    return {entry.name.key for entry in await entries(storage, owner)}


async def test_what_is_created_is_read_with_the_time_of_its_writing(storage: Storage) -> None:
    before = int(time.time() * 1000)
    made = await create(storage, "me", "k", b"v")
    found = await get(storage, "me", "k")
    assert found == made
    assert found.value == b"v"
    assert before <= found.created_ms <= int(time.time() * 1000)


async def test_create_never_overwrites(storage: Storage) -> None:
    await create(storage, "me", "k", b"first")
    with pytest.raises(Exists):
        await create(storage, "me", "k", b"second")
    assert (await get(storage, "me", "k")).value == b"first"


async def test_replace_changes_value_and_time_of_what_is_there(storage: Storage) -> None:
    made = await create(storage, "me", "k", b"first")
    changed = await replace(storage, "me", "k", b"second")
    assert (await get(storage, "me", "k")).value == b"second"
    assert changed.rev > made.rev
    assert changed.created_ms >= made.created_ms


async def test_replace_of_what_is_not_there_stores_nothing(storage: Storage) -> None:
    with pytest.raises(Missing):
        await replace(storage, "me", "k", b"v")
    with pytest.raises(Missing):
        await get(storage, "me", "k")
    assert await entries(storage, "me") == []


async def test_delete_removes_one_entry_once(storage: Storage) -> None:
    await create(storage, "me", "k", b"v")
    await create(storage, "me", "other", b"v")
    await delete(storage, "me", "k")
    with pytest.raises(Missing):
        await get(storage, "me", "k")
    with pytest.raises(Missing):
        await delete(storage, "me", "k")
    assert await keys(storage, "me") == {"other"}


async def test_the_texts_of_refusals_name_key_and_owner_and_no_value(storage: Storage) -> None:
    await create(storage, "me", "there", b"secret")
    with pytest.raises(Exists) as exists:
        await create(storage, "me", "there", b"secret")
    with pytest.raises(Missing) as gone:
        await get(storage, "me", "gone")
    assert "'there'" in str(exists.value)
    assert "'me'" in str(exists.value)
    assert "secret" not in str(exists.value)
    assert "'gone'" in str(gone.value)
    assert "'me'" in str(gone.value)


async def test_owners_see_their_own_entries_only(storage: Storage) -> None:
    await create(storage, "me", "k", b"mine")
    await create(storage, "you", "k", b"yours")
    assert (await get(storage, "me", "k")).value == b"mine"
    assert {each.value for each in await entries(storage, "you")} == {b"yours"}
    await delete(storage, "me", "k")
    assert (await get(storage, "you", "k")).value == b"yours"


async def test_clear_drops_the_owners_entries_and_nothing_else(storage: Storage) -> None:
    for key in ("a", "b", "c"):
        await create(storage, "me", key, b"v")
    await create(storage, "you", "a", b"v")
    await put_item(storage, "me", "list", "a", b"v")
    assert await clear(storage, "me") == 3
    assert await clear(storage, "me") == 0
    assert await keys(storage, "me") == set()
    assert await keys(storage, "you") == {"a"}
    assert len(await items(storage, "me", "list")) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "bc"), ("ab", "c")),
        (("a", "b/c"), ("a/b", "c")),
        (("a", ""), ("", "a")),
        (("x", "Aa"), ("x", "BB")),  # one hash in Java
        (("x", "k" * 1000), ("x", "k" * 1001)),
        (("x", "k" * 300 + "1"), ("x", "k" * 300 + "2")),
        (("x", "K"), ("x", "k")),
        (("x", "k"), ("x", "k ")),
        (("x", "e\u0301"), ("x", "\u00e9")),
        (("x", "\0"), ("x", "")),
    ],
)
async def test_names_that_look_alike_are_different(
    storage: Storage, one: tuple[str, str], other: tuple[str, str]
) -> None:
    await create(storage, *one, b"one")
    with pytest.raises(Missing):
        await get(storage, *other)
    await create(storage, *other, b"other")
    assert (await get(storage, *one)).value == b"one"
    await delete(storage, *other)
    assert (await get(storage, *one)).value == b"one"


@pytest.mark.parametrize("value", [b"", b"\0", b"\xff\xfe", "ü€𐍈".encode(), b"x" * 30_000])
async def test_values_come_back_as_they_were(storage: Storage, value: bytes) -> None:
    await create(storage, "me", "k", value)
    assert (await get(storage, "me", "k")).value == value


@pytest.mark.parametrize("key", ["a b", "a/b", "ü€𐍈", "%2F", "..", "'\"<&>", "k" * 10_000])
async def test_keys_may_be_any_text(storage: Storage, key: str) -> None:
    await create(storage, "me", key, b"v")
    assert (await get(storage, "me", key)).name.key == key
    assert await keys(storage, "me") == {key}
    await delete(storage, "me", key)


async def test_of_many_creates_of_one_key_one_wins(storage: Storage) -> None:
    creates = [create(storage, "me", "k", str(n).encode()) for n in range(50)]
    results = await asyncio.gather(*creates, return_exceptions=True)
    won = [n for n, result in enumerate(results) if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(result, Exists) for n, result in enumerate(results) if n != won[0])
    assert (await get(storage, "me", "k")).value == str(won[0]).encode()


async def test_many_writes_at_once_are_all_there(storage: Storage) -> None:
    await asyncio.gather(*(create(storage, "me", str(n), str(n).encode()) for n in range(600)))
    assert {(each.name.key, each.value.decode()) for each in await entries(storage, "me")} == {
        (str(n), str(n)) for n in range(600)
    }


# --- the size and its strategies


async def test_a_full_storage_rejects_creates_only(opening: Open) -> None:
    storage = await opening(Limit(owner_entries=2))
    await create(storage, "me", "a", b"v")
    await create(storage, "me", "b", b"v")
    with pytest.raises(Full, match="quotaEntries"):
        await create(storage, "me", "c", b"v")
    with pytest.raises(Exists):
        await create(storage, "me", "a", b"v")
    await create(storage, "you", "c", b"v")
    await replace(storage, "me", "a", b"new")
    await delete(storage, "me", "b")
    await create(storage, "me", "c", b"v")
    assert await keys(storage, "me") == {"a", "c"}


async def test_the_size_counts_the_entries_of_all_owners(opening: Open) -> None:
    """Where it is declared; elsewhere one owner's entries take nothing from another."""
    storage = await opening(Limit(3, "removeOldest"))
    await create(storage, "me", "a", b"v")
    await create(storage, "you", "b", b"v")
    await create(storage, "me", "c", b"v")
    if not storage.capabilities.total_limit:
        await create(storage, "them", "e", b"v")
        return
    with pytest.raises(Full, match=r"storage\.size"):
        await create(storage, "them", "e", b"v")
    await create(storage, "me", "d", b"v")
    assert await keys(storage, "you") == {"b"}
    assert await keys(storage, "me") == {"c", "d"}


async def test_clearing_makes_room(opening: Open) -> None:
    storage = await opening(Limit(2, owner_entries=2))
    for round in ("a", "b", "c"):
        await create(storage, "me", round, b"v")
        await create(storage, "me", f"{round}2", b"v")
        assert await clear(storage, "me") == 2


async def test_remove_oldest_drops_what_the_owner_wrote_longest_ago_and_nobody_elses(opening: Open) -> None:
    storage = await opening(Limit(eviction="removeOldest", owner_entries=2))
    await create(storage, "you", "b", b"v")
    await create(storage, "me", "a", b"v")
    await create(storage, "me", "c", b"v")
    await replace(storage, "me", "a", b"new")
    await create(storage, "me", "d", b"v")
    assert await keys(storage, "you") == {"b"}
    assert await keys(storage, "me") == {"a", "d"}


async def test_a_create_that_is_refused_drops_nobody(opening: Open) -> None:
    storage = await opening(Limit(eviction="removeOldest", owner_entries=1))
    await create(storage, "me", "a", b"v")
    with pytest.raises(Exists):
        await create(storage, "me", "a", b"v")
    assert await keys(storage, "me") == {"a"}


@pytest.mark.parametrize("eviction", ["reject", "removeOldest"])
async def test_items_have_a_limit_of_their_own_and_are_never_dropped_for_room(opening: Open, eviction: str) -> None:
    storage = await opening(Limit(eviction=eviction, owner_entries=2))  # type: ignore[arg-type]
    await put_item(storage, "me", "list", "a", b"v")
    await put_item(storage, "me", "list", "b", b"v")
    await create(storage, "me", "a", b"v")
    await create(storage, "me", "b", b"v")
    with pytest.raises(Full):
        await put_item(storage, "me", "other", "c", b"v")
    await put_item(storage, "me", "list", "a", b"new")
    assert {(each.name.key, each.value) for each in await items(storage, "me", "list")} == {("a", b"new"), ("b", b"v")}


# --- lists


async def test_items_are_put_overwritten_and_read_by_list(storage: Storage) -> None:
    await put_item(storage, "me", "one", "a", b"1")
    await put_item(storage, "me", "one", "b", b"2")
    await put_item(storage, "me", "one", "a", b"3")
    await put_item(storage, "me", "two", "a", b"4")
    await put_item(storage, "you", "one", "a", b"5")
    assert {each.name.key: each.value for each in await items(storage, "me", "one")} == {"a": b"3", "b": b"2"}
    mine = await maps(storage, "me")
    assert {map: {each.name.key: each.value for each in items} for map, items in mine.items()} == {
        "one": {"a": b"3", "b": b"2"},
        "two": {"a": b"4"},
    }
    assert await items(storage, "me", "three") == []
    assert await maps(storage, "nobody") == {}


async def test_items_and_entries_are_apart(storage: Storage) -> None:
    await put_item(storage, "me", "list", "k", b"item")
    with pytest.raises(Missing):
        await get(storage, "me", "k")
    await create(storage, "me", "k", b"entry")
    assert await keys(storage, "me") == {"k"}
    assert [each.value for each in await items(storage, "me", "list")] == [b"item"]


@pytest.mark.parametrize(("one", "other"), [(("a", "bc"), ("ab", "c")), (("a", ""), ("", "a"))])
async def test_names_of_lists_are_not_run_together(
    storage: Storage, one: tuple[str, str], other: tuple[str, str]
) -> None:
    await put_item(storage, *one, "k", b"v")
    assert await items(storage, *other) == []
    assert await maps(storage, other[0]) == {}


async def test_evicting_tokens_drops_those_that_are_over(storage: Storage) -> None:
    later, earlier = time.localtime(time.time() + 3600), time.localtime(time.time() - 3600)
    values = {
        "over": json.dumps({"expiresAt": list(earlier[:6])}),
        "valid": json.dumps({"expiresAt": list(later[:6])}),
        "unreadable": "no JSON",
    }
    for key, value in values.items():
        await put_item(storage, "me", "tokens", key, value.encode())
        await put_item(storage, "me", "other", key, value.encode())
    assert await evict(storage, "me", "tokens", "tokens") == 1
    assert {each.name.key for each in await items(storage, "me", "tokens")} == {"valid", "unreadable"}
    assert len(await items(storage, "me", "other")) == 3


async def test_evicting_rules_drops_those_over_90_days_old_and_makes_room(opening: Open) -> None:
    storage = await opening(Limit(2, owner_entries=2))
    now_ms = int(time.time() * 1000)
    await put_item(storage, "me", "rules", "old", str(now_ms - 92 * DAY_MS).encode())
    await put_item(storage, "me", "rules", "new", str(now_ms - 80 * DAY_MS).encode())
    assert await evict(storage, "me", "rules", "rules") == 1
    assert {each.name.key for each in await items(storage, "me", "rules")} == {"new"}
    await put_item(storage, "me", "rules", "another", b"0")
    assert await evict(storage, "me", "nothing", "rules") == 0


async def test_an_open_storage_answers_and_tells_what_it_holds(storage: Storage) -> None:
    await create(storage, "me", "k", b"v")
    await put_item(storage, "me", "list", "k", b"v")
    assert storage.why() == []
    assert storage.remarks() == []
    used = await storage.usage("me")
    assert (used.entries, used.items, used.bytes) == (1, 1, 4)
    assert storage.details()["backend"]
