"""Each guard, taken away, turns a run red that is green with it: the runs would notice, and the guards are needed."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.integration.caching_rig import Instance, N, Writer, each_opens, held, instances, openers, poll
from tests.nemesis import power
from tests.nemesis.run import run
from tests.servers.redis import trio

ROUNDS = 60
MUTANT = Path(__file__).parents[1] / "nemesis" / "mutant.py"


class Mutant(Instance):
    """An instance without that guard."""

    def __init__(self, folder: Path, n: int, guard: str, environ: dict[str, str] | None = None) -> None:
        super().__init__(folder, n, environ=environ, storage="vsam:PLEX.CACHE?size=1000000")
        self._guard = guard

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-P", str(MUTANT), self._guard]


# --- the full name in the record


@pytest.mark.parametrize("guard", ["few keys", "id check"])
async def test_names_that_have_the_same_key(tmp_path: Path, guard: str) -> None:
    one = Mutant(tmp_path, 1, guard)
    with instances(one):
        one.up()
        report = await run([one.url], [], seed=3, seconds=2)
    print(report)
    assert len(report.history.acknowledged()) > 30
    if guard == "few keys":
        assert 500 in report.statuses  # a name whose key is taken is refused …
        assert report.violations == []  # … and nobody is told anything wrong
    else:
        assert report.violations != []


# --- the sync of each commit


@pytest.mark.parametrize("guard", ["none", "fsync"])
async def test_power_lost_in_the_middle_of_work(tmp_path: Path, guard: str) -> None:
    library = power.shim(tmp_path)
    one = Mutant(tmp_path, 1, guard, environ=power.environ(library, tmp_path / "data"))
    with instances(one):
        one.up()
        async with aiohttp.ClientSession() as session:
            writer = Writer(session, one, "w")
            await writer.acknowledges(200)
            one.kill()
            await writer.stop()
        taken_back = power.lose(tmp_path / "data")
        if guard == "fsync" and not one.volume().stat().st_size:
            return  # not even the definition was on the disk
        one.start()
        await asyncio.to_thread(poll, "it is ready, or has ended", one.ready_or_gone)
        lost = set(writer.acknowledged)
        if one.running:
            async with aiohttp.ClientSession() as session:
                lost -= (await held(session, one)).keys()
    print(f"{guard}: {len(writer.acknowledged)} acknowledged, {taken_back} writes taken back, {len(lost)} lost")
    assert bool(lost) == (guard == "fsync")


# --- the lock of the data set


@pytest.mark.parametrize("guard", ["none", "flock"])
def test_four_who_define_open_and_end_a_data_set_at_once(tmp_path: Path, guard: str) -> None:
    """Nobody breaks anything here, so nobody may be refused."""
    with openers(4, guard) as all:
        said = [line for round in range(ROUNDS) for line in each_opens(all, tmp_path / f"ROUND{round}")]
    refused = [line for line in said if line != "done"]
    print(f"{guard}: {len(said)} times opened, written and ended, {len(refused)} refused: {refused[:1]}")
    assert bool(refused) == (guard == "flock")
    if guard == "none":
        with contextlib.closing(sqlite3.connect(tmp_path / f"ROUND{ROUNDS - 1}")) as connection:
            assert connection.execute("SELECT entries FROM counters").fetchone() == (4,)


# --- the replicas a primary must have


@pytest.mark.parametrize("min_replicas", [1, 0])
async def test_a_primary_that_was_frozen_and_comes_back_when_there_is_another(
    tmp_path: Path, min_replicas: int
) -> None:
    """A client that has not heard of the new primary writes to the old one, until that is told to follow."""
    with trio(tmp_path, [f"127.0.{part}.{N}" for part in (111, 113, 114)], min_replicas=min_replicas) as servers:
        old = servers.primary
        knowing = Instance(tmp_path, 1, storage=servers.url)
        stale = Instance(tmp_path, 2, storage=old.url)
        with instances(knowing, stale):
            knowing.up()
            stale.up()
            await asyncio.to_thread(old.freeze)
            await asyncio.to_thread(poll, "there is another", lambda: servers.primary is not old)
            old.thaw()
            async with aiohttp.ClientSession() as session:
                writer = Writer(session, stale, "w")
                await asyncio.to_thread(poll, "the old one follows", lambda: old.ask("ROLE")[0] == b"slave", 30)
                await writer.stop()
                found = await held(session, knowing)
    lost = set(writer.acknowledged) - found.keys()
    print(
        f"min-replicas {min_replicas}: {len(writer.acknowledged)} acknowledged by the old one, {len(lost)} of them lost"
    )
    assert bool(lost) == (min_replicas == 0)
