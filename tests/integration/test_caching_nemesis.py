"""The cache while instances and servers are killed, frozen, cut off and starved: judged by a linearizability checker.

Every run prints its seed and what it did. `PLEXMESH_NEMESIS_SEED` repeats one, `PLEXMESH_NEMESIS_SECONDS` makes them
longer (`make soak`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from pathlib import Path

import pytest

from tests.integration.caching_rig import Instance, instances
from tests.nemesis.run import Fault, Report, run
from tests.servers.etcd import Etcd, etcd

N = os.getpid() % 250 + 1
SECONDS = float(os.environ.get("PLEXMESH_NEMESIS_SECONDS", "8"))
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
    assert_sound(report, acknowledged=300)


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


@pytest.mark.parametrize("seed", SEEDS)
async def test_etcd_loses_nothing_and_stays_in_order(tmp_path: Path, seed: int) -> None:
    with etcd(tmp_path, [f"127.0.{91 + n}.{N}" for n in range(3)]) as servers:
        made = [Instance(tmp_path, n, storage=f"etcd://{','.join(servers.endpoints)}") for n in (1, 2)]
        with instances(*made):
            for each in made:
                each.up()
            faults = faults_of_members(servers) + faults_of_instances(made)
            report = await run([each.url for each in made], faults, seed=seed, seconds=SECONDS + 2)
    assert_sound(report, acknowledged=100)
