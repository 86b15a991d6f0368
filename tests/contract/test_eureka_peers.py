"""What real Eureka servers say to each other, played again: recorded by tests/peers/record.py from two of them.

Each story is played to what answers them here, which must answer as the real one did; and to what speaks to them here,
which must say what the real one said when its clients did the same, and make of the answers what it made of them. Then
a whole node in front of a stand-in that is slow, busy, absent or talks nonsense.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from discovery import clock
from discovery.config import DiscoveryConfig
from discovery.driver import Driver
from discovery.eureka.api import EurekaApi
from discovery.eureka.batch import decode_responses, encode_items
from discovery.eureka.call import call_of, manner_of
from discovery.eureka.inbound import Inbound, listed
from discovery.eureka.lists import Lists
from discovery.eureka.outbox import LINGER_S, Outbox
from discovery.registry import Registry
from discovery.watch import Watch
from shared.config import load
from shared.errors import BadInput, ConfigError
from shared.events import Events
from tests.contract.eureka_peer import Answer, FakePeer, Items, all_well
from tests.fakes import a_node
from tests.integration.discovery_rig import DiscoveryNode, running
from tests.integration.launcher_rig import poll

STORIES = Path(__file__).with_name("eureka_exchanges")
NAMES = sorted(path.stem for path in STORIES.glob("*.json") if path.stem != "list")
SPOKEN = [name for name in NAMES if '"client"' in (STORIES / f"{name}.json").read_text()]

# What a server notes for itself, and what real servers make of a batch they cannot read: 500 where we say 400.
OWN_TIMES = frozenset(("registrationTimestamp", "lastRenewalTimestamp", "serviceUpTimestamp", "lastUpdatedTimestamp"))
REFUSED = {500: 400}


def steps(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((STORIES / f"{name}.json").read_text())["steps"]
    return found


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(below) for key, below in value.items() if key not in OWN_TIMES}
    return [timeless(each) for each in value] if isinstance(value, list) else value


async def nobody(*_: Any) -> Any:
    """This node has no peers of its own kind."""
    raise AssertionError


class Speaker:
    """A node's API, and the outbox that hears it."""

    def __init__(self) -> None:
        node = a_node(now=clock.now(), wall_ms=clock.wall_ms())
        self.registry = Registry(node)
        self.box = Outbox(self.registry)
        lists = Lists(node)
        driver = Driver(node, nobody, Watch(node, 1_000_000, 1), [lists], Events(logging.getLogger("test")))
        self._api = EurekaApi(DiscoveryConfig(), self.registry, driver, lists, hearer=self.box)

    def client(self, method: str, path: str, body: Any) -> int:
        path, _, query = path.partition("?")
        fields = {"Accept": "application/json", "Content-Type": "application/json"}
        call = call_of(method, f"/eureka/{path}", query, manner_of(lambda name: fields.get(name, "")))
        answer = self._api.answer(call, json.dumps(body).encode() if body else b"")
        assert hasattr(answer, "status")
        status: int = answer.status
        return status

    def says(self) -> Any:
        now = clock.now() + LINGER_S
        assert self.box.due_at() <= now
        return json.loads(encode_items(self.box.take(now)))

    def hears(self, answer: Any, count: int) -> None:
        for newer in self.box.answered(decode_responses(json.dumps(answer).encode(), count), clock.now()):
            Inbound(self.registry).take(newer, clock.now())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_here_is_answered_as_the_real_server_did(name: str) -> None:
    inbound = Inbound(Registry(a_node()))
    for step in steps(name):
        said = step.get("said", step.get("told"))
        if said is None:
            continue
        body = said["text"].encode() if isinstance(said, dict) and "text" in said else json.dumps(said).encode()
        if step["status"] != 200:
            with pytest.raises(BadInput) as refused:
                inbound.answer(body, 1.0)
            assert refused.value.status == step["status"]
            continue
        expected = step["answer"]["responseList"]
        for response in expected:
            response["statusCode"] = REFUSED.get(response["statusCode"], response["statusCode"])
        assert timeless(json.loads(inbound.answer(body, 1.0))["responseList"]) == timeless(expected)


@pytest.mark.parametrize("name", SPOKEN)
async def test_what_clients_do_here_is_said_as_the_real_server_said_it(name: str) -> None:
    speaker = Speaker()
    for step in steps(name):
        if "client" in step:
            assert speaker.client(**step["client"]) == step["status"]
        elif "said" in step:
            assert timeless(speaker.says()) == timeless(step["said"])
            speaker.hears(step["answer"], len(step["said"]["replicationList"]))
    assert speaker.box.queued == 0, "the real server had nothing more to say"
    if name == "newer_there":
        assert speaker.registry.get("mail/m-6").ip == "192.0.2.66"


