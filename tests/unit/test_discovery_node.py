"""One node's decisions, step by step, seen in its effects."""

from typing import Any

import msgspec

from discovery.effects import Changed, Effect, OwnerChanged, Said, Send
from discovery.image import Image
from discovery.messages import (
    Entry,
    Fact,
    Ping,
    Pong,
    Push,
    PushReply,
    Refused,
    Sender,
    Sync,
    SyncReply,
    Touch,
    TouchReply,
)
from discovery.node import Node
from discovery.policy import Policy
from discovery.record import UP, Record
from discovery.registration import Registration, pack
from tests.fakes import a_node

PEER = "http://peer"
B = Sender("B@1", PEER)
COALESCE_S = Policy().coalesce_s


def new(*seeds: str, wall_ms: int = 1_000, **more: Any) -> Node:
    return a_node(seeds=seeds, wall_ms=wall_ms, **more)


def record(key: str = "orders/a", lease_s: int = 15) -> Record:
    body = pack(Registration(app="ORDERS", instance=key.partition("/")[2], host="h", ip="192.0.2.1"))
    return Record("orders", key, 1, 0, 0, UP, lease_s, body)


def entry(origin: str, max_seq: int = 0, dead_s: float = -1.0) -> Entry:
    return Entry(origin, max_seq, 0, 0, dead_s)


def state(*entries: Entry, facts: list[Fact] | None = None, forgotten: dict[str, int] | None = None) -> SyncReply:
    """A covered peer's answer to a sync."""
    return SyncReply(True, list(entries), facts or [], forgotten or {}, [])


