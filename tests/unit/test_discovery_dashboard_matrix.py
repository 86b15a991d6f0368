"""The matrix of the page: how every node sees every other."""

from __future__ import annotations

from typing import Any

import msgspec

from discovery.dashboard.matrix import NODES, Line, Seen, Sighting, matrix, sighting, there
from discovery.effects import Send
from discovery.messages import Pong, Push, PushReply, Sender, Sync, SyncReply
from tests.fakes import a_node

PEER = Sender("B@1", "http://b")


def seen(name: str, state: Any = "alive", **more: Any) -> Seen:
    fields = {"origin": f"{name}@1", "state_s": 3.7, "suspected_by": [], "lag": 0} | more
    return Seen(address=f"http://{name.lower()}", state=state, **fields)


def line(lines: list[Line], name: str) -> Line:
    return next(each for each in lines if each.place.name == name)


def test_rows_see_and_columns_are_seen() -> None:
    own = Sighting("A@1", [seen("B", lag=4), seen("C", "dead", lag=9), seen("D")])
    theirs = Sighting("B@1", [seen("A"), seen("C", "suspect", suspected_by=["B"]), seen("E", None, origin=None)])
    found = matrix("http://a", own, {"http://b": theirs, "http://d": None})
    assert [each.name for each in found.columns] == ["A", "B", "D", "", "C"]
    assert [each.answered for each in found.lines] == [
        "this node",
        "answered",
        "does not answer",
        "not asked",
        "not asked",
    ]
    assert [each.state for each in found.lines[0].cells] == ["itself", "alive", "alive", "unknown", "dead"]
    assert [each.state for each in found.lines[1].cells] == ["alive", "itself", "unknown", "unmet", "suspect"]
    assert [each.behind for each in found.lines[0].cells] == [0, 4, 0, 0, 0]  # the dead are behind anyway
    assert (found.lines[1].cells[4].by, found.lines[1].cells[4].for_s) == (["B"], 3)
    assert line(found.lines, "C").cells == []


def test_another_address_of_a_node_is_no_node() -> None:
    alias = msgspec.structs.replace(seen("B"), address="http://other", elsewhere=True)
    found = matrix("http://a", Sighting("A@1", [seen("B"), alias]), {})
    assert [each.address for each in found.columns] == ["http://a", "http://b"]
    assert there(Sighting("A@1", [seen("B"), alias, seen("C", "suspect"), seen("D", "left")])) == [
        "http://b",
        "http://c",
    ]


def test_of_many_that_are_gone_the_first_are_shown() -> None:
    gone = [seen(f"X{number:02}", "dead") for number in range(NODES)]
    found = matrix("http://a", Sighting("A@1", [*gone, seen("Z")]), {})
    assert [each.name for each in found.columns][:3] == ["A", "Z", "X00"]
    assert (len(found.columns), len(found.lines), found.more) == (NODES, NODES, 2)


def test_the_own_sight_is_the_nodes_judgement() -> None:
    node = a_node(seeds=[PEER.address])
    assert [(each.address, each.state) for each in sighting(node).peers] == [("http://b", None)]
    node.tick(0.1)
    replies = {Sync: SyncReply(True, [], [], {}, []), Push: PushReply({})}
    for send in [effect for effect in node.ready() if isinstance(effect, Send)]:
        node.replied(send.address, send.message, PEER, replies.get(type(send.message), Pong(0, [])), 0.1)
    assert [(each.origin, each.state) for each in sighting(node).peers] == [("B@1", "alive")]
    assert there(sighting(node)) == ["http://b"]
