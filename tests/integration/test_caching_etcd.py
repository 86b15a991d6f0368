"""The cache on a real etcd: what it answers when that is gone, full, damaged or asked by two at once."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import urllib.error
from pathlib import Path
from typing import Any

import aiohttp

from caching.backends.etcd.keys import Keys
from caching.entries import Name
from tests.integration.caching_rig import ME, NO_PROXY, PORT, Instance, instances, poll
from tests.servers.etcd import Etcd, etcd

N = os.getpid() % 250 + 1
HOSTS = [f"127.0.{part}.{N}" for part in (118, 119, 120)]
KEYS = Keys("plexmesh", "PLEX1")


def on(servers: Etcd, folder: Path, n: int, query: str = "") -> Instance:
    return Instance(folder, n, storage=f"etcd://{','.join(servers.endpoints)}?{query}")


def health(one: Instance) -> tuple[int, Any]:
    try:
        with NO_PROXY.open(f"http://{one.host}:{PORT}/application/health", timeout=5) as answer:
            return answer.status, json.load(answer)["components"]["storage"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["components"]["storage"]


async def put(session: aiohttp.ClientSession, one: Instance, key: str, value: bytes) -> aiohttp.ClientResponse:
    async with session.put(f"{one.url}/cache/{key}", data=value, headers=ME) as answer:
        await answer.read()
        return answer


async def test_without_a_majority_nothing_is_answered_and_health_is_down_until_it_is_back(tmp_path: Path) -> None:
    with etcd(tmp_path, HOSTS) as servers:
        one = on(servers, tmp_path, 1)
        with instances(one):
            one.up()
            async with aiohttp.ClientSession() as session:
                assert (await put(session, one, "k", b"v")).status == 201
                for member in servers.members[:2]:
                    member.kill()
                answer = await put(session, one, "k", b"w")
                assert answer.status in (503, 504)
                async with session.get(f"{one.url}/cache/k", headers=ME) as read:
                    assert read.status == 503
                    assert read.headers["Retry-After"]
                await asyncio.to_thread(poll, "health is down", lambda: health(one)[0] == 503)
                assert health(one)[1]["status"] == "DOWN"
                assert any("does not answer" in why for why in health(one)[1]["details"]["why"])
                servers.members[0].start()
                await asyncio.to_thread(poll, "health is up", lambda: health(one)[0] == 200)
                async with session.get(f"{one.url}/cache/k", headers=ME) as read:
                    assert await read.read() in (b"v", b"w")
                assert health(one)[1]["details"]["colour"] == "yellow"  # one member is missing still


async def test_a_full_database_is_507_and_reads_go_on(tmp_path: Path) -> None:
    with etcd(tmp_path, HOSTS[:1], "--quota-backend-bytes", str(2 * 1024 * 1024)) as servers:
        one = on(servers, tmp_path, 1)
        with instances(one):
            one.up()
            async with aiohttp.ClientSession() as session:
                assert (await put(session, one, "first", b"v")).status == 201
                statuses = [(await put(session, one, f"k{n}", bytes(500_000))).status for n in range(12)]
                assert statuses[0] == 201
                assert statuses[-1] == 507
                async with session.get(f"{one.url}/cache/first", headers=ME) as read:
                    assert (read.status, await read.read()) == (200, b"v")
            await asyncio.to_thread(
                poll, "it is said", lambda: any("NOSPACE" in str(x) for x in health(one)[1]["details"]["why"])
            )


async def test_a_damaged_record_is_500_for_its_key_alone_and_never_served(tmp_path: Path) -> None:
    with etcd(tmp_path, HOSTS[:1]) as servers:
        one = on(servers, tmp_path, 1)
        with instances(one):
            one.up()
            async with aiohttp.ClientSession() as session:
                for key in ("a", "b"):
                    await put(session, one, key, b"secret value")
                place = base64.b64encode(KEYS.entry(Name("me", "a"))).decode()
                (found,) = servers.members[0].ask("kv/range", key=place)["kvs"]
                damaged = base64.b64decode(found["value"]).replace(b"secret", b"Secret")
                servers.members[0].ask("kv/put", key=place, value=base64.b64encode(damaged).decode())
                async with session.get(f"{one.url}/cache/a", headers=ME) as read:
                    assert read.status == 500
                    assert b"ecret" not in await read.read()
                async with session.get(f"{one.url}/cache/b", headers=ME) as read:
                    assert await read.read() == b"secret value"
                async with session.get(f"{one.url}/cache", headers=ME) as listed:
                    assert set(await listed.json()) == {"b"}
        assert "record.damaged" in one.logged
        assert "ecret" not in one.logged


async def test_two_instances_never_take_more_than_the_quota_and_count_right(tmp_path: Path) -> None:
    with etcd(tmp_path, HOSTS[:1]) as servers:
        made = [on(servers, tmp_path, n, "quotaEntries=40") for n in (1, 2)]
        with instances(*made):
            for each in made:
                each.up()
            async with aiohttp.ClientSession() as session:
                tries = [put(session, made[n % 2], f"k{n % 60}", b"v") for n in range(240)]
                statuses = [answer.status for answer in await asyncio.gather(*tries)]
                assert statuses.count(201) == 40
                assert 507 in statuses
                async with session.get(f"{made[0].url}/cache", headers=ME) as listed:
                    kept = list(await listed.json())
                assert len(kept) == 40
                for key in kept[:5]:
                    async with session.delete(f"{made[1].url}/cache/{key}", headers=ME) as gone:
                        assert gone.status == 204
                again = [(await put(session, made[0], f"new{n}", b"v")).status for n in range(6)]
                assert again == [201] * 5 + [507]


def test_another_sysplex_or_format_below_the_prefix_is_refused(tmp_path: Path) -> None:
    with etcd(tmp_path, HOSTS[:1]) as servers:
        place = base64.b64encode(KEYS.about).decode()
        servers.members[0].ask("kv/put", key=place, value=base64.b64encode(b"9 PLEX1").decode())
        one = on(servers, tmp_path, 1)
        with instances(one):
            assert one.start().ended() == 2
        assert "'9 PLEX1'" in one.logged
        assert "use another prefix" in one.logged
