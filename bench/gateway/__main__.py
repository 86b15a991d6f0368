"""Runs the measures and prints the table: see the package's page."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop

from bench.gateway import bodies, latency, memory, peers, profile, small, upstream, websocket, wrk
from bench.gateway.cores import split
from bench.gateway.peers import PEERS, Place
from bench.gateway.readiness import ready
from bench.gateway.rounds import Bench, say
from bench.gateway.table import DIRECT, OURS
from bench.registry.report import verdict_of

MEASURES = ("small", "new", "latency", "bodies", "websockets", "memory")
DESCRIPTORS = 20_000
"""A proxy of 5,000 websockets has two each."""


@contextlib.asynccontextmanager
async def running(place: Place, arguments: argparse.Namespace) -> AsyncIterator[Bench]:
    """Everything started, and stopped again however the measures end."""
    rest = place.cores.rest
    helpers = [
        upstream.answering(peers.found_nginx(), place.answering, rest, place.folder),
        upstream.taking(place.taking, rest, place.folder),
        peers.registry(place),
    ]
    proxies = [kind.make(place) for name, kind in PEERS.items() if name in arguments.peers]
    try:
        for each in (*helpers, *proxies):
            await each.start()
        for each in proxies:
            await ready(each)
        yield Bench(place.folder, proxies, helpers, arguments.rounds, arguments.seconds)
    finally:
        for each in (*proxies, *helpers):
            await each.stop()


async def measure(bench: Bench, arguments: argparse.Namespace) -> None:
    def wanted(name: str) -> bool:
        return not arguments.only or name in arguments.only

    if wanted("small"):
        await small.kept_alive(bench, arguments.connections, arguments.profile, arguments.soon)
    if wanted("new"):
        await small.new(bench)
    if wanted("latency"):
        await latency.measure(bench)
    if wanted("bodies"):
        await bodies.measure(bench)
    if wanted("websockets"):
        await websocket.measure(bench)
    if wanted("memory"):
        await memory.measure(bench, memory.SOON_CONNECTIONS if arguments.soon else memory.CONNECTIONS)


async def main(arguments: argparse.Namespace) -> None:
    begun, cores = time.monotonic(), split()
    os.sched_setaffinity(0, cores.rest)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"Python {platform.python_version()}, load average {load}; a proxy has one core, load and upstream the rest")
    with tempfile.TemporaryDirectory(prefix="plexmesh-bench-") as name:
        place = Place(Path(name), cores, os.getpid() % 250 + 1)
        async with running(place, arguments) as bench:
            try:
                await measure(bench, arguments)
            finally:
                show(bench)
    say(f"in {time.monotonic() - begun:.0f} s")


def show(bench: Bench) -> None:
    """Also what there is of a run that fails."""
    say(f"\n{bench.figures.table([DIRECT, *(each.name for each in bench.proxies)])}\n")
    if bench.others:
        others = sum(bench.others) / len(bench.others)
        say(f"Other processes took {others:.0%} of a core meanwhile: {verdict_of(others)}.")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m bench.gateway", description=__doc__)
    parser.add_argument("--soon", action="store_true", help="a smoke under a minute, figures mean nothing")
    parser.add_argument("--only", nargs="+", default=[], choices=MEASURES, metavar="MEASURE", help=" ".join(MEASURES))
    parser.add_argument("--peers", default=",".join(PEERS), help="which proxies, with commas")
    parser.add_argument("--connections", type=int, nargs="+", help="for small JSON: 1 16 64 256")
    parser.add_argument("--rounds", type=int, help="visits to each proxy: 5")
    parser.add_argument("--seconds", type=float, help="of each visit: 2")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="write there where the gateway spends its time")
    arguments = parser.parse_args()
    soon = arguments.soon
    arguments.connections = arguments.connections or ([small.JUDGED] if soon else list(small.CONNECTIONS))
    arguments.rounds = arguments.rounds or (1 if soon else 5)
    arguments.seconds = arguments.seconds or (0.4 if soon else 2.0)
    arguments.peers = [name for name in arguments.peers.split(",") if installed(parser, name)]
    if arguments.profile and not (OURS in arguments.peers and profile.found()):
        parser.error(f"--profile: needs plexmesh among the peers, and py-spy ({profile.HOW})")
    return arguments


def missing() -> list[str]:
    """What no measure can do without."""
    needed = (("wrk", wrk.found(), wrk.HOW), ("nginx, as upstream", peers.found_nginx(), PEERS["nginx"].how))
    lacking = [f"{what}: {how}" for what, path, how in needed if not path]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < DESCRIPTORS:
        lacking.append(f"{DESCRIPTORS:,} descriptors a process: ulimit -Hn is {most:,}")
    return lacking


def installed(parser: argparse.ArgumentParser, name: str) -> bool:
    if name not in PEERS:
        parser.error(f"--peers: {name}: expected some of {', '.join(PEERS)}")
    if not PEERS[name].found():
        say(f"{name}: skipped, it is missing: {PEERS[name].how}")
        return False
    return True


def run(arguments: argparse.Namespace) -> None:
    """Ctrl-C and SIGTERM cancel the measures, so that everything started is stopped."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        task = runner.get_loop().create_task(main(arguments))
        for number in (signal.SIGINT, signal.SIGTERM):
            runner.get_loop().add_signal_handler(number, task.cancel)
        runner.get_loop().run_until_complete(task)


if __name__ == "__main__":
    chosen = parsed()
    if lacking := missing():
        say("the gateway's bench is skipped, it needs " + "; ".join(lacking))
        sys.exit(0)
    try:
        run(chosen)
    except asyncio.CancelledError:
        sys.exit(130)
