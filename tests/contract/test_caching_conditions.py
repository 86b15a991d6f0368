"""What every backend makes of conditions, repeats, times to live, quotas and pages."""

from __future__ import annotations

import asyncio

import pytest

from caching.conditions import ABSENT, ANY, PRESENT, Condition, matching
from caching.entries import Name
from caching.limits import Limit
from caching.refusals import Changed, Exists, Full, Missing
from caching.storage import Storage
from caching.writes import Delete
from tests.contract.calls import clear, create, delete, entries, get, items, maps, put, put_item, replace
from tests.contract.conftest import Open
from tests.contract.storages import Bench

# --- conditions


async def test_each_write_gives_an_etag_of_its_own(storage: Storage) -> None:
    made = await create(storage, "me", "k", b"1")
    changed = await replace(storage, "me", "k", b"1")
    other = await create(storage, "me", "l", b"1")
    assert len({made.etag, changed.etag, other.etag}) == 3
    assert (await get(storage, "me", "k")).etag == changed.etag


async def test_a_write_is_done_if_the_etag_matches_and_refused_with_the_present_one_else(storage: Storage) -> None:
    made = await create(storage, "me", "k", b"1")
    changed = await put(storage, "me", "k", b"2", matching("0.other", made.etag))
    with pytest.raises(Changed) as refused:
        await put(storage, "me", "k", b"3", matching(made.etag))
    assert refused.value.etag == changed.etag
    assert (await get(storage, "me", "k")).value == b"2"


async def test_a_condition_on_what_is_not_there_creates_nothing(storage: Storage) -> None:
    for condition, error in ((matching("1.a"), Changed), (PRESENT, Missing)):
        with pytest.raises(error):
            await put(storage, "me", "k", b"v", condition)
    assert await entries(storage, "me") == []


async def test_a_delete_may_have_a_condition_too(storage: Storage) -> None:
    made = await create(storage, "me", "k", b"1")
    changed = await replace(storage, "me", "k", b"2")
    with pytest.raises(Changed) as refused:
        await delete(storage, "me", "k", matching(made.etag))
    assert refused.value.etag == changed.etag
    await delete(storage, "me", "k", matching(changed.etag))
    with pytest.raises(Changed) as refused:
        await delete(storage, "me", "k", matching(changed.etag))
    assert refused.value.etag is None


async def test_an_etag_of_a_former_life_does_not_match(storage: Storage) -> None:
    made = await create(storage, "me", "k", b"v")
    await delete(storage, "me", "k")
    again = await create(storage, "me", "k", b"v")
    assert again.etag != made.etag
    with pytest.raises(Changed):
        await put(storage, "me", "k", b"w", matching(made.etag))


async def test_of_many_who_change_the_same_one_exactly_one_wins(storage: Storage) -> None:
    made = await create(storage, "me", "k", b"0")
    tries = [put(storage, "me", "k", str(n).encode(), matching(made.etag)) for n in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(each, Changed) for each in results if each is not won[0])
    assert (await get(storage, "me", "k")).etag == won[0].etag


async def test_a_counter_that_many_change_by_etag_loses_nothing(storage: Storage) -> None:
    await create(storage, "me", "n", b"0")

    async def count() -> None:
        for _ in range(5):
            while True:
                found = await get(storage, "me", "n")
                try:
                    await put(storage, "me", "n", str(int(found.value) + 1).encode(), matching(found.etag))
                    break
                except Changed:
                    continue

    await asyncio.gather(*(count() for _ in range(4)))
    assert (await get(storage, "me", "n")).value == b"20"


async def test_a_put_says_whether_it_created(storage: Storage) -> None:
    assert (await put(storage, "me", "k", b"1")).first
    assert not (await put(storage, "me", "k", b"2")).first
    await delete(storage, "me", "k")
    assert (await put(storage, "me", "k", b"3")).first


async def test_the_type_of_a_value_is_kept_and_replaced_with_it(storage: Storage) -> None:
    await put(storage, "me", "k", b"\0\xff", type="image/png")
    found = await get(storage, "me", "k")
    assert (found.value, found.content.type) == (b"\0\xff", "image/png")
    await put(storage, "me", "k", b"v")
    assert (await get(storage, "me", "k")).content.type == ""


# --- repeats


