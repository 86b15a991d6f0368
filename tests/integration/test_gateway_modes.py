"""The ways an instance can fail, each with real processes under a load of GETs and POSTs: what callers see of it.

No GET gets an error answer. A POST gets 200, or 503 "outcome unknown" when it had reached an instance that died; it is
never sent twice, and one that was answered with 200 has been carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import pytest

from gateway.exchange import State
from tests.fakes import an_instance, until
from tests.integration.gateway_rig import (
    INSTANCES,
    LPAR1,
    PORT,
    Answer,
    Client,
    Rig,
    a_gateway,
    on_uvloop,
)
from tests.integration.mode_instance import HEALTH, ModeInstance

POST = b"POST /orders/api/v1/x HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n%b"
POSTERS = 4
PAUSE_S = 0.004
NOTICED_S = 3.5
"""A frozen instance is doubted after 1 s at the next tick (1 s), and has two probes of 0.2 s; and a busy machine."""


def get(*fields: str, path: str = "/orders/api/v1/x") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: g", *fields, "", ""]).encode()


async def ask(gateway: str, request: bytes) -> Answer:
    """On a connection of its own."""
    async with await Client.to(gateway, PORT) as client:
        return await client.ask(request)


@dataclass
class Call:
    begun: float
    took_s: float
    answer: Answer
    id: bytes = b""
    """Of a POST."""

    @property
    def unknown(self) -> bool:
        got = self.answer
        return got.status == 503 and got.number == "ZWEAO503E" and got.content.startswith("outcome unknown")


@dataclass
class Traffic:
    """Calls without end on kept connections to a gateway. What breaks off ends the test."""

    host: str
    getters: int = 12
    posters: int = POSTERS
    pause_s: float = PAUSE_S
    gets: list[Call] = field(default_factory=list)
    posts: list[Call] = field(default_factory=list)
    _over: bool = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Traffic]:
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.getters + self.posters):
                tasks.create_task(self._call_on(number))
            try:
                yield self
            finally:
                self._over = True

    async def _call_on(self, number: int) -> None:
        async with await Client.to(self.host, PORT) as client:
            sent = 0
            while not self._over:
                sent += 1
                if number < self.getters:
                    self.gets.append(await called(client, get()))
                else:
                    id = b"%d-%d" % (number, sent)
                    self.posts.append(await called(client, POST % (len(id), id), id))
                await asyncio.sleep(self.pause_s)

    async def more(self, count: int) -> None:
        wanted = len(self.gets) + count
        await until(lambda: len(self.gets) >= wanted, "GETs go on")

    async def for_s(self, seconds: float) -> None:
        end = monotonic() + seconds
        await until(lambda: monotonic() > end)

    async def share(self, instance: ModeInstance, count: int = 600) -> float:
        """Of the calls from now on, how many it has."""
        had, all_had = await instance.tell("count"), len(self.gets) + len(self.posts)
        await self.more(count)
        return (await instance.tell("count") - had) / (len(self.gets) + len(self.posts) - all_had)

    @property
    def longest_s(self) -> float:
        return max(each.took_s for each in self.gets)


async def called(client: Client, request: bytes, id: bytes = b"") -> Call:
    begun = monotonic()
    got = await client.ask(request)
    return Call(begun, monotonic() - begun, got, id)


@dataclass
class Modes:
    rig: Rig
    instances: list[ModeInstance]
    journal: Path

    def state(self, instance: ModeInstance) -> str:
        """In the gateway's view."""
        records = self.rig.gateway.path.health.records.values()
        return next((each.state for each in records if each.endpoint.host == instance.host), "fine")

    def waits_at(self, instance: ModeInstance, method: bytes) -> bool:
        """Such a call has been sent there, and is not answered."""
        calls = [client.exchange for client in self.rig.gateway.path.clients]
        sent = [each for each in calls if each.state is State.WAITING and each.method == method]
        return any(each.endpoint.host == instance.host for each in sent)

    def check(self, load: Traffic, *, unknown: int = 0) -> None:
        """Nothing has failed but so many POSTs at most, whose outcome is unknown."""
        assert {each.answer.status for each in load.gets} == {200}
        done = [each.id for each in load.posts if each.answer.status == 200]
        failed = [each for each in load.posts if each.answer.status != 200]
        assert all(each.unknown for each in failed), failed
        assert len(failed) <= unknown
        carried_out = self.journal.read_bytes().split()
        assert len(set(carried_out)) == len(carried_out), "sent twice"
        assert set(done) <= set(carried_out)


@contextlib.asynccontextmanager
async def orders(
    folder: Path, count: int, *, health: bool = False, policy: dict[str, str] | None = None
) -> AsyncIterator[Modes]:
    """So many real instances behind a gateway; `health`: they register a health URL."""
    journal = folder / "posts"
    made = [ModeInstance(host, journal) for host in INSTANCES[:count]]
    async with a_gateway(probe_rounds=True) as rig:
        try:
            await asyncio.gather(*(each.start() for each in made))
            for each in made:
                url = f"http://{each.host}:9000{HEALTH.decode()}" if health else ""
                rig.discovery.put(an_instance("orders", 9000, each.host, health_check_url=url, metadata=policy))
            await until(lambda: len(rig.gateway.path.snapshot.endpoints) == count)
            yield Modes(rig, made, journal)
        finally:
            for each in made:
                await each.kill()


