"""What services and callers say of where calls go, at two gateways that never talk to each other: both keep to it, and
to the same instance where that is meant.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.config import GatewayConfig
from tests.fakes import Behave, Caller, RawInstance, an_instance, answer, answering, running, until
from tests.integration import discovery_rig
from tests.integration.discovery_rig import DiscoveryNode
from tests.integration.gateway_rig import (
    INSTANCES,
    LPAR1,
    LPAR2,
    PORT,
    Answer,
    Client,
    Rig,
    a_gateway,
    on_uvloop,
    started,
)
from tests.integration.mode_instance import ModeInstance
from tests.integration.test_gateway_modes import Traffic, ask, get

GATEWAYS = (LPAR1, LPAR2)


def second_at(discovery: str, **more: Any) -> GatewayConfig:
    """A gateway of LPAR2."""
    return GatewayConfig(
        host=LPAR2, port=PORT, lpar="LPAR2", vipa="", discovery=(discovery,), access_log="off", **more
    )  # fmt: skip


async def who(gateway: str, *fields: str) -> str:
    """The host of the instance that answers."""
    got = await ask(gateway, get(*fields))
    assert got.status == 200, got
    return got.body.decode()


async def whos(gateway: str, times: int, *fields: str) -> Counter[str]:
    return Counter([await who(gateway, *fields) for _ in range(times)])


@dataclass
class Two:
    rig: Rig
    gateways: Sequence[Gateway]
    instances: list[RawInstance]

    def one(self, host: str) -> RawInstance:
        return next(each for each in self.instances if each.host == host)

    def key(self, host: str) -> str:
        return an_instance("orders", 9000, host).key

    async def know(self, count: int) -> None:
        await until(lambda: all(len(each.path.snapshot.endpoints) == count for each in self.gateways), "both know")

    async def change(self, host: str, count: int, **more: Any) -> None:
        """Its registration says something else now, and both gateways know."""
        known = self.rig.discovery.instances[self.key(host)]
        self.rig.discovery.put(an_instance("orders", 9000, host, lpar=known.lpar or "", rev=known.rev + 1, **more))
        await self.know(count)

    async def remove(self, host: str, left: int) -> None:
        self.rig.discovery.remove(self.key(host))
        await self.know(left)


@contextlib.asynccontextmanager
async def two(
    *lpars: str, behave: Behave | None = None, weights: Sequence[int] = (100, 100, 100), **metadata: str
) -> AsyncIterator[Two]:
    """Gateways of LPAR1 and LPAR2, in front of an instance of `orders` in each of these LPARs, which answers with its
    host. `metadata`: keys of `plexmesh.`."""
    made = [RawInstance(host, 9000, behave or answering(host.encode())) for host in INSTANCES[: len(lpars)]]
    said = {f"plexmesh.{key}": value for key, value in metadata.items()}
    async with a_gateway() as rig, running(*made):
        for each, lpar, weight in zip(made, lpars, weights, strict=False):
            data = said | {"plexmesh.weight": str(weight)}
            rig.discovery.put(an_instance("orders", 9000, each.host, lpar=lpar, metadata=data))
        async with started(second_at(rig.discovery.url)) as second:
            found = Two(rig, (rig.gateway, second), made)
            await found.know(len(lpars))
            yield found


# --- sessions


def session(got: Answer) -> str | None:
    """The Cookie field that goes with this answer from now on, if it says so."""
    said = got.header("Set-Cookie")
    assert said is None or said.endswith("; Path=/orders; HttpOnly; SameSite=Lax")
    return f"Cookie: a=b; {said.partition(';')[0]}" if said else None


@on_uvloop
async def test_a_session_stays_by_its_cookie_at_both_gateways() -> None:
    async with two("LPAR1", "LPAR2", "LPAR2", sticky="cookie") as it:
        led = set()
        for n in range(6):
            first = await ask(GATEWAYS[n % 2], get())
            cookie = session(first)
            assert cookie is not None
            assert not any(host in cookie for host in INSTANCES), "nobody learns an address by it"
            for gateway in GATEWAYS * 3:
                again = await ask(gateway, get(cookie))
                assert (again.body, session(again)) == (first.body, None)
            led.add(first.body)
        assert len(led) > 1
        assert it.rig.in_flight() == 0


@pytest.mark.parametrize("way", ["killed", "removed"])
@on_uvloop
async def test_a_session_moves_once_when_its_instance_is_lost(way: str) -> None:
    async with two("LPAR1", "LPAR2", "LPAR2", sticky="cookie") as it:
        first = await ask(LPAR1, get())
        lost = first.body.decode()
        cookie = session(first)
        if way == "killed":
            await it.one(lost).stop()
        else:
            await it.remove(lost, 2)
        moved = await ask(LPAR2, get(str(cookie)))
        renewed = session(moved)
        assert moved.status == 200
        assert moved.body != first.body
        assert renewed not in (None, cookie)
        if way == "killed":
            await it.one(lost).start()
            await until(lambda: not any(each.path.health.records for each in it.gateways), "it is back")
        else:
            it.rig.discovery.put(an_instance("orders", 9000, lost, gen=2, metadata={"plexmesh.sticky": "cookie"}))
            await it.know(3)
        for gateway in GATEWAYS * 4:
            again = await ask(gateway, get(str(renewed)))
            assert (again.body, session(again)) == (moved.body, None)


@on_uvloop
async def test_a_session_stays_by_a_header_at_both_gateways() -> None:
    async with two("LPAR1", "LPAR2", "LPAR2", sticky="header:X-Session") as it:
        led = {}
        for n in range(24):
            field = f"x-session: s{n}"
            (led[field],) = {await who(gateway, field) for gateway in GATEWAYS * 2}
        assert set(led.values()) == set(INSTANCES)
        lost = INSTANCES[0]
        await it.one(lost).stop()
        for field, host in led.items():
            now = {await who(gateway, field) for gateway in GATEWAYS * 2}
            assert len(now) == 1
            assert now == {host} if host != lost else lost not in now
        assert len(await whos(LPAR1, 30)) == 2, "who names no session goes anywhere"


# --- pickers


@pytest.mark.parametrize("hash_on", ["header:X-Key", "cookie:key"])
@on_uvloop
async def test_a_ring_leads_the_same_key_to_the_same_instance_and_moves_no_other(hash_on: str) -> None:
    async with two("LPAR1", "LPAR2", "LPAR2", picker="ringHash", hashOn=hash_on) as it:
        field = "X-Key: {}" if hash_on == "header:X-Key" else "Cookie: a=b; key={}; c=d"
        led = {}
        for n in range(30):
            (led[n],) = {await who(gateway, field.format(n)) for gateway in GATEWAYS}
        assert set(led.values()) == set(INSTANCES)
        await it.remove(INSTANCES[1], 2)
        for n, host in led.items():
            (now,) = {await who(gateway, field.format(n)) for gateway in GATEWAYS}
            assert now == host if host != INSTANCES[1] else now != host


@on_uvloop
async def test_each_in_turn_as_often_as_its_weight_says() -> None:
    async with two("LPAR1", "LPAR2", "LPAR2", picker="roundRobin", weights=(100, 100, 300)):
        for gateway in GATEWAYS:
            seen = await whos(gateway, 50)
            assert [seen[host] for host in INSTANCES] == pytest.approx([10, 10, 30], abs=1)


# --- LPARs


@on_uvloop
async def test_a_call_names_its_lpar_and_goes_nowhere_else() -> None:
    async with two("LPAR1", "LPAR2", "LPAR2") as it:
        for gateway in GATEWAYS:
            assert set(await whos(gateway, 20, "X-Plexmesh-Lpar: lpar2")) == set(INSTANCES[1:])
            assert set(await whos(gateway, 8, "X-Plexmesh-Lpar: LPAR1")) == {INSTANCES[0]}
            unknown = await ask(gateway, get("X-Plexmesh-Lpar: LPAR9"))
            assert (unknown.status, unknown.number) == (503, "ZWEAG510E")
            assert "LPAR9" in unknown.content
        await it.one(INSTANCES[0]).stop()
        for gateway in GATEWAYS:
            assert set(await whos(gateway, 20)) == set(INSTANCES[1:])
            gone = await ask(gateway, get("X-Plexmesh-Lpar: LPAR1"))
            assert gone.status == 503
            assert "LPAR1" in gone.content
        await it.remove(INSTANCES[0], 2)
        gone = await ask(LPAR1, get("X-Plexmesh-Lpar: LPAR1"))
        assert (gone.status, "LPAR1" in gone.content) == (503, True)


@on_uvloop
async def test_a_service_of_one_lpar_has_no_fail_over_to_others() -> None:
    async with two("LPAR1", "LPAR2", "LPAR2", scope="lpar") as it:
        assert set(await whos(LPAR1, 10)) == {INSTANCES[0]}
        assert set(await whos(LPAR2, 20)) == set(INSTANCES[1:])
        assert set(await whos(LPAR2, 5, "X-Plexmesh-Lpar: LPAR1")) == {INSTANCES[0]}
        await it.one(INSTANCES[0]).stop()
        for _ in range(3):
            assert "LPAR1" in (await refused(LPAR1)).content
        await it.one(INSTANCES[1]).stop()
        assert set(await whos(LPAR2, 10)) == {INSTANCES[2]}
        await it.change(INSTANCES[0], 2, status="DOWN", metadata={"plexmesh.scope": "lpar"})
        assert "LPAR1" in (await refused(LPAR1)).content


async def refused(gateway: str) -> Answer:
    got = await ask(gateway, get())
    assert got.status == 503
    return got


@on_uvloop
async def test_a_session_of_another_lpar_does_not_leave_the_scope() -> None:
    async with two("LPAR1", "LPAR2", scope="lpar", sticky="cookie"):
        first = await ask(LPAR2, get())
        assert first.body.decode() == INSTANCES[1]
        here = await ask(LPAR1, get(str(session(first))))
        assert here.body.decode() == INSTANCES[0]
        assert session(here) is not None


@on_uvloop
async def test_calls_stay_in_their_lpar_until_it_is_crowded() -> None:
    async def busy(caller: Caller) -> None:
        while await caller.head():
            await asyncio.sleep(0.03)
            await caller.send(answer(caller.instance.host.encode()))

    async def crowd(size: int) -> Counter[str]:
        return sum(await asyncio.gather(*(whos(LPAR1, 12) for _ in range(size))), Counter[str]())

    async with two("LPAR1", "LPAR2", "LPAR2", behave=busy, affinity="lpar"):
        assert set(await whos(LPAR1, 12)) == {INSTANCES[0]}
        assert set(await whos(LPAR2, 12)) == set(INSTANCES[1:])
        seen = await crowd(24)
        assert set(seen) == set(INSTANCES), "it spills over"
        assert seen[INSTANCES[0]] > seen.total() / 6, "and not all of it"
        assert set(await whos(LPAR1, 12)) == {INSTANCES[0]}, "and ends by itself"


# --- with a real discovery node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DiscoveryNode]:
    node = DiscoveryNode(tmp_path_factory.mktemp("discovery"), "LPAR1", f"127.0.195.{os.getpid() % 250 + 1}")
    with discovery_rig.running(node):
        yield node


@contextlib.asynccontextmanager
async def gateways_at(node: DiscoveryNode) -> AsyncIterator[list[Gateway]]:
    first = GatewayConfig(host=LPAR1, port=PORT, vipa="", discovery=(node.url,), access_log="off")
    async with started(first) as one, started(second_at(node.url)) as other:
        await until(lambda: not (one.why_not_ready() or other.why_not_ready()), "both are ready")
        yield [one, other]


async def routed(gateways: list[Gateway], count: int) -> None:
    def each_knows() -> bool:
        found = [each.path.snapshot.upstreams.get(b"orders") for each in gateways]
        return all(upstream is not None and len(upstream.endpoints) == count for upstream in found)

    await until(each_knows, f"{count} are routed")


def register(node: DiscoveryNode, hosts: list[str], **metadata: str) -> None:
    told = [{"service": "orders", "host": host, "port": 9000, "lease_s": 60, "metadata": metadata} for host in hosts]
    asked = urllib.request.Request(
        f"{node.url}/v1/instances", json.dumps({"instances": told}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=5):
        pass


async def echoes(caller: Caller) -> None:
    """Answers with its host; or echoes, after an upgrade."""
    while head := await caller.head():
        if b"Upgrade:" in head:
            await caller.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while data := await caller.reader.read(100):
                await caller.send(data)
            return
        await caller.send(answer(caller.instance.host.encode()))


@on_uvloop
async def test_an_instance_taken_out_gets_no_new_call_and_keeps_what_it_has(node: DiscoveryNode) -> None:
    made = [RawInstance(host, 9000, echoes) for host in INSTANCES[:2]]
    out = INSTANCES[0]
    upgrade = get("Connection: Upgrade", "Upgrade: websocket", f"X-InstanceId: {out}:orders:9000")
    new: list[tuple[float, str]] = []
    async with gateways_at(node) as gateways, running(*made), contextlib.AsyncExitStack() as open_ones:
        await asyncio.to_thread(register, node, INSTANCES[:2], **{"plexmesh.sticky": "cookie"})
        await routed(gateways, 2)
        cookies = [await ask(gateway, get()) for gateway in GATEWAYS for _ in range(12)]
        stays = next(str(session(each)) for each in cookies if each.body.decode() == out)
        tunnels = [await open_ones.enter_async_context(await Client.to(gateway, PORT)) for gateway in GATEWAYS]
        for each in tunnels:
            assert (await each.ask(upgrade)).status == 101
        over = asyncio.Event()

        async def newcomers(gateway: str) -> None:
            async with await Client.to(gateway, PORT) as client:
                while not over.is_set():
                    begun = monotonic()
                    new.append((begun, (await client.ask(get())).body.decode()))
                    await asyncio.sleep(0.002)

        async with asyncio.TaskGroup() as tasks:
            for gateway in GATEWAYS * 4:
                tasks.create_task(newcomers(gateway))
            await until(lambda: len(new) > 50)
            path = f"ORDERS/{out}:orders:9000/status?value=OUT_OF_SERVICE"
            assert await asyncio.to_thread(node.eureka, "PUT", path) == 200
            told = monotonic()
            wanted = len(new) + 200
            await until(lambda: len(new) > wanted and monotonic() > told + 0.3)
            over.set()
        assert out in {host for begun, host in new if begun < told}
        assert {host for begun, host in new if begun > told + 0.1} == {INSTANCES[1]}
        for gateway, tunnel in zip(GATEWAYS, tunnels, strict=True):
            got = await ask(gateway, get(stays))
            assert (got.body.decode(), session(got)) == (out, None)
            await tunnel.send(b"still")
            assert await tunnel.reader.readexactly(5) == b"still"
        for host in INSTANCES[:2]:
            await asyncio.to_thread(node.eureka, "DELETE", f"ORDERS/{host}:orders:9000")


@on_uvloop
async def test_no_call_fails_in_a_rolling_restart(node: DiscoveryNode, tmp_path: Path) -> None:
    made, next_ones = ([ModeInstance(host, tmp_path / "posts", node.url) for host in INSTANCES[:2]] for _ in range(2))
    loads = [Traffic(gateway, getters=4, posters=2, pause_s=0.02) for gateway in GATEWAYS]
    async with gateways_at(node) as gateways:
        try:
            await asyncio.gather(*(each.prepare() for each in (*made, *next_ones)))
            await asyncio.gather(*(each.go() for each in made))
            await routed(gateways, 2)
            async with loads[0].running() as one, loads[1].running() as other:
                for old, new in zip(made, next_ones, strict=True):
                    old.signal(signal.SIGTERM)
                    assert await old.ended() == 0
                    await new.go()
                    await routed(gateways, 2)
                    await one.more(50)
                    await other.more(50)
                    assert await new.tell("count") > 0
            calls = [*one.gets, *one.posts, *other.gets, *other.posts]
            assert {each.answer.status for each in calls} == {200}
        finally:
            for each in (*made, *next_ones):
                await each.kill()
