"""Runs the trials and prints the tables: see the package's page."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import platform
import resource
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import psutil
import uvloop

from bench.failover.calls import GETS_PER_S, POSTS_PER_S, Load
from bench.failover.faults import FAULTS
from bench.failover.figures import Seen, counted
from bench.failover.proxies import LANES, PROXIES, Lane
from bench.failover.table import tables
from bench.failover.trial import CALM_S, Trial, prepared
from bench.gateway.cores import Split, split
from bench.gateway.rounds import say
from bench.registry.cpu import busy_s
from bench.registry.report import verdict_of

DESCRIPTORS = 16_384
SECONDS, TRIALS = 6.0, 2
SHORTEST_S = CALM_S + 3
ONE_BAD = [name for name, fault in FAULTS.items() if not fault.everywhere]
"""What is tried when nothing else is asked for."""


class Run:
    """Trials in turn. Calls of one that hang are waited for while the next one runs; whatever takes the processor
    (starting, ending, counting) is done between loads, or it would be told as the next proxy's latency."""

    def __init__(self, folder: Path, cores: Split, seconds: float) -> None:
        self.seen: dict[tuple[str, str], list[Seen]] = {}
        """By fault and proxy."""
        self.others: list[float] = []
        """What everything else on the machine took during each trial, in cores."""
        self._folder = folder
        self._cores = cores
        self._seconds = seconds
        self._count = 0
        self._open: deque[tuple[str, Trial, Load]] = deque()
        """Name of the proxy; trials whose load is over. Only of the last some calls may still be under way."""

    async def all(self, faults: Sequence[str], names: Sequence[str], trials: int) -> None:
        """Each round begins one proxy further on, so that what drifts on the machine hits all."""
        try:
            for number in range(trials):
                turn = number % len(names)
                for fault, name in itertools.product(faults, (*names[turn:], *names[:turn])):
                    if len(self._open) == LANES - 1:
                        await self._end()
                    await self._one(name, self._next(fault, name))
            while self._open:
                await self._end()
        finally:
            for _, trial, load in self._open:
                load.close()
                await trial.stop()

    def _next(self, fault: str, name: str) -> Trial:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        lane = Lane(folder, self._cores, os.getpid() % 250 + 1, self._count % LANES)
        return prepared(lane, FAULTS[fault], PROXIES[name])

    async def _one(self, name: str, trial: Trial) -> None:
        try:
            await trial.start()
            begun, machine, own = time.monotonic(), busy_s(), own_cpu_s()
            load = await trial.run(self._seconds)
        except BaseException:
            await trial.stop()
            raise
        self._open.append((name, trial, load))
        used = busy_s() - machine - (own_cpu_s() - own)
        self.others.append(max(used, 0.0) / (time.monotonic() - begun))

    async def _end(self) -> None:
        """Of the oldest."""
        name, trial, load = self._open.popleft()
        seen, fault = await trial.finish(load), trial.fault
        self.seen.setdefault((fault.name, name), []).append(seen)
        figures = counted([seen], fault.instances)
        share = "" if fault.everywhere else f", the bad one's share after 2 s {figures.share_2_to_4:.1%}"
        say(
            f"{fault.name:10} {name:13} lost {figures.gets_lost:5} GETs {figures.posts_lost:4} POSTs,"
            f" p99 {figures.p99_ms:7.1f} ms{share}"
        )

    def show(self, faults: Sequence[str], names: Sequence[str]) -> None:
        """Also what there is of a run that fails."""
        results = {
            (FAULTS[fault], name): counted(self.seen[fault, name], FAULTS[fault].instances)
            for fault, name in itertools.product(faults, names)
            if (fault, name) in self.seen
        }
        say(f"\n{tables(results)}\n")
        if self.others:
            others = sum(self.others) / len(self.others)
            say(f"Other processes took {others:.0%} of a core meanwhile: {verdict_of(others)}.")


def own_cpu_s() -> float:
    """Of the bench and all it has started, ended ones too."""
    bench = psutil.Process()
    total = 0.0
    for each in (bench, *bench.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(each.cpu_times()[:4])  # user, system, and those of children that have ended
    return total


async def main(arguments: argparse.Namespace) -> None:
    begun, cores = time.monotonic(), split()
    os.sched_setaffinity(0, cores.rest)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    say(
        f"Python {platform.python_version()}, load average {load}; {GETS_PER_S} GETs and {POSTS_PER_S} POSTs"
        f" a second, trials of {arguments.seconds:g} s, the fault after {CALM_S:g}"
    )
    with tempfile.TemporaryDirectory(prefix="plexmesh-bench-") as name:
        run = Run(Path(name), cores, arguments.seconds)
        try:
            await run.all(arguments.faults, arguments.peers, arguments.trials)
        finally:
            run.show(arguments.faults, arguments.peers)
    say(f"in {time.monotonic() - begun:.0f} s")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m bench.failover", description=__doc__)
    usual = ",".join(name for name in PROXIES if name != "plexmesh adaptive")
    parser.add_argument("--peers", default=usual, help=f"which proxies, with commas: {', '.join(PROXIES)}")
    parser.add_argument("--faults", default=",".join(ONE_BAD), help=f"which faults, with commas: {', '.join(FAULTS)}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each trial: {SECONDS:g}")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"of each fault behind each proxy: {TRIALS}")
    arguments = parser.parse_args()
    arguments.faults, arguments.peers = arguments.faults.split(","), arguments.peers.split(",")
    for option, names, known in (("--faults", arguments.faults, FAULTS), ("--peers", arguments.peers, PROXIES)):
        if unknown := [name for name in names if name not in known]:
            parser.error(f"{option}: {unknown[0]}: expected some of {', '.join(known)}")
    if arguments.seconds < SHORTEST_S:
        parser.error(f"--seconds: {arguments.seconds:g}: expected {SHORTEST_S:g} or more")
    if arguments.trials < 1:
        parser.error(f"--trials: {arguments.trials}: expected 1 or more")
    arguments.peers = [name for name in arguments.peers if installed(name)]
    return arguments


def installed(name: str) -> bool:
    if not PROXIES[name].found():
        say(f"{name}: skipped, it is missing: {PROXIES[name].how}")
        return False
    return True


def run(arguments: argparse.Namespace) -> None:
    """Ctrl-C and SIGTERM cancel the trials, so that everything started is stopped."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, most) if most > 0 else DESCRIPTORS, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        task = runner.get_loop().create_task(main(arguments))
        for number in (signal.SIGINT, signal.SIGTERM):
            runner.get_loop().add_signal_handler(number, task.cancel)
        runner.get_loop().run_until_complete(task)


if __name__ == "__main__":
    chosen = parsed()
    if not chosen.peers:
        sys.exit(0)
    try:
        run(chosen)
    except asyncio.CancelledError:
        sys.exit(130)
