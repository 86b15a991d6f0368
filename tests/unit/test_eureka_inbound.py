"""What is answered to a batch of a real Eureka server, and what of it is taken in."""

import json
import random
from typing import Any

import msgspec
import pytest

from discovery.eureka import document
from discovery.eureka.decode import Unparsable
from discovery.eureka.inbound import Inbound, listed
from discovery.node import Node
from discovery.registration import Registration
from discovery.registry import Registry
from shared.errors import BadInput, NotFound

WALL_MS = 1_700_000_000_000
KEY = "mail/a"
UNREADABLE = {"statusCode": 400}


@pytest.fixture
def registry() -> Registry:
    return Registry(Node("A", "http://a", [], sysplex="P", now=0.0, wall_ms=WALL_MS, rng=random.Random(1)))


def given(**fields: object) -> Registration:
    first = Registration(app="MAIL", instance="a", host="a.test", ip="192.0.2.1", dirty_ms=WALL_MS)
    return msgspec.structs.replace(first, **fields)


def item(action: str, dirty_ms: int | None = WALL_MS, **fields: Any) -> dict[str, Any]:
    plain = {"appName": "MAIL", "id": "a", "action": action, "lastDirtyTimestamp": dirty_ms}
    return {name: value for name, value in (plain | fields).items() if value is not None}


def registering(given: Registration, **fields: Any) -> dict[str, Any]:
    plain = {"status": given.effective, "instanceInfo": document.instance(given)}
    return item("Register", given.dirty_ms, id=given.instance, **(plain | fields))


def answer(registry: Registry, *items: Any, now: float = 1.0) -> list[dict[str, Any]]:
    body = json.dumps({"replicationList": items}).encode()
    found: list[dict[str, Any]] = json.loads(Inbound(registry).answer(body, now))["responseList"]
    return found


def statuses(registry: Registry, *items: Any, now: float = 1.0) -> list[int]:
    return [each["statusCode"] for each in answer(registry, *items, now=now)]


def written(registry: Registry) -> int:
    """How many records the node has written."""
    return registry.node.positions()[registry.node.origin]


def test_there_is_one_response_for_each_item_in_their_order(registry: Registry) -> None:
    items = [item("Heartbeat"), registering(given()), item("Heartbeat"), item("Cancel"), item("Cancel")]
    assert answer(registry, *items) == [{"statusCode": status} for status in (404, 200, 200, 200, 404)]
    assert answer(registry) == []


class Passing:
    """Time that passes second by second, since a node that was stopped for longer does not count it."""

    def __init__(self, registry: Registry) -> None:
        self._node = registry.node
        self.now = 0

    def until(self, now: int) -> int:
        while self.now < now:
            self.now += 1
            self._node.tick(float(self.now))
        return now


def test_a_lease_runs_out_here_unless_it_is_renewed(registry: Registry) -> None:
    registry.register(given(lease_s=10), 0.0)
    Passing(registry).until(12)
    assert list(registry.all()) == []


# --- Register


def test_a_registration_is_taken_in(registry: Registry) -> None:
    assert statuses(registry, registering(given(metadata={"zone": "south"}))) == [200]
    assert registry.get(KEY).metadata == {"zone": "south"}


def test_what_is_known_is_only_renewed(registry: Registry) -> None:
    registry.register(given(dirty_ms=WALL_MS + 5, lease_s=10), 0.0)
    before = written(registry)
    passing = Passing(registry)
    known = given(dirty_ms=WALL_MS + 5, lease_s=10)
    for now, said in ((8, given(ip="192.0.2.9")), (16, known), (24, known)):
        assert statuses(registry, registering(said), now=passing.until(now)) == [200]
    assert registry.get(KEY).ip == "192.0.2.1"
    assert written(registry) == before


def test_who_has_just_left_does_not_come_back_with_a_late_registration(registry: Registry) -> None:
    registry.register(given(), 0.0)
    registry.cancel(KEY, 1.0)
    assert statuses(registry, registering(given()), now=2.0) == [200]
    with pytest.raises(NotFound):
        registry.get(KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"hostName": ""},
        {"app": "POST"},
        {"dataCenterInfo": {}},
        {"port": {"$": 70000}},
        {"metadata": {"a": "x" * 9000}},
    ],
)
def test_a_registration_that_cannot_be_taken_is_answered_as_eureka_does(
    registry: Registry, changes: dict[str, Any]
) -> None:
    document_ = document.instance(given()) | changes
    assert statuses(registry, item("Register", instanceInfo=document_)) == [200]
    assert list(registry.all()) == []


