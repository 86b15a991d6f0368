"""What any client relies on, at every node of a mesh and in each dialect: the delta leads to the list and its hash.

Random registers, cancels, overrides and passing time at random nodes; messages between the nodes are held back and
delivered at random, too. After each step a client of each node, and one that goes from node to node, applies the delta
to its copy as Eureka's clients do (nothing is done when version and hash are those of last time; a hash that is not the
copy's means: fetch all) and must then have what the list has.
"""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.effects import Changed, Send
from discovery.eureka import document
from discovery.eureka.delta import RETENTION_S
from discovery.eureka.lists import Lists
from discovery.eureka.render import JSON, XML, Dialect
from discovery.eureka.vips import Address
from discovery.registration import Registration
from discovery.registry import Registry
from tests.fakes import a_node

NODES = 3
DIALECTS = [Dialect(media, compact) for media in (JSON, XML) for compact in (False, True)]

Seen = dict[tuple[str, str], tuple[str, str]]
"""(app, instance) → (status, port)."""


class Mesh:
    """Nodes whose messages wait until `deliver`."""

    def __init__(self) -> None:
        self.now = 0.0
        addresses = [f"http://{number}" for number in range(NODES)]
        self.nodes = {
            each: a_node(f"N{number}", each, addresses, rng=random.Random(number))
            for number, each in enumerate(addresses)
        }
        self.registries = [Registry(node) for node in self.nodes.values()]
        self.lists = [Lists(node, worth=0) for node in self.nodes.values()]
        self.waiting: list[tuple[str, Send]] = []
        self.pass_time(5.0)

    def collect(self) -> None:
        for (address, node), lists in zip(self.nodes.items(), self.lists, strict=True):
            for effect in node.ready():
                if isinstance(effect, Changed):
                    lists.note(effect.changes, self.now)
                elif isinstance(effect, Send):
                    self.waiting.append((address, effect))

    def deliver(self, most: int) -> None:
        for _ in range(min(most, len(self.waiting))):
            sender, send = self.waiting.pop(0)
            asking, asked = self.nodes[sender], self.nodes[send.address]
            reply = asked.receive(asking.sender, send.message, self.now)
            asking.replied(send.address, send.message, asked.sender, reply, self.now)
            self.collect()

    def pass_time(self, seconds: float) -> None:
        """In steps of the nodes' own deadlines; what is sent meanwhile arrives."""
        end = self.now + seconds
        while True:
            due = min(node.next_deadline() for node in self.nodes.values())
            self.now = min(max(due, self.now), end)
            if due > end:
                return
            for node in self.nodes.values():
                if node.next_deadline() <= self.now:
                    node.tick(self.now)
            self.collect()
            self.deliver(1000)


def read(data: bytes, media: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """(version and hash, instances) of a list."""
    if media == JSON:
        apps: dict[str, Any] = json.loads(data)["applications"]
        found = [each for app in apps["application"] for each in app["instance"]]
        return {name: apps[name] for name in ("versions__delta", "apps__hashcode")}, [
            {name: each[name] for name in ("app", "instanceId", "status", "actionType")}
            | {"port": str(each["port"]["$"])}
            for each in found
        ]
    root = ET.fromstring(data)
    head = {name: root.findtext(name) or "" for name in ("versions__delta", "apps__hashcode")}
    names = ("app", "instanceId", "status", "actionType", "port")
    return head, [{name: each.findtext(name) or "" for name in names} for each in root.findall("application/instance")]


def whole(lists: Lists, what: Any, dialect: Dialect, now: float) -> bytes:
    found = lists.whole(what, dialect, False, now)
    assert isinstance(found, bytes)
    return found


class Client:
    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.copy: Seen = {}
        self.last: dict[str, str] = {}
        self.fetched = 0

    def poll(self, lists: Lists, now: float) -> None:
        head, changed = read(whole(lists, "delta", self.dialect, now), self.dialect.media)
        if head != self.last:
            self.last = head
            for each in changed:
                key = (each["app"], each["instanceId"])
                if each["actionType"] == "DELETED":
                    self.copy.pop(key, None)
                else:
                    self.copy[key] = (each["status"], each["port"])
            if self.hashcode != head["apps__hashcode"]:
                self.fetched += 1
                self.fetch(lists, now)

    def fetch(self, lists: Lists, now: float) -> None:
        head, listed = read(whole(lists, "apps", self.dialect, now), self.dialect.media)
        self.copy = {(each["app"], each["instanceId"]): (each["status"], each["port"]) for each in listed}
        assert head["versions__delta"] == "1"
        assert head["apps__hashcode"] == self.hashcode

    @property
    def hashcode(self) -> str:
        return document.hashcode(Counter(status for status, _ in self.copy.values()))


def shown(registry: Registry) -> Seen:
    return {(each.app, each.instance): (each.effective, str(each.port)) for each in registry.all()}


Step = tuple[str, int, str, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["register", "register", "cancel", "override", "clear", "deliver", "deliver", "wait", "age"]),
        st.integers(0, NODES - 1),
        st.sampled_from("abc"),
        st.integers(0, 6),
    ),
    min_size=5,
    max_size=30,
)


