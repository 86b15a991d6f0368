"""What a real Eureka server is told, in which batches, and what becomes of one that was not taken."""

import random
from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from discovery.eureka.batch import Response, decode_items, decode_responses, encode_items
from discovery.eureka.inbound import Inbound
from discovery.eureka.outbox import (
    BUSY_PAUSE_S,
    EXPIRES_S,
    FIRST_PAUSE_S,
    LAST_PAUSE_S,
    LINGER_S,
    MAX_BATCH,
    MAX_WAITING,
    Outbox,
)
from discovery.node import Node
from discovery.registration import Registration
from discovery.registry import Registry

WALL_MS = 1_700_000_000_000
KEY = "mail/a"
OK = Response(200)


def a_registry(name: str = "A") -> Registry:
    return Registry(Node(name, f"http://{name}", [], sysplex="P", now=0.0, wall_ms=WALL_MS, rng=random.Random(1)))


def given(id: str = "a", **fields: object) -> Registration:
    first = Registration(app="MAIL", instance=id, host="a.test", ip="192.0.2.1", dirty_ms=WALL_MS)
    return msgspec.structs.replace(first, **fields)


@pytest.fixture
def registry() -> Registry:
    return a_registry()


@pytest.fixture
def box(registry: Registry) -> Outbox:
    return Outbox(registry)


def said(box: Outbox, now: float) -> list[tuple[str, str]]:
    """(action, id) of the next batch, which is taken by the server."""
    items = box.take(now)
    box.answered([OK] * len(items), now)
    return [(item.action, item.id) for item in items]


def wire(box: Outbox, now: float) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(encode_items(box.take(now)))["replicationList"]
    return found


# --- when


def test_nothing_is_due_before_anything_is_said(box: Outbox) -> None:
    assert (box.due_at(), box.take(0.0), box.queued) == (inf, [], 0)


def test_a_batch_is_due_when_the_first_has_waited(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 1.0)
    assert box.heard("Register", KEY, 1.0)
    assert not box.heard("Heartbeat", KEY, 1.4)
    assert box.due_at() == 1.0 + LINGER_S


def test_saying_the_same_again_and_again_does_not_put_it_off(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 1.0)
    for tenth in range(10):
        box.heard("Heartbeat", KEY, 1.0 + tenth / 10)
        box.heard("Register", KEY, 1.0 + tenth / 10)
    assert box.due_at() == 1.0 + LINGER_S
    assert said(box, 2.0) == [("Heartbeat", "a"), ("Register", "a")]


def test_a_full_batch_is_due_at_once_and_the_rest_waits_its_turn(registry: Registry, box: Outbox) -> None:
    heard = []
    for number in range(MAX_BATCH + 1):
        registry.register(given(str(number)), 0.0)
        heard.append(box.heard("Heartbeat", f"mail/{number}", 0.1))
    assert [count for count, nearer in enumerate(heard, 1) if nearer] == [1, MAX_BATCH]
    assert box.due_at() == -inf
    assert len(box.take(0.2)) == MAX_BATCH
    assert box.due_at() == inf, "one is on the way"
    box.answered([OK] * MAX_BATCH, 0.3)
    assert 0.2 < box.due_at() <= 0.2 + LINGER_S
    assert said(box, 0.7) == [("Heartbeat", str(MAX_BATCH))]
    assert box.due_at() == inf


def test_after_all_is_told_the_next_saying_waits_as_the_first_did(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 1.0)
    box.heard("Register", KEY, 1.0)
    assert said(box, 1.5)
    assert box.heard("Heartbeat", KEY, 9.0), "whoever sleeps is to be woken"
    assert box.due_at() == 9.0 + LINGER_S


def test_at_the_end_it_does_not_wait(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 1.0)
    box.hurry()
    assert box.due_at() == inf
    box.heard("Cancel", KEY, 1.0)
    box.hurry()
    assert box.due_at() <= 1.0


# --- what


