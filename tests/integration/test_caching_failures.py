"""Caching instances of two LPARs on one volume, killed, frozen and starved of space: what was acknowledged stays."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.caching_rig import ME, Instance, Writer, check, held, instances, poll


def namespace() -> list[str]:
    """A command prefix that gives a process mounts of its own; empty where the machine does not allow it."""
    prefix = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    try:
        allowed = (
            shutil.which("unshare")
            and not subprocess.run(
                [*prefix, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, timeout=5
            ).returncode
        )
    except subprocess.TimeoutExpired:
        return []
    return prefix if allowed else []


async def post(session: aiohttp.ClientSession, instance: Instance, key: str, value: str = "v") -> tuple[int, Any]:
    body = {"key": key, "value": value}
    async with session.post(f"{instance.url}/cache", json=body, headers=ME) as answer:
        content = await answer.text()
        return answer.status, content


async def read(session: aiohttp.ClientSession, instance: Instance, key: str) -> int:
    async with session.get(f"{instance.url}/cache/{key}", headers=ME) as answer:
        await answer.read()
        return answer.status


async def test_a_value_written_at_one_lpar_is_read_at_the_other_at_once(tmp_path: Path) -> None:
    one, other = Instance(tmp_path, 1), Instance(tmp_path, 2)
    with instances(one, other):
        one.up()
        other.up()
        async with aiohttp.ClientSession() as session:
            for n in range(100):
                writer, reader = (one, other) if n % 2 else (other, one)
                assert (await post(session, writer, str(n)))[0] == 201
                assert await read(session, reader, str(n)) == 200
                assert (await post(session, reader, str(n)))[0] == 409


async def test_killing_the_writing_instance_in_mid_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    one, other = Instance(tmp_path, 1, storage="vsam?size=1000000"), Instance(tmp_path, 2, storage="vsam?size=1000000")
    with instances(one, other):
        one.up()
        other.up()
        async with aiohttp.ClientSession() as session:
            writers = [Writer(session, one, "one"), Writer(session, other, "other")]
            for round in range(1, 4):
                await writers[0].acknowledges(200 * round)
                one.kill()
                survived = len(writers[1].acknowledged)
                await writers[1].acknowledges(survived + 50)  # the other goes on without it
                await check(session, other, *writers)
                one.up()
            for writer in writers:
                await writer.stop()
            await check(session, one, *writers)
            assert await held(session, one) == await held(session, other)
            sample = list(itertools.chain(*(writer.acknowledged[-50:] for writer in writers)))
            assert {await read(session, one, key) for key in sample} == {200}


async def test_killing_every_instance_at_once_loses_nothing_acknowledged(tmp_path: Path) -> None:
    all = [Instance(tmp_path, n, storage="vsam?size=1000000") for n in (1, 2)]
    with instances(*all):
        async with aiohttp.ClientSession() as session:
            writers: list[Writer] = []
            for round in range(3):
                for each in all:
                    each.up()
                await check(session, all[0], *writers)
                now = [Writer(session, each, f"{round}-{each.lpar}") for each in all]
                await asyncio.gather(*(writer.acknowledges(100) for writer in now))
                for each in all:
                    assert each.process is not None
                    each.process.kill()
                for each in all:
                    each.kill()
                await asyncio.gather(*(writer.stop() for writer in now))
                writers += now
            all[0].up()
            await check(session, all[0], *writers)


async def test_a_frozen_holder_of_the_lock_blocks_writes_for_the_deadline_and_reads_never(tmp_path: Path) -> None:
    one, other = Instance(tmp_path, 1), Instance(tmp_path, 2)
    with instances(one, other):
        one.up()
        other.up()
        async with aiohttp.ClientSession() as session:
            await post(session, other, "before")
            load = Writer(session, one, "load")
            await load.acknowledges(50)
            await freeze_with_the_lock(one)
            before = time.monotonic()
            status, text = await post(session, other, "refused")
            assert status == 503
            assert 1.9 < time.monotonic() - before < 2.6
            assert f"LPAR1 (process {one.pid})" in text
            for _ in range(20):
                before = time.monotonic()
                assert await read(session, other, "before") == 200
                assert (await post(session, other, "refused"))[0] == 503  # at once: nobody waits two seconds each
                assert time.monotonic() - before < 0.5
            assert await ready(session, other)
            assert await colour(session, other) == "yellow"
            one.kill()
            await until_written(session, other, "after")
            await load.stop()
            found = await held(session, other)
            assert "refused" not in found
            assert set(load.acknowledged) | {"before", "after"} <= found.keys()
            assert await colour(session, other) == "green"
    assert other.logged.count("storage.writes_refused") == 1
    assert other.logged.count("storage.writes_resumed") == 1


async def freeze_with_the_lock(instance: Instance) -> None:
    """Stop it at a moment when it holds the lock, and leave it so."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        instance.freeze()
        if instance.holds_the_lock():
            return
        instance.thaw()
        await asyncio.sleep(0.003)
    raise AssertionError("it never held the lock when stopped")


