"""Small JSON over kept-alive connections, and over a new connection for each request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.gateway import heads, profile, wrk
from bench.gateway.process import Process
from bench.gateway.rounds import Bench, say
from bench.gateway.table import DIRECT, Row

GOALS = (("nginx", 0.7), ("HAProxy", 0.85), ("Envoy", 1.3), ("aiohttp", 4.0))
NEW_GOALS = (("nginx", 0.7),)
CONNECTIONS = (1, 16, 64, 256)
JUDGED = 64
"""Connections at which the goals hold."""

Goals = tuple[tuple[str, float], ...]


async def kept_alive(bench: Bench, connections: Sequence[int], profiles: Path | None, soon: bool) -> None:
    varied = script(bench, "varied", heads.lua(heads.shapes()))
    for count in connections:
        name = f"small JSON, {count} connection{'s' * (count > 1)}"
        await series(bench, name, varied, count, GOALS if count == JUDGED else ())
        if profiles:
            await profile.record(bench, profiles / f"small-{count}", varied, count)
    if JUDGED in connections and not soon:
        repeated = script(bench, "repeated", heads.lua_repeated(heads.REPEATED))
        await series(bench, f"one head repeated, {JUDGED} connections", repeated, JUDGED)


async def new(bench: Bench) -> None:
    closing = script(bench, "closing", heads.lua(heads.shapes(close=True)))
    await series(bench, "new connection per request, 64 at once", closing, JUDGED, NEW_GOALS)


def script(bench: Bench, name: str, text: str) -> Path:
    path = bench.folder / f"{name}.lua"
    path.write_text(text)
    return path


async def series(bench: Bench, name: str, script: Path, connections: int, goals: Goals = ()) -> None:
    upstream, *_ = bench.helpers
    per_s = Row(f"{name}: requests/s", goals=goals)
    per_cpu_s = Row(f"{name}: requests per CPU second", goals=goals)
    cpu = Row(f"{name}: CPU of one", "µs", compared=False)
    busy = Row(f"{name}: of its core", "%", compared=False)
    p50, p99 = Row(f"{name}: p50", "ms", compared=False), Row(f"{name}: p99", "ms")
    bench.figures.declare(per_s, per_cpu_s, cpu, busy, p50, p99)
    say(name)

    async def one(proxy: Process) -> None:
        rate = await wrk.rate(proxy, script, connections, max(round(bench.seconds), 1))
        say(f"  {proxy.name:9}{rate.per_s:9,.0f}/s {1e6 / rate.per_cpu_s:7.1f} µs  {rate.busy:4.0%} of its core")
        figures = {per_s: rate.per_s, p50: rate.p50_ms, p99: rate.p99_ms}
        if proxy is not upstream:
            figures |= {per_cpu_s: rate.per_cpu_s, cpu: 1e6 / rate.per_cpu_s, busy: rate.busy * 100}
        for row, value in figures.items():
            bench.figures.note(row, DIRECT if proxy is upstream else proxy.name, value)

    await bench.visit(one, upstream)
