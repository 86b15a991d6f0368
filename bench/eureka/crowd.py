"""10,000 clients: each registers, then beats and asks for the delta every 30 s; 200 of them fall silent.

Each client has a moment of its own within the 30 s. Two or three share a connection, always the same, which carries one
request at a time; times count from the moment a request was due. Who falls silent is in an application of its own, with
a lease of 30 s and a heartbeat every 10 s, to be short; its list is looked at every 0.1 s: none is to be there later
than its lease and a second after its last heartbeat, and nobody else is to go.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.eureka import requests
from bench.eureka.download import answered, one, open_all, plain
from bench.eureka.rates import JSON, Bench, say
from bench.registry.load import Line, Pacer, connect
from bench.registry.report import percentile

CLIENTS = 10_000
SILENT_SHARE = 0.02
"""More than 15 % at once and the node would doubt itself rather than them."""
CONNECTIONS = 4_000
EVERY_S = 30.0
RAMP_S = 10.0
LEASE_S = 90
SILENT_LEASE_S = 30
LATEST_S = 5.0
LOOK_S = 0.1
TICK_S = 0.01

VICTIMS = "VICTIMS"
LATE = "silent ones listed after their lease, at most"
EXPECTED = {"register": 204, "heartbeat": 200, "delta": 200}


@dataclass
class Crowd:
    """`beaten` has each silent client's last answered heartbeat, `gone` when it was listed no more."""

    bench: Bench
    clients: int
    every_s: float
    silent_lease_s: int
    pacers: list[Pacer]
    times: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)
    beaten: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    silent_from: float = float("inf")

    @property
    def silent(self) -> int:
        """How many fall silent: the first ones."""
        return int(self.clients * SILENT_SHARE)

    def app(self, number: int) -> str:
        return VICTIMS if number < self.silent else requests.app_of(number)

    def ask(self, kind: str, request: bytes, number: int) -> None:
        due = time.monotonic()

        def done(status: int, _: bytes) -> None:
            now = time.monotonic()
            self.times.setdefault(kind, []).append((now - due) * 1e3)
            if status != EXPECTED[kind]:
                self.wrong[f"{kind} {status}"] += 1
            if number < self.silent and kind in ("register", "heartbeat"):
                self.beaten[requests.id_of(number)] = now

        self.pacers[number % len(self.pacers)].ask(request, done)

    async def client(self, number: int, starts_at: float, end: float) -> None:
        app, delta, mortal = self.app(number), requests.delta(), number < self.silent
        lease_s, every_s = (self.silent_lease_s, self.silent_lease_s / 3) if mortal else (LEASE_S, self.every_s)
        await asyncio.sleep(max(starts_at - time.monotonic(), 0.0))
        self.ask("register", requests.register(number, app, lease_s=lease_s), number)
        beat, due = requests.beat(number, app), starts_at
        while True:
            due += every_s
            if due >= end:
                return
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
            if mortal and due >= self.silent_from:
                return
            self.ask("heartbeat", beat, number)
            self.ask("delta", delta, number)

    async def look(self, end: float) -> None:
        """Note when those who are silent are listed no more."""
        (download,) = await open_all(self.bench.server.address, 1)
        request = requests.apps(JSON, path=f"apps/{VICTIMS}")
        while time.monotonic() < end and len(self.gone) < self.silent:
            seen = set()
            if await answered(download, request, keep=True) == 200:
                listed = json.loads(b"".join(download.kept or []))["application"]["instance"]
                seen = {each["instanceId"] for each in listed}
            now = time.monotonic()
            for name in set(self.beaten) - seen - set(self.gone):
                if now >= self.silent_from:
                    self.gone[name] = now
            await asyncio.sleep(LOOK_S)
        download.close()


async def measure(bench: Bench, quick: bool) -> None:
    clients, every_s, steady_s, lease_s = (1_000, 3.0, 6.0, 6) if quick else (CLIENTS, EVERY_S, 60.0, SILENT_LEASE_S)
    lines: list[Line] = await connect(bench.server.address, min(CONNECTIONS, clients))
    crowd = Crowd(bench, clients, every_s, lease_s, [Pacer([line]) for line in lines])
    begun = time.monotonic()
    crowd.silent_from = begun + RAMP_S + steady_s
    end = crowd.silent_from + lease_s + LATEST_S
    starts = [begun + RAMP_S * random.Random(number).random() for number in range(clients)]
    tasks = [asyncio.create_task(crowd.client(number, starts[number], end)) for number in range(clients)]
    tasks.append(asyncio.create_task(_own_lateness(crowd.times.setdefault("the load's own lateness", []))))
    await asyncio.sleep(crowd.silent_from - time.monotonic())
    with bench.timed() as spent:
        await crowd.look(end)
        assert len(crowd.gone) == crowd.silent, await _why(crowd)
        await asyncio.sleep(1.0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await _judge(crowd, spent["cpu_s"] / spent["wall_s"], lines)


async def _own_lateness(times: list[float]) -> None:
    """By how many ms the load itself comes late: what it tells of the server is no better than that."""
    while True:
        due = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        times.append((time.monotonic() - due) * 1e3)


async def _why(crowd: Crowd) -> str:
    (download,) = await open_all(crowd.bench.server.address, 1)
    guards = await one(download, requests.guards())
    return f"{crowd.silent - len(crowd.gone)} silent ones are still listed; {guards.decode()}; {dict(crowd.wrong)}"


async def _judge(crowd: Crowd, share: float, lines: list[Line]) -> None:
    bench = crowd.bench
    assert not crowd.wrong, dict(crowd.wrong)
    late = sorted(crowd.gone[name] - at - crowd.silent_lease_s for name, at in crowd.beaten.items())
    assert late[0] >= -LOOK_S, f"one was gone {-late[0]:.1f} s before its lease was over"
    (download,) = await open_all(bench.server.address, 1)
    listed = json.loads(await one(download, requests.apps(JSON)))["applications"]["application"]
    delta = json.loads(plain(await one(download, requests.delta())))["applications"]
    assert delta["apps__hashcode"] == f"UP_{crowd.clients - crowd.silent + 1}_", delta["apps__hashcode"]
    left = sum(len(app["instance"]) for app in listed if app["name"].startswith("APP"))
    assert left == crowd.clients - crowd.silent, f"{left} of {crowd.clients - crowd.silent} healthy ones are listed"
    for each in [*lines, download]:
        each.close()
    for kind, times in crowd.times.items():
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        bench.note(f"{crowd.clients:,} clients: {kind} p50", p50)
        bench.note(f"{crowd.clients:,} clients: {kind} p99", p99)
        say(f"  {kind}: {len(times):,}, p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {max(times):.0f} ms")
    bench.note(f"{crowd.clients:,} clients: share of a core", share * 100)
    bench.note(LATE, late[-1])
    say(
        f"  {crowd.silent} fell silent: gone {late[0]:.1f} to {late[-1]:.1f} s after their lease; "
        f"all {left:,} others are there; the server used {share:.0%} of a core"
    )
