"""What the page of a node shows: rows, searches, who came and went, the node itself."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from discovery.dashboard.comings import RING, Coming, Comings
from discovery.dashboard.matrix import matrix, sighting
from discovery.dashboard.rows import Row, row
from discovery.dashboard.search import Search
from discovery.dashboard.state import EVENTS, REFUSALS, Refused, State, state
from discovery.effects import Changed
from discovery.messages import Push, Sender
from discovery.node import Node
from discovery.record import DOWN, LEFT, UP, Record
from discovery.registration import Registration, pack
from discovery.registry import Registry
from discovery.space import Delta
from discovery.view import Held
from discovery.zowe.refusal import Refusal
from shared.events import Events
from shared.wire import LPAR_KEY
from tests.fakes import a_node

WALL_MS = 1_700_000_000_000
PEER = Sender("B@1", "http://b")


def given(instance: str = "a", **fields: Any) -> Registration:
    fields = {"app": "ORDERS", "host": "a.test", "ip": "192.0.2.1", "port": 8080, "lease_s": 15} | fields
    return Registration(instance=instance, **fields)


def record(key: str, state: int = UP) -> Record:
    service, _, instance = key.partition("/")
    return Record(service, key, 1, 0, 0, state, 15, pack(given(instance, app=service.upper())))


def new(*registrations: Registration) -> Registry:
    registry = Registry(a_node())
    for each in registrations:
        registry.register(each, 0.0)
    return registry


def searched(node: Node, text: str = "", most: int = 500) -> Search:
    search = Search(text, most)
    for service in node.view.services():
        search.look_at(node.view.of(service))
    return search


def rows(registry: Registry, now: float = 0.0) -> list[Row]:
    node = registry.node
    return [row(held, node, node.owners(), now) for held in searched(node).shown]


def shown(node: Node, now: float = 0.0, text: str = "", most: int = 500, **more: Any) -> State:
    own = sighting(node)
    mesh = matrix(node.address, own, {})
    parts = {"servers": [], "refusals": [], "comings": Comings(node), "events": [], "last": 20} | more
    return state("PLEX1", node, searched(node, text, most), mesh, now=now, **parts)


def told_by_a_peer(node: Node, *records: Record, now: float = 0.0) -> None:
    """B tells what is in its log, and is known from now on."""
    numbered = [each.written(each.rev or 1, number) for number, each in enumerate(records, 1)]
    delta = Delta(PEER.origin, 0, 0, len(numbered), False, len(numbered), numbered)
    node.receive(PEER, Push([delta], []), now)


# --- rows


def test_an_override_is_told_apart_from_what_the_instance_says() -> None:
    registry = new(given("a"), given("b", status="DOWN"), given("c"))
    for instance in "ab":
        registry.override(f"orders/{instance}", "OUT_OF_SERVICE", 0, 1.0)
    assert [(each.status, each.said, each.override) for each in rows(registry)] == [
        ("OUT_OF_SERVICE", "UP", "OUT_OF_SERVICE"),
        ("DOWN", "DOWN", "OUT_OF_SERVICE"),
        ("UP", "UP", None),
    ]


def test_seconds_left_are_shown_of_own_leases_only() -> None:
    registry = new(given("a"))
    told_by_a_peer(registry.node, record("orders/b"))
    assert [(each.owner, each.left_s) for each in rows(registry, now=1.0)] == [("A", 14.0), ("B", None)]
    registry.node.tick(1.0)
    registry.renew("orders/a", 0, 2.0)
    assert rows(registry, now=2.5)[0].left_s == 14.5


def test_a_lease_that_a_guard_keeps_is_over() -> None:
    registry = new(*(given(f"i{number}", lease_s=1) for number in range(60)))
    for now in range(1, 5):
        registry.node.tick(float(now))
    left = rows(registry, now=4.0)[0].left_s
    assert left is not None
    assert left < 0


def test_the_owner_of_a_lease_may_be_dead() -> None:
    registry = new()
    told_by_a_peer(registry.node, record("orders/b"))
    (held,) = searched(registry.node).shown
    assert row(held, registry.node, {"B@1": "dead"}, 0.0).owner_state == "dead"
    assert row(held, registry.node, registry.node.owners(), 0.0).owner_state == "alive"


def test_lpar_and_static_definitions_are_marked() -> None:
    found = rows(new(given("STATIC-h:orders:1"), given("a", metadata={LPAR_KEY: "LPAR2"})))
    assert [(each.static, each.lpar) for each in found] == [(True, ""), (False, "LPAR2")]


@pytest.mark.parametrize(
    ("fields", "addresses"),
    [
        ({}, [("a.test:8080", False)]),
        ({"secure_port_enabled": True, "secure_port": 8443}, [("a.test:8080", False), ("a.test:8443", True)]),
        ({"port_enabled": False, "secure_port_enabled": True, "secure_port": 8443}, [("a.test:8443", True)]),
        ({"port_enabled": False}, [("a.test", False)]),
        ({"host": "2001:db8::1"}, [("[2001:db8::1]:8080", False)]),
    ],
)
def test_addresses_are_those_in_use(fields: dict[str, Any], addresses: list[tuple[str, bool]]) -> None:
    (found,) = rows(new(given(**fields)))
    assert [(each.text, each.secure) for each in found.addresses] == addresses


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "/relative",
        "//elsewhere.test/",
        "http://",
        "http://a.test/\njavascript:alert(1)",
        "vbscript:http://a.test/",
        "",
    ],
)
def test_only_http_urls_become_links(url: str) -> None:
    (found,) = rows(new(given(home_page_url=url, status_page_url=url, health_check_url=url)))
    assert found.links == {}


def test_links_are_what_the_instance_gives() -> None:
    urls = {"home_page_url": "http://a.test/", "status_page_url": "HTTPS://a.test/info?x=%22"}
    (found,) = rows(new(given(**urls, secure_health_check_url="https://a.test/health")))
    assert found.links == {
        "home": "http://a.test/",
        "status": "HTTPS://a.test/info?x=%22",
        "health": "https://a.test/health",
    }


# --- search


def held(*instances: str, state: int = UP) -> list[Held]:
    return [("A@1", record(f"orders/{each}", state)) for each in instances]


def found(text: str, most: int = 500) -> Search:
    search = Search(text, most)
    search.look_at(held("Alpha", "beta-down", "gamma"))
    search.look_at(held("delta", state=DOWN))
    return search


def test_the_first_are_shown_and_all_are_counted() -> None:
    search = found("", most=2)
    assert [each[1].key for each in search.shown] == ["orders/Alpha", "orders/beta-down"]
    assert (search.matching, search.total) == (4, 4)
    assert search.statuses == {"UP": 3, "DOWN": 1}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("alpha", ["Alpha"]),
        ("orders", ["Alpha", "beta-down", "gamma", "delta"]),
        ("orders/g", ["gamma"]),
        ("DOWN", ["delta"]),
        ("down", ["beta-down", "delta"]),
        ("down BETA", ["beta-down"]),
        ("UP DOWN", []),
        ("nothing", []),
    ],
)
def test_all_words_must_match(text: str, keys: list[str]) -> None:
    search = found(text)
    assert [each[1].key for each in search.shown] == [f"orders/{key}" for key in keys]
    assert search.matching == len(keys)
    assert search.total == 4


def test_a_limited_table_says_how_many_a_service_has() -> None:
    node = new(*(given(f"i{number}") for number in range(5))).node
    listed = shown(node, most=3).instances
    assert [len(listed.rows), listed.matching, listed.total, listed.sizes] == [3, 5, 5, {"orders": 5}]


# --- comings


class Heard:
    """A registry whose changes are noted after each step, by a second each."""

    def __init__(self) -> None:
        self.registry = new()
        self.node = self.registry.node
        self.comings = Comings(self.node)
        self.now = 0.0

    def note(self) -> None:
        for effect in self.node.ready():
            if isinstance(effect, Changed):
                self.comings.note(effect.changes, self.now)
        self.now += 1.0


def test_who_came_and_who_went_and_why() -> None:
    heard = Heard()
    for instance in ("a", "b"):
        heard.registry.register(given(instance), heard.now)
        heard.note()
    heard.registry.cancel("orders/a", heard.now)
    heard.note()
    assert heard.comings.came() == [
        Coming(WALL_MS + 1000, "orders", "b", "A", ""),
        Coming(WALL_MS, "orders", "a", "A", ""),
    ]
    assert heard.comings.went() == [Coming(WALL_MS + 2000, "orders", "a", "A", "deregistered")]
    while heard.now < 20:
        heard.node.tick(heard.now)
        heard.note()
    assert [(each.instance, each.why) for each in heard.comings.went()] == [
        ("b", "its lease ran out"),
        ("a", "deregistered"),
    ]


def test_a_newer_process_registers_again_and_a_changed_status_is_no_registration() -> None:
    heard = Heard()
    heard.registry.register(given(dirty_ms=WALL_MS), heard.now)
    heard.note()
    heard.registry.override("orders/a", "OUT_OF_SERVICE", 0, heard.now)
    heard.note()
    assert [each.why for each in heard.comings.came()] == [""]
    heard.registry.register(given(dirty_ms=WALL_MS + 9), heard.now)
    heard.note()
    assert [each.why for each in heard.comings.came()] == ["again", ""]
    assert heard.comings.heard == 3


def test_what_another_node_tells_is_told_with_its_name() -> None:
    heard = Heard()
    told_by_a_peer(heard.node, record("orders/b"))
    heard.note()
    assert [(each.instance, each.node) for each in heard.comings.came()] == [("b", "B")]
    left = record("orders/b").buried(LEFT)
    heard.node.receive(PEER, Push([Delta(PEER.origin, 1, 0, 2, False, 2, [left.written(9, 2)])], []), heard.now)
    heard.note()
    assert [(each.node, each.why) for each in heard.comings.went()] == [("B", "deregistered")]


def test_the_last_thousand_of_each_are_kept_even_of_a_flood() -> None:
    heard = Heard()
    for number in range(RING + 1):
        heard.registry.register(given(f"i{number}"), 0.0)
    heard.registry.register(given("last"), 0.0)
    heard.note()
    assert len(heard.comings.came()) == RING
    assert [each.instance for each in heard.comings.came(2)] == ["last", f"i{RING}"]
    assert heard.comings.heard == RING + 2


# --- the whole


def test_a_node_is_shown_with_its_numbers() -> None:
    registry = new(given("a"), given("b", app="MAIL", status="STARTING"))
    told_by_a_peer(registry.node, record("orders/c"))
    node = shown(registry.node).node
    assert (node.name, node.origin, node.begun_ms) == ("A", f"A@{WALL_MS}", WALL_MS)
    assert (node.ready, node.why, node.stale, node.doubt) == (True, [], False, 0)
    assert (node.instances, node.services, node.leases) == (3, 2, 2)
    assert node.statuses == {"UP": 2, "STARTING": 1}


def test_why_a_node_is_not_ready() -> None:
    node = shown(a_node(seeds=[PEER.address])).node
    assert (node.ready, node.why) == (False, ["joining its peers"])


def test_a_guard_that_is_on_says_why() -> None:
    registry = new(*(given(f"i{number}", lease_s=1) for number in range(60)))
    assert [(each.name, each.on) for each in shown(registry.node).node.guards] == [
        ("owner", False),
        ("isolation", False),
    ]
    for now in range(1, 5):
        registry.node.tick(float(now))
    owner, isolation = shown(registry.node, now=4.0).node.guards
    assert owner.on
    assert "the fault may be this node's" in owner.why
    assert not isolation.on


def test_events_are_newest_first_and_lists_in_them_are_shortened() -> None:
    events = Events(logging.getLogger("test"))
    events.emit("first", instances=["a", "b", "c", "d", "e"], none=[], on=True)
    events.emit("second", why="x" * 1000, fields={"k": "<b>"})
    node = a_node()
    second, first = shown(node, events=events.last(EVENTS)).events
    assert first.text == "instances a b c and 2 more, none none, on yes"
    assert (second.event, second.seq) == ("second", 2)
    assert second.text == f"why {'x' * 300}…, fields k=<b>"


def test_eureka_servers_are_shown_without_more_than_is_asked_for() -> None:
    class Peer:
        url, state, why, queued, password = "http://e/", "failing", "Connection refused", 7, "secret"

    found = shown(a_node(), servers=[Peer()]).servers
    assert msgspec.to_builtins(found) == [
        {"url": "http://e/", "state": "failing", "why": "Connection refused", "queued": 7}
    ]
    assert shown(a_node()).servers == []


def test_the_first_refused_definitions_are_shown_and_all_are_counted() -> None:
    refusals = [Refusal("a.yml", number, f"services: {'x' * 1000}") for number in range(REFUSALS + 2)]
    found = shown(a_node(), refusals=refusals)
    assert found.refused[1] == Refused("a.yml", 1, f"services: {'x' * 290}…")
    assert (len(found.refused), found.refusals) == (REFUSALS, REFUSALS + 2)
