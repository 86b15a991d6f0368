r"""Two real Eureka servers and two plexmesh nodes, all peers of each other: one registry, as their clients see it.

    R1 --- R2         every line is a wire that keeps what passes, one in each direction; P1 === P2 is our own gossip
     | \ / |
     | / \ |
    P1 === P2

Run with `make test-eureka`, which builds the real server (Java and Maven needed).
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration import discovery_rig
from tests.integration.discovery_rig import DiscoveryNode
from tests.integration.launcher_rig import poll
from tests.peers import real_server
from tests.peers.real_server import RealServer, call, instance, listed
from tests.peers.relay import Relay

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("PLEXMESH_EUREKA"), reason="needs Java and Maven; run it with make test-eureka"
    ),
    pytest.mark.timeout(180),
]

N = os.getpid() % 250 + 1
HOSTS = {"R1": f"127.0.186.{N}", "R2": f"127.0.187.{N}", "P1": f"127.0.188.{N}", "P2": f"127.0.189.{N}"}
PLACES = {name: (host, real_server.PORT if name[0] == "R" else discovery_rig.PORT) for name, host in HOSTS.items()}
EVERYWHERE = tuple(HOSTS)
SEEN_IN_S = 2.0

IDS = (f"i-{number}" for number in itertools.count())


class Cluster:
    """`wires` are by (from, to)."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.wires = {
            (one, other): stack.enter_context(Relay(f"127.0.190.{N}", 20_000 + number, PLACES[other]))
            for number, (one, other) in enumerate(itertools.permutations(HOSTS, 2))
            if {one, other} != {"P1", "P2"}
        }
        nodes = [HOSTS["P1"], HOSTS["P2"]]
        self.plex = {
            name: DiscoveryNode(folder, name, HOSTS[name], *nodes, eureka_peers=",".join(self.peers(name)))
            for name in ("P1", "P2")
        }
        self.real = {name: RealServer(folder, HOSTS[name], *self.peers(name)) for name in ("R1", "R2")}
        for each in (*self.real.values(), *self.plex.values()):
            stack.callback(each.kill)
            each.start()
        for server in self.real.values():
            server.awaited()
        for node in self.plex.values():
            poll("it is ready", node.ready)

    def peers(self, name: str) -> list[str]:
        return [wire.url for (one, _), wire in self.wires.items() if one == name]

    def said(self, id: str) -> Counter[tuple[str, str]]:
        """How often servers have told each other something of that instance, by (from, to)."""
        return Counter({edge: sum(item["id"] == id for item in wire.items()) for edge, wire in self.wires.items()})

    def edges(self, id: str) -> set[tuple[str, str]]:
        return {edge for edge, count in self.said(id).items() if count}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path_factory.mktemp("peers"), stack)


def ask(at: str, method: str, path: str, body: Any = None) -> int:
    return call(PLACES[at], method, f"/eureka/apps/{path}", body, {"Accept": "application/json"}).status


def register(at: str, app: str, **fields: Any) -> str:
    """Its id."""
    id = next(IDS)
    assert ask(at, "POST", app, instance(app, id, lastDirtyTimestamp=str(int(time.time() * 1000)), **fields)) == 204
    return id


def seen(key: str, *at: str) -> list[str | None]:
    """Its status at each; None: it is not listed."""
    return [listed(PLACES[name]).get(key, {}).get("status") for name in at or EVERYWHERE]


def becomes(key: str, status: str | None, within_s: float = SEEN_IN_S, at: tuple[str, ...] = EVERYWHERE) -> float:
    """Seconds until it was so at all of them."""
    began = time.monotonic()
    poll(f"{key} is {status}, not {seen(key, *at)}", lambda: seen(key, *at) == [status] * len(at), within_s)
    return time.monotonic() - began


def stays(condition: Callable[[], object], for_s: float) -> None:
    """Looks all the time, until so much of it has passed."""
    end = time.monotonic() + for_s

    def over() -> bool:
        assert condition()
        return time.monotonic() > end

    poll("it stays so", over, for_s + 10)


@contextmanager
def beating(at: str, *keys: str, every_s: float = 0.5) -> Iterator[list[int]]:
    """The clients of these instances beat there; the statuses of the answers."""
    over, answers = threading.Event(), list[int]()

    def beat() -> None:
        while not over.wait(every_s):
            answers.extend(ask(at, "PUT", key) for key in keys)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


