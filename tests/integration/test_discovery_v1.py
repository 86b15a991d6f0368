"""plexmesh's own API of discovery nodes: two real ones, as programs and gateways use them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from discovery.limits import MAX_BATCH
from discovery.v1.shapes import Problem
from gateway import sse
from gateway.fold import Fold
from gateway.watch import DECODERS
from shared.wire import Instance, Mark
from tests.fakes import until
from tests.integration.discovery_rig import DiscoveryNode, running

HOST1, HOST2 = (f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (76, 77))
SETTINGS = {
    "watchers_max": 12,
    "in_flight_max": 4,
    "instances_per_service": 2500,
    "watch_buffer_bytes": 200_000,
    "watch_stalled_s": 0.5,
}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DiscoveryNode, DiscoveryNode]]:
    folder = tmp_path_factory.mktemp("discovery")
    first = DiscoveryNode(folder, "LPAR1", HOST1, HOST2, **SETTINGS)
    second = DiscoveryNode(
        folder, "LPAR2", HOST2, HOST1, registrations_per_s=2000, registrations_burst=4000, **SETTINGS
    )
    with running(first, second):
        yield first, second


@pytest.fixture
async def one(nodes: tuple[DiscoveryNode, DiscoveryNode]) -> AsyncIterator[Node]:
    async with aiohttp.ClientSession(nodes[0].url) as session:
        yield Node(session)


@pytest.fixture
async def two(nodes: tuple[DiscoveryNode, DiscoveryNode]) -> AsyncIterator[Node]:
    async with aiohttp.ClientSession(nodes[1].url) as session:
        yield Node(session)


class Node:
    """One node's /v1, by the status and JSON of its answers."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        async with self.session.request(method, f"/v1/{path}", data=data, **more) as answer:
            text = await answer.read()
            self.headers = answer.headers
            return answer.status, json.loads(text) if text else None

    async def get(self, path: str) -> Any:
        status, body = await self.ask("GET", path)
        assert status == 200, body
        return body

    async def register(self, *several: dict[str, Any]) -> Any:
        status, body = await self.ask("POST", "instances", {"instances": several})
        assert status == 200, body
        return body

    async def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """The status and what the problem says."""
        status, body = await self.ask(method, path, body)
        said = msgspec.convert(body, Problem)
        assert said.status == status
        assert self.headers["Content-Type"] == "application/problem+json"
        return status, said.detail

    @staticmethod
    def ids(listed: Any) -> set[str]:
        return {each["instance"] for each in listed["instances"]}

    async def knows(self, *keys: str) -> None:
        """Wait until it lists them."""
        for key in keys:
            status = 404
            while status == 404:
                status, _ = await self.ask("GET", f"instances/{key}")


def an(service: str, id: str = "i1", **more: Any) -> dict[str, Any]:
    return {"service": service, "instance": id, "host": "h.test", "port": 8080, **more}


# --- instances


async def test_the_life_of_an_instance(one: Node) -> None:
    registered = await one.register(an("Life", metadata={"zone": "north"}, gen=5))
    assert registered["instances"][0]["key"] == "life/i1"
    assert registered["owner"].startswith("LPAR1@")
    found = msgspec.convert(await one.get("instances/LIFE/i1"), Instance)
    assert (found.service, found.status, found.gen, found.metadata) == ("life", "UP", 5, {"zone": "north"})
    assert (await one.get("instances?service=life"))["instances"] == [await one.get("instances/life/i1")]
    assert await one.ask("DELETE", "instances/life/i1?gen=5") == (204, None)
    assert (await one.refused("GET", "instances/life/i1"))[0] == 404
    assert (await one.refused("DELETE", "instances/life/i1"))[0] == 410
    assert (await one.refused("DELETE", "instances/life/nobody"))[0] == 404


async def test_one_alone_and_its_defaults(one: Node) -> None:
    status, body = await one.ask("POST", "instances", {"service": "alone", "host": "h.test", "port": 1, "secure": True})
    assert (status, body["instances"][0]["key"]) == (200, "alone/h.test:alone:1")
    found = msgspec.convert(await one.get("instances/alone/h.test:alone:1"), Instance)
    assert (found.ip, found.port, found.secure, found.lease_s) == ("h.test", 1, True, 90)