async def until_written(session: aiohttp.ClientSession, instance: Instance, key: str) -> None:
    deadline = time.monotonic() + 5
    while (await post(session, instance, key))[0] != 201:
        assert time.monotonic() < deadline, f"no write within 5 s at {instance.lpar}"
        await asyncio.sleep(0.02)


async def application(session: aiohttp.ClientSession, instance: Instance, page: str) -> Any:
    base = instance.url.removesuffix("/cachingservice/api/v1")
    async with session.get(f"{base}/application/{page}") as answer:
        return await answer.json()


async def ready(session: aiohttp.ClientSession, instance: Instance) -> bool:
    return bool((await application(session, instance, "ready"))["ready"])


async def colour(session: aiohttp.ClientSession, instance: Instance) -> str:
    health = await application(session, instance, "health")
    return str(health["components"]["storage"]["details"]["colour"])


async def test_a_volume_that_takes_no_more_refuses_writes_keeps_reads_and_recovers(tmp_path: Path) -> None:
    one, other = Instance(tmp_path, 1, storage="vsam?size=1000000"), Instance(tmp_path, 2, storage="vsam?size=1000000")
    with instances(one, other):
        one.up()
        other.up()
        async with aiohttp.ClientSession() as session:
            load = Writer(session, one, "load")
            await load.acknowledges(100)
            with one.files_at_most(one.volume("PLEX.CACHE-wal").stat().st_size + 20_000):
                await load.refuses()
                status, text = await post(session, one, "refused", "v" * 20_000)
                assert status in (503, 507)
                assert "nothing was changed" in text
                assert await read(session, one, load.acknowledged[0]) == 200
                await check(session, one, load)
                assert await ready(session, one)
            await until_written(session, one, "after")
            await load.stop()
            assert set(load.refused.values()) <= {503, 507}
            await check(session, other, load, besides="after")
            one.kill()
            await check(session, other, load, besides="after")


def remove_as_seen_by(instance: Instance, path: Path) -> None:
    Path(f"/proc/{instance.pid}/root{path}").unlink()