@pytest.mark.parametrize("condition", [ANY, ABSENT])
async def test_a_repeated_write_is_answered_as_the_first_time_and_not_done_again(
    storage: Storage, condition: Condition
) -> None:
    made = await put(storage, "me", "k", b"1", condition, write_id="mine")
    used = await storage.usage("me")
    again = await put(storage, "me", "k", b"2", condition, write_id="mine")
    assert again == made
    assert await get(storage, "me", "k") == made
    assert await storage.usage("me") == used


async def test_a_repeated_conditional_write_is_answered_as_the_first_time(storage: Storage) -> None:
    made = await create(storage, "me", "k", b"1")
    changed = await put(storage, "me", "k", b"2", matching(made.etag), write_id="mine")
    assert await put(storage, "me", "k", b"2", matching(made.etag), write_id="mine") == changed
    await replace(storage, "me", "k", b"3")
    with pytest.raises(Changed):
        await put(storage, "me", "k", b"2", matching(made.etag), write_id="mine")


async def test_a_write_id_says_nothing_about_other_keys(storage: Storage) -> None:
    await put(storage, "me", "k", b"1", write_id="mine")
    assert (await put(storage, "me", "l", b"2", write_id="mine")).first
    assert (await put(storage, "you", "k", b"3", write_id="mine")).first


# --- times to live


async def test_what_has_expired_is_nowhere(bench: Bench, storage: Storage) -> None:
    made = await put(storage, "me", "k", b"v", ttl_ms=10_000)
    await put_item(storage, "me", "list", "stays", b"v")
    await put(storage, "me", "goes", b"v", map="list", ttl_ms=10_000)
    await put(storage, "me", "goes", b"v", map="other", ttl_ms=10_000)
    assert made.expires_ms is not None
    assert 9_000 < made.expires_ms - made.created_ms <= 10_000
    bench.clock.ahead_ms = 9_000
    assert await get(storage, "me", "k") == made
    bench.clock.ahead_ms = 10_001
    with pytest.raises(Missing):
        await get(storage, "me", "k")
    assert await entries(storage, "me") == []
    assert [each.name.key for each in await items(storage, "me", "list")] == ["stays"]
    assert [map for map, held in (await maps(storage, "me")).items() if held] == ["list"]
    for write in (replace(storage, "me", "k", b"w"), delete(storage, "me", "k")):
        with pytest.raises(Missing):
            await write
    with pytest.raises(Changed) as refused:
        await put(storage, "me", "k", b"w", matching(made.etag))
    assert refused.value.etag is None


async def test_what_has_expired_can_be_created_and_its_write_is_no_repeat(bench: Bench, storage: Storage) -> None:
    await put(storage, "me", "k", b"old", ABSENT, ttl_ms=1_000, write_id="mine")
    bench.clock.ahead_ms = 1_001
    again = await put(storage, "me", "k", b"new", ABSENT, write_id="mine")
    assert again.first
    assert (await get(storage, "me", "k")).value == b"new"
    assert (await storage.usage("me")).entries == 1


async def test_a_write_sets_the_time_anew_or_takes_it_away(bench: Bench, storage: Storage) -> None:
    await put(storage, "me", "longer", b"v", ttl_ms=1_000)
    await put(storage, "me", "longer", b"v", ttl_ms=60_000)
    await put(storage, "me", "stays", b"v", ttl_ms=1_000)
    await put(storage, "me", "stays", b"v")
    bench.clock.ahead_ms = 2_000
    assert (await get(storage, "me", "longer")).value == b"v"
    assert (await get(storage, "me", "stays")).expires_ms is None


async def test_what_has_expired_gives_way_first(bench: Bench, opening: Open) -> None:
    storage = await opening(Limit(owner_entries=2))
    await create(storage, "me", "old", b"v")
    await put(storage, "me", "short", b"v", ttl_ms=1_000)
    with pytest.raises(Full):
        await create(storage, "me", "new", b"v")
    bench.clock.ahead_ms = 1_001
    await create(storage, "me", "new", b"v")
    assert {each.name.key for each in await entries(storage, "me")} == {"old", "new"}
    assert (await storage.usage("me")).entries == 2


# --- quotas