async def test_eurekas_clients_see_it_and_it_sees_theirs(one: Node, nodes: tuple[DiscoveryNode, DiscoveryNode]) -> None:
    await one.register(an("both", "v1"))
    nodes[0].register("eureka")
    async with one.session.get("/eureka/apps/BOTH", headers={"Accept": "application/json"}) as answer:
        (listed,) = (await answer.json())["application"]["instance"]
    assert (listed["instanceId"], listed["hostName"], listed["port"]["$"]) == ("v1", "h.test", 8080)
    assert (await one.get("instances/orders/eureka"))["host"] == "h.test"


async def test_an_older_process_is_told_that_it_is_one(one: Node) -> None:
    await one.register(an("process", gen=8))
    status, said = await one.refused("POST", "instances", an("process", gen=7))
    assert (status, said) == (410, "gen: 7 for 'process/i1', expected 8 or more: a newer process has this id")
    status, said = await one.refused("DELETE", "instances/process/i1?gen=7")
    assert (status, said[:6]) == (410, "gen: 7")
    await one.register(an("process", gen=9))


async def test_nothing_is_half_registered(one: Node) -> None:
    await one.register(an("half", "old", gen=8))
    for body in (
        [an("half", "new"), an("half", "old", gen=7)],
        [an("half", "new"), an("half", "bad", port=0)],
        [an("half", "new"), an("half", "big", metadata={str(n): "v" * 4000 for n in range(3)})],
        [an("half", "new"), an("half", "new")],
    ):
        status, said = await one.refused("POST", "instances", {"instances": body})
        assert status in (400, 410)
        assert said.startswith("instances[1]")
    assert [each["instance"] for each in (await one.get("instances?service=half"))["instances"]] == ["old"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "body: expected JSON: "),
        (b"[]", "body: [], expected object"),
        ({"instances": []}, "instances: [], expected a list of 1 to 1000 instances"),
        ({"instances": [an("s"), an("s", "b", port="x")]}, 'instances[1].port: "x", expected a whole number from 1 to'),
        (an("s", port=70000), "port: 70000, expected a whole number from 1 to 65535"),
        ({"service": "s", "port": 1}, "host: missing, expected a host name or address"),
        (an("s", prt=1), "prt: 1, an unknown field, expected service, host, port"),
        (an("a/b"), 'service: "a/b", expected 1 to 128 letters'),
        (an("s", host="h\n"), 'host: "h\\n", expected a host name'),
        (an("s", status="Up"), 'status: "Up", expected UP, STARTING'),
        (an("s", gen=-1), "gen: -1, expected a whole number from 1 to"),
        (an("s", metadata={"a": "b", "c": 3}), "metadata.c: 3, expected a text of at most 4096"),
        (an("s", metadata={"": "b"}), 'metadata: "", expected 1 to 255 characters'),
        (an("s", metadata={str(n): "" for n in range(257)}), "metadata: {"),
        (an("s", metadata={str(n): "v" * 4000 for n in range(3)}), "instance: "),
        (an("s", metadata={"instances": 5}), "metadata.instances: 5, expected a text"),
    ],
)
async def test_a_wrong_registration_names_field_value_and_expectation(one: Node, body: object, said: str) -> None:
    status, detail = await one.refused("POST", "instances", body)
    assert status == 400
    assert detail.startswith(said)
    assert "expected" in detail


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("instances?servce=a", "servce: an unknown parameter, expected one of service (did you mean 'service'?)"),
        ("peers?x=1", "x: an unknown parameter, expected no parameters here"),
        ("services/a?wait=forever", 'wait: "forever", expected a number from 0 to 55'),
        ("services/a?wait=56&since=0", 'wait: "56", expected a number from 0 to 55'),
        ("services/a?since=yesterday", "token: 'yesterday', expected origin:position"),
        ("watch?since=LPAR1", "token: 'LPAR1', expected origin:position"),
        ("watch?services=a,,b", 'services: "a,,b", expected 1 to 100 names'),
    ],
)
async def test_a_wrong_parameter_is_named(one: Node, path: str, said: str) -> None:
    status, detail = await one.refused("GET", path)
    assert status == 400
    assert detail.startswith(said)


@pytest.mark.parametrize("length", [2_000_000, None])
async def test_too_large_a_body_is_refused(one: Node, length: int | None) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 65536

    body = chunks() if length is None else io.BytesIO(b" " * length)
    async with one.session.post("/v1/instances", data=body) as answer:
        assert answer.status == 413
        assert "expected at most 1048576" in (await answer.json())["detail"]


# --- heartbeats


