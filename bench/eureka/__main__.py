"""Runs the measures and prints the table: see the package's page."""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bench.eureka import crowd, poller, rates
from bench.eureka.rates import Bench, say
from bench.eureka.server import LOAD_CORE, plexmesh, spring
from bench.registry.report import Measure, Report

SIZE = 10_000
WARM_UP_S = 15.0

Step = Callable[[Bench], Awaitable[None]]

RATES: dict[str, Step] = {
    "registrations": rates.registrations,
    "heartbeats": rates.heartbeats,
    "lists": rates.lists,
    "visible": rates.visible,
}
COLUMNS = ["plexmesh", "Eureka"]

HIGH = {
    "registrations/s, per core": 7_000,
    "heartbeats/s, per core": 15_000,
    f"lists of {SIZE:,}/s, JSON, per core": 60,
    f"lists of {SIZE:,}/s, XML, per core": 60,
}
LOW = {
    f"lists of {SIZE:,}/s, JSON, first byte p99": 50,
    f"lists of {SIZE:,}/s, XML, first byte p99": 50,
    f"lists of {SIZE:,}/s, JSON, at 50 changes/s, first byte p99": 50,
    f"lists of {SIZE:,}/s, XML, at 50 changes/s, first byte p99": 50,
    crowd.LATE: 1 + crowd.LOOK_S,
}
UNITS = {
    "p99": "ms",
    "p50": "ms",
    "without it": "ms",
    "costs": "% of a core",
    "of a core": "% of a core",
    "after": "s",
    "most": "s",
}


def goal(name: str) -> Measure:
    unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
    return Measure(name, unit, HIGH.get(name, LOW.get(name)), name in HIGH)


async def run(arguments: argparse.Namespace, report: Report, folder: Path) -> None:
    def wanted(name: str) -> bool:
        return not arguments.only or name in arguments.only

    quick, profile = arguments.quick, arguments.profile
    chosen = [measure for name, measure in RATES.items() if wanted(name)]
    if chosen:
        await compare(chosen, report, folder, quick, profile)
    for size in (100, 1_000) if quick else (100, 1_000, SIZE):
        if wanted("poller"):
            say(f"plexmesh, a poller, {size:,} instances")
            bench = Bench(plexmesh(folder / str(size), profile), report, 1.0 if quick else 5.0, size)
            await with_server(bench, poller.measure)
    if wanted("crowd"):
        say("plexmesh, many clients")
        bench = Bench(plexmesh(folder / "crowd", profile), report, 0.0, 0)
        await with_server(bench, functools.partial(crowd.measure, quick=quick))


async def compare(chosen: list[Step], report: Report, folder: Path, quick: bool, profile: bool) -> None:
    """The same of plexmesh and of Eureka's own server, which gets time to warm up."""
    size, seconds = (500, 1.0) if quick else (SIZE, 5.0)
    mine = plexmesh(folder / "rates", profile)
    say(mine.name)
    await with_server(Bench(mine, report, seconds, size), rates.fill, *chosen, memory)
    other = spring(folder)
    if other is None:
        say("Eureka's own server: skipped, `make test-eureka` builds it")
        return
    say(other.name)
    bench = Bench(other, report, seconds, size)
    warm = Bench(other, Report(), 3.0 if quick else WARM_UP_S, size)
    await with_server(bench, lambda _: rates.warm_up(warm), rates.fill, *chosen, memory)


async def memory(bench: Bench) -> None:
    bench.note("resident memory, MB", bench.server.rss_mb)


async def with_server(bench: Bench, *steps: Step) -> None:
    server = bench.server
    await server.start()
    try:
        for step in steps:
            await step(bench)
    finally:
        await server.stop()
    if server.profile:
        say(server.profiled())


async def main(arguments: argparse.Namespace) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    begun, report = time.monotonic(), Report()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"Python {platform.python_version()}, load average {load}; the server has one core, the load another")
    with tempfile.TemporaryDirectory(prefix="plexmesh-bench-") as name:
        await run(arguments, report, Path(name))
    table = report.table([goal(name) for name in report.figures], COLUMNS, "plexmesh")
    say(f"\n{table}\n\nin {time.monotonic() - begun:.0f} s")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m bench.eureka", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke: small, short, figures mean little")
    parser.add_argument("--only", nargs="*", default=[], help=f"{' '.join(RATES)} poller crowd")
    parser.add_argument("--profile", action="store_true", help="print where a node spends its time, start to end")
    return parser.parse_args()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parsed()))
    sys.exit(0)