SHORT = {"leaseInfo": {"renewalIntervalInSecs": 1, "durationInSecs": 2}}
"""A real server counts it twice."""


@pytest.mark.parametrize("at", EVERYWHERE)
def test_what_registers_at_one_is_listed_by_all_and_stays_while_it_beats(cluster: Cluster, at: str) -> None:
    key = f"LIFE/{register(at, 'LIFE', **SHORT)}"
    print(f"{at}: listed by all after {becomes(key, 'UP'):.2f} s")
    with beating(at, key) as answers:
        stays(lambda: seen(key) == ["UP"] * 4, 6.0)
    assert set(answers) == {200}
    print(f"{at}: gone everywhere after {becomes(key, None, 10.0):.2f} s")


@pytest.mark.parametrize("at", EVERYWHERE)
def test_an_operator_s_word_reaches_all_and_so_does_its_end(cluster: Cluster, at: str) -> None:
    key = f"WORD/{register(at, 'WORD')}"
    becomes(key, "UP")
    for operator in (at, "P2" if at[0] == "R" else "R2"):  # at the same server, and at one of the other make
        assert ask(operator, "PUT", f"{key}/status?value=OUT_OF_SERVICE") == 200
        becomes(key, "OUT_OF_SERVICE")
        with beating(at, key):
            stays(lambda: seen(key) == ["OUT_OF_SERVICE"] * 4, 1.5)
        assert ask(operator, "DELETE", f"{key}/status?value=UP") == 200
        becomes(key, "UP")
        with beating(at, key):
            stays(lambda: seen(key) == ["UP"] * 4, 1.5)
    assert ask(at, "DELETE", key) == 200
    becomes(key, None)


@pytest.mark.parametrize("at", EVERYWHERE)
def test_who_leaves_is_gone_everywhere_and_stays_so(cluster: Cluster, at: str) -> None:
    key = f"LEAVE/{register(at, 'LEAVE')}"
    becomes(key, "UP")
    assert ask(at, "DELETE", key) == 200
    print(f"{at}: gone everywhere after {becomes(key, None):.2f} s")
    stays(lambda: seen(key) == [None] * 4, 3.0)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("P1", {("P1", "R1"), ("P1", "R2")}),
        ("P2", {("P2", "R1"), ("P2", "R2")}),
        ("R1", {("R1", "R2"), ("R1", "P1"), ("R1", "P2")}),
    ],
)
def test_nothing_goes_in_circles(cluster: Cluster, at: str, told: set[tuple[str, str]]) -> None:
    key = f"ROUND/{(id := register(at, 'ROUND'))}"
    becomes(key, "UP")
    poll("all are told", lambda: cluster.edges(id) == told)
    before = cluster.said(id)
    stays(lambda: cluster.said(id) == before, 2.0)
    with beating(at, key, every_s=0.2) as answers:
        poll("ten beats", lambda: len(answers) >= 10)
    assert ask(at, "DELETE", key) == 200
    becomes(key, None)
    stays(lambda: cluster.edges(id) == told, 2.0)
    # A registration, at most one heartbeat for each that was heard, a cancellation; a batch may have been said twice.
    print(at, dict(+cluster.said(id)))
    assert max(cluster.said(id).values()) <= 2 * (len(answers) + 2)


def test_no_ghosts_when_many_come_and_go_everywhere(cluster: Cluster) -> None:
    ids = {at: [register(at, "CROWD") for _ in range(25)] for at in EVERYWHERE}
    everyone = {f"CROWD/{id}" for each in ids.values() for id in each}

    def crowd(at: str) -> set[str]:
        return {key for key in listed(PLACES[at]) if key.startswith("CROWD/")}

    poll("all are there", lambda: [crowd(at) for at in EVERYWHERE] == [everyone] * 4, 5.0)
    for at, those in ids.items():
        for id in those:
            assert ask(at, "DELETE", f"CROWD/{id}") == 200
    poll("all are gone", lambda: [crowd(at) for at in EVERYWHERE] == [set()] * 4, 5.0)
    stays(lambda: [crowd(at) for at in EVERYWHERE] == [set()] * 4, 4.0)