def test_a_real_server_s_list_is_taken_in() -> None:
    registry = Registry(a_node())
    inbound = Inbound(registry)
    instances = [json.loads(bytes(each)) for each in listed((STORIES / "list.json").read_bytes())]
    assert all(inbound.take(each, 0.0) for each in instances)
    assert {each.instance: (each.ip, each.effective, each.override) for each in registry.all()} == {
        each["instanceId"]: (each["ipAddr"], each["status"], each["overriddenStatus"]) for each in instances
    }
    assert registry.get("basket/b-1").ip == "192.0.2.7"
    assert registry.get("mail/m-7").effective == "OUT_OF_SERVICE"


# --- a whole node

NODE, PEER, OTHER = (f"127.0.{third}.{os.getpid() % 250 + 1}" for third in (183, 184, 185))
PORT = 8761
A, B = "orders-a", "orders-b"


@pytest.fixture
def peer() -> Iterator[FakePeer]:
    with FakePeer(PEER, PORT) as peer:
        yield peer


def a_pair(folder: Path, peer: FakePeer, url: str = "") -> DiscoveryNode:
    return DiscoveryNode(folder, "LPAR1", NODE, eureka_peers=url or peer.url)


def refuse(items: Items) -> Answer:
    return Answer(500)


def busy(items: Items) -> Answer:
    return Answer(503)


def slow(items: Items) -> Answer:
    return all_well(items)._replace(after_s=6.0)


def test_clients_are_passed_on_and_the_server_s_list_is_taken_in(tmp_path: Path, peer: FakePeer) -> None:
    peer.lists = [Answer(503), Answer(200, json.loads((STORIES / "list.json").read_text()))]
    node = a_pair(tmp_path, peer)
    with running(node):
        node.register(A)
        assert node.eureka("PUT", f"ORDERS/{A}") == 200
        assert node.eureka("PUT", f"ORDERS/{A}/status?value=OUT_OF_SERVICE") == 200
        assert node.eureka("DELETE", f"ORDERS/{A}/status?value=UP") == 200
        assert node.eureka("DELETE", f"ORDERS/{A}") == 200
        # What it was is no longer there to be told when the batch is made; only that it has left is.
        poll("it is told", lambda: ("Cancel", A) in peer.said())
        node.register(B)
        poll("it is told", lambda: peer.said()[-1:] == [("Register", B)])
        assert node.eureka("PUT", f"ORDERS/{B}") == 200
        poll("it is told", lambda: peer.said()[-1:] == [("Heartbeat", B)])
        poll("the list is there", lambda: node.events("eureka_peer.listed"))
        assert {"b-1", "m-7"} <= node.instances()
        assert node.metric("eureka_peer_up") == 1
        assert node.metric("eureka_peer_items_total") >= 3
        assert not peer.said("MAIL"), "what came from there is not sent back"
        assert ("Register", "discovery") in {(action, id.split(":")[1]) for action, id in peer.said("DISCOVERY")}
        assert node.stop() == 0
    cancelled = [id for action, id in peer.said("DISCOVERY") if action == "Cancel"]
    assert len(cancelled) == 1, "this node says itself that it goes"
    assert [each["url"] for each in node.events("eureka_peer.up")] == [peer.url]


def test_a_user_in_the_url_is_told_to_the_server_and_to_nobody_else(tmp_path: Path, peer: FakePeer) -> None:
    node = a_pair(tmp_path, peer, peer.url.replace("http://", "http://shop:s%2Fecret@"))
    with running(node):
        node.register(A)
        poll("it is told", lambda: peer.said())
    assert {each["authorization"] for each in peer.headers} == {"Basic c2hvcDpzL2VjcmV0"}
    assert "ecret" not in node.log.read_text()


def test_a_busy_server_is_told_the_same_again(tmp_path: Path, peer: FakePeer) -> None:
    node = a_pair(tmp_path, peer)
    peer.answers = [busy, busy]
    with running(node):
        node.register(A)
        poll("it is told", lambda: len(peer.batches) > 2 and ("Register", A) in peer.said())
        (first, *_), (second, *_), (third, *_) = peer.batches[:3]
        assert (second - first >= 1.0, third - second >= 1.0) == (True, True)
        assert {"DISCOVERY"} <= {item["appName"] for item in peer.batches[2][1]}
        assert [each["reason"] for each in node.events("eureka_peer.failing")] == ["answered 503"]
        poll("it is up", lambda: node.events("eureka_peer.up"))


