"""Heartbeats, registrations and lists as fast as the server gives them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace

from bench.eureka import requests
from bench.eureka.download import Download, answered, one, open_all, plain
from bench.eureka.server import Server
from bench.registry.cpu import busy_s
from bench.registry.load import Outcome, Pacer, connect, flood, steadily
from bench.registry.report import Report, percentile

LINES = 32
LIST_LINES = 2
CHANGES_PER_S = 50
WARM_UP = 1_000
LOOK_S = 0.005
OLD_S = 70.0
TRIES, ENOUGH_S = 5, 10.0

JSON, XML = "application/json", "application/xml"


def say(text: str) -> None:
    print(text, flush=True)


@dataclass
class Bench:
    """One server, the figures' column, and how many instances there are (`size`), each with the stamp `dirty`."""

    server: Server
    report: Report
    seconds: float
    size: int
    dirty: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    stamp: int = 0

    def note(self, name: str, value: float) -> None:
        self.report.note(name, self.server.name, value)

    @contextlib.contextmanager
    def timed(self) -> Iterator[dict[str, float]]:
        spent, machine, load_s = dict[str, float](), busy_s(), time.process_time()
        cpu_s, begun = self.server.cpu_s(), time.monotonic()
        yield spent
        spent |= {"wall_s": time.monotonic() - begun, "cpu_s": max(self.server.cpu_s() - cpu_s, 0.01)}
        others_s = busy_s() - machine - spent["cpu_s"] - (time.process_time() - load_s)
        self.report.disturbed.append(max(others_s, 0.0) / spent["wall_s"])


async def flooded(bench: Bench, name: str, asked: Iterable[bytes], seconds: float) -> Outcome:
    lines = await connect(bench.server.address, LINES)
    with bench.timed() as spent:
        outcome = await flood([lines], [asked], seconds)
    for line in lines:
        line.close()
    assert not outcome.wrong, f"{name}: {outcome.wrong} wrong answers, the last {outcome.sample!r}"
    per_core = outcome.answered / spent["cpu_s"]
    bench.note(name, outcome.answered / outcome.seconds)
    bench.note(f"{name}, per core", per_core)
    say(f"  {name}: {outcome.answered / outcome.seconds:,.0f}/s, {per_core:,.0f} per second of the server's core")
    return outcome


async def fill(bench: Bench, noted: bool = True) -> None:
    to = bench if noted else replace(bench, report=Report())
    outcome = await flooded(to, "registrations/s", list(map(requests.register, range(bench.size))), 600.0)
    assert outcome.answered == bench.size


async def warm_up(bench: Bench) -> None:
    """Some other instances come, beat and go, and the lists are asked for: a JVM compiles what it runs often."""
    others = range(bench.size, bench.size + WARM_UP)
    await flooded(bench, "warming up: registrations/s", [requests.register(number) for number in others] * 5, 600.0)
    beats = [requests.beat(number) for number in others]
    await flooded(bench, "warming up: heartbeats/s", itertools.cycle(beats), bench.seconds)
    await flooded(bench, "warming up: XML", [requests.register_xml(number, 1) for number in others] * 5, 600.0)
    await flooded(bench, "warming up: they leave", [requests.leave(number) for number in others], 600.0)


async def registrations(bench: Bench) -> None:
    """Each says something new of a known instance, as fast as may be; then the same in XML."""
    bench.stamp = next(bench.dirty)
    again = [requests.register(number, dirty=bench.stamp) for number in range(bench.size)]
    await flooded(bench, "registrations/s of known ones", again, 600.0)
    bench.stamp = next(bench.dirty)
    again = [requests.register_xml(number, bench.stamp) for number in range(bench.size)]
    await flooded(bench, "registrations/s, XML", again, 600.0)


async def heartbeats(bench: Bench) -> None:
    beats = [requests.beat(number, dirty=bench.stamp) for number in range(bench.size)]
    await flooded(bench, "heartbeats/s", itertools.cycle(beats), bench.seconds)


# --- lists


async def all_listed(bench: Bench, download: Download, request: bytes, media: str) -> None:
    """Until the list has them all: Eureka's server may give one from memory that is up to 30 s old."""
    async with asyncio.timeout(OLD_S):
        while (count := listed(plain(await one(download, request)), media)) not in (bench.size, bench.size + 1):
            await asyncio.sleep(0.5)
            assert bench.server.name != "plexmesh", f"{count} listed, expected {bench.size} and the node itself"


