"""Who came and who went: the last thousand of each, newest first when read.

An instance comes when it appears, and again when a newer process of it registers. It goes for one of three reasons: it
was deregistered, its lease ran out, or its node died and its time is over. What was there when this node started is no
news.

Times are of the wall clock as this node has it, for people to read.

Source: Netflix Eureka keeps its last 1000 registrations and cancellations (`/lastn`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

import msgspec

from discovery.messages import node_of
from discovery.node import Node
from discovery.record import LEFT
from discovery.view import Change, Held

RING = 1000


class Coming(msgspec.Struct, frozen=True):
    """Or going: `node` is whose word it was, or had been; `why` is empty for one that is simply new."""

    at_ms: int
    service: str
    instance: str
    node: str
    why: str


class Comings:
    """`heard` grows with every change of what is visible."""

    def __init__(self, node: Node) -> None:
        self.heard = 0
        self._node = node
        self._came: deque[Coming] = deque(maxlen=RING)
        self._went: deque[Coming] = deque(maxlen=RING)

    def note(self, changes: Iterable[Change], now: float) -> None:
        """Take in what has changed."""
        came: list[Change] = []
        went: list[Change] = []
        for change in changes:
            self.heard += 1
            if change.after is None:
                went.append(change)
            elif change.before is None or change.after[1].gen > change.before[1].gen:
                came.append(change)
        at_ms = self._node.wall_ms(now)
        self._came.extend(_coming(each.after, at_ms, "again" if each.before else "") for each in came[-RING:])
        self._went.extend(_coming(each.before, at_ms, self._why_gone(each.key)) for each in went[-RING:])

    def came(self, count: int = RING) -> list[Coming]:
        """Newest first."""
        return _newest(self._came, count)

    def went(self, count: int = RING) -> list[Coming]:
        """Newest first."""
        return _newest(self._went, count)

    def _why_gone(self, key: str) -> str:
        known = self._node.view.known(key)
        if known is None:
            return "its lease ran out"
        return "deregistered" if known[1].state == LEFT else "its node is gone"


def _newest(ring: deque[Coming], count: int) -> list[Coming]:
    return list(islice(reversed(ring), count))


def _coming(held: Held | None, at_ms: int, why: str) -> Coming:
    assert held is not None
    origin, record = held
    return Coming(at_ms, record.service, record.key[len(record.service) + 1 :], node_of(origin), why)