def test_a_slow_server_is_given_up_and_told_again(tmp_path: Path, peer: FakePeer) -> None:
    node = a_pair(tmp_path, peer)
    with running(node):
        poll("the first batch", lambda: peer.batches)
        peer.answers = [slow]
        node.register(A)
        poll("it is told twice", lambda: peer.said().count(("Register", A)) == 2)
        poll("it is said", lambda: node.events("eureka_peer.failing"))
        assert [each["reason"] for each in node.events("eureka_peer.failing")] == ["no answer within 5.0 s"]
        poll("it is up again", lambda: len(node.events("eureka_peer.up")) == 2)


def test_a_batch_that_is_refused_is_not_sent_again(tmp_path: Path, peer: FakePeer) -> None:
    node = a_pair(tmp_path, peer)
    with running(node):
        poll("the first batch", lambda: peer.batches)
        peer.answers = [refuse]
        node.register(A)
        poll("it is refused", lambda: node.events("eureka_peer.failing"))
        node.register(B)
        poll("the next one", lambda: ("Register", B) in peer.said())
        assert peer.said().count(("Register", A)) == 1
        assert [each["reason"] for each in node.events("eureka_peer.failing")] == ["answered 500"]
        assert node.metric('eureka_peer_dropped_total{peer="') >= 1


def test_an_answer_that_is_none_is_a_refusal(tmp_path: Path, peer: FakePeer) -> None:
    node = a_pair(tmp_path, peer)
    nonsense: list[Any] = [None, [], {"responseList": []}, {"responseList": [{}]}, {"responseList": 3}]
    with running(node):
        poll("the first batch", lambda: node.events("eureka_peer.up"))
        for count, said in enumerate(nonsense, 1):
            peer.answers = [lambda items, said=said: Answer(200, said)]
            node.register(A)
            failing = poll("it is said", lambda count=count: node.events("eureka_peer.failing")[count - 1 :])
            assert "expected" in failing[0]["reason"]
            node.register(B)
            poll("the next one is well", lambda count=count: len(node.events("eureka_peer.up")) > count)
        assert peer.said().count(("Register", A)) == len(nonsense)


def test_a_server_that_is_not_there_yet_is_told_when_it_comes(tmp_path: Path) -> None:
    later = FakePeer(OTHER, PORT, json.loads((STORIES / "list.json").read_text()))
    node = a_pair(tmp_path, later)
    with running(node):
        node.register(A)
        poll("it is said", lambda: node.events("eureka_peer.failing"))
        assert node.metric("eureka_peer_up") == 0
        assert node.metric("eureka_peer_queued") >= 1
        with later:
            poll("it is told", lambda: ("Register", A) in later.said())
            poll("its list is taken in", lambda: "m-7" in node.instances())
        assert {each["reason"] for each in node.events("eureka_peer.failing")} == {"Connection refused"}


@pytest.mark.parametrize(
    "url",
    ["eureka:8761", "ftp://h/eureka/", "http:///eureka/", "http://h:99999/", "http://h/eureka/?a=b", "http://u:pw@"],
)
def test_a_url_that_cannot_be_one_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(DiscoveryConfig, "discovery", ["--eureka-peers", url], {})
    said = str(refused.value)
    assert "eurekaPeers" in said
    assert "expected a URL such as http://host:8761/eureka/" in said
    assert "pw" not in said


def test_urls_end_with_a_slash() -> None:
    config = load(DiscoveryConfig, "discovery", ["--eureka-peers", "http://a:1/eureka, https://b/eureka/"], {})
    assert config.eureka_peers == ("http://a:1/eureka/", "https://b/eureka/")


def test_a_batch_may_be_larger_than_what_clients_send(tmp_path: Path) -> None:
    node = DiscoveryNode(tmp_path, "LPAR1", NODE, body_bytes=20_000)
    with running(node):
        item = {"appName": "MANY", "id": "none", "action": "Cancel", "status": "x" * 500}
        answers = []
        for count in (100, 200):
            body = json.dumps({"replicationList": [item] * count}).encode()
            answers.append(post(node, "peerreplication/batch/", body))
        assert answers == [200, 413]
        assert post(node, "apps/MANY", b" " * 20_001) == 413


def post(node: DiscoveryNode, path: str, body: bytes) -> int:
    connection = http.client.HTTPConnection(node.url.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", f"/eureka/{path}", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