async def test_a_body_that_is_not_as_its_head_says_is_refused(one: Node) -> None:
    status, body = await one.ask("POST", "instances", b"no gzip", headers={"Content-Encoding": "gzip"})
    assert (status, body["detail"]) == (400, "the body is not as the head says it is")


async def test_heartbeats_are_counted_by_what_becomes_of_them(one: Node, two: Node) -> None:
    await one.register(*(an("beating", f"i{n}") for n in range(30)))
    await two.register(an("beating", "far"))
    await one.knows("beating/far")
    keys = [f"beating/i{n}" for n in range(30)]
    assert await one.ask("POST", "heartbeats", {"keys": keys}) == (200, {"renewed": 30})
    status, beaten = await one.ask("POST", "heartbeats", {"keys": [*keys, "beating/far", "beating/nobody"]})
    url = f"http://{HOST2}:7553"
    assert (status, beaten) == (202, {"renewed": 30, "forwarded": {url: 1}, "unknown": ["beating/nobody"]})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"keys": ["a/b", 5]}, "keys[1]: 5, expected a text, service/instance"),
        ({"keys": ["a/b"] * (MAX_BATCH + 1)}, "keys: ["),
        ({"key": "a/b"}, 'key: "a/b", an unknown field, expected keys'),
        ({}, "keys: missing, expected a list of at most 1000 keys"),
    ],
)
async def test_wrong_heartbeats_are_named(one: Node, body: object, said: str) -> None:
    status, detail = await one.refused("POST", "heartbeats", body)
    assert status == 400
    assert detail.startswith(said)


async def test_a_forwarded_heartbeat_keeps_the_lease_at_its_owner(one: Node, two: Node) -> None:
    await two.register(an("leased", "kept", lease_s=2), an("leased", "lost", lease_s=2))
    await one.knows("leased/kept", "leased/lost")
    left = {"leased/lost"}
    while left:  # until the one that is silent is gone, the other beats elsewhere
        await one.ask("POST", "heartbeats", {"keys": ["leased/kept"]})
        held = (await two.get("instances?service=leased"))["instances"]
        assert "kept" in [each["instance"] for each in held]
        left &= {f"leased/{each['instance']}" for each in held}
        await asyncio.sleep(0.1)


async def test_only_its_owner_knows_how_old_a_lease_is(one: Node, two: Node) -> None:
    await two.register(an("leased", "aged", lease_s=60))
    await one.knows("leased/aged")
    told, elsewhere = await two.get("leases/leased/aged"), await one.get("leases/leased/aged")
    assert told["owner"] == elsewhere["owner"]
    assert (told["owner"].partition("@")[0], told["lease_s"]) == ("LPAR2", 60)
    assert 0 <= told["renewed_s"] < 60
    assert elsewhere["renewed_s"] is None
    older = told
    while older["renewed_s"] <= told["renewed_s"]:
        older = await two.get("leases/leased/aged")
    assert (await one.refused("GET", "leases/leased/nobody"))[0] == 404


# --- what is told of the node


async def test_services_peers_guards_and_summary(one: Node) -> None:
    await one.register(an("counted"), an("counted", "i2", status="DOWN"))
    assert (await one.get("services"))["services"]["counted"] == {"UP": 1, "DOWN": 1}
    peers = await one.get("peers")
    (peer,) = peers["peers"]
    assert (peer["address"], peer["state"], peer["suspected_by"]) == (f"http://{HOST2}:7553", "alive", [])
    assert peers["owners"][peer["origin"]] == "alive"
    assert peers["positions"].keys() >= {peers["node"], peer["origin"]}
    guards = (await one.get("guards"))["guards"]
    assert [(each["name"], each["on"]) for each in guards] == [("owner", False), ("isolation", False)]
    summary = await one.get("summary")
    assert (summary["node"], summary["covered"]) == ("LPAR1", True)
    assert summary["instances"] >= summary["services"] >= 2


async def test_what_comes_from_disk_is_said_to_be_stale(tmp_path: Path) -> None:
    host = f"127.0.76.{(os.getpid() + 100) % 250 + 1}"
    node = DiscoveryNode(tmp_path, "LPAR3", host)
    with running(node):
        node.register("saved")
        assert "stale" not in node.get("/v1/summary")
        assert node.stop() == 0
        node.started()
        async with aiohttp.ClientSession(node.url) as session:
            again = Node(session)
            for path in ("summary", "instances", "services", "services/orders", "peers", "guards"):
                assert (await again.get(path))["stale"] is True
                assert again.headers["X-Plexmesh-Stale"] == "true"
            for path in ("instances/orders/saved", "prometheus/targets"):
                await again.get(path)
                assert again.headers["X-Plexmesh-Stale"] == "true"
            status, beaten = await again.ask("POST", "heartbeats", {"keys": ["orders/saved"]})
            assert (status, beaten["adopted"]) == (200, 1)


