"""What TLS costs at plexmesh's gateway and at HAProxy: one run, the same P-256 certificate, one core each.

    openssl s_time, wrk ──▶ plexmesh, HAProxy, each in plain and with TLS ──▶ nginx

`python -P -m bench.tls` (`--soon` for a smoke; `--rounds`, `--seconds`)

    kept connections   wrk, 64 of them, heads that vary: requests in plain and with TLS, and what of the rate stays
    handshakes         `openssl s_time`, four at once. Whole ones of TLS 1.3 and nothing said after; resumed ones of
                       TLS 1.2; and of TLS 1.3 with one request, whole and resumed, since tickets come with the answer

A client's side of a handshake costs more than the server's, so the load's core is the limit for HAProxy: what is
judged is handshakes per second of the proxy's own processor time. Both ask clients for a certificate and do without.

Processes, rounds and the table are `bench.gateway`'s.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import re
import shutil
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench.gateway import heads, peers, small, upstream, wrk
from bench.gateway.cores import split
from bench.gateway.peers import Place
from bench.gateway.process import Process, output
from bench.gateway.rounds import Bench, say
from bench.gateway.table import OURS, Row
from bench.registry.report import verdict_of
from tests.certificates import Drawer, a_drawer

CONNECTIONS = 64
CLIENTS = 4
SECURED = " TLS"
"""How the name of one with TLS ends."""
READY_IN_S = 20.0
SETTLE_S = 0.5
"""Between visits: closed connections are still being cleared away."""
DONE = re.compile(r"(\d+) connections in (\d+) real seconds")
SMALL_PATH = f"{heads.PREFIX}/items?page=1"


class Kind(NamedTuple):
    name: str
    options: tuple[str, ...]
    resumed: bool


HANDSHAKES = (
    Kind("whole handshake, TLS 1.3", ("-new", "-tls1_3"), False),
    Kind("resumed handshake, TLS 1.2", ("-reuse", "-tls1_2"), True),
    Kind("whole handshake and a request, TLS 1.3", ("-new", "-tls1_3", "-www", SMALL_PATH), False),
    Kind("resumed handshake and a request, TLS 1.3", ("-reuse", "-tls1_3", "-www", SMALL_PATH), True),
)


def certified(place: Place) -> Drawer:
    """Where plexmesh looks for it; HAProxy has certificate and key in one file."""
    drawer = a_drawer(place.folder / "data" / "volume" / "certificates")
    files = drawer.lpar("LPAR1", place.host(47), place.host(48))
    (place.folder / "both.pem").write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    return drawer


def proxies(place: Place, drawer: Drawer) -> list[Process]:
    tls = (
        f" ssl crt {place.folder / 'both.pem'} ca-file {drawer.folder / 'ca.pem'} verify optional"
        " ssl-min-ver TLSv1.2 alpn http/1.1"
    )
    return [
        peers.plexmesh(place),
        peers.plexmesh_at(place, OURS + SECURED, place.host(48), PLEXMESH_TLS="on", PLEXMESH_LPAR="LPAR1"),
        peers.haproxy(place),
        peers.haproxy_at(place, "HAProxy" + SECURED, 8012, tls),
    ]


def secured(proxy: Process) -> bool:
    return proxy.name.endswith(SECURED)


def column(proxy: Process) -> str:
    return proxy.name.removesuffix(SECURED)


@contextlib.asynccontextmanager
async def running(place: Place, arguments: argparse.Namespace) -> AsyncIterator[Bench]:
    """Everything started, and stopped again however the measures end."""
    drawer = certified(place)
    rest = place.cores.rest
    helpers = [
        upstream.answering(peers.found_nginx(), place.answering, rest, place.folder),
        upstream.taking(place.taking, rest, place.folder),
        peers.registry(place),
    ]
    measured = proxies(place, drawer)
    context = ssl.create_default_context(cafile=drawer.folder / "ca.pem")
    try:
        for each in (*helpers, *measured):
            await each.start()
        for each in measured:
            await ready(each, context)
        yield Bench(place.folder, measured, helpers, arguments.rounds, arguments.seconds)
    finally:
        for each in (*measured, *helpers):
            await each.stop()


async def ready(proxy: Process, context: ssl.SSLContext) -> None:
    host, port = proxy.address
    url = f"{'https' if secured(proxy) else 'http'}://{host}:{port}{SMALL_PATH}"
    handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(*handlers)
    end = time.monotonic() + READY_IN_S
    while await asyncio.to_thread(asked, opener, url) != upstream.SMALL:
        assert time.monotonic() < end, f"{proxy.name}: {url} is not answered rightly: {proxy.said()}"
        await asyncio.sleep(0.1)


def asked(opener: urllib.request.OpenerDirector, url: str) -> bytes:
    """Empty when that does not work yet."""
    try:
        with opener.open(url, timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


async def kept(bench: Bench) -> None:
    """Plain and with TLS are two visits of a round; the share is of the same round."""
    script = small.script(bench, "varied", heads.lua(heads.shapes()))
    name = f"kept connections, {CONNECTIONS}"
    rows = {False: Row(f"{name}: plain, requests per CPU second"), True: Row(f"{name}: TLS, requests per CPU second")}
    rates = {False: Row(f"{name}: plain, requests/s"), True: Row(f"{name}: TLS, requests/s")}
    busy = Row(f"{name}: TLS, of its core", "%", compared=False)
    share = Row(f"{name}: of plain that stays with TLS, per CPU second", "%")
    bench.figures.declare(*rows.values(), share, *rates.values(), busy)
    say(name)

    async def one(proxy: Process) -> None:
        with_tls = secured(proxy)
        seconds = max(round(bench.seconds), 1)
        rate = await wrk.rate(proxy, script, CONNECTIONS, seconds, "https" if with_tls else "http")
        say(f"  {proxy.name:13}{rate.per_s:9,.0f}/s {1e6 / rate.per_cpu_s:7.1f} µs  {rate.busy:4.0%} of its core")
        bench.figures.note(rows[with_tls], column(proxy), rate.per_cpu_s)
        bench.figures.note(rates[with_tls], column(proxy), rate.per_s)
        if with_tls:
            bench.figures.note(busy, column(proxy), rate.busy * 100)

    await bench.visit(one)
    for name in (OURS, "HAProxy"):
        pairs = zip(bench.figures.rows[rows[False]][name], bench.figures.rows[rows[True]][name], strict=True)
        for plain, with_tls in pairs:
            bench.figures.note(share, name, with_tls / plain * 100)


async def handshakes(bench: Bench, kind: Kind) -> None:
    per_cpu_s, per_s = Row(f"{kind.name}: per CPU second"), Row(f"{kind.name}: per second")
    cpu = Row(f"{kind.name}: CPU of one", "µs", compared=False)
    busy = Row(f"{kind.name}: of its core", "%", compared=False)
    bench.figures.declare(per_cpu_s, cpu, per_s, busy)
    say(kind.name)

    async def one(proxy: Process) -> None:
        if not secured(proxy):
            return
        before, begun = proxy.cpu_s(), time.monotonic()
        seconds = max(round(bench.seconds), 1)
        counts = await asyncio.gather(*(timed(proxy.address, kind, seconds) for _ in range(CLIENTS)))
        await asyncio.sleep(SETTLE_S)
        taken_s, cpu_s, count = time.monotonic() - begun - SETTLE_S, proxy.cpu_s() - before, sum(counts)
        each_us, used = 1e6 * cpu_s / count, cpu_s / taken_s
        say(f"  {column(proxy):9}{count / taken_s:9,.0f}/s {each_us:7.1f} µs  {used:4.0%} of its core")
        figures = {per_cpu_s: count / cpu_s, per_s: count / taken_s, cpu: each_us, busy: used * 100}
        for row, value in figures.items():
            bench.figures.note(row, column(proxy), value)

    await bench.visit(one)


async def timed(address: tuple[str, int], kind: Kind, seconds: int) -> int:
    """How many one client made. It prints an `r` for each that was resumed."""
    host, port = address
    command = found_openssl(), "s_time", "-connect", f"{host}:{port}", "-time", str(seconds), *kind.options
    said = await output(*command)
    text = said.decode(errors="replace")
    found = DONE.findall(text)
    assert found, f"openssl s_time failed: {text[-500:]}"
    count = int(found[-1][0])
    letters = max((line for line in text.splitlines() if not line.strip("rtT*3")), key=len, default="")
    resumed = letters.count("r")
    assert count, f"{host}:{port}: no handshake"
    assert (resumed >= 0.9 * count) if kind.resumed else not resumed, f"{host}:{port}: {resumed} of {count} resumed"
    return count


def found_openssl() -> str:
    return shutil.which("openssl") or ""


async def main(arguments: argparse.Namespace) -> None:
    begun, cores = time.monotonic(), split()
    os.sched_setaffinity(0, cores.rest)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    say(f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, load average {load}; a proxy has one core")
    with tempfile.TemporaryDirectory(prefix="plexmesh-bench-") as name:
        place = Place(Path(name), cores, os.getpid() % 250 + 1)
        async with running(place, arguments) as bench:
            try:
                await kept(bench)
                for kind in HANDSHAKES:
                    await handshakes(bench, kind)
            finally:
                say(f"\n{bench.figures.table([OURS, 'HAProxy'])}\n")
        if bench.others:
            others = sum(bench.others) / len(bench.others)
            say(f"Other processes took {others:.0%} of a core meanwhile: {verdict_of(others)}.")
    say(f"in {time.monotonic() - begun:.0f} s")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m bench.tls")
    parser.add_argument("--soon", action="store_true", help="a smoke, figures mean nothing")
    parser.add_argument("--rounds", type=int, help="visits to each proxy: 5")
    parser.add_argument("--seconds", type=float, help="of each visit: 2")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.soon else 5)
    arguments.seconds = arguments.seconds or (1.0 if arguments.soon else 2.0)
    return arguments


if __name__ == "__main__":
    chosen = parsed()
    needed = {
        "wrk": wrk.found(), "nginx-light": peers.found_nginx(), "haproxy": peers.found_haproxy(),
        "openssl": found_openssl(),
    }  # fmt: skip
    if lacking := [name for name, path in needed.items() if not path]:
        say(f"the bench of TLS is skipped, it needs: apt-get install {' '.join(lacking)}")
        sys.exit(0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(chosen))
