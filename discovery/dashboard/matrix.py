"""How every node sees every other: rows see, columns are seen, both in the same order at each node.

The own row is this node's judgement; the others' are what they say themselves when asked (GET /v1/peers). A node that
is thought to be there and does not answer is worth a look; one that is not there is not asked.

Nodes that are gone stay known for a day, under each address they had, so only the first `NODES` are shown, those that
are there before the others.

Not here: the asking (`discovery.dashboard.sight`), how a judgement is made (`discovery.membership`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from discovery.messages import MemberState, node_of
from discovery.node import Node

NODES = 20

State = Literal["alive", "suspect", "dead", "left", "unmet", "unknown", "itself"]
"""Of a peer, as a node sees it; `unmet`: nobody has answered there yet, `unknown`: it has never heard of it."""

Answered = Literal["this node", "answered", "does not answer", "not asked"]


class Seen(msgspec.Struct, frozen=True):
    """One peer in a node's own words: what the matrix needs of `/v1/peers`."""

    address: str
    origin: str | None
    state: MemberState | None
    state_s: float
    suspected_by: list[str]
    lag: int
    elsewhere: bool = False


class Sighting(msgspec.Struct, frozen=True):
    """`node` is the boot of the one who sees."""

    node: str
    peers: list[Seen]


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """`for_s`: how long it has been so; `behind`: changes of the row's node that the column's has not confirmed."""

    state: State
    for_s: int = 0
    behind: int = 0
    by: list[str] = []


class Place(msgspec.Struct, frozen=True):
    """`name` is empty where nobody has answered yet."""

    address: str
    name: str


class Line(msgspec.Struct, frozen=True):
    """How one node sees them all; no cells when it has not told."""

    place: Place
    answered: Answered
    cells: list[Cell]


class Matrix(msgspec.Struct, frozen=True):
    """`more`: how many are not shown."""

    columns: list[Place]
    lines: list[Line]
    more: int


def sighting(node: Node) -> Sighting:
    """This node's own."""
    peers = [
        Seen(each.address, each.origin, each.state, each.state_s, list(each.suspected_by), each.lag, each.elsewhere)
        for each in node.peers()
    ]
    return Sighting(node.origin, peers)


def there(own: Sighting) -> list[str]:
    """The addresses to be asked."""
    return [each.address for each in own.peers if each.state in ("alive", "suspect") and not each.elsewhere]


def matrix(address: str, own: Sighting, others: Mapping[str, Sighting | None]) -> Matrix:
    """`address` is this node's; `others` are by address, None where it did not answer."""
    told = {address: own, **{each: seen for each, seen in others.items() if seen is not None}}
    names = _names(told)
    present = {address, *there(own)}
    order = sorted(names, key=lambda each: (each not in present, names[each], each))
    columns = [Place(each, names[each]) for each in order[:NODES]]
    lines = []
    for place in columns:
        seen = told.get(place.address)
        cells = [_cell(place.address, column.address, seen) for column in columns] if seen else []
        lines.append(Line(place, _answered(place.address, address, others), cells))
    return Matrix(columns, lines, len(order) - len(columns))


def _names(told: Mapping[str, Sighting]) -> dict[str, str]:
    """Address to name, of all that any of them knows."""
    names = {address: node_of(seen.node) for address, seen in told.items()}
    for peer in _listed(told.values()):
        if not names.get(peer.address):
            names[peer.address] = node_of(peer.origin) if peer.origin else ""
    return names


def _listed(sightings: Iterable[Sighting]) -> list[Seen]:
    return [peer for seen in sightings for peer in seen.peers if not peer.elsewhere]


def _answered(address: str, own: str, others: Mapping[str, Sighting | None]) -> Answered:
    if address == own:
        return "this node"
    if address not in others:
        return "not asked"
    return "does not answer" if others[address] is None else "answered"


def _cell(who: str, whom: str, seen: Sighting) -> Cell:
    if who == whom:
        return Cell("itself")
    peer = next((each for each in seen.peers if each.address == whom), None)
    if peer is None:
        return Cell("unknown")
    if peer.state is None:
        return Cell("unmet")
    behind = peer.lag if peer.state in ("alive", "suspect") else 0
    return Cell(peer.state, int(peer.state_s), behind, peer.suspected_by)
