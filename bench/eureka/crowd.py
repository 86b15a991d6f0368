"""10,000 clients: each registers, then beats and asks for the delta every 30 s; 200 of them fall silent.

Each client has a moment of its own within the 30 s. Several share a connection, which carries one request at a time;
times count from the moment a request was due. Who falls silent is in an application of its own, whose list is looked at
every 0.1 s: none is to be there later than its lease and a second after its last heartbeat, and nobody else is to go.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.eureka import requests
from bench.eureka.download import one, open_all
from bench.eureka.rates import JSON, Bench, say
from bench.registry.load import Line, Pacer, connect
from bench.registry.report import percentile

CLIENTS = 10_000
SILENT_SHARE = 0.02
"""More than 15 % at once and the node would doubt itself rather than them."""
CONNECTIONS = 2_000
EVERY_S = 30.0
RAMP_S = 10.0
LEASE_S = 90.0
LOOK_S = 0.1
VICTIMS = "VICTIMS"


@dataclass
class Crowd:
    """`beaten` has each silent client's last answered heartbeat, `gone` when it was listed no more."""

    bench: Bench
    clients: int
    every_s: float
    pacer: Pacer
    times: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
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

        def answered(status: int, _: bytes) -> None:
            now = time.monotonic()
            self.statuses[kind, status] += 1
            self.times.setdefault(kind, []).append((now - due) * 1e3)
            if number < self.silent and kind in ("register", "heartbeat"):
                self.beaten[requests.id_of(number)] = now

        self.pacer.ask(request, answered)

    async def client(self, number: int, starts_at: float, end: float) -> None:
        app, delta = self.app(number), requests.delta()
        await asyncio.sleep(max(starts_at - time.monotonic(), 0.0))
        self.ask("register", requests.register(number, app), number)
        beat, due = requests.beat(number, app), starts_at
        while True:
            due += self.every_s
            if due >= end:
                return
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
            if number < self.silent and due >= self.silent_from:
                return
            self.ask("heartbeat", beat, number)
            self.ask("delta", delta, number)

    async def look(self, end: float) -> None:
        """Note when those who are silent are listed no more."""
        (download,) = await open_all(self.bench.server.address, 1)
        request = requests.apps(JSON, path=f"apps/{VICTIMS}")
        while time.monotonic() < end and len(self.gone) < self.silent:
            done = asyncio.get_running_loop().create_future()
            download.ask(request, lambda _: done.set_result(None), keep=True)  # noqa: B023
            await done
            seen = set()
            if download.status == 200:
                listed = json.loads(b"".join(download.kept or []))["application"]["instance"]
                seen = {each["instanceId"] for each in listed}
            now = time.monotonic()
            for name in set(self.beaten) - seen - set(self.gone):
                if now >= self.silent_from:
                    self.gone[name] = now
            await asyncio.sleep(LOOK_S)
        download.close()


async def measure(bench: Bench, quick: bool) -> None:
    clients, every_s, steady_s = (1_000, 3.0, 6.0) if quick else (CLIENTS, EVERY_S, 2 * EVERY_S)
    lines: list[Line] = await connect(bench.server.address, min(CONNECTIONS, clients))
    for line in lines:  # or those not needed for a minute would be sent away as having nothing to say
        line.ask(requests.apps(JSON, path="apps/NOBODY"), lambda *_: None)
    await asyncio.sleep(1.0)
    crowd = Crowd(bench, clients, every_s, Pacer(lines))
    begun = time.monotonic()
    crowd.silent_from = begun + RAMP_S + steady_s
    end = crowd.silent_from + every_s + LEASE_S + 5.0
    starts = [begun + RAMP_S * random.Random(number).random() for number in range(clients)]
    tasks = [asyncio.create_task(crowd.client(number, starts[number], end)) for number in range(clients)]
    await asyncio.sleep(crowd.silent_from - time.monotonic())
    with bench.timed() as spent:
        await crowd.look(end)
        assert len(crowd.gone) == crowd.silent, f"{crowd.silent - len(crowd.gone)} silent ones are still listed"
        await asyncio.sleep(1.0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await _judge(crowd, spent["cpu_s"] / spent["wall_s"], lines)


async def _judge(crowd: Crowd, share: float, lines: list[Line]) -> None:
    bench = crowd.bench
    wrong = {f"{kind} {status}": count for (kind, status), count in crowd.statuses.items() if status not in (200, 204)}
    assert not wrong, wrong
    late = sorted(crowd.gone[name] - at - LEASE_S for name, at in crowd.beaten.items())
    assert late[0] >= -LOOK_S, f"one was gone {-late[0]:.1f} s before its lease was over"
    (download,) = await open_all(bench.server.address, 1)
    listed = json.loads(await one(download, requests.apps(JSON)))["applications"]["application"]
    left = sum(len(app["instance"]) for app in listed if app["name"].startswith("APP"))
    assert left == crowd.clients - crowd.silent, f"{left} of {crowd.clients - crowd.silent} healthy ones are listed"
    for each in [*lines, download]:
        each.close()
    for kind, times in crowd.times.items():
        bench.note(f"{crowd.clients:,} clients: {kind} p50", percentile(times, 0.5))
        bench.note(f"{crowd.clients:,} clients: {kind} p99", percentile(times, 0.99))
        say(f"  {kind}: {len(times):,}, p50 {percentile(times, 0.5):.1f} ms, p99 {percentile(times, 0.99):.1f} ms")
    bench.note(f"{crowd.clients:,} clients: share of a core", share * 100)
    bench.note("silent ones listed after their lease, at most", late[-1])
    say(
        f"  {crowd.silent} fell silent: gone {late[0]:.1f} to {late[-1]:.1f} s after their lease; "
        f"all {left:,} others are there; the server used {share:.0%} of a core"
    )