async def test_the_bytes_of_an_owner_are_limited(opening: Open) -> None:
    storage = await opening(Limit(owner_bytes=100))
    await create(storage, "me", "a", b"v" * 49)
    await put_item(storage, "me", "list", "b", b"v" * 49)
    assert (await storage.usage("me")).bytes == 100
    with pytest.raises(Full, match="quotaBytes"):
        await create(storage, "me", "c", b"")
    with pytest.raises(Full, match="quotaBytes"):
        await replace(storage, "me", "a", b"v" * 50)
    await replace(storage, "me", "a", b"v" * 40)
    await create(storage, "me", "c", b"v" * 8)
    await create(storage, "you", "a", b"v" * 99)
    assert (await storage.usage("me")).bytes == 100


async def test_the_oldest_give_way_until_the_bytes_fit(opening: Open) -> None:
    storage = await opening(Limit(eviction="removeOldest", owner_bytes=100))
    for key in ("a", "b", "c", "d"):
        await create(storage, "me", key, b"v" * 24)
    await create(storage, "me", "e", b"v" * 49)
    assert {each.name.key for each in await entries(storage, "me")} == {"c", "d", "e"}
    await replace(storage, "me", "c", b"v" * 74)
    assert {each.name.key for each in await entries(storage, "me")} == {"c"}
    with pytest.raises(Full):
        await create(storage, "me", "f", b"v" * 100)
    assert {each.name.key for each in await entries(storage, "me")} == {"c"}


async def test_usage_follows_every_write(storage: Storage) -> None:
    await create(storage, "me", "k", b"12345")
    await replace(storage, "me", "k", b"12")
    await put_item(storage, "me", "list", "i", b"1")
    used = await storage.usage("me")
    assert (used.entries, used.items, used.bytes) == (1, 1, 5)
    await clear(storage, "me")
    used = await storage.usage("me")
    assert (used.entries, used.items, used.bytes) == (0, 1, 2)
    assert (await storage.usage("nobody")).entries == 0


# --- pages


async def test_pages_follow_each_other_and_leave_nothing_out(storage: Storage) -> None:
    names = [f"k{n:03}" for n in range(25)] + ["ä", "long" * 100, "long" * 100 + "er"]
    for name in names:
        await create(storage, "me", name, b"v")
    await create(storage, "you", "k000x", b"v")
    await put_item(storage, "me", "list", "k000y", b"v")
    found: list[str] = []
    after = None
    while page := await storage.page("me", after=after, limit=7):
        found += [each.name.key for each in page]
        after = found[-1]
    assert sorted(found) == sorted(names)
    short = [each for each in found if len(each) < 100]
    assert short == sorted(short, key=str.encode)
    if storage.capabilities.ordered:
        assert found == sorted(names, key=str.encode)


async def test_a_page_begins_behind_a_key_that_has_gone(storage: Storage) -> None:
    for key in ("a", "b", "c"):
        await create(storage, "me", key, b"v")
    await delete(storage, "me", "b")
    assert [each.name.key for each in await storage.page("me", after="b")] == ["c"]
    assert [each.name.key for each in await storage.page("me", after="")] == ["a", "c"]


async def test_a_prefix_is_a_prefix_and_no_pattern(storage: Storage) -> None:
    names = ["a", "a*", "a*b", "ab", "a%", "[a", "b", "a" * 300, "b" * 300]
    for name in names:
        await create(storage, "me", name, b"v")
        await put_item(storage, "me", "list", name, b"v")
    for prefix in ("a", "a*", "", "a" * 200, "b" * 299, "c", "["):
        wanted = {name for name in names if name.startswith(prefix)}
        assert {each.name.key for each in await storage.page("me", prefix=prefix)} == wanted
        assert {each.name.key for each in await storage.page("me", map="list", prefix=prefix)} == wanted


async def test_a_delete_of_an_item_is_a_write_like_others(storage: Storage) -> None:
    await put_item(storage, "me", "list", "i", b"v")
    await storage.write(Delete(Name("me", "i", "list")))
    assert await items(storage, "me", "list") == []
    assert (await storage.usage("me")).items == 0
    assert await storage.maps("me") == []


async def test_two_openers_see_the_same(bench: Bench, opening: Open) -> None:
    one, other = await opening(), await opening()
    if not one.capabilities.shared:
        return
    made = await create(one, "me", "k", b"1")
    assert await get(other, "me", "k") == made
    changed = await put(other, "me", "k", b"2", matching(made.etag))
    with pytest.raises(Changed):
        await put(one, "me", "k", b"3", matching(made.etag))
    assert await get(one, "me", "k") == changed
    with pytest.raises(Exists):
        await create(one, "me", "k", b"4")
