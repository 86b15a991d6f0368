"""Times to live, through HTTP: what has expired is nowhere, and says before when it will be."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from tests.integration.caching_rig import BACKENDS, Caller, Instance, apoll, served

YEAR_S = 365 * 86_400


@pytest.fixture(scope="module", params=BACKENDS)
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with served(request.param, tmp_path_factory.mktemp("caching")) as made:
        yield made


@pytest.fixture
async def me(instance: Instance) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(session, instance)


async def write(me: Caller, way: str, ttl: object, value: str = "v") -> int:
    """Each way of giving a time to live; `ttl` None: without."""
    query = "" if ttl is None else f"?ttlSeconds={ttl}"
    header = {} if ttl is None else {"X_Cache_TTL": str(ttl)}
    body = {"key": "k", "value": value} | ({} if ttl is None else {"ttlSeconds": ttl})
    without = {"key": "k", "value": value}
    answers = {
        "POST": ("POST", "/cache", body, {}),
        "PUT": ("PUT", "/cache", body, {}),
        "POST, header": ("POST", "/cache", without, header),
        "PUT, header": ("PUT", "/cache", without, header),
        "raw, query": ("PUT", f"/cache/k{query}", value.encode(), {}),
        "raw, header": ("PUT", "/cache/k", value.encode(), header),
    }
    method, path, given, fields = answers[way]
    return (await me.ask(method, path, given, **fields)).status


WAYS = ["POST", "PUT", "POST, header", "PUT, header", "raw, query", "raw, header"]


@pytest.mark.parametrize("way", WAYS)
async def test_expires_is_so_many_seconds_from_now(me: Caller, way: str) -> None:
    if way.startswith("PUT"):
        await me.ask("POST", "/cache", {"key": "k", "value": "old"})
    before = int(time.time())
    assert await write(me, way, 600) in (201, 204)
    found = await me.ask("GET", "/cache/k")
    at = parsedate_to_datetime(found.headers["Expires"]).timestamp()
    assert before + 600 <= at <= time.time() + 600
    view = (await me.ask("GET", "/cache")).json["k"]
    assert int(view["expires"]) == int(view["created"]) + 600_000
    assert int(view["expires"]) // 1000 == at
    if not way.startswith("raw"):
        assert found.json["expires"] == view["expires"]
    assert (await me.ask("GET", "/cache/k", If_None_Match=found.etag)).headers["Expires"] == found.headers["Expires"]


@pytest.mark.parametrize("way", ["PUT", "PUT, header", "raw, query", "raw, header"])
async def test_a_write_without_one_clears_it(me: Caller, way: str) -> None:
    await write(me, "POST", 600)
    assert await write(me, way, None) == 204
    assert "Expires" not in (await me.ask("GET", "/cache/k")).headers
    assert "expires" not in (await me.ask("GET", "/cache")).json["k"]


@pytest.mark.parametrize("way", WAYS)
async def test_bounds(me: Caller, way: str) -> None:
    for ttl in (0, -1, YEAR_S + 1, 10**20, "1.5", "", "+1", "1e3", " ", "x", "٣"):
        assert await write(me, way, ttl) == 400, ttl
    assert await me.keys() == set()


@pytest.mark.parametrize("way", ["POST", "POST, header", "raw, query", "raw, header"])
@pytest.mark.parametrize("ttl", [1, YEAR_S])
async def test_at_the_bounds(me: Caller, way: str, ttl: int) -> None:
    assert await write(me, way, ttl) == 201


async def test_the_bodys_own_is_the_one_that_counts(me: Caller) -> None:
    await me.ask("POST", "/cache", {"key": "a", "value": "v", "ttlSeconds": 60}, X_Cache_TTL="600")
    await me.ask("PUT", "/cache/b?ttlSeconds=60", b"v", X_Cache_TTL="600")
    for view in (await me.ask("GET", "/cache")).json.values():
        assert int(view["expires"]) == int(view["created"]) + 60_000
    assert (await me.ask("PUT", "/cache/b?ttlSeconds=60", b"v", X_Cache_TTL="0")).status == 400


async def test_what_has_expired_is_nowhere(me: Caller) -> None:
    for key in ("gone", "again", "put"):
        await me.ask("PUT", f"/cache/{key}?ttlSeconds=1", b"old")
    await me.ask("POST", "/cache-list/m", {"key": "i", "value": "v", "ttlSeconds": 1})
    await me.ask("PUT", "/cache/stays?ttlSeconds=600", b"v")
    etag = (await me.ask("PUT", "/cache/put?ttlSeconds=1", b"old")).etag
    assert (await me.ask("GET", "/cache-list/m")).json == {"i": "v"}

    async def expired() -> bool:
        return (await me.ask("GET", "/cache/put")).status == 404

    await apoll("the entry expires", expired)
    assert (await me.ask("GET", "/cache/gone")).status == 404
    assert (await me.ask("DELETE", "/cache/gone")).status == 404
    assert (await me.ask("PUT", "/cache", {"key": "gone", "value": "v"})).status == 404
    assert (await me.ask("PUT", "/cache/gone", b"v", If_Match="*")).status == 412
    assert (await me.ask("GET", "/cache")).json.keys() == {"stays"}
    assert await me.keys() == {"stays"}
    assert (await me.ask("GET", "/cache-list/m")).json == {}
    assert (await me.ask("GET", "/cache-list")).json == {}
    assert (await me.ask("GET", "/cache/put", If_None_Match=etag)).status == 404
    assert (await me.ask("PUT", "/cache/put", b"new", If_None_Match="*")).status == 201
    assert (await me.ask("POST", "/cache", {"key": "again", "value": "new"})).status == 201
    assert await me.keys() == {"stays", "put", "again"}
