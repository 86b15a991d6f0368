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

from bench.registry import etcd, faults, measures
from bench.registry.cluster import Cluster
from bench.registry.measures import Bench, say
from bench.registry.population import Population
from bench.registry.report import Measure, Report

TABLE = [
    Measure(measures.CHANGE_P50, "ms", 8),
    Measure(measures.CHANGE_P99, "ms", 30),
    Measure(measures.WATCHED_P99, "ms", 50),
    Measure(measures.SINGLE, "", 7_000, more=True),
    Measure(measures.BATCHED, "", 25_000, more=True),
    Measure(measures.EUREKA_SINGLE, "", None, more=True),
    Measure(measures.BEATS, "", 300_000, more=True),
    Measure(measures.SINGLE_BEATS, "", None, more=True),
    Measure(measures.EUREKA_BEATS, "", None, more=True),
    Measure(measures.MEMORY, "kB", 0.8),
    Measure(measures.IDLE, "% of a core", 20),
    Measure(measures.IDLE_SINGLY, "% of a core", None),
    Measure(faults.DEAD, "s", 1.5),
    Measure(faults.LOST, "", 0),
    Measure(faults.HEALED, "s", 2),
    Measure(faults.JOINED, "s", 2),
    Measure(faults.JOINED_MESSAGE, "s", None),
]


async def run(size: int, report: Report, folder: Path, arguments: argparse.Namespace) -> None:
    say(f"{size:,} resident instances")
    quick, only = arguments.quick, set(arguments.only)
    cluster = Cluster(folder)
    bench = Bench(cluster, Population(), report, f"{size:,}", quick, arguments.profile)

    def wanted(name: str) -> bool:
        return not only or name in only

    try:
        await cluster.start()
        await measures.fill(bench, size)
        seconds = bench.seconds(10.0) if bench.large else bench.seconds(5.0)
        if wanted("idle"):
            await measures.idle(bench, seconds, batched=True)
            await measures.idle(bench, seconds, batched=False)
        if wanted("changes"):
            async with bench.population.beating(cluster):
                await measures.change_times(bench, seconds)
        if wanted("heartbeats"):
            await measures.heartbeats(bench, bench.seconds(3.0))
        if wanted("kill"):
            await faults.kill(bench)
            await faults.join(bench)
        if wanted("split") and (quick or bench.large):
            await faults.split(bench, 60.0 if bench.large else 1.0, 1_000 if bench.large else 50)
        if wanted("registrations"):
            await measures.registrations(bench, bench.seconds(4.0), 1)
            await measures.eureka_registrations(bench, bench.seconds(2.0))
            if not bench.large:
                await measures.registrations(bench, bench.seconds(2.0), measures.REGISTER_BATCH)
    finally:
        await cluster.stop()


async def main(arguments: argparse.Namespace) -> None:
    report, begun = Report(), time.monotonic()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    say(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {load}; shares are of one core, "
        "'others' is everything else on the machine"
    )
    with tempfile.TemporaryDirectory(prefix="plexmesh-bench-") as name:
        folder = Path(name)
        for size in arguments.sizes:
            await run(size, report, folder, arguments)
        if arguments.etcd:
            await etcd.run(folder, report, max(arguments.sizes), 0.5 if arguments.quick else 4.0)
        columns = [f"{size:,}" for size in arguments.sizes]
        say(f"\n{report.table(TABLE, [*columns, etcd.COLUMN], columns[-1])}\n")
    say(f"in {time.monotonic() - begun:.0f} s")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m bench.registry", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke of seconds: small, short, figures mean little")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of resident instances (100 1000 100000)")
    parser.add_argument("--only", nargs="*", default=[], help="idle changes heartbeats kill split registrations")
    parser.add_argument("--profile", action="store_true", help="print where node 1 spends its time in each measure")
    parser.add_argument("--no-etcd", dest="etcd", action="store_false", help="leave the yardstick out")
    arguments = parser.parse_args()
    arguments.sizes = arguments.sizes or ([100] if arguments.quick else [100, 1_000, 100_000])
    return arguments


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parsed()))
    sys.exit(0)