async def test_a_long_list_of_nothing_is_a_list(one: Node) -> None:
    await one.register(*(an("down", f"i{n}", status="DOWN") for n in range(300)))
    assert await one.get("prometheus/targets?service=down") == []
    async with one.session.head("/v1/instances?service=down") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_prometheus_is_told_what_is_up_and_where_its_metrics_are(one: Node) -> None:
    more = {"zos.lpar": "LPAR7", "prometheus.path": "/metrics/all", "prometheus.port": "9100"}
    await one.register(
        an("scraped", "plain", secure=True),
        an("scraped", "named", metadata=more),
        an("scraped", "none", metadata={"prometheus.scrape": "false"}),
        an("scraped", "down", status="DOWN"),
    )
    named, plain = await one.get("prometheus/targets?service=scraped")
    assert (plain["targets"], plain["labels"]["__scheme__"]) == (["h.test:8080"], "https")
    assert "__metrics_path__" not in plain["labels"]
    assert named["targets"] == ["h.test:9100"]
    assert named["labels"]["__metrics_path__"] == "/metrics/all"
    assert named["labels"]["__meta_plexmesh_lpar"] == "LPAR7"
    assert named["labels"]["__meta_plexmesh_service"] == "scraped"
    assert named["labels"]["__meta_plexmesh_metadata_prometheus_port"] == "9100"


# --- long poll


async def test_a_poll_answers_when_that_service_changes_and_not_for_others(one: Node) -> None:
    await one.register(an("polled"))
    first = await one.get("services/polled")
    assert (first["changed"], len(first["instances"])) == (True, 1)
    again = await one.get(f"services/polled?since={first['token']}")
    assert (again["changed"], "instances" in again) == (False, False)
    waiting = asyncio.ensure_future(one.get(f"services/polled?since={first['token']}&wait=20"))
    await one.register(an("polled.not"))
    assert not (await asyncio.wait([waiting], timeout=0.2))[0]
    await one.register(an("polled", "i2"))
    changed = await waiting
    assert [each["instance"] for each in changed["instances"]] == ["i1", "i2"]


async def test_a_token_of_one_node_is_good_at_the_other(one: Node, two: Node) -> None:
    await one.register(an("carried"))
    token = (await one.get("services/carried"))["token"]
    elsewhere = await two.get(f"services/carried?since={token}&wait=1")
    assert elsewhere["changed"] is False
    await one.register(an("carried", "i2"))
    changed = await two.get(f"services/carried?since={token}&wait=5")
    assert len(changed["instances"]) == 2


# --- the stream


