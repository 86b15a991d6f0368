"""Quotas of each caller, through HTTP, where one write too many is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.integration.caching_rig import BACKENDS, Caller, Instance, apoll, served

QUOTA = "quotaEntries=5&quotaBytes=1000"


@pytest.fixture(scope="module", params=BACKENDS)
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with served(request.param, tmp_path_factory.mktemp("caching"), QUOTA) as made:
        yield made


@pytest.fixture
async def me(instance: Instance) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(session, instance)


async def put(me: Caller, key: str, size: int = 1, query: str = "") -> int:
    """`size`: bytes of key and value."""
    return (await me.ask("PUT", f"/cache/{key}{query}", b"v" * (size - len(key)))).status


async def fill(me: Caller, size: int = 1) -> None:
    for key in "abcde":
        assert await put(me, key, size) == 201


async def item(me: Caller, key: str, size: int = 1) -> int:
    return (await me.ask("POST", "/cache-list/m", {"key": key, "value": "v" * (size - len(key))})).status


async def test_one_entry_too_many_is_refused_in_each_way_of_writing(me: Caller) -> None:
    await fill(me)
    for answer in (
        await me.ask("PUT", "/cache/f", b""),
        await me.ask("POST", "/cache", {"key": "f", "value": ""}),
    ):
        assert answer.status == 507
        assert "quotaEntries" in answer.error
        assert me.name in answer.error
        assert answer.json["messages"][0]["messageNumber"] == "ZWECS134E"
    assert await put(me, "a", 9) == 204
    assert await me.keys() == set("abcde")


async def test_who_is_full_is_not_in_the_way_of_others(me: Caller) -> None:
    await fill(me)
    other = me.other()
    await fill(other)
    assert await put(other, "f") == 507
    await other.ask("DELETE", "/cache/a")
    assert (await put(other, "f"), await put(me, "f")) == (201, 507)


async def test_room_is_made_by_a_delete_and_by_what_expires(me: Caller) -> None:
    await fill(me)
    assert await put(me, "e", query="?ttlSeconds=1") == 204
    await me.ask("DELETE", "/cache/a")
    assert await put(me, "f") == 201

    async def room() -> bool:
        return await put(me, "g") == 201

    await apoll("what has expired gives way", room)
    assert await me.keys() == set("bcdfg")


async def test_bytes_are_those_of_key_and_value(me: Caller) -> None:
    assert await put(me, "a", 600) == 201
    assert await put(me, "b", 401) == 507
    assert await put(me, "b", 400) == 201
    answer = await me.ask("PUT", "/cache/a", b"v" * 600)  # one more than before
    assert answer.status == 507
    assert "quotaBytes" in answer.error
    assert await put(me, "a", 300) == 204
    assert await put(me, "b", 700) == 204
    assert await put(me, "x" * 10, 11) == 507
    assert {key: len((await me.ask("GET", f"/cache/{key}")).content) for key in "ab"} == {"a": 299, "b": 699}


async def test_items_of_lists_are_counted_by_themselves_and_their_bytes_with_all(me: Caller) -> None:
    await fill(me)
    assert [await item(me, key) for key in "abcdef"] == [201] * 5 + [507]
    assert await item(me, "a", 2) == 201  # it is there already
    assert await put(me, "a", 990) == 204  # 4 others, 5 items and one byte more
    assert await item(me, "a", 3) == 507
    assert await item(me, "a", 2) == 201


async def test_a_refused_write_leaves_what_was_there(me: Caller) -> None:
    made = await me.ask("PUT", "/cache/a", b"v" * 900, Content_Type="a/b")
    assert (await me.ask("PUT", "/cache/a", b"x" * 1_000)).status == 507
    found = await me.ask("GET", "/cache/a")
    assert (found.etag, found.content, found.headers["Content-Type"]) == (made.etag, b"v" * 900, "a/b")
