"""`plexmesh.Cache`: against a service that answers as it is told, for what is rare; and against real instances."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

import plexmesh
from plexmesh.cache_errors import Changed, Exists, Full, Missing, OutcomeUnknown, Refused, Unavailable
from shared import net, zowe
from tests.integration.caching_rig import Instance, instances

HOST = f"127.0.79.{os.getpid() % 250 + 1}"
PORT = 7599

Step = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Scripted:
    """Answers each call with the next step; `seen` are method and Idempotency-Key of the calls that came."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.seen: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.headers.get("Idempotency-Key", "")))
        return await (self.steps.pop(0) if len(self.steps) > 1 else self.steps[0])(request)


@asynccontextmanager
async def scripted(*steps: Step, **more: float) -> AsyncIterator[tuple[plexmesh.Cache, Scripted]]:
    script = Scripted(*steps)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", script.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, net.listen(HOST, PORT)).start()
    try:
        async with plexmesh.Cache("me", [f"http://{HOST}:{PORT}"], **more) as cache:
            yield cache, script
    finally:
        await runner.cleanup()


def says(status: int, number: str = "", content: str = "", **headers: str) -> Step:
    async def answer(_: web.Request) -> web.StreamResponse:
        body = zowe.body(zowe.Message(number, "k", "r", "a"), content) if number else b""
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def cuts(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


NOT_NOW = says(503, "ZWECS152E", "nothing was changed")
NOBODY = says(503, "ZWEAG510E", "no instance")
PERHAPS = says(503, "ZWEAO503E", "outcome unknown: it had been sent the call")
MADE = says(201, ETag='"7.x"')

# --- what is tried again


@pytest.mark.parametrize("first", [NOT_NOW, NOBODY, PERHAPS, says(504, "ZWECS152E"), says(502), says(503), cuts, hangs])
async def test_a_write_is_tried_again_with_the_same_id_until_it_is_answered(first: Step) -> None:
    async with scripted(first, first, MADE, try_s=0.3) as (cache, script):
        assert await cache.put("k", b"v") == "7.x"
    assert [method for method, _ in script.seen] == ["PUT"] * 3
    assert len({write_id for _, write_id in script.seen}) == 1
    assert script.seen[0][1]


async def test_different_calls_have_different_ids() -> None:
    async with scripted(MADE) as (cache, script):
        await cache.put("k", b"v")
        await cache.put("k", b"v")
    assert len({write_id for _, write_id in script.seen}) == 2


@pytest.mark.parametrize("first", [PERHAPS, cuts])
async def test_a_read_is_tried_again_whatever_came(first: Step) -> None:
    async with scripted(first, says(404)) as (cache, script):
        assert await cache.get("k") is None
    assert len(script.seen) == 2


@pytest.mark.parametrize(
    ("status", "error"), [(400, Refused), (401, Refused), (413, Refused), (500, Refused), (507, Full)]
)
async def test_an_answer_is_an_answer(status: int, error: type[Exception]) -> None:
    async with scripted(says(status, "ZWEX", "why")) as (cache, script):
        with pytest.raises(error, match="why"):
            await cache.put("k", b"v")
        with pytest.raises(error):
            await cache.get("k")
    assert len(script.seen) == 2


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"value": 1}', b'"text"'])
async def test_what_is_no_answer_of_a_caching_service_is_refused(body: bytes) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    async with scripted(answer) as (cache, _):
        with pytest.raises(Refused, match="no answer of a caching service"):
            await cache.get("k")
        with pytest.raises(Refused):
            assert [each async for each in cache.entries()]


# --- how it ends when the time is over


async def test_certainly_not_applied_is_not_called_unknown() -> None:
    async with scripted(NOT_NOW, deadline_s=0.3) as (cache, script):
        with pytest.raises(Unavailable, match="nothing was changed"):
            await cache.put("k", b"v")
    assert len(script.seen) > 1


async def test_one_doubtful_try_makes_the_outcome_unknown() -> None:
    async with scripted(cuts, NOT_NOW, deadline_s=0.3) as (cache, script):
        with pytest.raises(OutcomeUnknown) as unknown:
            await cache.put("k", b"v")
    assert unknown.value.write_id == script.seen[0][1]


async def test_a_read_without_an_answer_is_not_absence() -> None:
    async with scripted(hangs, try_s=0.1, deadline_s=0.3) as (cache, _):
        with pytest.raises(Unavailable):
            await cache.get("k")


async def test_no_address_that_answers_is_unavailable() -> None:
    async with plexmesh.Cache("me", [f"http://{HOST}:1"], deadline_s=0.2) as cache:
        with pytest.raises(Unavailable):
            await cache.put("k", b"v")
    async with plexmesh.Cache("me", list, deadline_s=0.2) as cache:
        with pytest.raises(Unavailable, match="no instance"):
            await cache.put("k", b"v")


async def test_a_dead_address_is_left_for_the_next() -> None:
    async with scripted(MADE) as (_, script):
        urls = [f"http://{HOST}:1", f"http://{HOST}:{PORT}/cachingservice/api/v1/"]
        async with plexmesh.Cache("me", urls) as cache:
            for _ in range(3):
                await cache.put("k", b"v")
    assert len(script.seen) == 3


