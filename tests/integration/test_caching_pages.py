"""Lists in pages, followed to the end by their links; and whole ones, unless they are too long."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from caching.backends.in_memory import InMemoryStorage
from caching.calls import Calls
from caching.clock import Clock
from caching.entries import Content, Name
from caching.limits import Limit
from caching.metrics import CachingMetrics
from caching.requests import Request
from caching.writes import Delete, Put
from tests.integration.caching_rig import BACKENDS, BASE, Caller, Instance, served


@pytest.fixture(scope="module", params=BACKENDS)
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with served(request.param, tmp_path_factory.mktemp("caching")) as made:
        yield made


@pytest.fixture
async def me(instance: Instance) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        me = Caller(session, instance)
        yield me
        await me.ask("DELETE", "/cache")


async def put(me: Caller, keys: list[str], value: bytes = b"v") -> None:
    answers = await asyncio.gather(*(me.ask("PUT", f"/cache/{key}", value) for key in keys))
    assert {answer.status for answer in answers} == {201}


def next_of(headers: Any) -> str | None:
    """Of the link to the next page: its path below the interface."""
    if "Link" not in headers:
        return None
    link = re.fullmatch(r'<([^<> ]+)>; rel="next"', headers["Link"])
    assert link is not None, headers["Link"]
    assert link[1].startswith(BASE)
    return link[1].removeprefix(BASE)


async def pages(me: Caller, path: str) -> list[list[str]]:
    """The keys of every page, to the end."""
    found: list[list[str]] = []
    following: str | None = path
    while following:
        answer = await me.ask("GET", following)
        assert answer.status == 200
        found.append(list(answer.json))
        following = next_of(answer.headers)
        assert len(found) < 50
    return found


async def test_every_entry_is_on_just_one_page_in_the_order_of_the_keys(me: Caller) -> None:
    keys = sorted((f"k{n:03}" for n in range(25)), key=str.encode)
    await put(me, keys[::-1])
    found = await pages(me, "/cache?limit=10")
    assert [len(page) for page in found if page] == [10, 10, 5]
    assert [key for page in found for key in page] == keys


async def test_a_page_that_is_full_by_chance_has_a_next_one_that_is_empty(me: Caller) -> None:
    await put(me, ["a", "b"])
    assert await pages(me, "/cache?limit=2") in ([["a", "b"]], [["a", "b"], []])


async def test_keys_of_any_sort_are_followed(me: Caller) -> None:
    odd = ["a b", "a&b=c", "a+b", "a/b", "a#b", "a%b", "ü", "𐍈", "\uffff", 'q"', "<x>", "a\nb", "?", "limit=1"]
    for key in odd:
        assert (await me.ask("POST", "/cache", {"key": key, "value": "v"})).status == 201
    found = [key for page in await pages(me, "/cache?limit=1") for key in page]
    assert found == sorted(odd, key=str.encode)


async def test_the_trailing_slash_and_the_prefix_stay_in_the_link(me: Caller) -> None:
    await put(me, ["a1", "a2", "a3", "b1"])
    first = await me.ask("GET", "/cache/?prefix=a&limit=2")
    following = next_of(first.headers)
    assert following is not None
    assert following.startswith("/cache/?")
    assert [key for page in await pages(me, "/cache/?prefix=a&limit=2") for key in page] == ["a1", "a2", "a3"]


async def test_prefix_and_after(me: Caller) -> None:
    await put(me, ["a", "ab", "abc", "b", "%C3%A4"])
    assert list((await me.ask("GET", "/cache?prefix=ab")).json) == ["ab", "abc"]
    assert list((await me.ask("GET", "/cache?after=ab")).json) == ["abc", "b", "ä"]
    assert list((await me.ask("GET", "/cache?after=aa")).json) == ["ab", "abc", "b", "ä"]
    assert list((await me.ask("GET", "/cache?prefix=a&after=ab")).json) == ["abc"]
    assert list((await me.ask("GET", "/cache?prefix=%C3%A4")).json) == ["ä"]
    assert list((await me.ask("GET", "/cache?prefix=&after=")).json) == ["a", "ab", "abc", "b", "ä"]
    assert (await me.ask("GET", "/cache?prefix=x")).json == {}


async def test_what_stays_is_found_though_others_come_and_go(me: Caller) -> None:
    stays = [f"s{n:03}" for n in range(60)]
    await put(me, stays)
    stopped = False

    async def come_and_go(worker: int) -> int:
        rounds = 0
        while not stopped:
            for letter in "atz":
                await me.ask("PUT", f"/cache/{letter}{worker}-{rounds}", b"v")
                await me.ask("PUT", f"/cache/s{rounds % 60:03}x", b"v")
            for letter in "atz":
                await me.ask("DELETE", f"/cache/{letter}{worker}-{rounds}")
            await me.ask("DELETE", f"/cache/s{rounds % 60:03}x")
            rounds += 1
        return rounds

    others = [asyncio.create_task(come_and_go(worker)) for worker in range(2)]
    for _ in range(5):
        found = [key for page in await pages(me, "/cache?limit=7") for key in page]
        assert found == sorted(set(found))
        assert set(stays) <= set(found)
    stopped = True
    assert min(await asyncio.gather(*others)) > 0


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1.0", "limit=%2B1", "limit=000000001999999",
        "limit=%D9%A3", "limit=1&limit=2", "prefix=a&prefix=b", "Limit=1", "size=1", "prefix=%FF", "after=%C3", "x",
        "limit=1&y=2",
    ],
)  # fmt: skip
async def test_queries_that_are_none(me: Caller, query: str) -> None:
    refused = await me.ask("GET", f"/cache?{query}")
    assert refused.status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/cache/k?x=1"), ("PUT", "/cache/k?ttl=60"), ("PUT", "/cache/k?ttlSeconds=1&ttlSeconds=2"),
        ("DELETE", "/cache/k?x=1"), ("PUT", "/cache?ttlSeconds=60"), ("POST", "/cache?ttlSeconds=60"),
        ("DELETE", "/cache?prefix=a"), ("GET", "/cache-list?limit=1"), ("GET", "/cache-list/m?limit=1"),
        ("POST", "/cache-list/m?x=1"), ("DELETE", "/cache-list/evict/rules/m?x=1"),
    ],
)  # fmt: skip
async def test_what_is_asked_and_not_known_is_refused_everywhere(me: Caller, method: str, path: str) -> None:
    await put(me, ["k"])
    refused = await me.ask(method, path, {"key": "k", "value": "v"} if method in ("POST", "PUT") else None)
    assert refused.status == 400
    assert "query parameter" in refused.error
    assert (await me.ask("GET", "/cache/k")).content == b"v"


# --- whole ones


async def test_a_whole_list_of_too_many_bytes_is_refused_and_its_pages_are_not(me: Caller) -> None:
    keys = [f"k{n:03}" for n in range(265)]
    await put(me, keys, b"x" * 32_000)
    refused = await me.ask("GET", "/cache")
    assert refused.status == 413
    assert "?limit=1000" in refused.error
    assert refused.json["messages"][0]["messageNumber"] == "ZWECS130E"
    assert "pages" in refused.json["messages"][0]["messageAction"]
    assert [key for page in await pages(me, "/cache?limit=100") for key in page] == keys
    await me.ask("DELETE", "/cache/k000")
    for n in range(1, 5):
        await me.ask("DELETE", f"/cache/k{n:03}")
    assert (await me.ask("GET", "/cache")).status == 200


# In this process, because it is faster.


async def test_a_whole_list_of_too_many_entries_is_refused() -> None:
    storage, calls = await holding(5_001, None)
    refused = await calls.answer("list", calls.list, asked())
    assert refused.status == 413
    assert b"5000 entries" in refused.body
    await storage.write(Delete(Name("me", "0")))
    assert len(json.loads((await calls.answer("list", calls.list, asked())).body)) == 5_000


async def test_a_list_of_items_is_whole_whatever_its_size() -> None:
    """Who cannot read revocations takes them for none."""
    _, calls = await holding(5_500, "m")
    assert len(json.loads((await calls.read_list(asked(map="m"))).body)) == 5_500
    assert len(json.loads((await calls.read_lists(asked())).body)["m"]) == 5_500


async def holding(count: int, map: str | None) -> tuple[InMemoryStorage, Calls]:
    storage = InMemoryStorage(Limit(), alone=True, clock=Clock())
    for n in range(count):
        await storage.write(Put(Name("me", str(n), map), Content(b"v"), str(n)))
    return storage, Calls(storage, CachingMetrics(CollectorRegistry()))


def asked(**names: str) -> Request:
    return Request("me", {}, {}, names, b"", "")