def listed(body: bytes, media: str) -> int:
    """How many instances there are in it; the hash must say as many."""
    if media == JSON:
        apps = json.loads(body)["applications"]
        found, hashcode = [each for app in apps["application"] for each in app["instance"]], apps["apps__hashcode"]
    else:
        root = ET.fromstring(body)
        found, hashcode = root.findall("application/instance"), root.findtext("apps__hashcode") or ""
    assert hashcode == (f"UP_{len(found)}_" if found else ""), hashcode
    return len(found)


async def lists(bench: Bench) -> None:
    for media, packed in itertools.product((JSON, XML), (False, True)):
        await _lists(bench, media, packed, changing=False)
    await _lists(bench, JSON, False, changing=True)
    await _lists(bench, XML, False, changing=True)


async def _lists(bench: Bench, media: str, packed: bool, changing: bool) -> None:
    request = requests.apps(media, packed)
    downloads = await open_all(bench.server.address, LIST_LINES)
    await all_listed(bench, downloads[0], request, media)
    length = downloads[0].body_bytes
    firsts: list[float] = []
    count = 0
    end = time.monotonic() + bench.seconds

    async def ask(download: Download) -> None:
        nonlocal count
        while time.monotonic() < end:
            assert await answered(download, request) == 200, download.status
            assert abs(download.body_bytes - length) <= length * 0.02, (download.body_bytes, length)
            firsts.append((download.first_ns - download.asked_ns) / 1e6)
            count += 1

    async with changes(bench) if changing else contextlib.nullcontext():
        with bench.timed() as spent:
            await asyncio.gather(*map(ask, downloads))
    for each in downloads:
        each.close()
    name = f"lists of {bench.size:,}/s, {'JSON' if media == JSON else 'XML'}"
    name += ", gzip" if packed else ""
    name += f", at {CHANGES_PER_S} changes/s" if changing else ""
    bench.note(name, count / spent["wall_s"])
    bench.note(f"{name}, per core", count / spent["cpu_s"])
    bench.note(f"{name}, first byte p99", percentile(firsts, 0.99))
    say(
        f"  {name}: {count / spent['wall_s']:,.0f}/s, {count / spent['cpu_s']:,.0f} per second of the server's core, "
        f"{length / 1e6:.1f} MB each, first byte p99 {percentile(firsts, 0.99):.1f} ms"
    )


@contextlib.asynccontextmanager
async def changes(bench: Bench) -> AsyncIterator[None]:
    """Instances say something new while the block runs."""
    lines = await connect(bench.server.address, 2)
    pacer, numbers, stamp, wrong = Pacer(lines), itertools.count(), next(bench.dirty), 0

    def answered(status: int, _: bytes) -> None:
        nonlocal wrong
        wrong += status not in (200, 204)

    def step() -> None:
        pacer.ask(requests.register(next(numbers) % bench.size, dirty=stamp), answered)

    task = asyncio.create_task(steadily(CHANGES_PER_S, step))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        for line in lines:
            line.close()
    assert not wrong, f"{wrong} changes were refused"


# --- how soon a change shows


async def visible(bench: Bench) -> None:
    """From the answer to a registration until it is in the list, and in the delta."""
    (line,) = await connect(bench.server.address, 1)
    (download,) = await open_all(bench.server.address, 1)
    for path, name in (
        ("apps/", "a change shows in the list after"),
        ("apps/delta", "a change shows in the delta after"),
    ):
        times = list[float]()
        while sum(times) < ENOUGH_S and len(times) < TRIES:
            new = 10_000_000 + next(bench.dirty)
            request = requests.apps(JSON, path=path)
            await one(download, request)  # somebody has asked before
            done = asyncio.get_running_loop().create_future()
            line.ask(requests.register(new, app="LATEST"), lambda status, _: done.set_result(status))  # noqa: B023
            assert await done in (200, 204)
            begun = time.monotonic()
            while requests.id_of(new).encode() not in await one(download, request):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
            times.append(time.monotonic() - begun)
        bench.note(name, max(times))
        say(f"  {name}: {max(times):.3f} s at most in {len(times)}")
    line.close()
    download.close()