def take(mesh: Mesh, step: Step) -> None:
    action, at, name, number = step
    registry, key = mesh.registries[at], f"app{number % 2}/{name}"
    if action == "register":
        status = ("UP", "DOWN", "STARTING", "UP")[number % 4]
        app = f"APP{number % 2}"
        one = Registration(app=app, instance=name, host="h", ip="192.0.2.1", port=80 + number, status=status)
        registry.register(one, mesh.now)
    elif action == "cancel":
        registry.cancel(key, mesh.now)
    elif action == "deliver":
        mesh.deliver(number)
    elif action == "wait":
        mesh.pass_time(number)
    elif action == "age":
        mesh.pass_time(RETENTION_S / 4)
    elif key in registry.node.view:
        if action == "override":
            registry.override(key, "OUT_OF_SERVICE", 0, mesh.now)
        else:
            registry.clear_override(key, mesh.now)
    mesh.collect()


@given(steps)
@settings(max_examples=60, deadline=None)
def test_the_delta_leads_to_the_list_and_its_hash_at_every_node(history: list[Step]) -> None:
    mesh = Mesh()
    at_home = [[Client(dialect) for dialect in DIALECTS] for _ in range(NODES)]
    traveller = Client(Dialect(JSON))
    for number, step in enumerate(history):
        take(mesh, step)
        for registry, lists, clients in zip(mesh.registries, mesh.lists, at_home, strict=True):
            for client in clients:
                client.poll(lists, mesh.now)
                assert client.copy == shown(registry)
                assert client.fetched == 0, "a client that stays never needs the whole list"
        home = number % NODES
        traveller.poll(mesh.lists[home], mesh.now)
        assert traveller.hashcode == mesh.lists[home].hashcode
    mesh.pass_time(10.0)
    assert shown(mesh.registries[0]) == shown(mesh.registries[1]) == shown(mesh.registries[2])


@given(steps)
@settings(max_examples=30, deadline=None)
def test_a_delta_has_one_version_exactly_as_long_as_it_says_the_same(history: list[Step]) -> None:
    mesh = Mesh()
    said: dict[str, list[dict[str, str]]] = {}
    for step in history:
        take(mesh, step)
        for lists in mesh.lists:
            head, changed = read(whole(lists, "delta", Dialect(XML), mesh.now), XML)
            changed.sort(key=lambda each: (each["app"], each["instanceId"]))
            assert said.setdefault(head["versions__delta"], changed) == changed
            assert 0 < int(head["versions__delta"]) < 2**63


def test_virtual_addresses_are_elements_of_comma_lists_and_follow_changes() -> None:
    mesh = Mesh()
    registry, lists = mesh.registries[0], mesh.lists[0]
    one = Registration(app="MAIL", instance="m", host="h", ip="192.0.2.1", vip="mail,smtp", secure_vip="mails")

    def at(kind: Any, name: str) -> tuple[dict[str, str], list[str]]:
        mesh.collect()
        found = lists.vip(Address(kind, name), Dialect(JSON), False, mesh.now)
        assert isinstance(found, bytes)
        head, listed = read(found, JSON)
        return head, [each["instanceId"] for each in listed]

    assert at("vips", "smtp") == ({"versions__delta": "-1", "apps__hashcode": ""}, [])
    registry.register(one, mesh.now)
    assert at("vips", "smtp") == ({"versions__delta": "-1", "apps__hashcode": "UP_1_"}, ["m"])
    assert (at("vips", "smt")[1], at("vips", "SMTP")[1], at("svips", "smtp")[1], at("svips", "mails")[1]) == (
        [], [], [], ["m"],
    )  # fmt: skip
    registry.register(Registration(app="MAIL", instance="m", host="h", ip="192.0.2.1", vip="imap"), mesh.now)
    assert (at("vips", "smtp")[1], at("vips", "imap")[1]) == ([], ["m"])
    registry.cancel("mail/m", mesh.now)
    assert at("vips", "imap")[1] == []
