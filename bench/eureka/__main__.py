"""Runs the measures and prints the table: see the package's page."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.eureka import crowd, poller, rates
from bench.eureka.rates import Bench, say
from bench.eureka.server import LOAD_CORE, Server, plexmesh, spring
from bench.registry.report import Measure, Report, shown, verdict

SIZE = 10_000
WARM_UP_S = 15.0

GOALS = {
    "heartbeats/s, per core": Measure("", "", 15_000, more=True),
    "registrations/s, per core": Measure("", "", 7_000, more=True),
    f"lists of {SIZE:,}/s, JSON, per core": Measure("", "", 60, more=True),
    f"lists of {SIZE:,}/s, XML, per core": Measure("", "", 60, more=True),
    f"lists of {SIZE:,}/s, JSON, first byte p99": Measure("", "ms", 50),
    f"lists of {SIZE:,}/s, XML, first byte p99": Measure("", "ms", 50),
    f"lists of {SIZE:,}/s, JSON, at 50 changes/s, first byte p99": Measure("", "ms", 50),
    f"lists of {SIZE:,}/s, XML, at 50 changes/s, first byte p99": Measure("", "ms", 50),
    "silent ones listed after their lease, at most": Measure("", "s", 1.1),
}
UNITS = {"p99": "ms", "p50": "ms", "without it": "ms", "costs": "% of a core", "of a core": "% of a core"}


async def measure(server: Server, report: Report, arguments: argparse.Namespace) -> None:
    """All but the poller and the crowd; what Eureka's own server is compared by."""
    bench = Bench(server, report, 1.0 if arguments.quick else 5.0, 500 if arguments.quick else SIZE)
    await rates.fill(bench)
    if server.name != "plexmesh":
        say(f"  warming up for {WARM_UP_S:.0f} s")
        warm = Bench(server, Report(), WARM_UP_S, bench.size)
        await rates.heartbeats(warm)
        await rates.fill(bench)
    await rates.registrations(bench)
    await rates.heartbeats(bench)
    await rates.lists(bench)
    await rates.visible(bench, 3 if server.name == "plexmesh" else 1)
    bench.note("resident memory, MB", server.rss_mb)


async def run(arguments: argparse.Namespace, report: Report, folder: Path) -> None:
    def wanted(name: str) -> bool:
        return not arguments.only or name in arguments.only

    if wanted("rates"):
        for server in (plexmesh(folder), spring(folder)):
            if server is None:
                say("Eureka's own server: skipped, `make test-eureka` builds it")
                continue
            say(server.name)
            await with_server(server, measure(server, report, arguments))
    if wanted("poller"):
        say("plexmesh, a poller")
        for size in (100, 1_000) if arguments.quick else (100, 1_000, SIZE):
            server = plexmesh(folder / str(size))
            bench = Bench(server, report, 2.0 if arguments.quick else 5.0, size)
            await with_server(server, rates.fill(bench), poller.measure(bench))
    if wanted("crowd"):
        say("plexmesh, many clients")
        server = plexmesh(folder / "crowd")
        await with_server(server, crowd.measure(Bench(server, report, 0.0, 0), arguments.quick))


async def with_server(server: Server, *steps: object) -> None:
    (server_log := server._log.parent).mkdir(parents=True, exist_ok=True)
    assert server_log.is_dir()
    try:
        await server.start()
        for step in steps:
            await step  # type: ignore[misc]
    finally:
        await server.stop()


def table(report: Report) -> str:
    columns = [each for each in ("plexmesh", "Eureka") if any(each in row for row in report.figures.values())]
    rows = [["measure", "goal", *columns, ""], ["---"] * (len(columns) + 3)]
    for name, values in report.figures.items():
        goal = GOALS.get(name, Measure("", next((unit for end, unit in UNITS.items() if name.endswith(end)), "")))
        cells = [shown(values[column], goal.unit) if column in values else "" for column in columns]
        rows.append(
            [
                name,
                "" if goal.goal is None else shown(goal.goal, goal.unit),
                *cells,
                verdict(goal, values.get("plexmesh")),
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


async def main(arguments: argparse.Namespace) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    begun, report = time.monotonic(), Report()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"Python {platform.python_version()}, load average {load}; the server has one core, the load another")
    with tempfile.TemporaryDirectory(prefix="plexmesh-bench-") as name:
        await run(arguments, report, Path(name))
    say(f"\n{table(report)}\n\nin {time.monotonic() - begun:.0f} s")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m bench.eureka", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke: small, short, figures mean little")
    parser.add_argument("--only", nargs="*", default=[], help="rates poller crowd")
    return parser.parse_args()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parsed()))
    sys.exit(0)
