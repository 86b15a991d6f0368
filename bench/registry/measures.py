"""The measures, one function each: (cluster, population, report, column) → figures into the report.

Not here: those that break something (`bench.registry.faults`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from bench.registry import requests
from bench.registry.cluster import NODES, WATCHED, Cluster, host
from bench.registry.load import Outcome, Pacer, flood, steadily
from bench.registry.population import BATCH, LEASE_S, Population, close
from bench.registry.report import Report, percentile

LINES = 4
"""Connections to each node in a flood."""

REGISTER_BATCH = 100
CHANGES_PER_S = 500
STAYS_S = 2.0
"""A timed instance is deregistered so long after it was registered."""

CHANGE_P50, CHANGE_P99 = "change on all 5 nodes, 500/s, p50", "change on all 5 nodes, 500/s, p99"
WATCHED_P99 = "a watcher sees it, p99"
SINGLE, BATCHED = "registrations/s, one a POST", "registrations/s, 100 a POST"
BEATS, SINGLE_BEATS = "heartbeats/s on /v1, 50 a POST", "heartbeats/s on /v1, one a POST"
EUREKA_BEATS = "heartbeats/s on /eureka"
EUREKA_SINGLE = "registrations/s on /eureka"
MEMORY = "memory per instance per node"
IDLE, IDLE_SINGLY = "idle CPU of 5 nodes, beats in batches", "idle CPU of 5 nodes, beats one by one"


def say(text: str) -> None:
    print(text, flush=True)


@dataclass
class Bench:
    """What every measure needs; `column` names the figures."""

    cluster: Cluster
    population: Population
    report: Report
    column: str
    quick: bool = False
    profile: bool = False
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def large(self) -> bool:
        """The long forms are for the large registry only."""
        return not self.quick and self.population.size >= 10_000

    def note(self, name: str, value: float) -> None:
        self.report.note(name, self.column, value)

    def seconds(self, wanted: float) -> float:
        return wanted / 5 if self.quick else wanted

    @contextlib.asynccontextmanager
    async def measured(self, what: str) -> AsyncIterator[None]:
        if self.profile:
            await self.cluster.nodes[0].ask("profile")
        with self.cluster.cpu() as cpu:
            yield
        self.report.disturbed.append(cpu.shares["others"])
        say(f"  {what:28} CPU: {cpu}")
        if self.profile:
            say(await self.cluster.nodes[0].ask("profiled"))

    async def everywhere(self, counts: list[int], more: int) -> int:
        """Wait until each node has seen `more` changes than `counts`; the moment (ns) the last one had."""

        async def seen() -> bool:
            states = await self.cluster.states()
            return all(state["count"] >= count + more for state, count in zip(states, counts, strict=True))

        await self.cluster.until(seen, f"{more} changes on all nodes", pace_s(more))
        return max(int(state["last_ns"]) for state in await self.cluster.states())

    async def counts(self) -> list[int]:
        return [state["count"] for state in await self.cluster.states()]


def pace_s(more: int) -> float:
    return 30.0 + more / 500


# --- filling, and what it costs


async def fill(bench: Bench, size: int) -> None:
    """Register up to `size` residents, in batches; also how fast that is, until all nodes have all."""
    first = bench.population.size
    made = bench.population.instances(first, size)
    asked = [
        [requests.register(host(home), each[at : at + REGISTER_BATCH]) for at in range(0, len(each), REGISTER_BATCH)]
        for home, each in enumerate(made)
    ]
    before = await rss(bench)
    _, seconds = await registered(bench, "filling", asked, size - first, 120.0)
    bench.population.add(made)
    if size >= 10_000:
        bench.note(BATCHED, (size - first) / seconds)
        await asyncio.sleep(2.0)
        after = await rss(bench)
        each_kb = [(now - was) / (size - first) / 1024 for now, was in zip(after, before, strict=True)]
        bench.note(MEMORY, sum(each_kb) / NODES)
        say(f"  resident set per instance on each node, kB: {' '.join(f'{kb:.2f}' for kb in each_kb)}")


async def rss(bench: Bench) -> list[int]:
    await asyncio.gather(*(node.ask("collect") for node in bench.cluster.nodes))
    return [node.rss_bytes() for node in bench.cluster.nodes]


async def registered(
    bench: Bench, what: str, asked: list[list[bytes]], each: int, seconds: float, batch: int = REGISTER_BATCH
) -> tuple[Outcome, float]:
    """Flood with registrations; the outcome, and the seconds until all nodes had all of them."""
    counts = await bench.counts()
    lines = await bench.cluster.lines(LINES)
    async with bench.measured(what):
        outcome = await flood(lines, asked, seconds)
        last_ns = await bench.everywhere(counts, min(outcome.answered * batch, each))
    close(lines)
    check(outcome)
    took_s = (last_ns - outcome.begun_ns) / 1e9
    count = min(outcome.answered * batch, each)
    say(
        f"  {what}: {count:,} in {outcome.seconds:.2f} s answered, {took_s:.2f} s on all nodes: {count / took_s:,.0f}/s"
    )
    return outcome, took_s


def check(outcome: Outcome) -> None:
    assert not outcome.wrong, f"{outcome.wrong} of {outcome.answered} answers were wrong, like {outcome.sample!r}"


async def registrations(bench: Bench, seconds: float, batch: int) -> None:
    """New instances as fast as they are taken; they stay, so this comes last."""
    name = BATCHED if batch > 1 else SINGLE
    enough = int(seconds * (15_000 if batch == 1 else 60_000) / NODES / batch) + 1
    tag = f"x{next(bench.numbers)}"
    asked = [
        [
            requests.register(
                host(home),
                [requests.instance(f"{tag}-{n % 100:02d}", f"{home}-{n * batch + i}", LEASE_S) for i in range(batch)],
            )
            for n in range(enough)
        ]
        for home in range(NODES)
    ]
    outcome, took_s = await registered(bench, name, asked, enough * batch * NODES, seconds, batch)
    bench.note(name, outcome.answered * batch / took_s)


async def eureka_registrations(bench: Bench, seconds: float) -> None:
    enough = int(seconds * 15_000 / NODES) + 1
    tag = f"e{next(bench.numbers)}"
    asked = [
        [requests.eureka_register(host(home), f"{tag}-{n % 100:02d}", f"{home}-{n}", LEASE_S) for n in range(enough)]
        for home in range(NODES)
    ]
    outcome, took_s = await registered(bench, EUREKA_SINGLE, asked, enough * NODES, seconds, 1)
    bench.note(EUREKA_SINGLE, outcome.answered / took_s)


# --- heartbeats


async def heartbeats(bench: Bench, seconds: float) -> None:
    batches: list[list[bytes]] = [[] for _ in range(NODES)]
    singles: list[list[bytes]] = [[] for _ in range(NODES)]
    eureka: list[list[bytes]] = [[] for _ in range(NODES)]
    for client in bench.population.batched:
        keys = (client.keys * BATCH)[:BATCH]
        batches[client.home].append(requests.beat(host(client.home), keys))
    for client in bench.population.singly[:10_000]:
        singles[client.home].append(requests.beat(host(client.home), client.keys))
        eureka[client.home].append(requests.eureka_beat(host(client.home), client.keys[0]))
    for name, asked, each in ((BEATS, batches, BATCH), (SINGLE_BEATS, singles, 1), (EUREKA_BEATS, eureka, 1)):
        lines = await bench.cluster.lines(LINES)
        async with bench.measured(name):
            outcome = await flood(lines, [itertools.cycle(group) for group in asked], seconds)
        close(lines)
        check(outcome)
        bench.note(name, outcome.answered * each / outcome.seconds)
        say(f"  {name}: {outcome.answered * each / outcome.seconds:,.0f}/s")


# --- changes


class Changes:
    """Timed instances: each registered, and deregistered `STAYS_S` later, at nodes in turn, at a steady rate."""

    def __init__(self, pacers: list[Pacer], homes: list[int], numbers: Iterator[int]) -> None:
        self._pacers = pacers
        self._homes = homes
        self._numbers = numbers
        self._here: deque[tuple[float, int, int]] = deque()
        self.asked_ns: dict[tuple[int, int], int] = {}
        self.wrong = 0

    def step(self) -> None:
        """One change: the oldest timed instance leaves if it is time, or else a new one comes."""
        if self._here and self._here[0][0] <= time.monotonic():
            self.leave()
        else:
            self.come()

    def come(self) -> None:
        number = next(self._numbers)
        turn = number % len(self._homes)
        instances = [requests.instance("change", f"c{number}", LEASE_S)]
        self._ask(turn, requests.register(host(self._homes[turn]), instances), number, 1)
        self._here.append((time.monotonic() + STAYS_S, number, turn))

    def leave(self) -> None:
        """The one that has been here longest leaves."""
        _, number, turn = self._here.popleft()
        self._ask(turn, requests.leave(host(self._homes[turn]), "change", f"c{number}"), number, 0)

    def _ask(self, turn: int, request: bytes, number: int, there: int) -> None:
        def answered(status: int, body: bytes) -> None:
            self.wrong += status not in (200, 202, 204)

        self.asked_ns[number, there] = time.monotonic_ns()
        self._pacers[turn].ask(request, answered)


async def change_times(bench: Bench, seconds: float) -> None:
    lines = await bench.cluster.lines(LINES)
    await bench.cluster.following()
    streams = await bench.cluster.streams()
    changes = Changes([Pacer(group) for group in lines], list(range(NODES)), bench.numbers)
    await bench.cluster.take()
    async with bench.measured("500 changes/s"):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await steadily(CHANGES_PER_S, changes.step)
    seen: list[dict[tuple[int, int], int]] = [{} for _ in range(NODES + len(WATCHED))]
    end = time.monotonic() + 10.0
    while any(len(each) < len(changes.asked_ns) for each in seen) and time.monotonic() < end:
        await asyncio.sleep(0.2)
        for each, notes in zip(seen, await bench.cluster.take(), strict=True):
            learn(each, notes["changes"])
    close(lines)
    assert not changes.wrong, f"{changes.wrong} changes were refused"
    asked = changes.asked_ns
    lost = [sum(change not in each for change in asked) for each in seen]
    assert not any(lost), f"of {len(asked)} changes never seen by nodes and watchers: {lost}"
    nodes, watchers = seen[:NODES], seen[NODES:]
    all_ms = [(max(each[change] for each in nodes) - at) / 1e6 for change, at in asked.items()]
    watched_ms = [(each[change] - at) / 1e6 for each in watchers for change, at in asked.items()]
    bench.note(CHANGE_P50, percentile(all_ms, 0.5))
    bench.note(CHANGE_P99, percentile(all_ms, 0.99))
    bench.note(WATCHED_P99, percentile(watched_ms, 0.99))
    say(
        f"  {len(asked):,} changes: on all nodes p50 {percentile(all_ms, 0.5):.1f} p99 {percentile(all_ms, 0.99):.1f} "
        f"worst {max(all_ms):.1f} ms; at a watcher p50 {percentile(watched_ms, 0.5):.1f} "
        f"p99 {percentile(watched_ms, 0.99):.1f} worst {max(watched_ms):.1f} ms; watchers' streams opened before and "
        f"during: {streams} {await bench.cluster.streams()}"
    )


def learn(seen: dict[tuple[int, int], int], flat: list[int]) -> None:
    """The first moment of each (number, there)."""
    for number, there, at_ns in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
        seen.setdefault((number, there), at_ns)


# --- idle


async def idle(bench: Bench, seconds: float, batched: bool) -> None:
    name = IDLE if batched else IDLE_SINGLY
    async with bench.population.beating(bench.cluster, batched):
        await asyncio.sleep(1.0)
        with bench.cluster.cpu() as cpu:
            await asyncio.sleep(seconds)
    say(f"  {name:28} CPU: {cpu}")
    bench.note(name, cpu.nodes * 100)
    check_beats(bench)


def check_beats(bench: Bench) -> None:
    beaten = bench.population
    assert not beaten.refused, f"{beaten.refused} heartbeats were refused"
    assert not beaten.forgotten, f"{beaten.forgotten} heartbeats were for instances the node did not know"
