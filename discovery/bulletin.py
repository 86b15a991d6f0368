"""Tells of instances that came, went or changed, in few words: an event for a service and a kind of news every 0.2 s.

    instances.registered    again: by a newer process of the same id
    instances.left          they were deregistered
    instances.expired       no heartbeat came, or their node is gone and its time is over
    instances.status        status, and before
    instances.adopted       this node holds the lease now, `node` held it before

Each event has `count`, and in `instances` the keys of the first five. When more than ten services have news of a kind
at a time, they are told as one, with `services` for how many. So thousands that come within seconds make some tens of
events, and push nothing else out of the ring.

Every piece of news is told by one node: the one that holds the lease, or that was told of the end; and where the holder
is dead, the first by name of those that are there. Renewals are no news.

Not here: who came and who went for the node's own page (`discovery.dashboard.comings`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from discovery.messages import node_of
from discovery.node import Node
from discovery.record import LEFT, STATUS_OF
from discovery.view import Change, Held
from shared.events import Events

PERIOD_S = 0.2
NAMES = 5
SERVICES = 10
"""Of a kind of news at a time, each with an event of its own."""


class News(NamedTuple):
    """What is told of several instances together. `details` are further fields of the event."""

    event: str
    details: tuple[tuple[str, object], ...] = ()


@dataclass(slots=True)
class Group:
    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, key: str) -> None:
        self.count += 1
        if len(self.names) < NAMES:
            self.names.append(key)


Told = tuple[str, dict[str, object]]
"""An event and its fields."""


class Bulletin:
    """A follower of the driver's: `note` collects, `take` gives what is to be told."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._groups: dict[News, dict[str, Group]] = {}
        """By service."""
        self._something = asyncio.Event()

    def note(self, changes: Iterable[Change], now: float) -> None:
        for change in changes:
            news = self._news(change)
            if news is not None:
                self._groups.setdefault(news, {}).setdefault(_service(change), Group()).add(change.key)
        if self._groups:
            self._something.set()

    def take(self) -> list[Told]:
        groups, self._groups = self._groups, {}
        self._something.clear()
        told: list[Told] = []
        for news, of in groups.items():
            if len(of) > SERVICES:
                told.append(_told(news, {"services": len(of)}, of.values()))
            else:
                told += [_told(news, {"service": service}, [group]) for service, group in of.items()]
        return told

    async def run(self, events: Events) -> None:
        """Until cancelled; with nothing to tell it sleeps."""
        while True:
            await self._something.wait()
            await asyncio.sleep(PERIOD_S)
            self.publish(events)

    def publish(self, events: Events) -> None:
        for event, fields in self.take():
            events.emit(event, **fields)

    # --- what is news

    def _news(self, change: Change) -> News | None:
        if change.after is None:
            assert change.before is not None
            return self._gone(change.key, change.before)
        origin, record = change.after
        if origin != self._node.origin:
            return None
        if change.before is None:
            return News("instances.registered")
        before, known = change.before
        if record.state != known.state:
            status, was = STATUS_OF[record.state], STATUS_OF[known.state]
            return News("instances.status", (("status", status), ("before", was)))
        if record.gen > known.gen:
            return News("instances.registered", (("again", True),))
        if node_of(before) != node_of(origin):
            return News("instances.adopted", (("node", node_of(before)),))
        return None

    def _gone(self, key: str, before: Held) -> News | None:
        holder, record = before
        known = self._node.view.known(key)
        if known is None:
            why = f"no heartbeat within its lease of {record.lease_s} s"
            return News("instances.expired", (("why", why),)) if holder == self._node.origin else None
        if known[1].state == LEFT:
            return News("instances.left") if known[0] == self._node.origin else None
        why = f"{node_of(known[0])}, which held the lease, is gone, and no other node had a heartbeat"
        return News("instances.expired", (("why", why),)) if self._speaks_for_the_dead() else None

    def _speaks_for_the_dead(self) -> bool:
        """Whether this node is the first of those that are there."""
        return self._node.origin == min(origin for origin, state in self._node.owners().items() if state == "alive")


def _service(change: Change) -> str:
    held = change.after or change.before
    assert held is not None
    return held[1].service


def _told(news: News, whose: dict[str, object], groups: Iterable[Group]) -> Told:
    groups = list(groups)
    count = sum(group.count for group in groups)
    names = [name for group in groups for name in group.names][:NAMES]
    return news.event, {**whose, "count": count, "instances": names, **dict(news.details)}