def test_a_registration_brings_its_override(registry: Registry) -> None:
    out = given(override="OUT_OF_SERVICE")
    assert document.instance(out)["status"] == "OUT_OF_SERVICE"
    assert statuses(registry, registering(out)) == [200]
    assert (registry.get(KEY).override, registry.get(KEY).effective) == ("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    assert statuses(registry, item("DeleteStatusOverride", status="UNKNOWN")) == [200]
    assert registry.get(KEY).effective == "UP"


# --- Heartbeat


def test_a_heartbeat_renews(registry: Registry) -> None:
    registry.register(given(lease_s=10), 0.0)
    passing = Passing(registry)
    for now in (8, 16, 24):
        assert answer(registry, item("Heartbeat", status="UP"), now=passing.until(now)) == [{"statusCode": 200}]
    assert registry.get(KEY).effective == "UP"


@pytest.mark.parametrize("stamp", [None, 0, -1, str(WALL_MS), float(WALL_MS)])
def test_a_stamp_may_be_absent_or_written_otherwise(registry: Registry, stamp: Any) -> None:
    registry.register(given(), 0.0)
    assert statuses(registry, item("Heartbeat", stamp)) == [200]


def test_a_heartbeat_of_what_is_older_here_asks_for_its_registration(registry: Registry) -> None:
    registry.register(given(), 0.0)
    assert answer(registry, item("Heartbeat", WALL_MS + 1)) == [{"statusCode": 404}]
    assert registry.get(KEY).override == "UNKNOWN"


def test_it_may_bring_an_override(registry: Registry) -> None:
    registry.register(given(), 0.0)
    late = item("Heartbeat", WALL_MS + 1, status="OUT_OF_SERVICE", overriddenStatus="OUT_OF_SERVICE")
    assert statuses(registry, late) == [404]
    assert registry.get(KEY).effective == "OUT_OF_SERVICE"
    assert registry.get(KEY).dirty_ms == WALL_MS, "what it has to tell besides is still to come"
    before = written(registry)
    assert statuses(registry, late) == [404]
    assert written(registry) == before


@pytest.mark.parametrize(("overridden", "status"), [("UNKNOWN", 404), ("", 404), ("SLEEPY", 400)])
def test_and_it_may_bring_none(registry: Registry, overridden: str, status: int) -> None:
    registry.register(given(), 0.0)
    registry.override(KEY, "DOWN", 0, 0.0)
    assert statuses(registry, item("Heartbeat", WALL_MS + 1, overriddenStatus=overridden)) == [status]
    assert registry.get(KEY).override == "DOWN"


def test_a_heartbeat_of_what_is_newer_here_is_told_what_it_is(registry: Registry) -> None:
    registry.register(given(ip="192.0.2.7", lease_s=10), 0.0)
    old = item("Heartbeat", WALL_MS - 1, status="UP", overriddenStatus="DOWN")
    passing = Passing(registry)
    [response] = answer(registry, old, now=passing.until(8))
    assert response == {"statusCode": 409, "responseEntity": document.instance(registry.get(KEY))}
    assert response["responseEntity"]["ipAddr"] == "192.0.2.7"
    passing.until(16)
    assert registry.get(KEY).effective == "UP", "it was a renewal all the same, and no override"


# --- the others


def test_overrides_come_and_go(registry: Registry) -> None:
    registry.register(given(), 0.0)
    assert statuses(registry, item("StatusUpdate", WALL_MS + 3, status="OUT_OF_SERVICE")) == [200]
    found = registry.get(KEY)
    assert (found.effective, found.status, found.dirty_ms) == ("OUT_OF_SERVICE", "UP", WALL_MS + 3)
    assert statuses(registry, item("DeleteStatusOverride", None)) == [200]
    assert registry.get(KEY).effective == "UP"


def test_an_override_that_stands_is_not_written_again(registry: Registry) -> None:
    registry.register(given(lease_s=10), 0.0)
    registry.override(KEY, "OUT_OF_SERVICE", 0, 0.0)
    before = written(registry)
    passing = Passing(registry)
    for now in (8, 16):
        assert statuses(registry, item("StatusUpdate", status="OUT_OF_SERVICE"), now=passing.until(now)) == [200]
    assert (written(registry), registry.get(KEY).effective) == (before, "OUT_OF_SERVICE")
    assert statuses(registry, item("DeleteStatusOverride"), now=16) == [200]
    before = written(registry)
    assert statuses(registry, item("DeleteStatusOverride"), now=passing.until(24)) == [200]
    passing.until(32)
    assert (written(registry), registry.get(KEY).effective) == (before, "UP")


def test_but_a_newer_stamp_of_it_is(registry: Registry) -> None:
    registry.register(given(), 0.0)
    registry.override(KEY, "OUT_OF_SERVICE", 0, 0.0)
    assert statuses(registry, item("StatusUpdate", WALL_MS + 4, status="OUT_OF_SERVICE")) == [200]
    assert registry.get(KEY).dirty_ms == WALL_MS + 4


def test_a_batch_that_is_said_again_changes_nothing(registry: Registry) -> None:
    registry.register(given(), 0.0)
    items = [item("Cancel", None), registering(given(dirty_ms=WALL_MS + 3)), item("Heartbeat", WALL_MS + 3)]
    assert statuses(registry, *items) == [200, 200, 200]
    before = written(registry)
    assert statuses(registry, *items) == [200, 200, 200]
    assert (written(registry), registry.get(KEY).dirty_ms) == (before, WALL_MS + 3)


def test_but_who_leaves_last_has_left(registry: Registry) -> None:
    registry.register(given(), 0.0)
    assert statuses(registry, registering(given()), item("Cancel", None)) == [200, 200]
    assert list(registry.all()) == []
    registry.register(given(dirty_ms=WALL_MS + 1), 40.0)
    assert statuses(registry, item("Cancel", None), registering(given(dirty_ms=WALL_MS + 9)), now=41.0) == [200, 200]
    assert registry.get(KEY).override == "UNKNOWN"
    registry.override(KEY, "DOWN", 0, 42.0)
    assert statuses(registry, item("Cancel", None), registering(given(dirty_ms=WALL_MS + 10)), now=43.0) == [200, 200]
    assert registry.get(KEY).override == "UNKNOWN", "its cancellation took the override away"


@pytest.mark.parametrize("action", ["StatusUpdate", "DeleteStatusOverride", "Cancel"])
def test_what_is_unknown_is_404(registry: Registry, action: str) -> None:
    assert answer(registry, item(action, status="UP")) == [{"statusCode": 404}]


def test_the_application_may_be_written_in_any_case(registry: Registry) -> None:
    registry.register(given(), 0.0)
    assert statuses(registry, item("Heartbeat", appName="Mail"), item("Heartbeat", appName="mail")) == [200, 200]


# --- what cannot be understood


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        None,
        [],
        7,
        "Register",
        item("Jump"),
        item("Register"),
        item("Register", instanceInfo=[]),
        item("Heartbeat", id=""),
        item("Heartbeat", appName=""),
        item("Heartbeat", id=None),
        item("Heartbeat", "soon"),
        item("StatusUpdate"),
        item("StatusUpdate", status="SLEEPY"),
    ],
)
def test_one_item_that_cannot_be_understood_does_not_disturb_the_others(registry: Registry, wrong: Any) -> None:
    registry.register(given(), 0.0)
    assert answer(registry, item("Heartbeat"), wrong, item("Heartbeat")) == [
        {"statusCode": 200},
        UNREADABLE,
        {"statusCode": 200},
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", 'expected {"replicationList": [{...}]}'),
        (b"{}", "replicationList"),
        (b'{"replicationList": {}}', "replicationList"),
        (b'{"replicationList": null}', "replicationList"),
        (b"3", 'expected {"replicationList": [{...}]}'),
    ],
)
def test_what_is_no_batch_is_refused_by_name(registry: Registry, body: bytes, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        Inbound(registry).answer(body, 0.0)
    assert said in str(refused.value)
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"<replicationList/>", b"\xff", b'{"replicationList": [' + b"[" * 5000])
def test_what_is_no_json_is_unparsable(registry: Registry, body: bytes) -> None:
    with pytest.raises(Unparsable):
        Inbound(registry).answer(body, 0.0)