class Watcher:
    """Folds one stream, or several one after another, as a gateway does."""

    def __init__(self) -> None:
        self.fold = Fold()
        self.marks: list[Mark] = []

    async def follow(self, node: Node, query: str = "") -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=10)
        headers = {"Last-Event-ID": self.fold.token} if self.fold.token else {}
        async with node.session.get(f"/v1/watch{query}", timeout=timeout, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            self.fold.begin()
            parser = sse.Parser()
            async for chunk in answer.content.iter_any():
                for message in parser.feed(chunk):
                    event = DECODERS[message.event].decode(message.data)
                    self.fold.apply(event)  # raises OutOfStep
                    if isinstance(event, Mark):
                        assert message.id == event.token
                        self.marks.append(event)

    def ids(self, service: str, port: int = 0) -> set[str]:
        """Those of a service; `port`: only those there."""
        held = [each for each in self.fold.snapshot.instances.values() if each.service == service]
        return {each.instance for each in held if port in (0, each.port)}


@contextlib.asynccontextmanager
async def following(watcher: Watcher, node: Node, query: str = "") -> AsyncIterator[None]:
    task = asyncio.ensure_future(watcher.follow(node, query))
    try:
        yield
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.wait([task])


async def test_a_watcher_moves_between_nodes_under_churn_and_is_never_told_all_again(one: Node, two: Node) -> None:
    async def churn() -> None:
        for n in range(400):
            await (one, two)[n % 2].register(an("churn", f"i{n % 50}", port=n + 1))
            if n % 7 == 0:
                await (two, one)[n % 2].ask("DELETE", f"instances/churn/i{n % 50}")

    watcher = Watcher()
    churning = asyncio.ensure_future(churn())
    for move in range(6):
        before = len(watcher.marks)
        async with following(watcher, (one, two)[move % 2]):
            await until(lambda before=before: len(watcher.marks) > before + 3 or churning.done())
    await churning
    async with following(watcher, two):
        held: list[set[str]] = []
        while len(held) != 2 or not held[0] == held[1] == watcher.ids("churn"):
            await asyncio.sleep(0.02)
            held = [each.ids(await each.get("instances?service=churn")) for each in (one, two)]
    assert [mark.whole for mark in watcher.marks].count(True) == 1


async def test_a_filtered_watcher_is_told_of_its_services_only_and_its_marks_are_right(one: Node) -> None:
    await one.register(an("mine"), an("mine2"), an("theirs"))
    watcher = Watcher()
    async with following(watcher, one, "?services=mine,MINE2"):
        await until(lambda: watcher.marks)
        await one.register(an("theirs", "i2"), an("mine", "i2"))
        await one.ask("DELETE", "instances/mine2/i1")
        await until(lambda: watcher.ids("mine") == {"i1", "i2"} and not watcher.ids("mine2"))
    assert not watcher.ids("theirs")
    assert watcher.marks[-1].count == 2


async def test_a_large_set_comes_in_small_events_while_changes_go_on(one: Node) -> None:
    for start in range(0, 1200, 400):
        await one.register(*(an("many", f"i{n}") for n in range(start, start + 400)))
    async with one.session.get("/v1/instances?service=many") as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert len((await answer.json())["instances"]) == 1200
    watcher = Watcher()
    async with following(watcher, one):
        for n in range(50):
            await one.register(an("many", f"i{n}", port=9))
        await until(lambda: watcher.ids("many", port=9) == {f"i{n}" for n in range(50)})
        assert len(watcher.ids("many")) == 1200
    assert [mark.whole for mark in watcher.marks].count(True) == 1
    async with one.session.get("/v1/watch") as answer:
        data = b""
        while b"event: mark" not in data:
            data += await answer.content.readany()
    events = data.split(b"\n\n")
    assert all(len(event) <= 65536 for event in events)
    assert sum(event.count(b'"instance":') for event in events if event.startswith(b"event: put")) >= 1200
    assert max(event.count(b'"instance":') for event in events) <= 200


async def test_a_node_behind_a_token_waits_says_so_and_does_not_tell_all_again(one: Node) -> None:
    peers = await one.get("peers")
    ahead = {**peers["positions"], peers["node"]: peers["positions"][peers["node"]] + 3}
    token = ",".join(f"{origin}:{seq}" for origin, seq in ahead.items())
    async with asyncio.timeout(15), one.session.get("/v1/watch", headers={"Last-Event-ID": token}) as answer:
        told = b""
        while f"\n: waiting for the log of {peers['node']}\n".encode() not in told:
            assert b"event: mark" not in told
            told += await answer.content.readany()
        await one.register(an("ahead"), an("ahead", "i2"), an("ahead", "i3"))
        while b"event: mark" not in told:
            told += await answer.content.readany()
    assert b"event: put" not in told
    assert b'"whole":false' in told


def heavy(id: str, number: int) -> dict[str, Any]:
    return an("heavy", id, metadata={"filler": "x" * 4000, "number": str(number)})


async def test_the_log_of_a_boot_that_is_over_is_not_waited_for_long(one: Node) -> None:
    """What it wrote last may be lost with it: the whole set, then."""
    node, _, epoch = (await one.get("peers"))["node"].partition("@")
    token = f"{node}@{int(epoch) - 1}:5"
    async with asyncio.timeout(9), one.session.get("/v1/watch", headers={"Last-Event-ID": token}) as answer:
        told = b""
        while b"event: mark" not in told:
            told += await answer.content.readany()
    assert b'"whole":true' in told


async def test_a_burst_larger_than_its_buffer_is_told_to_a_watcher_all_the_same(one: Node) -> None:
    watcher = Watcher()
    async with following(watcher, one, "?services=heavy"):
        await until(lambda: watcher.marks)
        for number in range(5):
            await one.register(*(heavy(f"i{n}", number) for n in range(number * 100, number * 100 + 200)))
        await until(lambda: len(watcher.ids("heavy")) == 600)
        await until(
            lambda: [each.metadata["number"] for each in watcher.fold.snapshot.instances.values()].count("4") == 200
        )
    assert [mark.whole for mark in watcher.marks].count(True) == 1


async def test_a_watcher_that_does_not_read_is_cut_and_comes_back_with_its_token(one: Node) -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (HOST1, 7553))
    await loop.sock_sendall(sock, b"GET /v1/watch?services=heavy HTTP/1.1\r\nHost: h\r\n\r\n")
    told = b""
    while b"event: mark" not in told:
        told += await loop.sock_recv(sock, 4096)
    watcher = Watcher()
    async with following(watcher, one, "?services=heavy"):
        await until(lambda: watcher.marks)
    end = loop.time() + 4 * float(SETTINGS["watch_stalled_s"])
    number = 0
    while loop.time() < end or number < 30:
        number += 1
        await one.register(*(heavy(f"i{n}", number) for n in range(100)))
    async with asyncio.timeout(10):  # a stream that was not cut has no end
        with contextlib.suppress(ConnectionResetError):
            while await loop.sock_recv(sock, 65536):
                pass
    sock.close()
    async with following(watcher, one, "?services=heavy"):
        await until(lambda: {f"i{n}" for n in range(100)} <= watcher.ids("heavy"))
    assert [mark.whole for mark in watcher.marks].count(True) == 1


