"""One node's decisions, step by step, seen in its effects."""

from discovery.effects import Changed, Effect, OwnerChanged, Said, Send
from discovery.link import COALESCE_S
from discovery.messages import Entry, Push, PushReply, Sync, SyncReply, Touch, TouchReply
from discovery.node import Node
from discovery.record import UP, Record

PEER = "http://peer"


def new(*seeds: str) -> Node:
    return Node("A", "http://a", seeds, epoch=1_000, wall_at_zero_ms=0, now=0.0)


def record(key: str = "orders/a", lease_s: int = 15) -> Record:
    return Record("orders", key, 1, 0, 0, UP, lease_s, b"")


def sent(effects: list[Effect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def said(effects: list[Effect]) -> list[str]:
    return [effect.event for effect in effects if isinstance(effect, Said)]


def met(node: Node, now: float = 0.1, origin: str = "B@1") -> None:
    """Let the node's first sync with PEER be answered by an empty, covered node."""
    node.tick(now)
    node.replied(PEER, origin, SyncReply(True, [Entry(origin, 0, 0)], []), now)
    node.tick(now)
    node.ready()


def test_a_node_without_seeds_serves_at_once() -> None:
    assert new().covered
    assert new("http://a").covered  # itself is no seed


def test_a_node_serves_when_it_has_all_a_covered_peer_had() -> None:
    node = new(PEER)
    assert not node.covered
    met(node)
    assert node.covered


def test_a_node_whose_seeds_all_refuse_for_a_second_is_alone_and_serves() -> None:
    node = new(PEER)
    for now in (0.0, 0.3, 0.6, 0.9, 1.2):
        node.tick(now)
        for send in sent(node.ready()):
            node.failed(send.address, send.message, refused=True, now=now)
        assert node.covered == (now > 1.0)


def test_a_silent_seed_is_waited_for_at_most_three_seconds() -> None:
    node = new(PEER)
    node.tick(0.0)
    node.tick(2.9)
    assert not node.covered
    node.tick(3.0)
    assert node.covered


def test_a_write_is_pushed_once_and_not_again_when_acknowledged() -> None:
    node = new(PEER)
    met(node)
    node.put(record(), 1.0)
    node.tick(1.0 + COALESCE_S)
    (push,) = [send for send in sent(node.ready()) if isinstance(send.message, Push)]
    assert isinstance(push.message, Push)
    assert [each.key for delta in push.message.deltas for each in delta.records] == ["orders/a"]
    node.replied(PEER, "B@1", PushReply({node.origin: 1}), 1.01)
    node.tick(1.02)
    assert [send for send in sent(node.ready()) if isinstance(send.message, Push)] == []
    assert node.told


def test_a_push_that_was_lost_is_made_again() -> None:
    node = new(PEER)
    met(node)
    node.put(record(), 0.2)
    node.tick(0.3)
    (push,) = [send for send in sent(node.ready()) if isinstance(send.message, Push)]
    node.failed(PEER, push.message, refused=False, now=0.5)
    assert not node.told
    node.tick(0.8)
    again = sent(node.ready())
    assert Sync in {type(send.message) for send in again}
    node.replied(PEER, "B@1", SyncReply(True, [Entry("B@1", 0, 0), Entry(node.origin, 0, 0)], []), 0.81)
    node.tick(0.9)
    again += sent(node.ready())
    assert [send.message for send in again if isinstance(send.message, Push)] == [push.message]


def test_a_heartbeat_at_another_node_is_forwarded_to_the_living_owner() -> None:
    node, owner = new(PEER), Node("B", PEER, [], 1, 0, 0.0)
    owner.put(record(), 0.0)
    node.tick(0.0)
    (sync,) = sent(node.ready())
    reply = owner.receive(node.origin, sync.message, 0.0)
    node.replied(PEER, owner.origin, reply, 0.0)
    assert node.renew("orders/a", 1.0) == "forwarded"
    node.tick(1.3)
    touches = [send.message for send in sent(node.ready()) if isinstance(send.message, Touch)]
    assert touches == [Touch(["orders/a"])]
    assert owner.receive(node.origin, touches[0], 1.3) == TouchReply([])


def test_a_heartbeat_for_a_dead_owner_takes_the_lease_over() -> None:
    node, owner = new(PEER), Node("B", PEER, [], 1, 0, 0.0)
    owner.put(record(), 0.0)
    node.tick(0.0)
    (sync,) = sent(node.ready())
    node.replied(PEER, owner.origin, owner.receive(node.origin, sync.message, 0.0), 0.0)
    for now in (1.1, 1.4):
        node.tick(now)
        for send in sent(node.ready()):
            node.failed(send.address, send.message, refused=True, now=now)
    assert OwnerChanged(owner.origin, "dead") in node.ready()
    assert node.renew("orders/a", 2.0) == "adopted"
    assert node.leases == 1
    held = node.view.get("orders/a")
    assert held is not None
    assert held[0] == node.origin


def test_an_unknown_heartbeat_is_told_so() -> None:
    assert new().renew("orders/a", 0.0) == "unknown"


def test_an_expired_lease_is_dropped_and_said() -> None:
    node = new()
    node.put(record(), 0.0)
    node.ready()
    now = 0.0
    while "orders/a" in node.view:
        now = node.next_deadline()
        node.tick(now)
    assert 15 < now <= 16
    effects = node.ready()
    assert said(effects) == ["lease.expired"]
    assert [change.after for effect in effects if isinstance(effect, Changed) for change in effect.changes] == [None]


def test_nobody_else_may_write_this_nodes_log() -> None:
    node = new()
    other = Node("A", "http://x", [], 1_000, 0, 0.0)
    other.put(record("orders/forged"), 0.0)
    other.tick(0.0)
    forged = other.receive("X@1", Sync("http://y", True, []), 0.0)
    assert isinstance(forged, SyncReply)
    node.receive("X@1", Push(forged.deltas), 0.0)
    assert "orders/forged" not in node.view


def test_a_node_whose_clock_went_back_writes_above_its_former_boot() -> None:
    node = new(PEER)
    node.put(record(), 0.0)
    node.tick(0.0)
    node.replied(PEER, "B@1", SyncReply(True, [Entry("B@1", 0, 0), Entry("A@5000", 3, 0)], []), 0.1)
    assert int(node.origin.partition("@")[2]) > 5000
    assert "orders/a" in node.view
    assert node.renew("orders/a", 1.0) == "ours"


def test_idle_nodes_do_not_wake_more_than_once_a_second_per_duty() -> None:
    node = new(PEER)
    met(node)
    wakes, now = 0, 0.1
    while now < 20:
        now = node.next_deadline()
        node.tick(now)
        wakes += 1
        for send in sent(node.ready()):
            node.replied(send.address, "B@1", SyncReply(True, [Entry("B@1", 0, 0)], []), now)
    assert wakes <= 2 * 20 + 2
