"""Five discovery nodes as real processes: killed, frozen, restarted, joined and left, and followed under churn.

A background client beats for all instances at any node that answers, as a client library does. The tests share one mesh
and leave it whole, so they run in the order they stand in.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from gateway.fold import Fold
from gateway.snapshot import Snapshot
from gateway.sse import Parser
from gateway.watch import DECODERS
from shared.wire import Mark
from tests.integration.discovery_rig import PORT, DiscoveryNode, running
from tests.integration.launcher_rig import poll

HOSTS = [f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (100, 101, 102, 103, 104, 105)]
SETTINGS: dict[str, object] = {"fence_s": 4, "snapshot_s": 1, "drain_s": 1.2}
LEASE_S = 30
BEAT_S = 0.5


class Beats:
    """One client for many instances; `missed` are those that no node knew."""

    def __init__(self, nodes: list[DiscoveryNode]) -> None:
        self.nodes = nodes
        self.keys: list[str] = []
        self.missed: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(BEAT_S):
            if self.keys:
                self.missed |= self._beat(list(self.keys))

    def _beat(self, keys: list[str]) -> set[str]:
        """At the first node that answers."""
        for node in self.nodes:
            connection = http.client.HTTPConnection(node.host, PORT, timeout=1)
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("POST", "/v1/heartbeats", json.dumps({"keys": keys}))
                answer = connection.getresponse()
                if answer.status in (200, 202):
                    return set(json.loads(answer.read()).get("unknown", []))
        return set()


class Mesh:
    def __init__(self, folder: Path) -> None:
        self.nodes = [
            DiscoveryNode(folder, f"LPAR{number}", host, *HOSTS[:5], **SETTINGS)
            for number, host in enumerate(HOSTS[:5], 1)
        ]
        self.beats = Beats(self.nodes)

    def register(self, node: DiscoveryNode, *ids: str) -> None:
        """Beaten for when the node that is beaten at knows them: a beat may overtake its registration there."""
        node.register(*ids, lease_s=LEASE_S)
        poll("it is at the first node", lambda: self.nodes[0].instances() >= set(ids))
        self.beats.keys += [f"orders/{id}" for id in ids]

    def ids(self) -> set[str]:
        return {key.partition("/")[2] for key in self.beats.keys}

    def agreed(self, *nodes: DiscoveryNode) -> bool:
        """All of them list exactly what beats."""
        return all(node.instances() == self.ids() for node in nodes or self.nodes)

    def seen(self, node: DiscoveryNode, state: str, *by: DiscoveryNode) -> bool:
        return all(other.peer_states().get(node.url) == state for other in by)

    def others(self, node: DiscoveryNode) -> list[DiscoveryNode]:
        return [each for each in self.nodes if each is not node]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path_factory.mktemp("mesh"))
    try:
        with running(*mesh.nodes):
            yield mesh
    finally:
        mesh.beats.stop()


def test_what_is_registered_at_any_node_is_on_all(mesh: Mesh) -> None:
    for number, node in enumerate(mesh.nodes):
        mesh.register(node, *(f"i{number}{letter}" for letter in "abcd"))
    poll("all five list all", mesh.agreed)
    poll("each sees the others alive", lambda: all(mesh.seen(node, "alive", *mesh.others(node)) for node in mesh.nodes))


def test_a_killed_node_is_dead_everywhere_and_no_instance_is_lost(mesh: Mesh) -> None:
    killed = mesh.nodes[4]
    others = mesh.others(killed)
    killed.kill()
    poll("it is dead everywhere", lambda: mesh.seen(killed, "dead", *others), 5.0)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        assert mesh.agreed(*others)
    poll("its leases are taken over", lambda: all("adopted" in node.log.read_text() for node in others[:1]))
    killed.start()
    poll("it is back", killed.ready)
    poll("all agree", mesh.agreed)
    poll("it is alive everywhere", lambda: mesh.seen(killed, "alive", *others))
    assert not mesh.beats.missed


def freeze(node: DiscoveryNode, seconds: float) -> None:
    assert node.process is not None
    node.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(seconds)  # the fault itself, not a wait for something
    finally:
        node.process.send_signal(signal.SIGCONT)


def origin(node: DiscoveryNode) -> str:
    return str(node.get("/v1/summary")["origin"])


def test_a_node_that_stood_still_for_a_moment_goes_on(mesh: Mesh) -> None:
    frozen = mesh.nodes[2]
    before = origin(frozen)
    freeze(frozen, 1.0)
    poll("it is alive everywhere", lambda: mesh.seen(frozen, "alive", *mesh.others(frozen)))
    assert origin(frozen) == before
    assert frozen.events("node.fenced") == []
    poll("all agree", mesh.agreed)


def test_a_node_that_stood_still_for_long_begins_anew(mesh: Mesh) -> None:
    frozen = mesh.nodes[2]
    before = origin(frozen)
    freeze(frozen, 6.0)
    frozen.awaited("node.fenced")
    assert origin(frozen) != before
    poll("it is alive everywhere", lambda: mesh.seen(frozen, "alive", *mesh.others(frozen)))
    poll("all agree", mesh.agreed)
    assert not mesh.beats.missed


def test_a_sixth_node_joins_by_one_seed_and_leaves_without_a_trace(mesh: Mesh, tmp_path: Path) -> None:
    sixth = DiscoveryNode(tmp_path, "LPAR6", HOSTS[5], HOSTS[0], **SETTINGS)
    (tmp_path / "volume").mkdir()
    key = mesh.nodes[0].data / "volume" / "gossip.key"
    (tmp_path / "volume" / "gossip.key").write_bytes(key.read_bytes())
    with running(sixth):
        assert mesh.agreed(sixth)
        poll("it sees five alive", lambda: list(sixth.peer_states().values()).count("alive") == 5)
        poll("all see it alive", lambda: mesh.seen(sixth, "alive", *mesh.nodes))
        mesh.register(sixth, "from-the-sixth")
        poll("all agree", lambda: mesh.agreed(*mesh.nodes, sixth))
        assert sixth.stop() == 0
    poll("all know that it left", lambda: mesh.seen(sixth, "left", *mesh.nodes))
    poll("all agree", mesh.agreed)
    assert not mesh.beats.missed


class Follower:
    """A watcher that goes from node to node with its token, as a gateway does; folds with the gateway's own code."""

    def __init__(self, nodes: list[DiscoveryNode]) -> None:
        self.nodes = nodes
        self.fold = Fold()
        self.latest: Snapshot | None = None
        self.wholes = 0
        self.streams = 0

    async def follow(self, session: aiohttp.ClientSession, per_node_s: float) -> None:
        while True:
            node = self.nodes[self.streams % len(self.nodes)]
            self.streams += 1
            token = {"Last-Event-ID": self.latest.token} if self.latest else {}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(per_node_s), session.get(f"{node.url}/v1/watch", headers=token) as answer:
                    assert answer.status == 200
                    self.fold.begin()
                    parser = Parser()
                    async for chunk in answer.content.iter_any():
                        for message in parser.feed(chunk):
                            event = DECODERS[message.event].decode(message.data)
                            self.wholes += isinstance(event, Mark) and event.whole
                            self.latest = self.fold.apply(event) or self.latest

    def ids(self) -> set[str]:
        assert self.latest is not None
        return {each.instance for each in self.latest.instances.values() if each.service == "orders"}