def sent(effects: list[Effect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def said(effects: list[Effect]) -> list[str]:
    return [effect.event for effect in effects if isinstance(effect, Said)]


def answer(node: Node, send: Send, now: float) -> None:
    """As an empty, covered peer would."""
    replies = {Sync: state(entry("B@1")), Ping: Pong(0, []), Push: PushReply({}), Touch: TouchReply([])}
    node.replied(send.address, send.message, B, replies[type(send.message)], now)


def met(node: Node, now: float = 0.1) -> None:
    """Let the node meet PEER, and tell it all there is to tell."""
    for _ in range(4):
        node.tick(now)
        for send in sent(node.ready()):
            answer(node, send, now)
    node.ready()


def refuse_all(node: Node, until: float, now: float = 0.0) -> list[Effect]:
    """Go on to a time with every call refused; returns what else happened."""
    others: list[Effect] = []
    while now < until:
        now = max(min(node.next_deadline(), until), now + 1e-9)
        node.tick(now)
        for effect in node.ready():
            if isinstance(effect, Send):
                node.failed(effect.address, effect.message, True, now)
            else:
                others.append(effect)
    return others + [effect for effect in node.ready() if not isinstance(effect, Send)]


def test_a_node_without_seeds_serves_at_once() -> None:
    assert new().covered
    assert new("http://a").covered  # itself is no seed


def test_a_node_serves_when_it_has_all_a_covered_peer_had() -> None:
    node = new(PEER)
    assert not node.covered
    assert node.why_not_ready() == ["joining its peers"]
    met(node)
    assert node.covered


def test_a_node_whose_seeds_all_refuse_for_a_second_is_alone_and_serves() -> None:
    node = new(PEER)
    refuse_all(node, 0.99)
    assert not node.covered
    refuse_all(node, 1.3, now=0.99)
    assert node.covered


def test_a_silent_seed_is_waited_for_at_most_three_seconds() -> None:
    node = new(PEER)
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
    node.replied(PEER, push.message, B, PushReply({node.origin: (1, 0)}), 1.01)
    node.tick(1.02)
    assert [send for send in sent(node.ready()) if isinstance(send.message, Push)] == []
    assert node.told


def test_a_push_that_was_lost_is_made_again() -> None:
    node = new(PEER)
    met(node)
    node.put(record(), 0.2)
    node.tick(0.3)
    (push,) = [send for send in sent(node.ready()) if isinstance(send.message, Push)]
    node.failed(PEER, push.message, False, 0.35)
    assert not node.told
    node.tick(0.6)
    again = [send.message for send in sent(node.ready()) if isinstance(send.message, Push)]
    assert again == [push.message]


def of_a_peer(*keys: str) -> tuple[Node, Node]:
    """A node that has learned the given instances from their owner."""
    node, owner = new(PEER), new(name="B", address=PEER, wall_ms=1)
    for key in keys:
        owner.put(record(key), 0.0)
    owner.tick(0.05)
    for _ in range(4):
        node.tick(0.05)
        for send in sent(node.ready()):
            reply = owner.receive(node.sender, send.message, 0.05)
            node.replied(PEER, send.message, owner.sender, reply, 0.05)
    assert len(node.view) == len(keys)
    return node, owner


def test_a_heartbeat_at_another_node_is_forwarded_to_the_living_owner() -> None:
    node, owner = of_a_peer("orders/a")
    assert node.renew("orders/a", 0.1) == "forwarded"
    node.tick(0.4)
    touches = [send.message for send in sent(node.ready()) if isinstance(send.message, Touch)]
    assert touches == [Touch(["orders/a"])]
    assert owner.receive(node.sender, touches[0], 0.4) == TouchReply([])


def test_a_heartbeat_that_cannot_be_forwarded_takes_the_lease_over() -> None:
    node, owner = of_a_peer("orders/a")
    node.renew("orders/a", 0.1)
    for now in (0.4, 5.2):
        held = node.view.get("orders/a")
        assert held is not None
        assert held[0] == owner.origin
        node.tick(now)
        (touch,) = [send.message for send in sent(node.ready()) if isinstance(send.message, Touch)]
        node.failed(PEER, touch, False, now)
    held = node.view.get("orders/a")
    assert held is not None
    assert held[0] == node.origin != owner.origin


def test_a_judgement_says_what_it_rests_on() -> None:
    node, owner = of_a_peer("orders/a")
    refuse_all(node, 3.0, now=0.1)
    evidence = node.evidence(owner.origin)
    assert (evidence["silent_s"], evidence["left"]) == (3.0, False)
    assert node.evidence("B@0") == {"former": True}


def test_heartbeats_for_a_dead_owner_take_the_leases_over() -> None:
    node, owner = of_a_peer("orders/a", "orders/b", "orders/c")
    effects = refuse_all(node, 3.0, now=0.1)
    assert OwnerChanged(owner.origin, "dead") in effects
    assert node.renew("orders/a", 3.1) == "adopted"
    assert node.renew_all(["orders/a", "orders/b", "orders/x"], 3.2) == {"orders/b": "adopted", "orders/x": "unknown"}
    assert node.leases == 2
    assert len(node.view) == 3


def test_an_unknown_heartbeat_is_told_so() -> None:
    assert new().renew("orders/a", 0.0) == "unknown"


def run(node: Node, until: float) -> None:
    """Time passes and the process runs."""
    now = 0.0
    while now < until:
        now = min(max(node.next_deadline(), now), until)
        node.tick(now)


def test_an_expired_lease_is_dropped_and_said() -> None:
    node = new()
    node.put(record(), 0.0)
    node.ready()
    run(node, 14.9)
    assert "orders/a" in node.view
    run(node, 16.1)
    effects = node.ready()
    assert said(effects) == ["lease.expired"]
    assert [change.after for effect in effects if isinstance(effect, Changed) for change in effect.changes] == [None]


def test_nobody_else_may_write_this_nodes_log() -> None:
    node, twin = new(), new(address="http://x")
    twin.put(record("orders/forged"), 0.0)
    twin.tick(0.1)
    forged = twin.receive(Sender("X@1", "http://y"), Sync(True, [], [], {}), 0.1)
    assert isinstance(forged, SyncReply)
    assert forged.deltas[0].origin == node.origin
    node.receive(Sender("X@1", "http://y"), Push(forged.deltas, []), 0.1)
    assert "orders/forged" not in node.view


def test_a_second_node_of_one_name_is_kept_out_both_ways() -> None:
    node, twin = new(PEER), new(address=PEER, wall_ms=9_000)
    refused = node.receive(twin.sender, Ping(0, []), 0.0)
    assert isinstance(refused, Refused)
    assert "another node named A is running at http://a" in refused.text
    node.replied(PEER, Sync(True, [], [], {}), twin.sender, state(entry(twin.origin, 5)), 0.1)
    assert "peer.refused" in said(node.ready())
    assert node.origin == "A@1000"


def test_a_refused_node_says_so_does_not_serve_and_waits() -> None:
    node = new(PEER)
    node.tick(0.0)
    for send in sent(node.ready()):
        node.replied(PEER, send.message, B, Refused("full", "the mesh has 16 nodes"), 0.1)
    assert said(node.ready()) == ["node.refused"]
    node.tick(4.0)
    assert not node.covered
    assert node.why_not_ready() == ["the mesh has 16 nodes"]
    assert node.next_deadline() > 4.0
    met(node, 6.0)
    assert node.covered


def test_a_mesh_takes_as_many_nodes_as_it_may_have() -> None:
    node = new(policy=Policy(members_max=2))
    assert not isinstance(node.receive(B, Ping(0, []), 0.0), Refused)
    full = node.receive(Sender("C@1", "http://c"), Ping(0, []), 0.0)
    assert isinstance(full, Refused)
    assert full.why == "full"
    assert not isinstance(node.receive(Sender("B@2", PEER), Ping(0, []), 0.0), Refused)


def test_a_node_whose_clock_went_back_writes_above_its_former_boot() -> None:
    node = new(PEER)
    node.put(record(), 0.0)
    node.tick(0.0)
    node.replied(PEER, Sync(False, [], [], {}), B, state(entry("B@1"), entry("A@5000", 3)), 0.1)
    assert int(node.origin.partition("@")[2]) > 5000
    assert "orders/a" in node.view
    assert node.renew("orders/a", 1.0) == "ours"


def test_a_node_whose_log_was_forgotten_writes_it_anew() -> None:
    node = new(PEER)
    node.put(record(), 0.0)
    node.tick(0.0)
    node.replied(PEER, Sync(False, [], [], {}), B, state(entry("B@1"), forgotten={"A": 2_000}), 0.1)
    assert int(node.origin.partition("@")[2]) > 2_000
    assert "orders/a" in node.view


def test_a_node_that_was_stopped_for_long_fences_itself_before_it_answers() -> None:
    node, owner = of_a_peer("orders/b")
    node.put(record(), 0.1)
    before = node.origin
    assert node.renew("orders/a", 100.0) == "unknown"  # a heartbeat that waited in the socket
    assert node.origin != before
    assert not node.covered
    assert node.leases == 0
    effects = node.ready()
    assert "node.fenced" in said(effects)
    assert OwnerChanged(before, "dead") in effects
    node.tick(100.0)
    for send in sent(node.ready()):
        node.replied(PEER, send.message, owner.sender, owner.receive(node.sender, send.message, 0.2), 100.1)
    node.tick(100.2)
    assert node.covered
    assert node.renew("orders/a", 100.3) == "adopted"


def test_a_short_stop_fences_nobody_and_expires_nobody() -> None:
    node = new()
    node.put(record(), 0.0)
    run(node, 5.0)
    node.tick(34.0)
    assert node.origin == "A@1000"
    assert "orders/a" in node.view


def saved(node: Node, now: float) -> Image:
    image = node.image(now)
    return msgspec.msgpack.decode(msgspec.msgpack.encode(image), type=Image)


def test_what_was_saved_is_served_stale_by_a_node_that_is_alone_until_its_lease_is_over() -> None:
    first = new()
    first.put(record(), 0.0)
    node = new(PEER, wall_ms=50_000, image=saved(first, 1.0))
    assert "orders/a" in node.view
    assert node.stale
    refuse_all(node, 1.3)
    assert node.covered
    assert node.stale
    refuse_all(node, 14.0, now=1.3)
    assert "orders/a" in node.view
    refuse_all(node, 17.0, now=14.0)
    assert "orders/a" not in node.view
    refuse_all(node, 19.0, now=17.0)
    assert not node.stale


def test_what_was_saved_gives_way_to_a_peer_that_serves() -> None:
    first = new()
    first.put(record(), 0.0)
    node = new(PEER, wall_ms=50_000, image=saved(first, 1.0))
    met(node)
    assert node.covered
    assert not node.stale
    assert "orders/a" not in node.view


def test_a_boot_goes_above_the_saved_one_though_the_clock_went_back() -> None:
    image = saved(new(wall_ms=90_000), 1.0)
    again = new(wall_ms=10, image=image)
    assert int(again.origin.partition("@")[2]) > 90_000


def test_members_that_were_saved_are_called_though_no_seed() -> None:
    first = new(PEER)
    met(first)
    node = new(wall_ms=50_000, image=saved(first, 1.0))
    assert not node.covered
    node.tick(0.0)
    assert {send.address for send in sent(node.ready())} == {PEER}


def test_a_record_that_cannot_be_read_is_set_aside_and_holds_up_nothing() -> None:
    node, owner = new(PEER), new(name="B", address=PEER, wall_ms=1)
    owner.put(msgspec.structs.replace(record("orders/bad"), body=b"\xc1"), 0.0)
    owner.put(record("orders/good"), 0.0)
    owner.tick(0.1)
    for _ in range(3):
        node.tick(0.1)
        effects = node.ready()
        for send in sent(effects):
            node.replied(PEER, send.message, owner.sender, owner.receive(node.sender, send.message, 0.1), 0.1)
    assert "orders/good" in node.view
    assert "orders/bad" not in node.view
    assert node.positions()[owner.origin] == 2


def test_a_clock_that_is_far_off_is_said_once() -> None:
    node = new()
    for _ in range(2):
        node.receive(B, Ping(node.wall_ms(0.0) + 3_600_000, []), 0.0)
    (differs,) = [each for each in node.ready() if isinstance(each, Said) and each.event == "clock.differs"]
    assert differs.fields == {"peer": PEER, "by_s": 3600}


def test_a_node_that_leaves_tells_its_peers() -> None:
    node = new(PEER)
    met(node)
    node.depart(1.0)
    assert not node.told
    node.tick(1.01)
    (push,) = [send.message for send in sent(node.ready()) if isinstance(send.message, Push)]
    assert isinstance(push, Push)
    assert [(fact.origin, fact.state) for fact in push.facts if fact.origin == node.origin] == [(node.origin, "left")]
    node.replied(PEER, push, B, PushReply({}), 1.02)
    assert node.told


def test_an_idle_node_wakes_seldom() -> None:
    node = new(PEER)
    met(node)
    wakes, now = 0, 0.1
    while now < 20:
        now = node.next_deadline()
        node.tick(now)
        wakes += 1
        for send in sent(node.ready()):
            answer(node, send, now)
    assert wakes <= 20 * 4 + 2  # a sweep and an offer each second, two probes


def test_a_peer_whose_connection_ended_is_probed_at_once() -> None:
    node = new(PEER)
    met(node)
    node.look_at("http://nobody", 0.2)
    assert sent(node.ready()) == []
    node.look_at(PEER, 0.2)
    assert [(send.address, type(send.message)) for send in sent(node.ready())] == [(PEER, Ping)]
