"""The cache while instances and servers are killed, frozen, cut off and starved: judged by a linearizability checker.

Every run prints its seed and what it did. `PLEXMESH_NEMESIS_SEED` repeats one, `PLEXMESH_NEMESIS_SECONDS` makes them
longer (`make soak`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.integration.caching_rig import Instance, Writer, held, instances, poll
from tests.nemesis.link import Link, link
from tests.nemesis.run import Fault, Report, run
from tests.servers.etcd import Etcd, etcd
from tests.servers.redis import trio

Broken = Callable[[random.Random], Awaitable[None]]

N = os.getpid() % 250 + 1
SECONDS = float(os.environ.get("PLEXMESH_NEMESIS_SECONDS", "5"))
SEED = int(os.environ.get("PLEXMESH_NEMESIS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
SEEDS = [1, SEED]


def assert_sound(report: Report, acknowledged: int) -> None:
    """`acknowledged`: fewer writes than that, and the run has proven nothing."""
    print(report)
    assert len(report.history.acknowledged()) >= acknowledged, report
    assert report.lost == [], report
    assert report.violations == [], report
    assert report.listed_wrongly == [], report


# --- the simulated data set


def faults_of_instances(made: list[Instance]) -> list[Fault]:
    async def kill(rng: random.Random) -> None:
        one = rng.choice(made)
        one.kill()
        await asyncio.sleep(rng.uniform(0.0, 0.3))
        await asyncio.to_thread(one.up)

    async def freeze(rng: random.Random) -> None:
        one = rng.choice(made)
        await asyncio.to_thread(one.freeze)
        await asyncio.sleep(rng.uniform(0.2, 1.2))
        one.thaw()

    return [("kill", kill), ("freeze", freeze)]


def faults_of_volumes(made: list[Instance]) -> list[Fault]:
    async def fill(rng: random.Random) -> None:
        size = max(path.stat().st_size for path in made[0].volume().parent.glob("PLEX.CACHE*"))
        with contextlib.ExitStack() as stack:
            for each in made:
                stack.enter_context(each.files_at_most(size))
            await asyncio.sleep(rng.uniform(0.2, 0.8))

    return [("full volume", fill)]


@pytest.mark.parametrize("seed", SEEDS)
async def test_vsam_loses_nothing_and_stays_in_order(tmp_path: Path, seed: int) -> None:
    made = [Instance(tmp_path, n, clockOffsetS=offset) for n, offset in ((1, 0), (2, 3600), (3, -7200))]
    with instances(*made):
        for each in made:
            each.up()
        faults = faults_of_instances(made) + faults_of_volumes(made)
        report = await run([each.url for each in made], faults, seed=seed, seconds=SECONDS)
    assert_sound(report, acknowledged=150)


# --- etcd


def faults_of_members(servers: Etcd) -> list[Fault]:
    async def kill_leader(rng: random.Random) -> None:
        leader = await asyncio.to_thread(servers.leader)
        leader.kill()
        await asyncio.sleep(rng.uniform(0.5, 1.2))
        leader.start()
        await asyncio.to_thread(servers.leader)

    async def freeze_leader(rng: random.Random) -> None:
        leader = await asyncio.to_thread(servers.leader)
        await asyncio.to_thread(leader.freeze)
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        leader.thaw()

    async def freeze_another(rng: random.Random) -> None:
        leader = await asyncio.to_thread(servers.leader)
        other = rng.choice([each for each in servers.members if each is not leader])
        await asyncio.to_thread(other.freeze)
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        other.thaw()

    return [("kill leader", kill_leader), ("freeze leader", freeze_leader), ("freeze follower", freeze_another)]


def faults_of_links(links: list[list[Link]]) -> list[Fault]:
    """`links`: of each instance, one to each member. One at least goes on passing, so that each instance can work."""

    def fault(break_it: Callable[[Link, random.Random], None], least_s: float, most_s: float) -> Broken:
        async def broken_for_a_while(rng: random.Random) -> None:
            chosen = rng.sample(rng.choice(links), 2)
            for each in chosen:
                break_it(each, rng)
            await asyncio.sleep(rng.uniform(least_s, most_s))
            for each in chosen:
                each.heal()

        return broken_for_a_while

    return [
        ("cut links", fault(lambda link, _: link.cut(), 0.2, 1.0)),
        ("deaf links", fault(lambda link, _: link.deafen(), 0.5, 1.5)),
        ("slow links", fault(lambda link, rng: link.slow(rng.uniform(0.01, 0.2)), 0.5, 1.5)),
    ]


@pytest.mark.parametrize("seed", [SEED])
async def test_etcd_loses_nothing_and_stays_in_order(tmp_path: Path, seed: int) -> None:
    with etcd(tmp_path, [f"127.0.{91 + n}.{N}" for n in range(3)]) as servers:
        async with contextlib.AsyncExitStack() as stack:
            links, made = [], []
            for n in (1, 2):
                places = [(f"127.0.{121 + 3 * (n - 1) + m}.{N}", 2379) for m in range(3)]
                towards = [member.address for member in servers.members]
                links.append(
                    [await stack.enter_async_context(link(*a, b)) for a, b in zip(places, towards, strict=True)]
                )
                storage = ",".join(f"{host}:{port}" for host, port in places)
                made.append(Instance(tmp_path, n, storage=f"etcd://{storage}"))
            stack.enter_context(instances(*made))
            for each in made:
                await asyncio.to_thread(each.up)
            faults = faults_of_members(servers) + faults_of_instances(made) + faults_of_links(links)
            report = await run([each.url for each in made], faults, seed=seed, seconds=SECONDS + 6)
    assert_sound(report, acknowledged=100)


# --- redis, which may lose what was acknowledged just before a failover

WINDOW_S = 2.0
"""min-replicas-max-lag (1 s) and the second that the replicas' reports are apart: what is lost was acknowledged so
shortly before its primary was lost."""


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_redis_loses_nothing_but_what_was_acknowledged_shortly_before(tmp_path: Path, how: str) -> None:
    with trio(tmp_path, [f"127.0.{part}.{N}" for part in (115, 116, 117)]) as servers:
        made = [Instance(tmp_path, n, storage=servers.url) for n in (1, 2)]
        with instances(*made):
            for each in made:
                each.up()
            async with aiohttp.ClientSession() as session:
                writers = [Writer(session, each, each.lpar, workers=4) for each in made]
                await writers[0].acknowledges(200)
                before = time.monotonic()
                old = servers.primary
                await asyncio.to_thread(old.kill if how == "kill" else old.freeze)
                await asyncio.to_thread(poll, "there is another", lambda: servers.primary is not old)
                old.thaw()
                for writer in writers:
                    await writer.acknowledges(len(writer.acknowledged) + 100)
                    await writer.stop()
                found = await held(session, made[0])
    lost = [key for writer in writers for key in writer.acknowledged if key not in found]
    late = [key for writer in writers for key in lost if writer.acknowledged_at.get(key, before) < before - WINDOW_S]
    acknowledged = sum(len(writer.acknowledged) for writer in writers)
    gap = max(writer.longest_gap_s for writer in writers)
    print(f"{how}: {acknowledged} acknowledged, {len(lost)} lost, at most {gap:.2f} s without a write")
    assert late == []
