"""What the page shows, as plain values: `/dashboard/state`.

Everything is read from the node when asked; nothing is kept here and nothing decided. Times are wall-clock
milliseconds for people to read, or seconds from now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from discovery.dashboard.comings import Coming, Comings
from discovery.dashboard.matrix import Matrix
from discovery.dashboard.rows import Row, row
from discovery.dashboard.search import Search
from discovery.messages import epoch_of, node_of
from discovery.node import Node
from discovery.zowe.refusal import Refusal

if TYPE_CHECKING:
    from shared.events import Event

EVENTS = 100
REFUSALS = 50
VALUE_CHARS = 300
ITEMS = 3
"""Of a list in an event."""


class Guard(msgspec.Struct, frozen=True):
    """Self-preservation of one kind; `why` is empty while it is off."""

    name: str
    on: bool
    why: str
    since_s: int


class Self(msgspec.Struct, frozen=True, kw_only=True):
    """This node. `stale`: something of what it serves comes from disk and no peer has confirmed it; `doubt`: how much
    it doubts itself, 0 to 8."""

    name: str
    origin: str
    address: str
    begun_ms: int
    ready: bool
    why: list[str]
    stale: bool
    doubt: int
    leases: int
    services: int
    instances: int
    statuses: dict[str, int]
    guards: list[Guard]


class Listed(msgspec.Struct, frozen=True):
    """`rows` are the first of those that match; `sizes`: how many instances their services have."""

    rows: list[Row]
    sizes: dict[str, int]
    matching: int
    total: int


class EurekaServer(Protocol):
    """A real Eureka server that is told what clients say here (`discovery.eureka.replicator`)."""

    @property
    def url(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def queued(self) -> int: ...


class Server(msgspec.Struct, frozen=True):
    url: str
    state: str
    why: str
    queued: int


class Refused(msgspec.Struct, frozen=True):
    """A static definition that is not served; `line` is 0 where the whole file or folder could not be read."""

    file: str
    line: int
    why: str


class Happened(msgspec.Struct, frozen=True):
    """An event of this node; `text` is its fields, in words."""

    seq: int
    at_ms: int
    event: str
    text: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`refusals` counts all, `refused` are the first of them."""

    sysplex: str
    node: Self
    mesh: Matrix
    servers: list[Server]
    refused: list[Refused]
    refusals: int
    instances: Listed
    came: list[Coming]
    went: list[Coming]
    events: list[Happened]


def state(
    sysplex: str,
    node: Node,
    search: Search,
    mesh: Matrix,
    *,
    servers: Iterable[EurekaServer],
    refusals: Sequence[Refusal],
    comings: Comings,
    events: Iterable[Event],
    last: int,
    now: float,
) -> State:
    """`events`: the last ones, oldest first; `last`: how many of those who came and went."""
    return State(
        sysplex=sysplex,
        node=_self(node, search, now),
        mesh=mesh,
        servers=[Server(each.url, each.state, each.why, each.queued) for each in servers],
        refused=[Refused(each.file, each.line, _cut(each.reason)) for each in refusals[:REFUSALS]],
        refusals=len(refusals),
        instances=_listed(node, search, now),
        came=comings.came(last),
        went=comings.went(last),
        events=[_happened(event) for event in reversed(list(events))],
    )


def _self(node: Node, search: Search, now: float) -> Self:
    why = node.why_not_ready()
    return Self(
        name=node_of(node.origin),
        origin=node.origin,
        address=node.address,
        begun_ms=epoch_of(node.origin),
        ready=not why,
        why=why,
        stale=node.stale,
        doubt=node.health_score,
        leases=node.leases,
        services=len(node.view.services()),
        instances=search.total,
        statuses=search.statuses,
        guards=[Guard(each.name, each.on, each.why, int(each.since_s)) for each in node.guards(now)],
    )


def _listed(node: Node, search: Search, now: float) -> Listed:
    owners = node.owners()
    rows = [row(held, node, owners, now) for held in search.shown]
    sizes = {service: node.view.count(service) for service in {each.service for each in rows}}
    return Listed(rows, sizes, search.matching, search.total)


def _happened(event: Event) -> Happened:
    text = ", ".join(f"{name} {_said(value)}" for name, value in event.fields.items())
    return Happened(event.seq, int(event.time * 1000), event.event, text)


def _said(value: object) -> str:
    """Shortened: an event may name thousands of instances."""
    if isinstance(value, list | tuple):
        more = f" and {len(value) - ITEMS} more" if len(value) > ITEMS else ""
        return " ".join(_said(each) for each in value[:ITEMS]) + more if value else "none"
    if isinstance(value, Mapping):
        return _said([f"{key}={each}" for key, each in value.items()])
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS else f"{text[:VALUE_CHARS]}…"