# --- refusals after a doubtful try


async def test_a_conditional_write_that_may_have_been_applied_before_is_unknown() -> None:
    async with scripted(cuts, says(412, "ZWECS133E", ETag='"8.other"')) as (cache, _):
        with pytest.raises(OutcomeUnknown):
            await cache.create("k", b"v")
    async with scripted(cuts, says(412, "ZWECS133E")) as (cache, _):
        with pytest.raises(OutcomeUnknown):
            await cache.replace("k", b"v", etag="7.x")


async def test_a_conditional_write_that_was_refused_without_doubt_is_refused() -> None:
    async with scripted(NOT_NOW, says(412, "ZWECS133E", ETag='"8.other"')) as (cache, _):
        with pytest.raises(Exists) as exists:
            await cache.create("k", b"v")
        assert exists.value.etag == "8.other"
        with pytest.raises(Changed) as changed:
            await cache.replace("k", b"v", etag="7.x")
        assert changed.value.etag == "8.other"
    async with scripted(says(412, "ZWECS133E")) as (cache, _):
        with pytest.raises(Missing):
            await cache.replace("k", b"v")


async def test_what_was_to_be_deleted_and_is_not_there_after_a_doubtful_try_is_deleted() -> None:
    async with scripted(cuts, says(404, "ZWECS131E")) as (cache, _):
        assert await cache.delete("k")
    async with scripted(NOT_NOW, says(404, "ZWECS131E")) as (cache, _):
        assert not await cache.delete("k")
    async with scripted(cuts, says(412, "ZWECS133E", ETag='"8.other"')) as (cache, _):
        with pytest.raises(OutcomeUnknown):
            await cache.delete("k", etag="7.x")


# --- with a real service


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncIterator[plexmesh.Cache]:
    one, other = Instance(tmp_path, 1), Instance(tmp_path, 2)
    with instances(one, other):
        one.up()
        other.up()
        async with plexmesh.Cache("me", [one.url, other.url]) as cache:
            yield cache


async def test_everything_it_can_with_a_real_service(cache: plexmesh.Cache) -> None:
    assert await cache.get("k") is None
    made = await cache.create("k", "text", ttl_s=60, content_type="text/plain")
    found = await cache.get("k")
    assert found is not None
    assert (found.value, found.etag, found.content_type) == (b"text", made, "text/plain")
    assert found.expires_at is not None
    with pytest.raises(Exists) as exists:
        await cache.create("k", b"other")
    assert exists.value.etag == made
    changed = await cache.replace("k", b"\0\xff", etag=made)
    with pytest.raises(Changed):
        await cache.replace("k", b"other", etag=made)
    assert await cache.put("a/b?ü .%", b"2")
    seen = {each.key: each async for each in cache.entries()}
    assert {key: each.value for key, each in seen.items()} == {"k": b"\0\xff", "a/b?ü .%": b"2"}
    assert seen["k"].etag == changed
    assert [key async for key in cache.keys("a/")] == ["a/b?ü .%"]
    with pytest.raises(Changed):
        await cache.delete("k", etag=made)
    assert await cache.delete("k", etag=changed)
    assert not await cache.delete("k")
    with pytest.raises(Missing):
        await cache.replace("k", b"v")


async def test_many_pages_are_followed_to_the_end(cache: plexmesh.Cache) -> None:
    await asyncio.gather(*(cache.put(f"k{n:04}", b"v") for n in range(1_100)))
    assert [key async for key in cache.keys("k")] == [f"k{n:04}" for n in range(1_100)]


async def test_updates_of_many_lose_nothing_and_none_deletes(cache: plexmesh.Cache) -> None:
    def one_more(old: bytes | None) -> str:
        return str(int(old or b"0") + 1)

    await asyncio.gather(*(cache.update("n", one_more) for _ in range(25)))
    found = await cache.get("n")
    assert found is not None
    assert found.value == b"25"
    assert await cache.update("n", lambda _: None) is None
    assert await cache.get("n") is None


async def test_a_kill_is_not_seen(tmp_path: Path) -> None:
    """Writes go on at the other instance, and everything that was acknowledged is there."""
    one, other = Instance(tmp_path, 1), Instance(tmp_path, 2)
    with instances(one, other):
        one.up()
        other.up()
        async with plexmesh.Cache("me", [one.url, other.url]) as cache:
            written = set()
            for n in range(60):
                if n == 20:
                    one.kill()
                await cache.create(f"k{n}", f"v{n}")
                written.add(f"k{n}")
            assert {key async for key in cache.keys("")} == written


def test_importing_the_client_does_not_import_what_only_the_cache_needs() -> None:
    told = "import sys, plexmesh; print('tenacity' in sys.modules); plexmesh.Cache; print('tenacity' in sys.modules)"
    said = subprocess.run([sys.executable, "-P", "-c", told], capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout.split() == ["False", "True"]