async def test_a_full_volume_is_told_as_507_and_room_made_is_used(tmp_path: Path) -> None:
    prefix = namespace()
    if not prefix:
        pytest.skip("mounting a small tmpfs needs root, or user namespaces with `unshare -rm`")
    volume = tmp_path / "data" / "volume"
    volume.mkdir(parents=True)
    mount = f'mount -t tmpfs -o size=800k tmpfs {volume} && head -c 200000 /dev/zero >{volume}/other && exec "$@"'
    one = Instance(tmp_path, 1, before=[*prefix, "sh", "-c", mount, "sh"])
    with instances(one):
        one.up()
        async with aiohttp.ClientSession() as session:
            written = []
            for n in range(200):
                status, text = await post(session, one, str(n), "v" * 10_000)
                if status != 201:
                    break
                written.append(str(n))
            assert status == 507, text
            assert "ZWECS134E" in text
            assert len(written) > 5
            assert {await read(session, one, key) for key in written} == {200}
            assert await ready(session, one)
            remove_as_seen_by(one, volume / "other")
            await until_written(session, one, "after")
            assert (await held(session, one)).keys() == {*written, "after"}
    assert "Traceback" not in one.logged


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"storage": {"mode": "VSAM", "vsam": {"keyLength": 64}}}, ["keyLength 128", "says 64"]),
        ({"storage": {"mode": "VSAM", "vsam": {"recordLength": 4096}}}, ["recordLength 32760", "says 4096"]),
        ({"storage": "redis://127.0.0.1:0"}, ["masterNodeUri: expected"]),
        ({"storage": "vsma:X"}, ["did you mean 'vsam'?"]),
        ({"storge": "vsam"}, ["did you mean 'storage'?"]),
        ({"compat": {"oversizeStatus": 200}}, ["oversizeStatus: expected 413 or 400"]),
        ({"identity": "trustedHeader"}, ["identity: expected trustedHeaders", "did you mean 'trustedHeaders'?"]),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(
    tmp_path: Path, changed: dict[str, Any], says: list[str]
) -> None:
    one, other = Instance(tmp_path, 1), Instance(tmp_path, 2, **changed)
    with instances(one, other):
        one.up()
        other.start()
        assert other.ended() == 2
        last = other.logged.splitlines()[-1]
        assert last.startswith("plexmesh: ")
        assert all(each in last for each in says)
        assert "Traceback" not in other.logged
        assert one.running


async def test_the_status_of_a_value_too_long_can_be_the_originals(tmp_path: Path) -> None:
    one = Instance(tmp_path, 1, compat={"oversizeStatus": 400}, bodyBytes=50_000)
    with instances(one):
        one.up()
        async with aiohttp.ClientSession() as session:
            assert (await post(session, one, "k", "v" * 40_000))[0] == 400
            assert (await post(session, one, "k", "v" * 60_000))[0] == 400


async def test_an_instance_told_to_stop_answers_what_waits_and_leaves_the_log_closed(tmp_path: Path) -> None:
    one = Instance(tmp_path, 1)
    with instances(one):
        one.up()
        async with aiohttp.ClientSession() as session:
            load = Writer(session, one, "load")
            await load.acknowledges(50)
            assert one.process is not None
            one.process.terminate()
            await asyncio.to_thread(one.ended)
            await load.stop()
        assert one.ended() == 0
        assert not one.volume("PLEX.CACHE-wal").exists()
        assert "Traceback" not in one.logged
        one.up()
        async with aiohttp.ClientSession() as session:
            await check(session, one, load)


def test_an_instance_that_waits_for_the_lock_can_be_stopped(tmp_path: Path) -> None:
    one, other = Instance(tmp_path, 1), Instance(tmp_path, 2)
    lock = one.volume("PLEX.CACHE.lock")
    lock.parent.mkdir(parents=True)
    holder = subprocess.Popen(["flock", lock, "cat"], stdin=subprocess.PIPE)
    try:
        with instances(one, other):
            one.start()
            poll("it says what it waits for", lambda: "waits to be opened" in one.logged)
            assert one.process is not None
            one.process.terminate()
            assert one.ended() == 0
            other.start()
            poll("the next waits too", lambda: "waits to be opened" in other.logged)
            holder.communicate(timeout=5)
            poll("it opens when the lock is free", lambda: "storage.opened" in other.logged)
    finally:
        holder.kill()
        holder.communicate()


async def test_in_memory_instances_of_a_sysplex_warn_and_show_yellow(tmp_path: Path) -> None:
    one = Instance(
        tmp_path, 1, storage="inMemory", environ={"PLEXMESH_DISCOVERY": "http://127.0.0.1:1,http://127.0.0.1:2"}
    )
    with instances(one):
        one.up()
        assert "storage.not_shared" in one.logged
        async with aiohttp.ClientSession() as session:
            assert await colour(session, one) == "yellow"
            assert await ready(session, one)
