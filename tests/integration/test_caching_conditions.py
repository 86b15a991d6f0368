"""ETags, conditions and repeats of writes, through HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.integration.caching_rig import BACKENDS, Caller, Instance, N, Reply, apoll, instances, served
from tests.servers.etcd import etcd
from tests.servers.process import ServerProcess


@pytest.fixture(scope="module", params=BACKENDS)
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with served(request.param, tmp_path_factory.mktemp("caching")) as made:
        yield made


@pytest.fixture
async def me(instance: Instance) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(session, instance)


def pair(key: str, value: str = "v") -> dict[str, str]:
    return {"key": key, "value": value}


async def value(me: Caller, key: str = "k") -> str:
    return str((await me.ask("GET", f"/cache/{key}")).json["value"])


async def raw(me: Caller, key: str = "k") -> bytes:
    return (await me.ask("GET", f"/cache/{key}")).content


async def test_every_answer_about_an_entry_has_its_etag(me: Caller) -> None:
    made = await me.ask("POST", "/cache", pair("k"))
    assert (made.status, made.content) == (201, b"")
    assert made.etag.startswith('"')
    assert made.etag.endswith('"')
    assert (await me.ask("GET", "/cache/k")).etag == made.etag
    assert (await me.ask("HEAD", "/cache/k")).etag == made.etag
    refused = await me.ask("POST", "/cache", pair("k"))
    assert (refused.status, refused.etag) == (409, made.etag)
    replaced = await me.ask("PUT", "/cache", pair("k"))
    assert replaced.status == 204
    assert replaced.etag != made.etag
    assert (await me.ask("GET", "/cache/k")).etag == replaced.etag
    put = await me.ask("PUT", "/cache/k", b"x")
    assert put.status == 204
    assert put.etag not in (made.etag, replaced.etag)
    page = (await me.ask("GET", "/cache?limit=9")).json
    assert f'"{page["k"]["etag"]}"' == put.etag


async def test_an_entry_made_again_has_another_etag(me: Caller) -> None:
    first = await me.ask("POST", "/cache", pair("k"))
    await me.ask("DELETE", "/cache/k")
    again = await me.ask("POST", "/cache", pair("k"))
    assert again.etag != first.etag


# --- reads


@pytest.mark.parametrize("form", ["{}", "W/{}", '"0.a", {}', '{}, "0.a"', "*", ' , "0.a" ,, {} ,'])
async def test_what_is_known_is_not_sent_again(me: Caller, form: str) -> None:
    """Weak ones are as good here (RFC 9110, section 13.1.2)."""
    etag = (await me.ask("PUT", "/cache/k", b"x")).etag
    known = await me.ask("GET", "/cache/k", If_None_Match=form.format(etag))
    assert (known.status, known.content, known.etag) == (304, b"", etag)
    assert "Content-Type" not in known.headers


async def test_what_is_not_known_is_sent(me: Caller) -> None:
    first = (await me.ask("PUT", "/cache/k", b"1")).etag
    await me.ask("PUT", "/cache/k", b"2")
    assert (await me.ask("GET", "/cache/k", If_None_Match=first)).content == b"2"
    assert (await me.ask("GET", "/cache/none", If_None_Match="*")).status == 404


# --- writes


@pytest.mark.parametrize("form", ["{}", '"0.a", {}', '{}, "0.a"', '"0.a",{}', 'W/"0.a", {}', "*"])
async def test_a_write_and_a_delete_are_done_if_the_etag_matches(me: Caller, form: str) -> None:
    etag = (await me.ask("POST", "/cache", pair("k", "1"))).etag
    replaced = await me.ask("PUT", "/cache", pair("k", "2"), If_Match=form.format(etag))
    assert (replaced.status, await value(me)) == (204, "2")
    put = await me.ask("PUT", "/cache/k", b"3", If_Match=form.format(replaced.etag))
    assert (put.status, await raw(me)) == (204, b"3")
    assert (await me.ask("DELETE", "/cache/k", If_Match=form.format(put.etag))).status == 204
    assert (await me.ask("GET", "/cache/k")).status == 404


@pytest.mark.parametrize("form", ['"0.a"', "W/{}", '"0.a", "1.b"', '""'])
async def test_a_write_and_a_delete_are_refused_with_the_present_etag_else(me: Caller, form: str) -> None:
    """A weak one is never the same (RFC 9110, section 8.8.3.2)."""
    etag = (await me.ask("POST", "/cache", pair("k", "1"))).etag
    condition = form.format(etag)
    for refused in (
        await me.ask("PUT", "/cache", pair("k", "2"), If_Match=condition),
        await me.ask("PUT", "/cache/k", b"2", If_Match=condition),
        await me.ask("DELETE", "/cache/k", If_Match=condition),
    ):
        assert (refused.status, refused.etag) == (412, etag)
        assert refused.json["messages"][0]["messageNumber"] == "ZWECS133E"
    assert await value(me) == "1"


@pytest.mark.parametrize("condition", ['"0.a"', "*"])
async def test_a_condition_on_what_is_not_there_creates_nothing(me: Caller, condition: str) -> None:
    for refused in (
        await me.ask("PUT", "/cache", pair("k"), If_Match=condition),
        await me.ask("PUT", "/cache/k", b"2", If_Match=condition),
        await me.ask("DELETE", "/cache/k", If_Match=condition),
    ):
        assert refused.status == 412
        assert "ETag" not in refused.headers
    assert await me.keys() == set()


async def test_create_only(me: Caller) -> None:
    made = await me.ask("PUT", "/cache/k", b"1", If_None_Match="*")
    assert made.status == 201
    for refused in (
        await me.ask("PUT", "/cache/k", b"2", If_None_Match="*"),
        await me.ask("PUT", "/cache", pair("k", "2"), If_None_Match="*"),
    ):
        assert (refused.status, refused.etag) == (412, made.etag)
    assert await raw(me) == b"1"


@pytest.mark.parametrize(
    "condition", ["", ",", "abc", '"a', 'a"', '"a" "b"', '"a";', "**", '*, "a"', 'w/"a"', '"a\tb"']
)
async def test_conditions_that_are_none(me: Caller, condition: str) -> None:
    await me.ask("PUT", "/cache/k", b"1")
    for refused in (
        await me.ask("PUT", "/cache", pair("k"), If_Match=condition),
        await me.ask("PUT", "/cache/k", b"2", If_Match=condition),
        await me.ask("DELETE", "/cache/k", If_Match=condition),
        await me.ask("GET", "/cache/k", If_None_Match=condition),
        await me.ask("PUT", "/cache/k", b"2", If_None_Match=condition),
    ):
        assert refused.status == 400, refused
        assert "Match" in refused.error
    assert await raw(me) == b"1"


async def test_both_conditions_at_once_are_none(me: Caller) -> None:
    assert (await me.ask("PUT", "/cache/k", b"2", If_None_Match="*", If_Match="*")).status == 400
    assert (await me.ask("PUT", "/cache/k", b"2", If_None_Match='"a"')).status == 400
    assert await me.keys() == set()


async def test_of_many_who_replace_the_same_one_just_one_does(me: Caller) -> None:
    etag = (await me.ask("PUT", "/cache/k", b"0")).etag
    answers = await asyncio.gather(*(me.ask("PUT", "/cache/k", b"%d" % n, If_Match=etag) for n in range(20)))
    (won,) = [n for n, answer in enumerate(answers) if answer.status == 204]
    assert {answer.status for answer in answers} == {204, 412}
    found = await me.ask("GET", "/cache/k")
    assert (found.content, found.etag) == (b"%d" % won, answers[won].etag)


# --- repeats


async def test_a_create_is_repeated_safely(me: Caller) -> None:
    first = await me.ask("POST", "/cache", pair("k", "1"), Idempotency_Key="create-1")
    again = await me.ask("POST", "/cache", pair("k", "1"), Idempotency_Key="create-1")
    assert said(first) == said(again) == (201, first.etag)
    other = await me.ask("POST", "/cache", pair("k", "2"), Idempotency_Key="create-2")
    assert said(other) == (409, first.etag)
    assert await value(me) == "1"


async def test_a_replace_is_repeated_safely_even_if_its_condition_held_only_once(me: Caller) -> None:
    made = await me.ask("POST", "/cache", pair("k", "1"))
    first = await me.ask("PUT", "/cache", pair("k", "2"), If_Match=made.etag, Idempotency_Key="r")
    again = await me.ask("PUT", "/cache", pair("k", "2"), If_Match=made.etag, Idempotency_Key="r")
    assert said(first) == said(again) == (204, first.etag)
    other = await me.ask("PUT", "/cache", pair("k", "3"), Idempotency_Key="s")
    assert other.status == 204
    assert other.etag != first.etag
    assert await value(me) == "3"


@pytest.mark.parametrize("condition", [{}, {"If_None_Match": "*"}])
async def test_a_put_is_repeated_safely_and_nothing_of_the_repeat_is_stored(
    me: Caller, condition: dict[str, str]
) -> None:
    first = await me.ask("PUT", "/cache/k", b"1", Idempotency_Key="p", **condition)
    again = await me.ask("PUT", "/cache/k?ttlSeconds=60", b"2", Idempotency_Key="p", Content_Type="a/b", **condition)
    assert said(first) == said(again) == (201, first.etag)
    found = await me.ask("GET", "/cache/k")
    assert (found.content, found.etag) == (b"1", first.etag)
    assert "Expires" not in found.headers
    replaced = await me.ask("PUT", "/cache/k", b"3", Idempotency_Key="q")
    assert said(await me.ask("PUT", "/cache/k", b"3", Idempotency_Key="q")) == said(replaced) == (204, replaced.etag)


async def test_a_repeat_after_anothers_write_is_a_write_of_its_own(me: Caller) -> None:
    await me.ask("PUT", "/cache/k", b"1", Idempotency_Key="a")
    between = await me.ask("PUT", "/cache/k", b"2", Idempotency_Key="b")
    refused = await me.ask("POST", "/cache", pair("k"), Idempotency_Key="a")
    assert said(refused) == (409, between.etag)


async def test_an_id_is_of_one_entry_of_one_caller(me: Caller) -> None:
    await me.ask("PUT", "/cache/k", b"1", Idempotency_Key="a")
    assert (await me.ask("PUT", "/cache/l", b"2", Idempotency_Key="a")).status == 201
    assert (await me.other().ask("PUT", "/cache/k", b"3", Idempotency_Key="a")).status == 201
    assert (await raw(me), await raw(me, "l")) == (b"1", b"2")


@pytest.mark.parametrize("id", ["", "a b", "x" * 65, 'a"b', "a\\b", "ä"])
async def test_ids_that_are_none(me: Caller, id: str) -> None:
    for refused in (
        await me.ask("POST", "/cache", pair("k"), Idempotency_Key=id),
        await me.ask("PUT", "/cache", pair("k"), Idempotency_Key=id),
        await me.ask("PUT", "/cache/k", b"v", Idempotency_Key=id),
        await me.ask("DELETE", "/cache/k", Idempotency_Key=id),
    ):
        assert refused.status == 400
        assert "Idempotency-Key" in refused.error
    assert await me.keys() == set()


async def test_the_longest_id_is_one(me: Caller) -> None:
    id = "~" * 64
    assert (await me.ask("PUT", "/cache/k", b"v", Idempotency_Key=id)).etag.endswith(f'.{id}"')


async def test_an_unknown_outcome_names_the_write_and_who_repeats_it_finds_it_out(tmp_path: Path) -> None:
    with etcd(tmp_path, [f"127.0.91.{N}"]) as servers:
        (server,) = servers.members
        one = Instance(tmp_path, 2, storage=f"etcd://{server.endpoint}/test", writeDeadlineS=0.5)
        with instances(one):
            one.up()
            async with aiohttp.ClientSession() as session:
                await ask_while_frozen(Caller(session, one), server)


async def ask_while_frozen(me: Caller, server: ServerProcess) -> None:
    await me.ask("POST", "/cache", pair("there"))

    async def frozen(method: str, path: str, body: object = None, **fields: str) -> Reply:
        server.freeze()
        unknown = await me.ask(method, path, body, **fields)
        server.thaw()
        assert unknown.status == 504
        assert "Retry-After" not in unknown.headers
        assert unknown.json["messages"][0]["messageNumber"] == "ZWECS152E"
        await apoll("etcd answers again", writes)
        return unknown

    async def writes() -> bool:
        return (await me.ask("PUT", "/cache/other", b"v")).status in (201, 204)

    named = await frozen("POST", "/cache", pair("a"), Idempotency_Key="mine")
    assert named.headers["Idempotency-Key"] == "mine"
    unnamed = await frozen("PUT", "/cache/b", b"v")
    id = unnamed.headers["Idempotency-Key"]
    assert id in unnamed.error
    assert "Idempotency-Key" not in (await frozen("DELETE", "/cache/there")).headers
    for method, path, body, key in (("POST", "/cache", pair("a"), "mine"), ("PUT", "/cache/b", b"v", id)):
        first = await me.ask(method, path, body, Idempotency_Key=key)
        again = await me.ask(method, path, body, Idempotency_Key=key)
        assert said(first) == said(again) == (201, first.etag)


def said(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.etag
