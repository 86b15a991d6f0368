"""What a discovery node tells of instances that came, went or changed: few events, whatever happens."""

from __future__ import annotations

from typing import Any

from discovery.bulletin import NAMES, SERVICES, Bulletin
from discovery.effects import Changed, Send
from discovery.messages import Fact, Ping, Pong, Push, Sender
from discovery.record import UP, Record
from discovery.registration import Registration, pack
from discovery.registry import Registry
from discovery.space import Delta
from tests.fakes import a_node

WALL_MS = 1_700_000_000_000
PEER = Sender("B@1", "http://b")
C = Sender("C@1", "http://c")


def given(instance: str = "a", app: str = "ORDERS", **fields: Any) -> Registration:
    return Registration(instance=instance, app=app, host="a.test", ip="192.0.2.1", port=8080, lease_s=15, **fields)


class Told:
    """A node whose changes are noted; `news` takes what there is to tell, `until` lets time pass."""

    def __init__(self, name: str = "A") -> None:
        self.registry = Registry(a_node(name))
        self.node = self.registry.node
        self.bulletin = Bulletin(self.node)

    def news(self, now: float = 0.0) -> list[tuple[str, dict[str, object]]]:
        for effect in self.node.ready():
            match effect:
                case Changed(changes):
                    self.bulletin.note(changes, now)
                case Send(C.address, Ping() as ping):
                    self.node.replied(C.address, ping, C, Pong(WALL_MS, []), now)
        return self.bulletin.take()

    def until(self, end: float) -> list[tuple[str, dict[str, object]]]:
        """Time passes; C answers when it is asked."""
        now, news = 0.0, []
        while now < end:
            now = min(max(self.node.next_deadline(), now), end)
            self.node.tick(now)
            news += self.news(now)
        return news

    def hear(self, *keys: str) -> None:
        """B has these in its log."""
        records = [
            Record(key.partition("/")[0], key, 1, 1, seq, UP, 15, pack(given(key.partition("/")[2])))
            for seq, key in enumerate(keys, 1)
        ]
        delta = Delta(PEER.origin, 0, 0, len(records), False, len(records), records)
        self.node.receive(PEER, Push([delta], []), 0.0)


def one(event: str, key: str = "orders/a", **more: object) -> list[tuple[str, dict[str, object]]]:
    return [(event, {"service": "orders", "count": 1, "instances": [key], **more})]


def test_an_instance_registers_changes_and_leaves() -> None:
    told = Told()
    told.registry.register(given(dirty_ms=WALL_MS), 0.0)
    assert told.news() == one("instances.registered")
    told.registry.override("orders/a", "OUT_OF_SERVICE", 0, 0.0)
    assert told.news() == one("instances.status", status="OUT_OF_SERVICE", before="UP")
    told.registry.register(given(dirty_ms=WALL_MS + 9), 0.0)
    assert told.news() == one("instances.registered", again=True)
    told.registry.cancel("orders/a", 0.0)
    assert told.news() == one("instances.left")


def test_a_heartbeat_is_no_news() -> None:
    told = Told()
    told.registry.register(given(), 0.0)
    told.news()
    told.registry.renew("orders/a", 0, 1.0)
    assert told.news() == []


def test_an_instance_expires() -> None:
    told = Told()
    told.registry.register(given(), 0.0)
    told.news()
    assert told.until(16.5) == one("instances.expired", why="no heartbeat within its lease of 15 s")


def test_what_another_node_holds_is_its_own_to_tell() -> None:
    told = Told()
    told.hear("orders/a")
    assert told.news() == []


def dead(told: Told) -> list[tuple[str, dict[str, object]]]:
    """B, which holds one lease, dies and stays so."""
    told.hear("orders/a")
    told.news()
    told.node.receive(C, Ping(WALL_MS, [Fact(PEER.origin, PEER.address, 0, "left")]), 0.1)
    return told.until(20.0)


def test_of_a_dead_nodes_instances_the_first_that_is_there_tells() -> None:
    why = "B, which held the lease, is gone, and no other node had a heartbeat"
    assert dead(Told("A")) == one("instances.expired", why=why)
    assert dead(Told("D")) == []


def test_a_lease_that_is_taken_over_is_told_with_who_held_it() -> None:
    told = Told()
    told.hear("orders/a")
    told.node.receive(C, Ping(WALL_MS, [Fact(PEER.origin, PEER.address, 0, "left")]), 0.1)
    told.news()
    assert told.node.renew("orders/a", 0.2) == "adopted"
    assert told.news() == one("instances.adopted", node="B")


def test_a_storm_of_one_service_is_one_event() -> None:
    told = Told()
    for number in range(2000):
        told.registry.register(given(f"i{number}"), 0.0)
    names = [f"orders/i{number}" for number in range(NAMES)]
    fields = {"service": "orders", "count": 2000, "instances": names}
    assert told.news() == [("instances.registered", fields)]
    assert told.news() == []


def test_a_storm_of_many_services_is_one_event() -> None:
    told = Told()
    for number in range(SERVICES):
        told.registry.register(given(app=f"S{number}"), 0.0)
    assert len(told.news()) == SERVICES
    for number in range(500):
        told.registry.register(given(app=f"T{number}"), 0.0)
        told.registry.register(given("b", app=f"T{number}"), 0.0)
    [(event, fields)] = told.news()
    assert (event, fields["count"], fields["services"]) == ("instances.registered", 1000, 500)
    assert len(fields["instances"]) == NAMES  # type: ignore[arg-type]
