"""What Eureka clients in Python trip over: py-eureka-client, eurekapy, wasp-eureka and spring-ready-python."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.discovery_rig import DiscoveryNode
from tests.integration.eureka_rig import CLIENT_HOST, LEASE_S, Client, ask, instance, listed, pair
from tests.integration.launcher_rig import poll

HOSTS = [f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (113, 114)]

Nodes = tuple[DiscoveryNode, DiscoveryNode]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with pair(tmp_path_factory.mktemp("nodes"), *HOSTS, snapshot_s=1, drain_s=0.5) as both:
        yield both


@contextlib.contextmanager
def client(folder: Path, kind: str, app: str, *nodes: DiscoveryNode, **options: object) -> Iterator[Client]:
    started = Client(folder, kind, app, 9100, *nodes, **options)
    try:
        yield started.started()
    finally:
        started.kill()


def register(node: DiscoveryNode, app: str, id: str, **fields: object) -> None:
    assert ask(node, "POST", f"/eureka/apps/{app}", instance(app, id, **fields))[0] == 204


def agreed(nodes: Nodes) -> bool:
    return listed(nodes[0]) == listed(nodes[1])


# --- py-eureka-client: one failed delta, and it hangs for ever


class Poller:
    """Asks a node for deltas and lists, hard, whether it is there or not; counts what comes back.

    `refused` is what any client takes for a node that is not there. `cut` is what was accepted and never answered.
    """

    def __init__(self, node: DiscoveryNode, known: str, threads: int = 1) -> None:
        self.node, self.known = node, known
        self.statuses: Counter[int] = Counter()
        self.refused = 0
        self.cut: list[str] = []
        self.incomplete = 0
        self._over = threading.Event()
        paths = ("/eureka/apps/delta", "/eureka/apps/") * threads
        self._threads = [threading.Thread(target=self._run, args=[path]) for path in paths]

    def __enter__(self) -> Poller:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, path: str) -> None:
        while not self._over.wait(0.002):
            try:
                status, body = ask(self.node, "GET", path, Connection="close")
            except ConnectionRefusedError:
                self.refused += 1
            except (OSError, http.client.HTTPException) as error:
                self.cut.append(repr(error))
            else:
                self.statuses[status] += 1
                self.incomplete += not path.endswith("delta") and self.known.encode() not in body


def test_nodes_that_come_and_go_never_fail_a_list_or_a_delta(nodes: Nodes, tmp_path: Path) -> None:
    """200 alone, and never a list that is not whole yet, while a node is killed, starts, joins and leaves."""
    stays, moves = nodes
    register(stays, "WHOLE", "known", leaseInfo={"durationInSecs": 90})
    poll("both know", lambda: all("WHOLE/known" in listed(node) for node in nodes))
    with (
        client(tmp_path, "py-eureka-client", "Shopper", stays) as shopper,
        Poller(stays, "known") as here,
        Poller(moves, "known") as there,
    ):
        for number, end in enumerate((moves.kill, moves.stop, moves.kill)):
            end()
            register(stays, f"APP{number}", "new")  # so that its next delta is a mismatch
            moves.start()
            poll("it is back", moves.ready)
        register(stays, "LAST", "of-all")
        shopper.sees("LAST/of-all", "UP")  # its thread does not hang
        poll("both agree", lambda: agreed(nodes))
    assert here.statuses.keys() == there.statuses.keys() == {200}
    assert min(here.statuses[200], there.statuses[200]) > 100
    assert here.refused == len(here.cut) == 0
    assert here.incomplete == there.incomplete == 0


def test_a_node_that_leaves_in_order_cuts_nobody_off(nodes: Nodes) -> None:
    """It is refused from one moment on; whoever came before that is answered."""
    register(nodes[0], "WHOLE", "known", leaseInfo={"durationInSecs": 90})
    poll("both know", lambda: all("WHOLE/known" in listed(node) for node in nodes))
    with Poller(nodes[1], "known", threads=4) as poller:
        for _ in range(2):
            assert nodes[1].stop() == 0
            refused = poller.refused
            poll("it is seen to be gone", lambda refused=refused: poller.refused > refused)
            nodes[1].start()
            poll("it is back", nodes[1].ready)
    assert poller.cut == []
    assert poller.statuses.keys() == {200}


def test_a_delta_of_the_same_version_and_hash_says_the_same_at_any_node(nodes: Nodes) -> None:
    """Such a delta is skipped. Here one instance comes as another goes, so that the hash alone tells nothing."""
    said: dict[tuple[bytes, bytes], set[bytes]] = {}

    def look() -> None:
        for node in nodes:
            body = ask(node, "GET", "/eureka/apps/delta")[1]
            head, _, content = body.partition(b"</apps__hashcode>")
            version, _, hash = head.partition(b"</versions__delta>")
            said.setdefault((version, hash), set()).add(content)

    register(nodes[0], "TURNS", "t0")
    for turn in range(1, 9):
        there = nodes[turn % 2]
        register(there, "TURNS", f"t{turn}")
        look()
        poll("it is known there", lambda turn=turn, there=there: f"TURNS/t{turn - 1}" in listed(there))
        assert ask(there, "DELETE", f"/eureka/apps/TURNS/t{turn - 1}")[0] == 200
        look()
    poll("both agree", lambda: agreed(nodes))

    def say_the_same() -> bool:
        before = len(said)
        look()
        return len(said) <= before + 1

    poll("two nodes that agree say the same, unless a change has just grown too old at one", say_the_same)
    assert len(said) > 8
    assert {key: contents for key, contents in said.items() if len(contents) > 1} == {}


def test_new_apps_are_lost_from_its_deltas_and_found_by_the_hash(nodes: Nodes, tmp_path: Path) -> None:
    with client(tmp_path, "py-eureka-client", "Finder", *nodes) as finder:
        for number in range(3):
            register(nodes[number % 2], f"NEW{number}", "only")
            finder.sees(f"NEW{number}/only", "UP")


def test_metadata_of_any_name_reaches_it_escaped_and_breaks_nothing(nodes: Nodes, tmp_path: Path) -> None:
    metadata = {"k_1": "v", "a b": "<&>", "1st": "ü", "$": "", "@enabled": "x"}
    register(nodes[0], "NASTY", "spaced out:ü", metadata=metadata)
    with client(tmp_path, "py-eureka-client", "Reader", *nodes) as reader:
        reader.sees("NASTY/spaced out:ü", "UP")
        found = reader.ask("metadata", "spaced out:ü")
        assert found["k__1"] == "v"
        assert len(found) == len(metadata)
        assert reader.ask("urls", "NASTY") == [f"http://h.test:{port_of(nodes[0], 'NASTY')}/"]


def port_of(node: DiscoveryNode, app: str) -> int:
    body = ask(node, "GET", f"/eureka/apps/{app}")[1].decode()
    return int(body.partition('<port enabled="true">')[2].partition("</port>")[0])


# --- the goodbye of py-eureka-client and of Spring's clients: a registration as DOWN and a DELETE, in either order

ORDERS = ["DOWN, then DELETE", "DELETE, then DOWN", "both at once"]
PLACES = ["at one node", "at two nodes", "at two nodes, in no haste"]


@pytest.mark.parametrize(("order", "place"), [*itertools.product(ORDERS, PLACES)][:-1])
def test_a_goodbye_leaves_no_ghost(nodes: Nodes, order: str, place: str) -> None:
    """In haste, the second word is said before the first has come to that node."""
    key = f"LEAVER/{order}-{place}".replace(" ", "-")
    here, there = nodes[0], nodes[0 if place == PLACES[0] else 1]

    def both_show(status: str | None) -> bool:
        return all(listed(node).get(key) == status for node in nodes)

    def say(node: DiscoveryNode, status: str) -> None:
        stamp = str(int(time.time() * 1000))
        lease = {"durationInSecs": 90}
        register(node, *key.split("/"), status=status, leaseInfo=lease, lastDirtyTimestamp=stamp)

    def down() -> None:
        say(there, "DOWN")

    def delete() -> None:
        assert ask(here, "DELETE", f"/eureka/apps/{key}")[0] == 200

    say(here, "UP")
    poll("it is on both", lambda: both_show("UP"))
    first, second = (down, delete) if order == ORDERS[0] else (delete, down)
    if order == ORDERS[2]:
        second_too = threading.Thread(target=second)
        second_too.start()
        first()
        second_too.join()
    else:
        first()
        if place == PLACES[2]:
            poll("both know", lambda: both_show("DOWN" if first is down else None))
        second()
    poll("it is gone from both", lambda: both_show(None), 1.0)
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        assert both_show(None)
    say(there, "UP")
    poll("it may return", lambda: both_show("UP"), 1.0)


# --- eurekapy


def test_eurekapy_says_identity_and_is_answered_plainly(nodes: Nodes, tmp_path: Path) -> None:
    with client(tmp_path, "eurekapy", "Plain", *nodes) as plain:
        plain.sees(plain.key, "UP")
        assert plain.ask("metadata", plain.id)["profile"] == "defautl"  # as it is spelt there
    for path in ("/eureka/apps/", "/eureka/apps/delta"):
        status, body = ask(nodes[0], "GET", path, Accept_Encoding="identity", Connection="close")
        assert status == 200
        assert body.startswith(b"<applications>")


# --- wasp-eureka


def test_wasp_parses_even_empty_answers_as_json_and_is_content(nodes: Nodes, tmp_path: Path) -> None:
    """Its flags are true booleans, its app is in lower case, its metadata holds numbers, and it sends no status."""
    with client(tmp_path, "wasp-eureka", "Stinger", *nodes, metadata={"weight": 7, "ratio": 0.5, "on": True}) as wasp:
        (own,) = wasp.ask("call", "get_app")["application"]["instance"]
        assert own["app"] == "STINGER"
        assert own["status"] == "UP"
        assert own["port"] == {"$": 9100, "@enabled": "true"}
        assert own["metadata"] == {"weight": "7", "ratio": "0.5", "on": "true"}
        assert own["leaseInfo"]["durationInSecs"] == LEASE_S

        assert wasp.ask("call", "renew") is None
        assert wasp.ask("override", "OUT_OF_SERVICE") is None
        assert wasp.ask("call", "get_instance")["instance"]["status"] == "OUT_OF_SERVICE"
        assert wasp.ask("call", "remove_status_override") is None
        assert wasp.ask("call", "get_app_instance")["instance"]["status"] == "UP"
        assert wasp.ask("call", "update_meta", "added", "later") is None
        (own,) = wasp.ask("call", "get_app")["application"]["instance"]
        assert own["metadata"]["added"] == "later"
        for look in ("get_by_vip", "get_by_svip"):  # both ask for vips
            (app,) = wasp.ask("call", look, "stinger")["applications"]["application"]
            assert [each["instanceId"] for each in app["instance"]] == [wasp.id]
        wasp.leave()
    assert f"STINGER/{wasp.id}" not in listed(nodes[0])


def test_wasp_is_told_of_unknown_things_by_their_status(nodes: Nodes, tmp_path: Path) -> None:
    with client(tmp_path, "wasp-eureka", "Asker", *nodes) as wasp:
        with pytest.raises(AssertionError, match="EurekaException"):
            wasp.ask("call", "get_app", "no-such-app")
        assert wasp.ask("call", "get_by_vip", "no-such-vip")["applications"]["application"] == []


# --- spring-ready-python


def test_spring_readys_zero_stamps_do_not_make_its_news_old(nodes: Nodes, tmp_path: Path) -> None:
    """`lastDirtyTimestamp` is "0" each time, and what is not set is null."""
    with client(tmp_path, "spring-ready-python", "Spring", *nodes, metadata={"colour": "red"}) as spring:
        assert shown(nodes[0], spring)["metadata"] == {"colour": "red"}
        spring.ask("register", {"colour": "blue"})
        poll("both show it", lambda: all(shown(node, spring).get("metadata") == {"colour": "blue"} for node in nodes))
        assert "appGroupName" not in shown(nodes[0], spring)
        assert int(shown(nodes[0], spring)["lastDirtyTimestamp"]) > 0


def test_spring_ready_takes_200_and_204_alone_and_changes_its_status(nodes: Nodes, tmp_path: Path) -> None:
    with client(tmp_path, "spring-ready-python", "Season", *nodes) as spring:
        assert "SEASON" in spring.ask("services")
        assert spring.ask("url", "season") == f"http://{CLIENT_HOST}:9100"
        spring.ask("status", "OUT_OF_SERVICE")
        poll("both show it", lambda: all(shown(node, spring).get("status") == "OUT_OF_SERVICE" for node in nodes))
        with pytest.raises(AssertionError, match="No UP instances"):
            spring.ask("url", "season")
        spring.ask("status", "UP")
        assert spring.ask("url", "season") == f"http://{CLIENT_HOST}:9100"
        assert "WARNING" not in spring.log.read_text()


def shown(node: DiscoveryNode, of: Client) -> dict[str, Any]:
    """That instance as the node has it; empty while it does not know it."""
    status, body = ask(node, "GET", f"/eureka/apps/{of.key}", Accept="application/json")
    return json.loads(body)["instance"] if status == 200 else {}
