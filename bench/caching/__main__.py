"""Runs the measures and prints the table: see the package's page."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvloop

from bench.caching import asked, bare, services
from bench.gateway import wrk
from bench.gateway.cores import split
from bench.gateway.process import Process
from bench.gateway.rounds import say
from bench.gateway.table import shown
from bench.gateway.wrk import Rate
from tests.servers.etcd import etcd
from tests.servers.redis import PORT, redis_node

N = os.getpid() % 250 + 1
STORES = ("vsam", "redis", "etcd")
GOALS = {
    ("vsam", "GET"): (15_000, 3.0), ("vsam", "PUT"): (7_000, 5.0), ("redis", "GET"): (7_000, None),
    ("redis", "PUT"): (5_000, None), ("etcd", "GET"): (2_500, None), ("etcd", "PUT"): (1_500, None),
}  # fmt: skip
"""Requests per second of one core, and the 99th percentile in ms."""
PROGRAMS = {"vsam": "", "redis": "redis-server", "etcd": "etcd"}
NAIVE_THERE = {"GET": 24_987, "PUT": 21_518}
"""What the bare server (naive.py) did on the machine the goals were set on."""


async def measured(process: Process, scripts: dict[str, Path], seconds: int) -> dict[str, Rate]:
    """GET and PUT."""
    return {kind: await wrk.rate(process, script, asked.CONNECTIONS, seconds) for kind, script in scripts.items()}


@asynccontextmanager
async def started(process: Process) -> AsyncIterator[Process]:
    await process.start()
    try:
        await services.fill(process)
        yield process
    finally:
        await process.stop()


async def main(arguments: argparse.Namespace) -> None:
    begun, cores = time.monotonic(), split()
    os.sched_setaffinity(0, cores.rest)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"Python {platform.python_version()}, load average {load}; an instance has one core, wrk and stores the rest")
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="plexmesh-bench-") as name:
        folder = Path(name)
        scripts = asked.scripts(folder)
        naive = services.naive("naive", f"127.0.97.{N}", cores.proxy, folder)
        async with started(naive):
            least = await measured(naive, scripts, arguments.seconds)
        memory = services.instance("inMemory", f"127.0.98.{N}", "inMemory", cores.proxy, folder)
        async with started(memory):
            without = await measured(memory, scripts, arguments.seconds)
        for store in arguments.only:
            if (program := PROGRAMS[store]) and not shutil.which(program):
                say(f"{store}: skipped, {program} is missing: apt-get install {program}")
                continue
            with address_of(store, folder) as (storage, bare_rates):
                process = services.instance(store, f"127.0.99.{N}", storage, cores.proxy, folder)
                async with started(process):
                    ours = await measured(process, scripts, arguments.seconds)
                rates = await bare_rates(arguments.seconds)
            rows += [row(store, kind, ours[kind], without[kind], least[kind], rates) for kind in scripts]
    table(rows)
    say(f"in {time.monotonic() - begun:.0f} s")


@contextlib.contextmanager
def address_of(store: str, folder: Path) -> Iterator[tuple[str, Callable[[int], Awaitable[bare.Rates]]]]:
    """The storage setting of a store that is up, and a function of the seconds that measures it bare."""
    if store == "vsam":

        async def by_itself(seconds: int) -> bare.Rates:
            return await asyncio.to_thread(bare.sqlite, folder, seconds)

        yield "vsam:BENCH.CACHE", by_itself
    elif store == "etcd":
        with etcd(folder, [f"127.0.{part}.{N}" for part in (91, 92, 93)]) as servers:

            async def at_leader(seconds: int) -> bare.Rates:
                scripts, leader = asked.scripts_of_etcd(folder), servers.leader()
                done = {
                    kind: await wrk.ask(leader.address, script, asked.CONNECTIONS, seconds)
                    for kind, script in scripts.items()
                }
                return {kind: each.requests / (each.duration_us / 1e6) for kind, each in done.items()}

            yield f"etcd://{','.join(servers.endpoints)}", at_leader
    else:
        with redis_node(folder, f"127.0.94.{N}") as node:

            async def at_server(seconds: int) -> bare.Rates:
                return await bare.redis(node.host, PORT)

            yield node.url, at_server


def row(store: str, kind: str, ours: Rate, without: Rate, least: Rate, rates: bare.Rates) -> list[str]:
    goal, p99_ms = GOALS[store, kind]
    scaled = goal * least.per_cpu_s / NAIVE_THERE[kind]
    cpu, memory, json = (1e6 / ours.per_cpu_s, 1e6 / without.per_cpu_s, json_us(kind))
    met = "met" if ours.per_s >= goal else "missed"
    there = "met" if ours.per_s >= scaled else "missed"
    late = "" if p99_ms is None else f", p99 ≤ {p99_ms:g} ms: {'met' if ours.p99_ms <= p99_ms else 'missed'}"
    return [
        f"{store} {kind}", f"{ours.per_s:,.0f}", shown(ours.p50_ms), shown(ours.p99_ms), f"{ours.busy:.0%}",
        f"{least.per_s:,.0f}", f"{without.per_s:,.0f}", f"{rates[kind]:,.0f}",
        f"{cpu:.0f} = {memory - json:.0f} + {json:.0f} + {max(cpu - memory, 0):.0f}",
        f"{goal:,}: {met}{late}; {scaled:,.0f} as this machine is to the goals': {there}",
    ]  # fmt: skip


def table(rows: list[list[str]]) -> None:
    heads = [
        "what", "requests/s", "p50, ms", "p99, ms", "of its core", "bare aiohttp + dict", "ours, inMemory",
        "the bare store", "CPU of one, µs = HTTP and all else + JSON + store", "goal",
    ]  # fmt: skip
    say("\n" + "\n".join("| " + " | ".join(each) + " |" for each in (heads, ["---"] * len(heads), *rows)) + "\n")


def json_us(kind: str) -> float:
    """Of one body, by msgspec, in this process."""
    view = {"key": "key1", "value": asked.VALUE, "created": "1800000000000"}
    data, times = msgspec.json.encode(view), 20_000
    begun = time.perf_counter()
    for _ in range(times):
        if kind == "GET":
            msgspec.json.encode(view)
        else:
            msgspec.json.decode(data)
    return (time.perf_counter() - begun) / times * 1e6


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m bench.caching", description=__doc__)
    parser.add_argument("--soon", action="store_true", help="a smoke, figures mean nothing")
    parser.add_argument(
        "--only", nargs="+", default=list(STORES), choices=STORES, metavar="STORE", help=" ".join(STORES)
    )
    parser.add_argument("--seconds", type=int, help="of each measure: 6")
    arguments = parser.parse_args()
    arguments.seconds = arguments.seconds or (1 if arguments.soon else 6)
    return arguments


if __name__ == "__main__":
    chosen = parsed()
    if not wrk.found():
        say(f"the caching service's bench is skipped, it needs wrk: {wrk.HOW}")
        sys.exit(0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(chosen))