async def test_one_watcher_too_many_is_told_to_follow_another_node(one: Node) -> None:
    limit = int(SETTINGS["watchers_max"])
    streams: list[aiohttp.ClientResponse] = []
    try:
        async with asyncio.timeout(20):
            while len(streams) < limit:
                answer = await one.session.get("/v1/watch")
                streams.append(answer)
                if answer.status == 503:  # those of the tests before are still being noticed as gone
                    streams.pop().close()
                    await asyncio.sleep(0.1)
            status, said = await one.refused("GET", "watch")
            assert (status, one.headers["Retry-After"]) == (503, "1")
            assert f"{limit} follow this node, at most {limit} may" in said
            assert (await one.refused("GET", "services/a?since=0&wait=1"))[0] == 503
    finally:
        for answer in streams:
            answer.close()


# --- bounds


async def test_more_requests_at_once_than_there_may_be_are_answered_503(one: Node, two: Node) -> None:
    """Bodies that do not come keep their requests in flight."""
    held = []
    try:
        for _ in range(int(SETTINGS["in_flight_max"])):
            _, writer = await asyncio.open_connection(HOST2, 7553)
            writer.write(b"POST /v1/heartbeats HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n")
            await writer.drain()
            held.append(writer)
        status = 200
        async with asyncio.timeout(15):
            while status != 503:
                status, _ = await two.ask("GET", "summary")
                await asyncio.sleep(0.01)
        assert two.headers["Retry-After"] == "1"
    finally:
        for writer in held:
            writer.close()
    async with asyncio.timeout(15):
        while status != 200:
            status, _ = await two.ask("GET", "summary")
            await asyncio.sleep(0.01)


async def test_a_service_may_have_so_many_instances_and_no_more(one: Node) -> None:
    limit = int(SETTINGS["instances_per_service"])
    for start in range(0, limit, 500):
        await one.register(*(an("full", f"i{n}") for n in range(start, start + 500)))
    status, said = await one.refused("POST", "instances", an("full", "one.more"))
    assert (status, said) == (
        409,
        f"service 'full': 1 more than its {limit} instances, expected at most {limit} in all",
    )
    await one.register(an("full", "i0", port=9))
    document = {
        "instanceId": "one.more",
        "app": "FULL",
        "hostName": "h.test",
        "ipAddr": "192.0.2.1",
        "dataCenterInfo": {"name": "MyOwn"},
    }
    async with one.session.post("/eureka/apps/FULL", json={"instance": document}) as answer:
        assert answer.status == 400


async def test_registering_faster_than_allowed_is_answered_429_with_a_pause(two: Node) -> None:
    body = msgspec.json.encode({"instances": [an("hasty", f"i{n}") for n in range(MAX_BATCH)]})
    status = 200
    async with asyncio.timeout(15):
        while status == 200:
            status, said = await two.ask("POST", "instances", body)
    assert status == 429
    assert said["detail"].startswith(f"registrations: {MAX_BATCH} more now, expected at most 2000 a second")
    assert 1 <= int(two.headers["Retry-After"]) <= 4