def test_the_items_are_what_a_eureka_server_sends(registry: Registry, box: Outbox) -> None:
    registry.register(given(metadata={"zone": "south"}, vip="mail"), 0.0)
    registry.register(given("b"), 0.0)
    registry.override("mail/b", "OUT_OF_SERVICE", 0, 0.0)
    box.heard("Register", KEY, 0.0)
    box.heard("Heartbeat", KEY, 0.0)
    box.heard("StatusUpdate", "mail/b", 0.0, "OUT_OF_SERVICE")
    box.heard("Heartbeat", "mail/b", 0.0)
    box.heard("DeleteStatusOverride", KEY, 0.0)
    box.heard("Cancel", "mail/c", 0.0)
    register, *others = wire(box, 0.5)
    document = register.pop("instanceInfo")
    alike = {"appName": "MAIL", "lastDirtyTimestamp": WALL_MS}
    assert register == alike | {"id": "a", "action": "Register", "status": "UP"}
    assert document.pop("leaseInfo") == {
        "renewalIntervalInSecs": 30,
        "durationInSecs": 90,
        "registrationTimestamp": WALL_MS,
        "lastRenewalTimestamp": WALL_MS,
        "evictionTimestamp": 0,
        "serviceUpTimestamp": WALL_MS,
    }
    assert document == {
        "instanceId": "a",
        "hostName": "a.test",
        "app": "MAIL",
        "ipAddr": "192.0.2.1",
        "status": "UP",
        "overriddenStatus": "UNKNOWN",
        "port": {"$": 7001, "@enabled": "true"},
        "securePort": {"$": 7002, "@enabled": "false"},
        "countryId": 1,
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "metadata": {"zone": "south"},
        "vipAddress": "mail",
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": str(WALL_MS),
        "lastDirtyTimestamp": str(WALL_MS),
        "actionType": "ADDED",
    }
    out = "OUT_OF_SERVICE"
    assert others == [
        alike | {"id": "a", "action": "Heartbeat", "status": "UP"},
        alike | {"id": "b", "action": "StatusUpdate", "status": out},
        alike | {"id": "b", "action": "Heartbeat", "status": out, "overriddenStatus": out},
        alike | {"id": "a", "action": "DeleteStatusOverride", "status": "UP"},
        {"appName": "MAIL", "id": "c", "action": "Cancel"},
    ]


