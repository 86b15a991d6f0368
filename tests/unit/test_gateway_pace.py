"""Drawing snapshots takes its share of the time and no more, however quickly changes come."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any, cast

import msgspec

from gateway.config import GatewayConfig
from gateway.meters import Meters
from gateway.snapshot import Snapshot
from gateway.watch import Pace, Watch
from shared.events import Events
from shared.wire import Instance, Mark, Put, checksum


def test_the_first_change_is_shown_at_once() -> None:
    assert Pace().left_s(100.0) == 0.0


def test_drawing_takes_its_share() -> None:
    pace, now, drawing_s = Pace(0.2), 100.0, 0.0
    while now < 110.0:  # a change at every instant
        now += pace.left_s(now)
        pace.drew(now, now + 0.03)
        now, drawing_s = now + 0.03, drawing_s + 0.03
    assert 1.9 < drawing_s < 2.1


def test_a_quick_drawing_delays_nothing_to_speak_of() -> None:
    pace = Pace(0.2)
    pace.drew(100.0, 100.0002)
    assert pace.left_s(100.0002) < 0.001


class Content:
    """What `aiohttp` gives of a stream: parts that are there already, then its end."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts

    def at_eof(self) -> bool:
        return not self.parts

    async def readany(self) -> bytes:
        return self.parts.pop(0)


class Answer:
    def __init__(self, parts: list[bytes]) -> None:
        self.content = Content(parts)


def event(name: str, body: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(body))


async def test_in_a_storm_not_every_mark_is_drawn_and_the_last_one_is() -> None:
    """5,000 instances come one by one; drawing each change would take minutes."""
    parts, parity = [], 0
    for n in range(5000):
        instance = Instance(
            service="s", instance=f"i{n}", status="UP", owner="A@1", gen=n, rev=n, host="h", ip="127.0.0.1", port=9000
        )
        parity = checksum(parity, instance.key, n, n)
        put = event("put", Put([instance]))
        parts.append(put + event("mark", Mark(f"A@1:{n}", n + 1, parity, whole=n == 0)))
    shown: list[Snapshot] = []
    watch = Watch(GatewayConfig(lpar="A", host="127.0.0.1"), Meters(), Events(logging.getLogger()), shown.append)
    watch._fold.begin()
    async with asyncio.timeout(20):
        await watch._read(cast(Any, Answer(parts)), "node")
    assert 1 <= len(shown) < 2500
    assert len(shown[-1].instances) == 5000
    assert all(len(a.instances) < len(b.instances) for a, b in itertools.pairwise(shown))
