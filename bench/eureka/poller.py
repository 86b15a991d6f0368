"""One client that asks for the whole list every 5 ms, as Zowe's enabler for Node.js does with its sample file.

It asks whether or not it has been answered, over as many connections as that takes, at most `LINES`. Beside it others
beat and ask for the delta at a steady rate; their times count from the moment a request was due.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

from bench.eureka import requests
from bench.eureka.download import Download, open_all
from bench.eureka.rates import JSON, Bench, say
from bench.registry.load import Pacer, connect, steadily
from bench.registry.report import percentile

EVERY_S = 0.005
LINES = 40
OTHERS_PER_S = 100
OTHER_LINES = 8


async def measure(bench: Bench) -> None:
    alone, _, alone_cpu = await _run(bench, polling=False)
    beside, polls, cpu = await _run(bench, polling=True)
    name = f"poller, {bench.size:,} instances"
    bench.note(f"{name}: CPU it costs", (cpu - alone_cpu) * 100)
    bench.note(f"{name}: others' p99", beside)
    bench.note(f"{name}: others' p99 without it", alone)
    say(
        f"  {name}: {polls:,.0f} lists/s of {1 / EVERY_S:.0f} asked for cost {cpu - alone_cpu:.0%} of a core; "
        f"others' p99 {beside:.1f} ms, without it {alone:.1f} ms"
    )


async def _run(bench: Bench, polling: bool) -> tuple[float, float, float]:
    """(the others' p99 in ms, lists a second, the server's share of a core)."""
    downloads = await open_all(bench.server.address, LINES)
    lines = await connect(bench.server.address, OTHER_LINES)
    pacer, times, polls = Pacer(lines), list[float](), 0
    request = requests.apps(JSON)
    numbers = itertools.count()

    def polled(download: Download) -> None:
        nonlocal polls
        assert download.status == 200, download.status
        polls += 1

    def poll() -> None:
        free = next((each for each in downloads if not each.busy), None)
        if free is not None:
            free.ask(request, polled)

    def other() -> None:
        number, begun = next(numbers), time.monotonic()

        def answered(status: int, _: bytes) -> None:
            assert status == 200, status
            times.append((time.monotonic() - begun) * 1e3)

        pacer.ask(requests.beat(number % bench.size, dirty=bench.stamp), answered)

    tasks = [asyncio.create_task(steadily(OTHERS_PER_S, other))]
    if polling:
        tasks.append(asyncio.create_task(steadily(1 / EVERY_S, poll)))
    await asyncio.sleep(1.0)
    times.clear()
    polls = 0
    with bench.timed() as spent:
        await asyncio.sleep(bench.seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for each in [*downloads, *lines]:
        with contextlib.suppress(OSError):
            each.close()
    return percentile(times, 0.99), polls / spent["wall_s"], spent["cpu_s"] / spent["wall_s"]