def test_an_item_that_is_no_utf8_is_unreadable(registry: Registry) -> None:
    body = b'{"replicationList": [{"appName": "\xff", "id": "x", "action": "Heartbeat"}]}'
    assert json.loads(Inbound(registry).answer(body, 0.0)) == {"responseList": [UNREADABLE]}


def test_fields_of_newer_servers_are_passed_over(registry: Registry) -> None:
    more = registering(given(), somethingNew={"a": [1]})
    assert statuses(registry, more) == [200]
    assert registry.get(KEY).instance == "a"


# --- a server's list


def test_the_instances_of_a_list() -> None:
    documents = [document.instance(given(instance=id)) for id in "abc"]
    apps = document.applications(documents[:2], 1, "UP_2_")
    apps["application"].append({"name": "POST", "instance": documents[2:]})
    found = listed(json.dumps({"applications": apps}).encode())
    assert [json.loads(bytes(each))["instanceId"] for each in found] == ["a", "b", "c"]
    assert listed(b'{"applications": {"versions__delta": "1", "apps__hashcode": "", "application": []}}') == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"applications": []}', b"<applications/>"])
def test_what_is_no_list_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(BadInput, match="list: expected"):
        listed(body)


def test_an_instance_of_a_list_is_taken_in_or_passed_over(registry: Registry) -> None:
    inbound = Inbound(registry)
    assert inbound.take(document.instance(given()), 0.0)
    assert not inbound.take({"app": "MAIL"}, 0.0)
    assert not inbound.take({}, 0.0)
    assert [each.key for each in registry.all()] == [KEY]
