"""The main job on real input: a sysplex of real processes, real clients, and an LPAR that dies under load."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from launcher import callers
from launcher.callers import Callers
from tests.integration.launcher_rig import HOSTS, VIPA_HOST, Rig, poll, request

CHILD = Path(__file__).with_name("eureka_child.py")
VIPA = f"http://{VIPA_HOST}:7554"
GATEWAYS = [f"http://{host}:7554" for host in HOSTS.values()]
RATE = 200
DISCOVERY = {lpar: f"http://{host}:7553" for lpar, host in HOSTS.items()}


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("sysplex"))
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "sample": {}}
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


@pytest.fixture
def whole(sysplex: Rig) -> Rig:
    """The sysplex with everything ready, whatever the test before did to it."""
    for lpar in sysplex.status()["lpars"]:
        if lpar["state"] in ("failed", "stopped"):
            sysplex.call("start", lpar["id"])
        for part in lpar["components"]:
            if part["state"] == "stopped":
                sysplex.call("start", lpar["id"], part["name"])
    poll("everything is ready", lambda: sysplex.status()["sysplex"]["state"] == "ready")
    return sysplex


def get(url: str) -> tuple[int, dict[str, Any]]:
    status, body = request(url)
    return status, json.loads(body)


def answering(base: str, calls: int = 40) -> set[str]:
    return {get(f"{base}/sample/api/v1/hello")[1]["lpar"] for _ in range(calls)}


def names_on(node: str) -> set[str]:
    return {each["service"] for each in get(f"{DISCOVERY[node]}/v1/instances")[1]["instances"]}


class Child:
    """A user's service in a process of its own."""

    def __init__(self, node: str, app: str, port: int, lease_s: int = 30, metadata: dict[str, str] | None = None):
        arguments = [f"{DISCOVERY[node]}/eureka", "127.0.0.1", str(port), app, str(lease_s)]
        self.process = subprocess.Popen(
            [sys.executable, "-P", CHILD, *arguments, *([json.dumps(metadata)] if metadata else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"registered\n"

    def leave(self) -> None:
        self.process.communicate(timeout=15)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def test_calls_through_the_sysplex_address_and_each_gateway_go_to_both_lpars(whole: Rig) -> None:
    for base in (VIPA, *GATEWAYS):
        assert answering(base) == {"LPAR1", "LPAR2"}


async def test_the_answer_names_its_way(whole: Rig) -> None:
    ways = set()
    async with aiohttp.ClientSession() as session:
        for gateway in GATEWAYS:
            for _ in range(20):
                async with session.get(f"{gateway}/sample/api/v1/hello") as answer:
                    ways.add(answer.headers["X-Plexmesh-Path"])
    assert ways == {
        f"{one}/gateway > {other}/sample:7560; tries=1" for one in ("LPAR1", "LPAR2") for other in ("LPAR1", "LPAR2")
    }


def test_pages_streams_and_websockets_reach_the_sample(whole: Rig) -> None:
    assert b"Hello from LPAR" in request(f"{VIPA}/sample/ui/v1")[1]
    assert b"1 from LPAR" in request(f"{VIPA}/sample/api/v1/stream?n=2")[1]

    async def echo() -> str:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{VIPA}/sample/ws/v1/echo") as socket:
            await socket.send_str("hello")
            return str(await socket.receive_str(timeout=5))

    assert asyncio.run(echo()) == "hello"


def test_the_home_page_lists_lpars_and_services(whole: Rig) -> None:
    status, page = request(f"{VIPA}/")
    assert status == 200
    assert b"plexmesh" in page
    sysplex = request(f"{VIPA}/gateway/v1/sysplex")[1]
    assert b"LPAR1" in sysplex
    assert b"127.0.52" in sysplex
    assert b"sample" in sysplex


@pytest.mark.parametrize("node", ["LPAR1", "LPAR2"])
def test_an_unmodified_eureka_client_registers_is_routed_and_leaves(whole: Rig, node: str) -> None:
    app, port = f"orders{node.lower()}", 9500 + int(node[-1]) + os.getpid() % 400
    routes = {"apiml.routes.api-v1.gatewayUrl": "api/v1", "apiml.routes.api-v1.serviceUrl": "/orders/api"}
    with Child(node, app, port, metadata=routes) as child:
        for other in DISCOVERY:
            poll(f"{app} is on {other}", lambda other=other: app in names_on(other), within_s=1)
        for gateway in GATEWAYS:
            url = f"{gateway}/{app}/api/v1/items?x=1"
            poll(f"{gateway} routes {app}", lambda url=url: request(url)[0] == 200, within_s=1)
            assert get(url)[1]["path"] == "/orders/api/items?x=1"
        assert get(f"{VIPA}/{app}/api/v1")[1]["path"] == "/orders/api"
        assert request(f"{VIPA}/{app}/ui/v1/")[0] == 404
        child.leave()
        for gateway in GATEWAYS:
            url = f"{gateway}/{app}/api/v1/items"
            poll(f"{gateway} forgets {app}", lambda url=url: request(url)[0] == 404, within_s=1)
    assert all(app not in names_on(other) for other in DISCOVERY)


def test_without_route_metadata_a_service_gets_the_default_routes(whole: Rig) -> None:
    with Child("LPAR1", "plain", 9450 + os.getpid() % 40):
        for part in ("api/v1", "ui/v1", "ws/v1"):
            url = f"{VIPA}/plain/{part}/items"
            poll(f"plain has {part}", lambda url=url: request(url)[0] == 200, within_s=1)
            assert get(url)[1]["path"] == "/items"


def test_a_silent_death_is_noticed_after_the_lease_exactly(whole: Rig) -> None:
    lease_s = 4
    with Child("LPAR2", "mortal", 9400 + os.getpid() % 40, lease_s=lease_s) as child:
        poll("it is on LPAR1", lambda: "mortal" in names_on("LPAR1"), within_s=1)
        time.sleep(1.5)  # let it beat: a doubled lease shows only after a renewal
        child.process.kill()
        killed = time.monotonic()
        assert "mortal" in names_on("LPAR1")
        poll("it is gone", lambda: all("mortal" not in names_on(node) for node in DISCOVERY), within_s=lease_s + 1.6)
        assert time.monotonic() - killed > lease_s - 1.5  # its last heartbeat is at most a renewal old


def test_every_process_of_a_killed_lpar_is_gone_and_the_registry_forgets_it(whole: Rig) -> None:
    before = {part["pid"] for lpar in whole.status()["lpars"] if lpar["id"] == "LPAR2" for part in lpar["components"]}
    whole.ok("kill", "lpar2")
    assert not before & set(whole.processes())
    assert whole.component("LPAR2", "sample")["state"] == "failed"
    assert {each["lpar"] for each in _registered("sample")} == {"LPAR1", "LPAR2"}
    poll("the lease ran out", lambda: {each["lpar"] for each in _registered("sample")} == {"LPAR1"}, within_s=19)


def _registered(service: str) -> list[dict[str, str]]:
    found = get(f"{DISCOVERY['LPAR1']}/v1/instances?service={service}")[1]["instances"]
    return [{"instance": each["instance"], "lpar": each["metadata"]["zos.lpar"]} for each in found]


def test_a_killed_gateway_is_restarted_by_its_launcher(whole: Rig) -> None:
    before = whole.component("LPAR1", "gateway")["pid"]
    whole.ok("kill", "LPAR1", "gateway")
    assert answering(VIPA, 10)
    after = whole.wait_for("LPAR1", "gateway", "ready", not_pid=before)
    assert after["restarts"] >= 1


@pytest.mark.parametrize("name", ["discovery", "gateway", "sample"])
def test_the_rest_goes_on_when_any_single_process_dies(whole: Rig, name: str) -> None:
    async def scenario() -> Callers:
        load = Callers(f"{VIPA}/sample/api/v1/hello", RATE)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(0.5)
        os.kill(whole.component("LPAR1", name)["pid"], signal.SIGKILL)
        await asyncio.sleep(2.5)
        load.stop()
        await running
        return load

    load = asyncio.run(scenario())
    assert callers.errors(load.outcomes) == []
    cut = callers.cut(load.outcomes)
    assert len(cut) <= (2 if name == "gateway" else 0), cut


def test_gateways_keep_their_snapshot_and_follow_the_other_node(whole: Rig) -> None:
    whole.ok("stop", "LPAR1", "discovery")
    assert answering(GATEWAYS[0]) == {"LPAR1", "LPAR2"}
    with Child("LPAR2", "late", 9350 + os.getpid() % 40):
        poll("LPAR1's gateway hears of it", lambda: request(f"{GATEWAYS[0]}/late/api/v1/")[0] == 200, within_s=5)


def test_an_instance_moves_to_the_surviving_node_when_its_own_dies(whole: Rig) -> None:
    assert {each["lpar"] for each in _registered("sample")} == {"LPAR1", "LPAR2"}
    whole.ok("stop", "LPAR2", "discovery")
    deadline = time.monotonic() + 18
    while time.monotonic() < deadline:
        assert {each["lpar"] for each in _registered("sample")} == {"LPAR1", "LPAR2"}
        time.sleep(0.5)


def test_unknown_services_and_routes_and_those_with_nothing_usable_are_told_apart(whole: Rig) -> None:
    status, body = get(f"{VIPA}/nobody/api/v1/x")
    assert (status, body["messages"][0]["messageNumber"]) == (404, "ZWEAO404E")
    assert request(f"{VIPA}/sample/api/v9/x")[0] == 404
    assert request(f"{VIPA}/discovery/api/v1/x")[0] == 404
    with Child("LPAR1", "resting", 9300 + os.getpid() % 40):
        poll("it is routed", lambda: request(f"{VIPA}/resting/api/v1/")[0] == 200, within_s=1)
        instance = get(f"{DISCOVERY['LPAR1']}/v1/instances?service=resting")[1]["instances"][0]["instance"]
        path = f"{DISCOVERY['LPAR1']}/eureka/apps/RESTING/{instance}/status?value=OUT_OF_SERVICE"
        assert request(path, "PUT")[0] == 200
        poll("it is out", lambda: request(f"{VIPA}/resting/api/v1/")[0] == 503, within_s=1)
        assert get(f"{VIPA}/resting/api/v1/")[1]["messages"][0]["messageNumber"] == "ZWEAG510E"


async def test_a_malformed_registration_is_refused_by_field(whole: Rig) -> None:
    url = f"{DISCOVERY['LPAR1']}/eureka/apps/ORDERS"
    document = {"instance": {"app": "ORDERS", "hostName": "h", "instanceId": "i", "dataCenterInfo": {"name": "MyOwn"}}}
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json=document) as answer:
            assert (answer.status, await answer.text()) == (400, "Missing ip address")
        async with session.post(url, data=b"{", headers={"Content-Type": "application/json"}) as answer:
            assert answer.status == 400
        async with session.put(f"{url}/nobody") as answer:
            assert (answer.status, await answer.read()) == (404, b"")


async def test_strangers_cannot_speak_as_peers(whole: Rig) -> None:
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"X-Plexmesh-Mac": "0" * 64}):
            async with session.post(f"{DISCOVERY['LPAR1']}/peer/v1/sync", data=b"x", headers=headers) as answer:
                assert answer.status == 403