def test_it_is_told_how_the_instance_is_when_the_batch_is_made(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    box.heard("Register", KEY, 0.0)
    registry.register(given(dirty_ms=WALL_MS + 7, ip="192.0.2.7"), 0.1)
    [item] = wire(box, 0.5)
    assert (item["lastDirtyTimestamp"], item["instanceInfo"]["ipAddr"]) == (WALL_MS + 7, "192.0.2.7")


def test_an_override_is_told_though_the_instance_does_not_show_it(registry: Registry, box: Outbox) -> None:
    registry.register(given(status="DOWN"), 0.0)
    registry.override(KEY, "OUT_OF_SERVICE", 0, 0.0)
    box.heard("StatusUpdate", KEY, 0.0, "OUT_OF_SERVICE")
    assert [item["status"] for item in wire(box, 0.5)] == ["OUT_OF_SERVICE"]


def test_what_has_gone_meanwhile_is_not_told_but_its_leaving_is(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    for action in ("Register", "Heartbeat", "StatusUpdate", "DeleteStatusOverride"):
        box.heard(action, KEY, 0.0)
    registry.cancel(KEY, 0.1)
    box.heard("Cancel", KEY, 0.1)
    assert said(box, 0.5) == [("Cancel", "a")]
    assert not box.dropped


def test_the_same_is_told_once_and_a_registration_after_what_came_in_between(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    for action in ("Register", "Heartbeat", "Cancel", "Heartbeat", "Register"):
        box.heard(action, KEY, 0.0)
    assert said(box, 0.5) == [("Heartbeat", "a"), ("Cancel", "a"), ("Register", "a")]


def test_who_has_come_back_at_another_node_is_not_cancelled(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    registry.cancel(KEY, 0.1)
    box.heard("Cancel", KEY, 0.1)
    registry.register(given(dirty_ms=WALL_MS + 9), 0.2)  # as gossip brings it: this node has not heard it
    assert said(box, 0.5) == []


@pytest.mark.parametrize(
    ("action", "worth_s"), [("Register", 5), ("Heartbeat", 5), ("Cancel", EXPIRES_S), ("StatusUpdate", EXPIRES_S)]
)
def test_what_is_too_old_is_not_told(registry: Registry, box: Outbox, action: Any, worth_s: float) -> None:
    registry.register(given(renew_s=5), 0.0)
    key = "mail/gone" if action == "Cancel" else KEY
    box.heard(action, key, 0.0)
    assert len(box.take(worth_s)) == 1
    box.failed("busy", worth_s)
    assert box.take(worth_s + 0.1) == []
    assert (box.dropped, box.queued) == ({"expired": 1}, 0)


def test_the_oldest_gives_way_when_too_much_waits(registry: Registry, box: Outbox) -> None:
    for number in range(MAX_WAITING + 2):
        box.heard("Cancel", f"mail/{number}", 0.0)
    assert (box.queued, box.dropped) == (MAX_WAITING, {"overflow": 2})
    assert said(box, 0.5)[0] == ("Cancel", "2")


# --- and then


def test_a_heartbeat_of_what_is_unknown_there_is_followed_by_its_registration(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    registry.register(given("b"), 0.0)
    box.heard("Heartbeat", KEY, 0.0)
    box.heard("Heartbeat", "mail/b", 0.0)
    box.take(0.5)
    assert box.answered([OK, Response(404)], 0.6) == []
    [item] = wire(box, box.due_at())
    assert (item["action"], item["id"], item["instanceInfo"]["instanceId"]) == ("Register", "b", "b")


@pytest.mark.parametrize("action", ["Register", "Cancel", "StatusUpdate", "DeleteStatusOverride"])
def test_a_404_to_anything_else_is_nothing(registry: Registry, box: Outbox, action: Any) -> None:
    if action != "Cancel":
        registry.register(given(), 0.0)
    box.heard(action, KEY, 0.0)
    assert len(box.take(0.5)) == 1
    box.answered([Response(404)], 0.6)
    assert box.queued == 0


def test_what_is_newer_there_is_handed_out(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    box.heard("Heartbeat", KEY, 0.0)
    box.take(0.5)
    assert box.answered([Response(409, {"app": "MAIL", "instanceId": "a"})], 0.6) == [
        {"app": "MAIL", "instanceId": "a"}
    ]
    assert box.queued == 0


def test_a_busy_server_is_left_alone_and_then_told_the_same(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    box.heard("Register", KEY, 0.0)
    box.take(0.5)
    box.heard("StatusUpdate", KEY, 0.6, "DOWN")
    for now in (1.0, 2.0, 3.0):
        box.failed("busy", now)
        assert box.due_at() == now + BUSY_PAUSE_S
        assert [item.action for item in box.take(now + 1.0)] == ["Register", "StatusUpdate"]


def test_a_server_that_cannot_be_reached_is_tried_less_and_less_often(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    box.heard("StatusUpdate", KEY, 0.0, "DOWN")
    pauses = []
    for _ in range(8):
        box.take(1.0)
        box.failed("unreachable", 1.0)
        pauses.append(round(box.due_at() - 1.0, 6))
    assert pauses == [FIRST_PAUSE_S, 0.2, 0.4, 0.8, 1.6, 3.2, LAST_PAUSE_S, LAST_PAUSE_S]
    assert said(box, 2.0) == [("StatusUpdate", "a")]
    box.heard("Heartbeat", KEY, 3.0)
    box.take(3.5)
    box.failed("unreachable", 3.5)
    assert box.due_at() == pytest.approx(3.5 + FIRST_PAUSE_S)


def test_what_was_refused_is_thrown_away(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    box.heard("Register", KEY, 0.0)
    box.heard("Heartbeat", KEY, 0.0)
    box.take(0.5)
    box.failed("refused", 0.6)
    assert (box.queued, box.dropped, box.due_at()) == (0, {"refused": 2}, inf)


def test_what_is_told_again_does_not_overtake_what_was_said_since(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    box.heard("Register", KEY, 0.0)
    box.take(0.5)
    box.heard("Cancel", KEY, 0.6)
    box.heard("Register", KEY, 0.7)
    box.failed("unreachable", 1.0)
    assert said(box, 2.0) == [("Cancel", "a"), ("Register", "a")]


def test_what_comes_back_takes_no_more_room_than_there_is(registry: Registry, box: Outbox) -> None:
    for number in range(MAX_BATCH):
        box.heard("Cancel", f"mail/{number}", 0.0)
    box.take(0.5)
    for number in range(MAX_WAITING):
        box.heard("Cancel", f"post/{number}", 0.6)
    box.failed("busy", 1.0)
    assert (box.queued, box.dropped) == (MAX_WAITING, {"overflow": MAX_BATCH})
    assert said(box, 2.5)[0] == ("Cancel", "0")


# --- all of it

Step = tuple[str, int, float]
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["register", "register", "beat", "cancel", "override", "clear", "send", "lost", "busy", "unreachable"]
        ),
        st.integers(0, 3),
        st.floats(0.0, 0.2),
    ),
    max_size=60,
)


class Pair:
    """A registry and, behind an outbox, another one that is told of its clients."""

    def __init__(self) -> None:
        self.now = 0.0
        self.here, self.there = a_registry("A"), a_registry("B")
        self.box, self.inbound = Outbox(self.here), Inbound(self.there)

    def send(self, outcome: str = "send") -> None:
        """Lost: the batch arrives, its answer does not."""
        items = self.box.take(self.now)
        if not items:
            return
        if outcome not in ("send", "lost"):
            self.box.failed("busy" if outcome == "busy" else "unreachable", self.now)
            return
        answer = decode_responses(self.inbound.answer(encode_items(items), self.now), len(items))
        if outcome == "lost":
            self.box.failed("busy", self.now)
        else:
            self.box.answered(answer, self.now)

    def take(self, step: Step, stamp: int) -> None:
        action, number, passed_s = step
        self.now += passed_s
        id = "abcd"[number]
        key = f"mail/{id}"
        if action == "register":
            ip = f"192.0.2.{stamp % 200}"
            self.here.register(given(id, dirty_ms=WALL_MS + stamp, ip=ip), self.now)
            self.box.heard("Register", key, self.now)
        elif action not in ("beat", "cancel", "override", "clear"):
            self.send(action)
        elif key in self.here.node.view:
            self._act(action, key)

    def _act(self, action: str, key: str) -> None:
        if action == "beat":
            self.here.renew(key, 0, self.now)
            self.box.heard("Heartbeat", key, self.now)
        elif action == "cancel":
            self.here.cancel(key, self.now)
            self.box.heard("Cancel", key, self.now)
        elif action == "override":
            self.here.override(key, "OUT_OF_SERVICE", 0, self.now)
            self.box.heard("StatusUpdate", key, self.now, "OUT_OF_SERVICE")
        else:
            self.here.clear_override(key, self.now)
            self.box.heard("DeleteStatusOverride", key, self.now)


@drawn(steps)
@settings(max_examples=200, deadline=None)
def test_the_server_ends_up_with_what_is_here_whatever_becomes_of_the_batches(history: list[Step]) -> None:
    pair = Pair()
    for stamp, step in enumerate(history):
        pair.take(step, stamp)
    for _ in range(3):
        for key in [each.key for each in pair.here.all()]:
            pair.box.heard("Heartbeat", key, pair.now)
        pair.send()
    assert pair.box.queued == 0

    def seen(registry: Registry) -> set[tuple[str, str, str, int]]:
        return {(each.key, each.effective, each.ip, each.dirty_ms) for each in registry.all()}

    assert seen(pair.there) == seen(pair.here)


def test_a_batch_survives_the_wire(registry: Registry, box: Outbox) -> None:
    registry.register(given(), 0.0)
    box.heard("Register", KEY, 0.0)
    box.heard("Cancel", "mail/x", 0.0)
    items = box.take(0.5)
    assert decode_items(encode_items(items)) == items
