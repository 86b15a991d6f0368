"""Quotas of each caller, through HTTP, where the caller's own oldest entries make room, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.integration.caching_rig import BACKENDS, Caller, Instance, served
from tests.integration.test_caching_quotas import fill, item, put

QUOTA = "quotaEntries=5&quotaBytes=1000"


@pytest.fixture(scope="module", params=BACKENDS)
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    query = f"{QUOTA}&evictionStrategy=removeOldest"
    with served(request.param, tmp_path_factory.mktemp("caching"), query) as made:
        yield made


@pytest.fixture
async def me(instance: Instance) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(session, instance)


async def test_the_one_written_longest_ago_gives_way(me: Caller) -> None:
    await fill(me)
    assert await put(me, "a") == 204  # so b is the oldest
    assert await put(me, "f") == 201
    assert await me.keys() == set("acdef")


async def test_as_many_give_way_as_the_bytes_need(me: Caller) -> None:
    await fill(me, 200)
    assert await put(me, "f", 401) == 201
    assert await me.keys() == set("def")


async def test_nothing_gives_way_to_what_will_never_fit(me: Caller) -> None:
    await fill(me, 200)
    assert await put(me, "f", 1_001) == 507
    assert await put(me, "a", 1_001) == 507
    assert await me.keys() == set("abcde")


async def test_others_and_lists_never_give_way(me: Caller) -> None:
    other = me.other()
    await fill(other)
    assert await item(me, "i", 500) == 201
    for key in "abcdefgh":
        assert await put(me, key, 240) == 201
    assert await me.keys() == set("gh")
    assert await put(me, "x", 501) == 507
    assert await other.keys() == set("abcde")
    assert (await me.ask("GET", "/cache-list/m")).json.keys() == {"i"}
    assert await me.keys() == set("gh")


async def test_an_item_is_paid_for_with_entries_only_if_bytes_are_lacking(me: Caller) -> None:
    await fill(me, 200)
    assert await item(me, "i", 100) == 201
    assert await me.keys() == set("bcde")
    assert [await item(me, key) for key in "jklm"] == [201] * 4
    assert await item(me, "n") == 507
    assert await me.keys() == set("bcde")


async def test_a_repeat_costs_nobody_anything(me: Caller) -> None:
    await fill(me)
    first = await me.ask("PUT", "/cache/f", b"", Idempotency_Key="once")
    again = await me.ask("PUT", "/cache/f", b"", Idempotency_Key="once")
    assert (first.status, first.etag) == (again.status, again.etag)
    assert await me.keys() == set("bcdef")
