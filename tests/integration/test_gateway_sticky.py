"""Sticky by user: a user's calls go to the same instance, through any gateway, as long as that instance is there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.fakes import RawInstance, an_instance, answering, running, until
from tests.integration.gateway_rig import INSTANCES, Answer, Client, Rig, a_gateway, on_uvloop
from tests.integration.launcher_rig import N, poll
from tests.integration.launcher_rig import Rig as Sysplex
from tests.unit.test_gateway_sticky import cookie

BY_USER = {"apiml.lb.type": "authentication"}
PATH = b"/orders/api/v1/x"


def call(user: str = "", method: bytes = b"GET", body: bytes = b"") -> bytes:
    line = cookie({"sub": user}).split(b"\r\n")[1] + b"\r\n" if user else b""
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"%b %b HTTP/1.1\r\nHost: g\r\n%b%b\r\n%b" % (method, PATH, line, length, body)


class Keeper:
    """Answers what is asked when it is told to; `chosen` is what it was given to keep."""

    def __init__(self, rig: Rig, records: dict[str, str] | None = None) -> None:
        self.table = rig.gateway.path.sticky
        self.table.keeper = self
        self.records = records
        """None: no answer."""
        self.asked: list[str] = []
        self.chosen: list[tuple[str, str, str]] = []

    def seek(self, key: str) -> bool:
        self.asked.append(key)
        if self.records is not None:
            asyncio.get_running_loop().call_later(0.02, self.table.found, key, self.records.get(key, ""))
        return True

    def chose(self, key: str, instance: str, left: str) -> None:
        self.chosen.append((key, instance, left))


@contextlib.asynccontextmanager
async def three(**settings: Any) -> AsyncIterator[tuple[Rig, list[RawInstance]]]:
    made = [RawInstance(host, 9000, answering(host.encode())) for host in INSTANCES]
    async with a_gateway(*made, metadata=BY_USER, **settings) as rig:
        yield rig, made


def id_of(instance: RawInstance) -> str:
    return an_instance("orders", instance.port, instance.host).instance


async def who(rig: Rig, user: str = "", times: int = 1) -> set[bytes]:
    answers = [await rig.ask(call(user)) for _ in range(times)]
    assert all(each.status == 200 for each in answers)
    return {each.body for each in answers}


@on_uvloop
async def test_a_user_stays_with_the_instance_he_was_given_and_it_is_asked_for_once() -> None:
    async with three() as (rig, _):
        keeper = Keeper(rig, {})
        for n in range(10):
            assert len(await who(rig, f"user{n}", 8)) == 1
        assert len(await who(rig, "", 30)) == 3
        assert len(keeper.asked) == len(keeper.chosen) == 10
        assert len({instance for _, instance, _ in keeper.chosen}) > 1


@on_uvloop
async def test_a_record_of_another_gateway_is_followed() -> None:
    async with three() as (rig, made):
        keeper = Keeper(rig, {"lb.user:orders": id_of(made[1])})
        assert await who(rig, "USER", 8) == {made[1].host.encode()}
        assert keeper.chosen == []


@on_uvloop
async def test_calls_of_one_user_at_the_same_time_wait_for_one_read() -> None:
    async with three() as (rig, made):
        keeper = Keeper(rig, {"lb.user:orders": id_of(made[2])})
        answers = await asyncio.gather(*(rig.ask(call("user")) for _ in range(20)))
        assert {each.body for each in answers} == {made[2].host.encode()}
        assert keeper.asked == ["lb.user:orders"]


@on_uvloop
async def test_without_an_answer_in_time_calls_go_on_and_the_user_still_gets_one_instance() -> None:
    async with three(sticky_read_s=0.1) as (rig, _):
        keeper = Keeper(rig)
        assert len(await who(rig, "user", 8)) == 1
        assert len(keeper.asked) == len(keeper.chosen) == 1


@on_uvloop
async def test_a_gateway_that_has_nobody_to_ask_remembers_by_itself() -> None:
    async with three() as (rig, _):
        assert len(await who(rig, "user", 8)) == 1


@on_uvloop
async def test_an_instance_that_refuses_is_left_in_the_same_call_and_the_record_is_read_once_more() -> None:
    async with three() as (rig, made):
        keeper = Keeper(rig, {"lb.user:orders": id_of(made[0])})
        assert await who(rig, "user") == {made[0].host.encode()}
        await made[0].stop()
        others = await who(rig, "user", 3)
        assert made[0].host.encode() not in others
        after = await who(rig, "user", 8)
        assert len(after) == 1
        assert keeper.asked == ["lb.user:orders"] * 2
        (moved,) = keeper.chosen
        assert moved[0] == "lb.user:orders"
        assert moved[2] == id_of(made[0])


@on_uvloop
async def test_a_user_whose_instance_has_left_goes_where_another_gateway_led_him() -> None:
    async with three() as (rig, made):
        keeper = Keeper(rig, {"lb.user:orders": id_of(made[0])})
        assert await who(rig, "user") == {made[0].host.encode()}
        keeper.records = {"lb.user:orders": id_of(made[2])}
        rig.discovery.remove(an_instance("orders", made[0].port, made[0].host).key)
        await until(lambda: len(rig.gateway.path.snapshot.endpoints) == 2, "it has left")
        assert await who(rig, "user", 4) == {made[2].host.encode()}
        assert keeper.chosen == []


@on_uvloop
async def test_a_body_that_comes_while_the_record_is_sought_is_sent_on_whole() -> None:
    async with three() as (rig, made):
        Keeper(rig, {})
        async with await rig.connect() as client:
            body = b"b" * 50_000
            got: Answer = await client.ask(call("user", b"POST", body))
            assert got.status == 200
            assert (await client.ask(call("user"))).body == got.body
        assert sum(each.heads[0].startswith(b"POST") for each in made if each.heads) == 1


@on_uvloop
async def test_a_client_that_leaves_while_the_record_is_sought_leaves_nothing_behind() -> None:
    async with three(sticky_read_s=0.3) as (rig, _):
        Keeper(rig)
        client = await rig.connect()
        client.writer.write(call("user"))
        await until(lambda: rig.gateway.path.sticky._waiting, "it is sought")
        client.close()
        await until(lambda: not rig.gateway.path.sticky._waiting, "the time is over")
        # the end of a paused client is seen only when it is read again
        await until(lambda: rig.in_flight() == 0, "nothing is under way")
        assert (await rig.ask(call("user"))).status == 200


# --- with real gateways and a real cache

HOSTS = {"LPAR1": f"127.0.102.{N}", "LPAR2": f"127.0.103.{N}"}
VIPA_HOST = f"127.0.104.{N}"
ORDERS = [f"127.0.{part}.{N}" for part in (105, 106, 107)]


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sysplex]:
    rig = Sysplex(tmp_path_factory.mktemp("sticky"), externalDomains=[VIPA_HOST])
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching": {}}
    rig.tree["haInstances"] = {name: {"hostname": host} for name, host in HOSTS.items()}
    rig.tree["plexmesh"] = {"sysplex": "STICKY", "address": f"{VIPA_HOST}:7550"}
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def register(port: int, hosts: list[str]) -> None:
    told = [{"service": "orders", "host": host, "port": port, "lease_s": 60, "metadata": BY_USER} for host in hosts]
    url, body = f"http://{HOSTS['LPAR1']}:7553/v1/instances", json.dumps({"instances": told}).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=5):
        pass


async def through(host: str, user: str) -> bytes:
    async with await Client.to(host, 7554) as client:
        answer = await client.ask(call(user))
    assert answer.status == 200, answer
    return answer.body


async def test_users_stay_where_they_are_through_all_gateways_until_it_is_gone(sysplex: Sysplex) -> None:
    made = [RawInstance(host, 9000, answering(host.encode())) for host in ORDERS]
    async with running(*made):
        register(9000, ORDERS)
        for host in HOSTS.values():
            await asyncio.to_thread(poll, "all are routed", lambda host=host: _routed(host) == (3, 2))
        led = {}
        for n in range(8):
            first = await through(HOSTS["LPAR1"], f"user{n}")
            await asyncio.sleep(0.1)  # the choice is written meanwhile
            assert [await through(host, f"user{n}") for host in (*HOSTS.values(), *HOSTS.values())] == [first] * 4
            led[f"user{n}"] = first
        assert len(set(led.values())) > 1
        gone = led["user0"]
        await next(each for each in made if each.host.encode() == gone).stop()
        moved = await through(HOSTS["LPAR2"], "user0")
        assert moved != gone
        moved = await through(HOSTS["LPAR2"], "user0")
        await asyncio.sleep(0.3)
        assert await through(HOSTS["LPAR1"], "user0") != gone
        assert {await through(host, "user0") for host in HOSTS.values()} == {moved}
        stayed = {user: body for user, body in led.items() if body != gone}
        assert {user: await through(HOSTS["LPAR1"], user) for user in stayed} == stayed


async def test_without_a_cache_calls_go_on(sysplex: Sysplex) -> None:
    made = [RawInstance(host, 9001, answering(host.encode())) for host in ORDERS[:2]]
    async with running(*made):
        register(9001, ORDERS[:2])
        for lpar in HOSTS:
            await asyncio.to_thread(sysplex.ok, "stop", lpar, "caching")
        answers = {await through(HOSTS["LPAR1"], "late") for _ in range(4)}
        assert len(answers) == 1


def _routed(host: str) -> tuple[int, int]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"http://{host}:7554/gateway/v1/upstreams", timeout=5
    ) as answer:
        found = {each["service"]: len(each["instances"]) for each in json.load(answer)["upstreams"]}
    return found.get("orders", 0), found.get("cachingservice", 0)
