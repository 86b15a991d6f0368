"""An instance stopped while it writes, in a sysplex: it is ended, writes go on, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.integration.caching_rig import ME, Writer
from tests.integration.launcher_rig import N, Rig, poll

HOSTS = {"LPAR1": f"127.0.97.{N}", "LPAR2": f"127.0.98.{N}"}
VIPA_HOST = f"127.0.96.{N}"


@dataclass
class At:
    """The caching instance of an LPAR, for `Writer`."""

    rig: Rig
    lpar: str

    @property
    def url(self) -> str:
        return f"http://{HOSTS[self.lpar]}:7555/cachingservice/api/v1"

    @property
    def pid(self) -> int:
        return int(self.rig.component(self.lpar, "caching")["pid"])

    @property
    def logged(self) -> str:
        return self.rig.logged(self.lpar, "caching")


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("fencing"), externalDomains=[VIPA_HOST])
    caching = {"writeDeadlineS": 0.5, "fenceAfterS": 2, "storage": "vsam?size=1000000"}
    rig.tree["components"] = {"discovery": {}, "caching": caching}
    rig.tree["haInstances"] = {name: {"hostname": host} for name, host in HOSTS.items()}
    rig.tree["plexmesh"] = {"sysplex": "FENCEPLX", "address": f"{VIPA_HOST}:7550"}
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def holds_the_lock(rig: Rig, pid: int) -> bool:
    inode = (rig.data / "volume" / "PLEX.CACHE.lock").stat().st_ino
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(each[1] == "FLOCK" and each[4] == str(pid) and each[5].endswith(f":{inode}") for each in lines)


def stop(pid: int) -> None:
    """Returns when it has stopped, which a signal alone does not say."""
    os.kill(pid, signal.SIGSTOP)
    poll(f"{pid} has stopped", lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)


async def stop_with_the_lock(rig: Rig, pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        stop(pid)
        if holds_the_lock(rig, pid):
            return
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(0.003)
    raise AssertionError("it never held the lock when stopped")


async def acknowledged_again(writer: Writer, since: int) -> float:
    """How long that took."""
    began = time.monotonic()
    async with asyncio.timeout(12):
        await writer.acknowledges(since + 20)
    return time.monotonic() - began


async def test_a_stopped_holder_is_ended_by_its_launcher_and_writes_go_on(sysplex: Rig) -> None:
    one, two = At(sysplex, "LPAR1"), At(sysplex, "LPAR2")
    before = two.pid
    async with aiohttp.ClientSession() as session:
        writers = [Writer(session, one, "l-one"), Writer(session, two, "l-two")]  # type: ignore[arg-type]
        await asyncio.gather(*(each.acknowledges(100) for each in writers))
        await asyncio.to_thread(asyncio.run, stop_with_the_lock(sysplex, before))
        since = len(writers[0].acknowledged)
        took_s = await acknowledged_again(writers[0], since)
        assert 2.0 < took_s < 8.0, "not before the silence was long enough, and not much later"
        part = await asyncio.to_thread(sysplex.wait_for, "LPAR2", "caching", "ready", before)
        assert part["restarts"] >= 1
        await writers[1].acknowledges(len(writers[1].acknowledged) + 20)
        await asyncio.gather(*(each.stop() for each in writers))
        for instance in (one, two):
            await check_these(session, instance, *writers)
    assert set(writers[0].refused.values()) == {503}
    assert f"LPAR2 (process {before})" in said(one, "storage.fenced")
    assert '"by": "launcher"' in said(one, "storage.fenced")
    assert f"LPAR2 (process {before})" in said(one, "storage.holder_silent")


async def test_in_an_lpar_that_is_stopped_as_a_whole_it_is_ended_by_the_sysplex(sysplex: Rig) -> None:
    one, two = At(sysplex, "LPAR1"), At(sysplex, "LPAR2")
    before, launcher = two.pid, sysplex.launcher_pid("LPAR2")
    async with aiohttp.ClientSession() as session:
        writers = [Writer(session, one, "s-one"), Writer(session, two, "s-two")]  # type: ignore[arg-type]
        await asyncio.gather(*(each.acknowledges(100) for each in writers))
        await asyncio.to_thread(asyncio.run, stop_with_the_lock(sysplex, before))
        stop(launcher)
        try:
            since = len(writers[0].acknowledged)
            took_s = await acknowledged_again(writers[0], since)
            assert 2.0 < took_s < 10.0
        finally:
            os.kill(launcher, signal.SIGCONT)
        await asyncio.to_thread(sysplex.wait_for, "LPAR2", "caching", "ready", before)
        await writers[1].acknowledges(len(writers[1].acknowledged) + 20)
        await asyncio.gather(*(each.stop() for each in writers))
        await check_these(session, two, *writers)
    assert '"by": "sysplex"' in said(one, "storage.fenced")
    assert f"caching({before}) gave no sign of life: killed" in sysplex.output


async def test_the_sysplex_ends_the_process_that_is_named_and_no_other(sysplex: Rig) -> None:
    before = At(sysplex, "LPAR2").pid
    lpars = f"http://{VIPA_HOST}:7550/v1/lpars"
    async with aiohttp.ClientSession() as session:
        for url, body, status in (
            (f"{lpars}/LPAR2/components/caching/fence", {"pid": before + 1}, 409),
            (f"{lpars}/LPAR2/components/gateway/fence", {"pid": before}, 409),
            (f"{lpars}/LPAR1/components/caching/fence", {"pid": before}, 409),
            (f"{lpars}/LPAR9/components/caching/fence", {"pid": before}, 404),
            (f"{lpars}/LPAR2/components/caching/fence", {}, 400),
        ):
            async with session.post(url, json=body) as answer:
                assert answer.status == status, await answer.text()
        async with session.post(f"{lpars}/LPAR2/components/caching/fence", data=b"{}") as answer:
            assert answer.status == 415
    assert At(sysplex, "LPAR2").pid == before


async def check_these(session: aiohttp.ClientSession, instance: At, *writers: Writer) -> None:
    """Every acknowledged write of them is there, whole."""
    found: dict[str, str] = {}
    after: dict[str, str] = {}
    while page := await one_page(session, instance, after):
        found |= page
        after = {"after": list(page)[-1]}
    acknowledged = {key for writer in writers for key in writer.acknowledged}
    assert acknowledged - found.keys() == set()
    assert {key for key in acknowledged if found[key] != Writer.value(key)} == set()


async def one_page(session: aiohttp.ClientSession, instance: At, after: dict[str, str]) -> dict[str, str]:
    async with session.get(f"{instance.url}/cache", params={"limit": "1000"} | after, headers=ME) as answer:
        assert answer.status == 200
        return {key: view["value"] for key, view in (await answer.json()).items()}


def said(instance: At, event: str) -> str:
    """The last line of its log with that event."""
    lines = [line for line in instance.logged.splitlines() if event in line]
    assert lines, instance.logged[-2000:]
    return lines[-1]
