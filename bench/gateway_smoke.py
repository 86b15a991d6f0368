"""What a request costs: asked directly, through the gateway, and through the proxy everyone writes first.

Three ways to the same upstream (raw asyncio, small JSON), in one run, one after the other over several rounds:

    direct    load → upstream
    gateway   load → plexmesh gateway → upstream
    aiohttp   load → an aiohttp handler that calls an aiohttp client → upstream

Load and upstream share one core, the proxy under test has the other one to itself. Prints requests per second and the
proxy's CPU time per request. Usage: python bench/gateway_smoke.py [--seconds 1] [--connections 64] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing as mp
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httptools
import psutil
import uvloop
from aiohttp import ClientSession, web

UPSTREAM, GATEWAY, AIOHTTP = ("127.0.45.1", 9000), ("127.0.46.1", 7554), ("127.0.47.1", 8000)
DISCOVERY = "127.0.46.1"
BODY = b'{"service":"orders","status":"ok","items":[1,2,3]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
REQUEST = (
    b"GET /orders/api/v1/items?page=1 HTTP/1.1\r\nHost: 127.0.0.1:7554\r\nUser-Agent: bench/1\r\n"
    b"Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
)


class Upstream(asyncio.Protocol):
    """Answers each request head with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


class Load(asyncio.Protocol):
    """One kept-alive connection: the next request as soon as the answer is whole."""

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.counts[0] += 1
        self.counts[1] += self.parser.get_status_code() != 200
        self.transport.write(REQUEST)


async def serve_upstream() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, *UPSTREAM)
    await server.serve_forever()


async def serve_gateway() -> None:
    from gateway.app import Gateway
    from gateway.config import GatewayConfig
    from shared.lifecycle import Lifecycle
    from tests.fakes import FakeDiscovery, an_instance

    node = FakeDiscovery(DISCOVERY)
    node.put(an_instance("orders", UPSTREAM[1], UPSTREAM[0]))
    await node.start()
    async with asyncio.TaskGroup() as tasks:
        config = GatewayConfig(host=GATEWAY[0], port=GATEWAY[1], vipa="", discovery=(node.url,))
        await Gateway(config).start(Lifecycle(tasks))


async def serve_aiohttp() -> None:
    session = ClientSession()

    async def forward(request: web.Request) -> web.Response:
        url = f"http://{UPSTREAM[0]}:{UPSTREAM[1]}{request.path_qs.removeprefix('/orders/api/v1')}"
        async with session.request(request.method, url, headers=request.headers) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, *AIOHTTP).start()
    await asyncio.Event().wait()


def process(serve: Callable[[], Any], core: int) -> mp.Process:
    started = mp.get_context("spawn").Process(target=run, args=(serve, core), daemon=True)
    started.start()
    return started


def run(serve: Callable[[], Any], core: int) -> None:
    os.sched_setaffinity(0, {core})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


async def load(address: tuple[str, int], connections: int, seconds: float) -> tuple[int, int]:
    """(answers, of which not 200) in that time."""
    loop, counts = asyncio.get_running_loop(), [0, 0]
    made = [await loop.create_connection(lambda: Load(counts), *address) for _ in range(connections)]
    await asyncio.sleep(seconds)
    done = counts[0], counts[1]
    for transport, _ in made:
        transport.abort()
    return done


async def until_answering(address: tuple[str, int]) -> None:
    async with asyncio.timeout(15):
        while True:
            try:
                if (await load(address, 1, 0.05))[1] == 0:
                    return
            except OSError:
                await asyncio.sleep(0.05)


def cpu_s(one: mp.Process) -> float:
    times = psutil.Process(one.pid).cpu_times()
    return float(times.user + times.system)


async def measure(arguments: argparse.Namespace, ways: dict[str, tuple[tuple[str, int], mp.Process]]) -> None:
    for address, _ in ways.values():
        await until_answering(address)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, (address, one) in ways.items():
            cpu, begun = cpu_s(one), time.perf_counter()
            answers, wrong = await load(address, arguments.connections, arguments.seconds)
            assert answers, f"{name}: nothing was answered"
            assert not wrong, f"{name}: {wrong} answers were not 200"
            rates[name].append(answers / (time.perf_counter() - begun))
            costs[name].append((cpu_s(one) - cpu) / answers * 1e6)
    print(f"{'':10}{'requests/s':>12}{'range':>18}{'CPU us/request':>16}")
    for name in ways:
        low, high = min(rates[name]), max(rates[name])
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        print(f"{name:10}{rate:12,.0f}{f'{low:,.0f}-{high:,.0f}':>18}{cost:16.1f}")
    faster = statistics.median(rates["gateway"]) / statistics.median(rates["aiohttp"])
    cheaper = statistics.median(costs["aiohttp"]) / statistics.median(costs["gateway"])
    print(f"against aiohttp: {faster:.1f} times the requests/s, 1/{cheaper:.1f} of the CPU time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    rest, tested = cores[0], cores[-1]
    os.sched_setaffinity(0, {rest})
    upstream = process(serve_upstream, rest)
    ways = {
        "direct": (UPSTREAM, upstream),
        "gateway": (GATEWAY, process(serve_gateway, tested)),
        "aiohttp": (AIOHTTP, process(serve_aiohttp, tested)),
    }
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(arguments, ways))
    for _, one in ways.values():
        one.terminate()


if __name__ == "__main__":
    main()