def test_a_spring_cloud_application_finds_and_is_found(cluster: Cluster, tmp_path: Path) -> None:
    """A third server that has our nodes for its only peers: as it starts, it copies their list, and Netflix's client in
    Java, which is in it, registers there, beats, and reads list and delta."""
    key = f"SPRING/{register('R1', 'SPRING')}"
    becomes(key, "UP")

    def at(name: str) -> list[str]:
        reply = call(PLACES[name], "GET", "/eureka/apps/EUREKA", headers={"Accept": "application/json"})
        return [each["status"] for each in reply.json["application"]["instance"]] if reply.status == 200 else []

    with ExitStack() as stack:
        wires = [
            stack.enter_context(Relay(f"127.0.190.{N}", 30_000 + number, PLACES[name]))
            for number, name in enumerate(("P1", "P2"))
        ]
        third = RealServer(tmp_path, f"127.0.193.{N}", *(wire.url for wire in wires), register=True, fetch=True)
        stack.enter_context(real_server.running(third))
        assert key in listed(third.place)
        poll("it is listed by all", lambda: [at(name) for name in EVERYWHERE] == [["UP"]] * 4, 30.0)

        def asked() -> set[tuple[str, str, int]]:
            exchanges = [each for wire in wires for each in wire.exchanges if "peerreplication" not in each.path]
            return {(each.method, "/".join(each.path.split("/")[2:4]), each.status) for each in exchanges}

        expected = {("POST", "apps/EUREKA", 204), ("PUT", "apps/EUREKA", 200)}
        expected |= {("GET", "apps/", 200), ("GET", "apps/delta", 200)}
        poll(f"{expected}, {asked()}", lambda: expected <= asked())
        assert asked() - expected <= {("PUT", "apps/EUREKA", 404)}


def test_plexmesh_s_own_services_are_listed_there(cluster: Cluster) -> None:
    def hosts() -> set[str]:
        reply = cluster.real["R1"].call("GET", "apps/DISCOVERY")
        return {each["hostName"] for each in reply.json["application"]["instance"]} if reply.status == 200 else set()

    poll("both nodes", lambda: hosts() == {HOSTS["P1"], HOSTS["P2"]})


def test_a_server_that_comes_back_empty_gets_everything(cluster: Cluster) -> None:
    keys = {at: f"BACK/{register(at, 'BACK')}" for at in ("P1", "P2", "R2")}
    out = keys["P1"]
    assert ask("P1", "PUT", f"{out}/status?value=OUT_OF_SERVICE") == 200
    becomes(out, "OUT_OF_SERVICE")
    server = cluster.real["R1"]
    server.kill()
    for node in cluster.plex.values():
        poll("it is said", lambda node=node: node.events("eureka_peer.failing"))
    server.start()
    with ExitStack() as stack:
        for at, key in keys.items():
            stack.enter_context(beating(at, key))
        server.awaited()
        began = time.monotonic()
        poll("all are there", lambda: set(keys.values()) <= set(listed(server.place)), 15.0)
        print(f"everything is back {time.monotonic() - began:.2f} s after it answers")
        assert seen(out) == ["OUT_OF_SERVICE"] * 4
    for node in cluster.plex.values():
        poll("it is said", lambda node=node: len(node.events("eureka_peer.up")) >= 3)
    for at, key in keys.items():
        assert ask(at, "DELETE", key) == 200
        becomes(key, None)


def test_a_node_that_comes_back_empty_asks_the_real_servers(cluster: Cluster) -> None:
    """Both nodes are gone for a while; what lives at the real servers is there again before it beats."""
    key = f"ASK/{register('R1', 'ASK')}"
    becomes(key, "UP")
    for node in cluster.plex.values():
        node.kill()
    for node in cluster.plex.values():
        node.snapshot.unlink(missing_ok=True)
        node.start()
    for node in cluster.plex.values():
        poll("it is ready", node.ready)
    becomes(key, "UP", 5.0)
    for node in cluster.plex.values():
        assert len({each["url"] for each in node.events("eureka_peer.listed")}) == 2
    assert ask("R1", "DELETE", key) == 200
    becomes(key, None)
