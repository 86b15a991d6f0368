"""One client that asks for the whole list every 5 ms, as Zowe's enabler for Node.js does with its sample file.

It asks whether or not it has been answered, over as many connections as that takes, at most `LINES`. Beside it others
beat and ask for the delta in turn, at a steady rate; their times count from the moment a request was due.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.eureka import requests
from bench.eureka.download import Download, open_all
from bench.eureka.rates import JSON, Bench, fill, say
from bench.registry.load import Pacer, connect, steadily
from bench.registry.report import percentile

EVERY_S = 0.005
LINES = 40
OTHERS_PER_S = 100
OTHER_LINES = 8
SETTLES_S = 1.0


@dataclass
class Seen:
    """`times` by what was asked, in ms; `wrong` by what came."""

    lists: int = 0
    share: float = 0.0
    times: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[int] = field(default_factory=list)


async def measure(bench: Bench) -> None:
    await fill(bench, noted=False)
    alone = await _run(bench, polling=False)
    beside = await _run(bench, polling=True)
    name = f"poller, {bench.size:,} instances"
    cost = beside.share - alone.share
    bench.note(f"{name}: lists/s it gets", beside.lists / bench.seconds)
    bench.note(f"{name}: CPU it costs", cost * 100)
    say(f"  {name}: {beside.lists / bench.seconds:,.0f} lists/s of {1 / EVERY_S:.0f} asked for, {cost:.0%} of a core")
    for kind in ("heartbeat", "delta"):
        with_it, without = percentile(beside.times[kind], 0.99), percentile(alone.times[kind], 0.99)
        bench.note(f"{name}: others' {kind} p99", with_it)
        bench.note(f"{name}: others' {kind} p99 without it", without)
        say(f"  others' {kind}: p99 {with_it:.1f} ms, without the poller {without:.1f} ms")


async def _run(bench: Bench, polling: bool) -> Seen:
    downloads = await open_all(bench.server.address, LINES)
    lines = await connect(bench.server.address, OTHER_LINES)
    seen = Seen()
    tasks = [asyncio.create_task(steadily(OTHERS_PER_S, _others(bench, Pacer(lines), seen)))]
    if polling:
        tasks.append(asyncio.create_task(steadily(1 / EVERY_S, _poll(downloads, seen))))
    await asyncio.sleep(SETTLES_S)
    seen.times.clear()
    seen.lists = 0
    with bench.timed() as spent:
        await asyncio.sleep(bench.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for each in [*downloads, *lines]:
        each.close()
    assert not seen.wrong, f"{len(seen.wrong)} wrong answers, the last {seen.wrong[-1]}"
    assert all(seen.times[kind] for kind in ("heartbeat", "delta")), "the others got no answer"
    seen.share = spent["cpu_s"] / spent["wall_s"]
    return seen


def _poll(downloads: list[Download], seen: Seen) -> Callable[[], None]:
    """A step; when all connections are busy, this one is left out."""
    request = requests.apps(JSON)

    def polled(download: Download) -> None:
        if download.status == 200:
            seen.lists += 1
        else:
            seen.wrong.append(download.status)

    def step() -> None:
        free = next((each for each in downloads if not each.busy), None)
        if free is not None:
            free.ask(request, polled)

    return step


def _others(bench: Bench, pacer: Pacer, seen: Seen) -> Callable[[], None]:
    numbers, delta = itertools.count(), requests.delta()

    def step() -> None:
        number, due = next(numbers), time.monotonic()
        kind = "delta" if number % 2 else "heartbeat"

        def answered(status: int, _: bytes) -> None:
            seen.times[kind].append((time.monotonic() - due) * 1e3)
            if status != 200:
                seen.wrong.append(status)

        pacer.ask(delta if number % 2 else requests.beat(number % bench.size, dirty=bench.stamp), answered)

    return step