@on_uvloop
async def test_an_instance_that_is_killed_costs_no_more_than_the_posts_it_had(tmp_path: Path) -> None:
    async with orders(tmp_path, 2) as modes:
        victim = modes.instances[0]
        async with Traffic(LPAR1).running() as load:
            for each in modes.instances:
                await each.tell("slow 0.05")
            await load.more(50)
            await until(lambda: modes.waits_at(victim, b"POST"))
            await victim.kill()
            await until(lambda: modes.state(victim) == "out", "it is known to be dead")
            await load.more(100)
            await victim.start()
            await until(lambda: modes.state(victim) == "fine", "it is back")
            while not await victim.tell("count"):
                await load.more(10)
        modes.check(load, unknown=POSTERS)
        assert any(each.unknown for each in load.posts)
        assert load.longest_s < 1


@on_uvloop
async def test_gets_at_a_frozen_process_are_moved_and_posts_wait_for_it(tmp_path: Path) -> None:
    async with orders(tmp_path, 2, health=True) as modes:
        victim = modes.instances[0]
        async with Traffic(LPAR1).running() as load:
            await load.more(300)
            victim.signal(signal.SIGSTOP)
            await until(lambda: modes.state(victim) == "out", "it is noticed", NOTICED_S)
            noticed = monotonic()
            await load.more(600)
            victim.signal(signal.SIGCONT)
            await until(lambda: modes.state(victim) == "fine", "it is back")
            await load.more(300)
        modes.check(load)
        assert 1 < load.longest_s < NOTICED_S, "some have waited there, and not for long"
        assert max(each.took_s for each in load.gets if each.begun > noticed) < 0.5
        assert max(each.took_s for each in load.posts) > 1


@on_uvloop
async def test_gets_in_a_black_hole_are_moved(tmp_path: Path) -> None:
    async with orders(tmp_path, 2) as modes:
        victim = modes.instances[0]
        async with Traffic(LPAR1).running() as load:
            await load.more(300)
            await victim.tell("black hole")
            await until(lambda: modes.state(victim) == "out", "it is noticed", NOTICED_S)
            noticed = monotonic()
            await load.more(600)
            await victim.kill()
        modes.check(load, unknown=POSTERS)
        assert load.longest_s < NOTICED_S
        assert max(each.took_s for each in load.gets if each.begun > noticed) < 0.5


@on_uvloop
async def test_an_instance_that_fails_fast_attracts_nobody(tmp_path: Path) -> None:
    async with orders(tmp_path, 3) as modes:
        failing = modes.instances[0]
        async with Traffic(LPAR1).running() as load:
            await load.more(300)
            await failing.tell("503")
            await load.for_s(2)
            assert await load.share(failing) < 0.05
        assert {each.answer.status for each in load.gets} == {200}
        refused = [each.answer.body for each in load.posts if each.answer.status != 200]
        assert set(refused) <= {b"refused"}
        assert len(refused) < 20
        assert 0 < modes.rig.gateway.path.meters.retried_answers < 60


@pytest.mark.parametrize("picker", ["leastRequests", "peakEwma"])
@on_uvloop
async def test_a_slow_instance_gets_few_calls_and_is_not_held_to_be_ill(picker: str, tmp_path: Path) -> None:
    async with orders(tmp_path, 3, policy={"plexmesh.picker": picker}) as modes:
        slow = modes.instances[0]
        async with Traffic(LPAR1).running() as load:
            assert 0.15 < await load.share(slow, 300) < 0.5
            await slow.tell("slow 0.3")
            await load.more(300)
            assert await load.share(slow) < 0.05
            assert modes.state(slow) == "fine"
            await slow.tell("ok")
        modes.check(load)


@on_uvloop
async def test_flapping_harms_no_get(tmp_path: Path) -> None:
    async with orders(tmp_path, 3) as modes:
        flapping = modes.instances[0]
        async with Traffic(LPAR1).running() as load:
            await load.more(300)
            await flapping.tell("flap 0.3")
            await load.for_s(1.5)
            await flapping.tell("ok")
            await until(lambda: modes.state(flapping) == "fine", "it is well")
            assert await load.share(flapping) > 0
        assert {each.answer.status for each in load.gets} == {200}
        assert {each.answer.body for each in load.posts if each.answer.status != 200} <= {b"refused"}
        assert modes.rig.gateway.path.meters.ejections > 1


@on_uvloop
async def test_who_asks_for_time_is_left_alone_so_long(tmp_path: Path) -> None:
    async with orders(tmp_path, 2) as modes:
        tired = modes.instances[0]
        await tired.tell("503 2")
        asked = monotonic()
        seen = []
        async with await modes.rig.connect() as client:
            while monotonic() < asked + 1.8:
                seen.append((await called(client, get())).answer.status)
                await asyncio.sleep(PAUSE_S)
            assert await tired.tell("ok") == 1
            assert seen.count(503) == 1, "the answer that asks for time"
            assert set(seen) == {200, 503}
            while await tired.tell("count") < 3:
                assert (await called(client, get())).answer.status == 200
                assert monotonic() < asked + 4, "it is tried again, also where calls are few"