async def test_a_watcher_that_changes_nodes_under_churn_folds_to_the_same_view(mesh: Mesh) -> None:
    follower = Follower(mesh.nodes)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        following = asyncio.create_task(follower.follow(session, 0.3))
        for round in range(60):
            node = mesh.nodes[round % 5]
            await asyncio.to_thread(mesh.register, node, f"churn{round}")
            if round % 3 == 2:
                gone = mesh.beats.keys.pop()
                assert await asyncio.to_thread(node.eureka, "DELETE", gone.replace("orders", "ORDERS")) == 200
            await asyncio.sleep(0.05)
        while follower.latest is None or follower.ids() != mesh.ids() or not mesh.agreed():
            assert not following.done(), following.exception()
            await asyncio.sleep(0.05)
        following.cancel()
    assert follower.streams > 5
    assert follower.wholes == 1  # only the first: a token holds at any node
    mesh.beats.missed.clear()  # a beat under way may come after the goodbye


def test_all_nodes_killed_come_back_from_disk_and_serve_at_once(mesh: Mesh) -> None:
    poll("all have been saved", lambda: all(saved(node) >= mesh.ids() for node in mesh.nodes))
    for node in mesh.nodes:
        node.kill()
    for node in mesh.nodes:
        node.start()
    for node in mesh.nodes:
        poll(f"{node.lpar} serves", node.ready)
        assert node.events("snapshot.loaded")
        assert node.instances() == mesh.ids()
    poll("nothing is stale any more", lambda: not any(node.get("/v1/instances").get("stale") for node in mesh.nodes))
    assert mesh.agreed()
    assert not mesh.beats.missed


def saved(node: DiscoveryNode) -> set[str]:
    """The listed ids that are found in its snapshot's bytes; the form of the file is not this test's business."""
    data = node.snapshot.read_bytes() if node.snapshot.exists() else b""
    return {id for id in node.instances() if f"orders/{id}".encode() in data}
