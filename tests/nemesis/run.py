"""One run: clients at work, faults one after the other, then quiet, a last read of everything, and the verdict.

The faults are a list of (name, async function) of which a seeded order is made; each breaks something and mends it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp

from tests.nemesis import clients
from tests.nemesis.checker import Verdict, check
from tests.nemesis.history import ABSENT, History, Operation, Read, Refused

Fault = tuple[str, Callable[[random.Random], Awaitable[None]]]

CALM_S = 0.3
"""Between two faults."""
CAUGHT_UP_S = 10.0


@dataclass
class Report:
    seed: int
    history: History
    statuses: dict[int, int]
    worst_gap_s: float
    faults: list[str]
    verdicts: list[Verdict]
    listed_wrongly: list[str]
    """Keys that the whole list shows otherwise than a read at the same time."""

    @property
    def violations(self) -> list[Verdict]:
        return [each for each in self.verdicts if each.outcome != "linearizable"]

    @property
    def lost(self) -> list[str]:
        """Keys that are gone although the last write that was acknowledged put something there, and no later one, known
        or not, could have taken it away."""
        found = []
        for key, operations in self.history.by_key().items():
            last = [each for each in operations if each.kind == "read" and each.client == -1]
            if last and last[-1].result == ABSENT and not _may_be_absent(operations):
                found.append(key)
        return found

    def __str__(self) -> str:
        unknown = sum(not each.known for each in self.history.operations)
        return (
            f"seed {self.seed}: {len(self.history.operations)} operations, {len(self.history.acknowledged())} writes "
            f"acknowledged, {unknown} unknown, longest time without one {self.worst_gap_s:.2f} s; by status "
            f"{dict(sorted(self.statuses.items()))}; faults: {', '.join(self.faults)}; "
            f"violated: {[(each.key, each.outcome, each.culprit) for each in self.violations]}; lost: {self.lost}"
        )


def _may_be_absent(operations: Sequence[Operation]) -> bool:
    writes = [each for each in operations if each.kind != "read" and not isinstance(each.result, Refused)]
    surely = [each for each in writes if each.known and each.kind != "delete"]
    if not surely:
        return True
    last = max(surely, key=lambda each: each.called)
    return any(each.kind == "delete" and each.returned >= last.called for each in writes)


async def run(urls: Sequence[str], faults: Sequence[Fault], *, seed: int, seconds: float, number: int = 8) -> Report:
    """`urls` are those of the instances; faults are repeated in seeded orders until the time is over."""
    rng = random.Random(seed)
    using = clients.Clients(urls, rng, clients=number)
    done: list[str] = []
    ends_at = time.monotonic() + seconds
    async with clients.session() as session:
        using.start(session)
        while time.monotonic() < ends_at:
            order = rng.sample(list(faults), len(faults))
            for name, fault in order:
                await asyncio.sleep(CALM_S)
                if time.monotonic() >= ends_at:
                    break
                done.append(name)
                await fault(rng)
            if not faults:
                await asyncio.sleep(max(ends_at - time.monotonic(), 0))
        await asyncio.sleep(CALM_S)
        await using.stop()
        async with asyncio.timeout(CAUGHT_UP_S):
            await using.read_all(session, urls[0])
        wrong = await _list_differs(using, session, urls[0])
    verdicts = [check(key, operations) for key, operations in using.history.by_key().items()]
    return Report(seed, using.history, using.told.statuses, using.told.worst_gap_s, done, verdicts, wrong)


async def _list_differs(using: clients.Clients, session: aiohttp.ClientSession, url: str) -> list[str]:
    last = {
        each.key: each.result.value
        for each in using.history.operations
        if each.client == -1 and isinstance(each.result, Read)
    }
    there = {key: value for key, value in last.items() if value is not None}
    listed = await using.listed(session, url)
    return sorted(key for key in there.keys() | listed.keys() if there.get(key) != listed.get(key))
