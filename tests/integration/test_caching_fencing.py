"""Who keeps the lock of a data set and gives no sign of life is ended by its launcher; nobody else ever is.

The launcher and the holder are the test's own here; `test_caching_fencing_sysplex` has real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from caching.backends import fence
from caching.backends.lock import LockFile
from caching.backends.openers import Opener
from caching.backends.status import StatusArea
from caching.backends.vsam import VsamStorage
from caching.clock import Clock
from shared.errors import Unavailable
from shared.events import Events
from tests.contract.calls import create, get
from tests.contract.storages import place, vsam

HOLDER = 4711
"""The pid of a holder that is not there: of stand-ins only."""


@dataclass
class StandIn:
    """A launcher, or `up`, that notes what it is asked; `kills` ends the holder as a kill would."""

    kills: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    pid: int = HOLDER
    silent: bool = False
    url: str = ""

    async def lpar(self, _: web.Request) -> web.Response:
        if self.silent:
            await asyncio.sleep(5)
        components = [{"name": "caching", "state": "ready", "pid": self.pid, "url": ""}]
        return web.json_response({"id": "LPAR2", "state": "ready", "address": "", "components": components})

    async def order(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        self.asked.append(request.path)
        self.bodies.append(json.loads(await request.read()))
        self.kills.set()
        return web.json_response({})


@contextlib.asynccontextmanager
async def stand_in(**given: Any) -> AsyncIterator[StandIn]:
    made = StandIn(**given)
    app = web.Application()
    app.add_routes([web.get("/v1/lpar", made.lpar), web.post("/{path:.*}", made.order)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        await runner.cleanup()


class Holder:
    """Has the lock of the data set, and beats or not."""

    def __init__(self, folder: Path, launcher: str = "", sysplex: str = "") -> None:
        opener = Opener(f"LPAR2 (process {HOLDER})", "LPAR2", HOLDER, 0, launcher, sysplex)
        self.area = StatusArea(folder / "TEST.CACHE.status", opener)
        self.lock = LockFile(folder / "TEST.CACHE.lock", opener.who, self.area.says)
        self.lock.__enter__()

    async def beats(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.area.beat()
            await asyncio.sleep(0.05)

    async def is_looked_at(self, times: int) -> None:
        """The one who waits looks whenever it beats."""
        before = self.area.others()[0].beat
        await until("it looks", lambda: self.area.others()[0].beat >= before + times)

    def end(self) -> None:
        """As the kernel does for one that was killed."""
        self.lock.close()
        self.area.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten looks a second, so that a test takes one."""
    monkeypatch.setattr(fence, "BEAT_S", 0.1)
    monkeypatch.setattr(fence, "APART_S", 0.05)


@contextlib.asynccontextmanager
async def waiting(folder: Path, fence_after_s: float = 0.6) -> AsyncIterator[tuple[VsamStorage, Events]]:
    """An opener whose write waits for the lock, once `Holder` has it."""
    events = Events(logging.getLogger("test"))
    storage = VsamStorage(place(folder, write_deadline_s=0.3, fence_after_s=fence_after_s), events, Clock())
    await storage.open()
    try:
        yield storage, events
    finally:
        await storage.close()


async def refused_write(storage: VsamStorage) -> str:
    with pytest.raises(Unavailable) as error:
        await create(storage, "me", "refused", b"v")
    return str(error.value)


async def until(what: str, condition: Any, within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


def emitted(events: Events, event: str) -> list[dict[str, object]]:
    return [each.fields for each in events.last() if each.event == event]


@pytest.mark.usefixtures("quick")
async def test_one_that_is_slow_and_beats_is_left_alone_until_it_is_silent(tmp_path: Path) -> None:
    async with stand_in() as launcher, waiting(tmp_path) as (storage, events):
        holder = Holder(tmp_path, launcher.url)
        blocked = asyncio.create_task(refused_write(storage))
        await holder.beats(2.5)
        assert f"held by LPAR2 (process {HOLDER})" in await blocked
        assert launcher.asked == []
        assert emitted(events, "storage.holder_silent") == []
        async with asyncio.timeout(5):
            await launcher.kills.wait()
        holder.end()
        await until("it is told", lambda: emitted(events, "storage.fenced"))
        await until("it writes", lambda: storage.waiting() == 0 and storage.remarks()[1:] == [])
        await create(storage, "me", "after", b"v")
        assert (await get(storage, "me", "after")).value == b"v"
    assert launcher.asked == ["/v1/components/caching/kill"]
    [fenced] = emitted(events, "storage.fenced")
    assert (fenced["holder"], fenced["by"]) == (f"LPAR2 (process {HOLDER})", "launcher")


@pytest.mark.usefixtures("quick")
async def test_a_launcher_that_says_nothing_is_passed_over_for_the_sysplex(tmp_path: Path) -> None:
    async with stand_in(silent=True) as launcher, stand_in() as up, waiting(tmp_path) as (storage, events):
        holder = Holder(tmp_path, launcher.url, up.url)
        await refused_write(storage)
        async with asyncio.timeout(5):
            await up.kills.wait()
        holder.end()
        await until("it is told", lambda: emitted(events, "storage.fenced"))
    assert launcher.asked == []
    assert up.asked == ["/v1/lpars/LPAR2/components/caching/fence"]
    assert up.bodies == [{"pid": HOLDER}]


@pytest.mark.usefixtures("quick")
async def test_the_process_that_took_the_holders_place_is_left_alone(tmp_path: Path) -> None:
    async with stand_in(pid=HOLDER + 1) as launcher, waiting(tmp_path) as (storage, events):
        holder = Holder(tmp_path, launcher.url)
        await refused_write(storage)
        await until("it is silent", lambda: emitted(events, "storage.holder_silent"))
        await holder.is_looked_at(6)
        holder.end()
    assert launcher.asked == []
    assert emitted(events, "storage.fenced") == []


@pytest.mark.usefixtures("quick")
async def test_a_holder_of_no_launcher_is_named_once(tmp_path: Path) -> None:
    async with waiting(tmp_path) as (storage, events):
        holder = Holder(tmp_path)
        await refused_write(storage)
        await until("it is silent", lambda: emitted(events, "storage.holder_silent"))
        await holder.is_looked_at(6)
        holder.end()
    [silent] = emitted(events, "storage.holder_silent")
    assert (silent["holder"], silent["launcher"]) == (f"LPAR2 (process {HOLDER})", "none")
    assert emitted(events, "storage.not_fenced") == []


@pytest.mark.usefixtures("quick")
async def test_whoever_waits_to_open_it_has_the_holder_ended_too(tmp_path: Path) -> None:
    async with stand_in() as launcher:
        holder = Holder(tmp_path, launcher.url)
        storage = vsam(tmp_path, write_deadline_s=0.3, fence_after_s=0.6)
        try:
            with pytest.raises(Unavailable, match=f"held by LPAR2 .process {HOLDER}"):
                await storage.open()
            async with asyncio.timeout(5):
                await launcher.kills.wait()
            holder.end()
            await storage.open()
            await create(storage, "me", "k", b"v")
        finally:
            await storage.close()


@pytest.mark.usefixtures("quick")
async def test_zero_never_asks(tmp_path: Path) -> None:
    async with stand_in() as launcher, waiting(tmp_path, 0) as (storage, events):
        holder = Holder(tmp_path, launcher.url)
        await refused_write(storage)
        await holder.is_looked_at(15)  # twice as often as another test needs
        holder.end()
    assert launcher.asked == []
    assert emitted(events, "storage.holder_silent") == []
