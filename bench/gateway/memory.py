"""What an idle connection costs a proxy in memory: kept-alive ones that have been answered once, and websockets.

A proxy is started afresh for each, and serves a little first, so that no memory freed by an earlier measure hides the
growth. The figure is the growth of its proportional set size (PSS: shared pages in shares) divided by the connections.
The kernel's socket buffers are in nobody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bench.gateway.client import Line, Lines, request
from bench.gateway.peers import ROUTES
from bench.gateway.process import Process
from bench.gateway.readiness import ready
from bench.gateway.rounds import Bench, say
from bench.gateway.table import Row
from bench.gateway.websocket import Socket, opened

CONNECTIONS = 5_000
SOON_CONNECTIONS = 500
SETTLED_S = 0.5
"""PSS that stays within 1 % for so long is settled."""
DEADLINE_S = 10.0

CLIENT = Row("idle client connection", "kB")
WEBSOCKET = Row("idle websocket", "kB", at_most=8)
STARTED = Row("memory after the start (PSS)", "MB")

ASKED = request("GET", f"{ROUTES['orders']}/items")


async def measure(bench: Bench, count: int) -> None:
    say(f"memory, {count:,} idle connections")
    for proxy in bench.proxies:
        started, client = await growth(proxy, count, Line, answered)
        _, websocket = await growth(proxy, count, Socket, opened)
        for row, value in ((STARTED, started / 1e6), (CLIENT, client / 1e3), (WEBSOCKET, websocket / 1e3)):
            bench.figures.note(row, proxy.name, value)
        say(f"  {proxy.name:9} client {client / 1e3:5.1f} kB  websocket {websocket / 1e3:5.1f} kB")


async def growth(
    proxy: Process, count: int, protocol: Callable[[asyncio.Future[None]], Any], settle: Callable[[Lines], Any]
) -> tuple[float, float]:
    """(PSS before, growth per connection), in bytes."""
    await proxy.stop()
    await proxy.start()
    await ready(proxy)
    async with Lines(proxy.address, 10, protocol) as lines:
        await settle(lines)
    before = await settled(proxy)
    async with Lines(proxy.address, count, protocol) as lines:
        await settle(lines)
        after = await settled(proxy)
        await lines.wait(0)
    return before, (after - before) / count


async def answered(lines: Lines) -> None:
    for line in lines.lines:
        done = asyncio.get_running_loop().create_future()
        line.ask(ASKED, lambda done=done: done.set_result(None))
        await lines.until(done, 10.0)


async def settled(proxy: Process) -> float:
    """PSS that no longer changes."""
    loop = asyncio.get_running_loop()
    end, since, last = loop.time() + DEADLINE_S, loop.time(), proxy.pss_bytes()
    while loop.time() - since < SETTLED_S and loop.time() < end:
        await asyncio.sleep(0.1)
        now = proxy.pss_bytes()
        if abs(now - last) > last / 100:
            since, last = loop.time(), now
    return proxy.pss_bytes()
