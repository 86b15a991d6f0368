"""The yardstick: a cluster of three etcd servers (Debian's etcd-server), asked for the same in the same run.

What is alike: a registration is a key with 300 bytes, written at all members in turn; a change is there when a watch
stream of each member has told of it; a heartbeat keeps a lease alive. What is not: etcd agrees by Raft, so it orders
all writes, refuses them in a minority, and syncs its log to disk before it answers (here that is memory where there is
/dev/shm, which favours it); it speaks JSON through its gRPC gateway, which costs it; its members are three, not five.

Skipped by name when there is no etcd on the PATH or in $ETCD.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import itertools
import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.registry import measures
from bench.registry.cpu import spent
from bench.registry.load import Line, Outcome, Pacer, connect, flood, steadily
from bench.registry.measures import CHANGES_PER_S, LINES, REGISTER_BATCH, STAYS_S, check, learn, say
from bench.registry.population import LEASE_S, close
from bench.registry.report import Report, percentile

MEMBERS = 3
CLIENT, PEER = 2379, 2380
VALUE = "x" * 300
COLUMN = "etcd, 3 members"
READY_S = 20.0


def program() -> str | None:
    return os.environ.get("ETCD") or shutil.which("etcd")


def host(index: int) -> str:
    return f"127.0.{95 + index}.{os.getpid() % 250 + 1}"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def post(index: int, path: str, body: object) -> bytes:
    data = json.dumps(body, separators=(",", ":")).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {host(index)}:{CLIENT}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def put(key: str) -> dict[str, str]:
    return {"key": b64(key), "value": b64(VALUE)}


class Members:
    """The three processes."""

    def __init__(self, processes: list[asyncio.subprocess.Process]) -> None:
        self._processes = processes
        self._psutil = [psutil.Process(each.pid) for each in processes]

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path):  # type: ignore[no-untyped-def]
        found = program()
        assert found is not None
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else folder  # noqa: ASYNC240
        data = Path(tempfile.mkdtemp(prefix="plexmesh-etcd-", dir=memory))
        everybody = ",".join(f"e{index}=http://{host(index)}:{PEER}" for index in range(MEMBERS))
        processes = []
        try:
            for index in range(MEMBERS):
                with (folder / f"etcd{index}.log").open("ab") as log:
                    processes.append(
                        await asyncio.create_subprocess_exec(
                            *(found, "--name", f"e{index}", "--data-dir", str(data / f"e{index}")),
                            *("--listen-client-urls", f"http://{host(index)}:{CLIENT}"),
                            *("--advertise-client-urls", f"http://{host(index)}:{CLIENT}"),
                            *("--listen-peer-urls", f"http://{host(index)}:{PEER}"),
                            *("--initial-advertise-peer-urls", f"http://{host(index)}:{PEER}"),
                            *("--initial-cluster", everybody, "--initial-cluster-token", data.name),
                            *("--logger", "zap", "--log-level", "warn"),
                            stdout=log,
                            stderr=log,
                        )
                    )
            yield cls(processes)
        finally:
            for each in processes:
                if each.returncode is None:
                    each.send_signal(signal.SIGKILL)
                await each.wait()
            shutil.rmtree(data, ignore_errors=True)

    @contextlib.contextmanager
    def measured(self, what: str) -> Iterator[None]:
        with spent(self._cpu_s) as cpu:
            yield
        say(f"  {what:28} CPU: {cpu}")

    def _cpu_s(self) -> dict[str, float]:
        times = [each.cpu_times() for each in self._psutil]
        return {f"etcd{number}": each.user + each.system for number, each in enumerate(times, 1)}


class Stream(asyncio.Protocol):
    """A watch of the timed keys at one member: when each came and went."""

    FOUND = re.compile(rb'("type":"DELETE",)?"kv":\{"key":"([A-Za-z0-9+/=]+)"')

    def __init__(self, index: int) -> None:
        self._index = index
        self._rest = b""
        self.created = asyncio.Event()
        self.seen: dict[tuple[int, int], int] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        watch = {"create_request": {"key": b64("change/"), "range_end": b64("change0")}}
        transport.write(post(self._index, "/v3/watch", watch))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if b'"created":true' in line:
                self.created.set()
            for deleted, key in self.FOUND.findall(line):
                number = int(base64.b64decode(key).removeprefix(b"change/c"))
                learn(self.seen, [number, 0 if deleted else 1, now_ns])


async def run(folder: Path, report: Report, size: int, seconds: float) -> None:
    """`seconds` for each measure."""
    if program() is None:
        say("etcd: skipped, there is none here (apt-get install etcd-server, or name one in ETCD)")
        return
    say(f"{COLUMN}, {size:,} keys")
    async with Members.running(folder) as members:
        await ready()
        await fill(members, report, size)
        await change_times(members, report, seconds * 2)
        await keepalives(members, report, seconds)
        await registrations(members, report, seconds)


async def ready() -> None:
    async with asyncio.timeout(READY_S):
        for index in range(MEMBERS):
            outcome = Outcome(wrong=1)
            while outcome.wrong or not outcome.answered:
                await asyncio.sleep(0.1)
                lines = [await connect((host(index), CLIENT), 1)]
                outcome = await flood(lines, [[post(index, "/v3/kv/put", put("ready"))]], 5.0)
                close(lines)


async def lines_to_all(each: int) -> list[list[Line]]:
    return [await connect((host(index), CLIENT), each) for index in range(MEMBERS)]


async def fill(members: Members, report: Report, size: int) -> None:
    asked: list[list[bytes]] = [[] for _ in range(MEMBERS)]
    for number, first in enumerate(range(0, size, REGISTER_BATCH)):
        index = number % MEMBERS
        puts = [{"requestPut": put(f"svc{n % 200:03d}/i{n}")} for n in range(first, first + REGISTER_BATCH)]
        asked[index].append(post(index, "/v3/kv/txn", {"success": puts}))
    outcome = await flooded(members, "etcd: 100 puts a transaction", asked, 60.0)
    report.note(measures.BATCHED, COLUMN, outcome.answered * REGISTER_BATCH / outcome.seconds)


async def registrations(members: Members, report: Report, seconds: float) -> None:
    asked = [
        [post(index, "/v3/kv/put", put(f"x{n % 100:02d}/{index}-{n}")) for n in range(int(seconds * 8000))]
        for index in range(MEMBERS)
    ]
    outcome = await flooded(members, "etcd: one put a POST", asked, seconds)
    report.note(measures.SINGLE, COLUMN, outcome.answered / outcome.seconds)


async def keepalives(members: Members, report: Report, seconds: float) -> None:
    async with asyncio.timeout(READY_S):
        lines = await lines_to_all(1)
        for number in range(1, 101):
            await flood(lines[:1], [[post(0, "/v3/lease/grant", {"TTL": LEASE_S, "ID": number})]], 5.0)
        close(lines)
    asked = [
        itertools.cycle([post(index, "/v3/lease/keepalive", {"ID": number}) for number in range(1, 101)])
        for index in range(MEMBERS)
    ]
    outcome = await flooded(members, "etcd: one keepalive a POST", asked, seconds)
    report.note(measures.SINGLE_BEATS, COLUMN, outcome.answered / outcome.seconds)


async def flooded(members: Members, what: str, asked: list, seconds: float) -> Outcome:  # type: ignore[type-arg]
    lines = await lines_to_all(LINES * 2)
    with members.measured(what):
        outcome = await flood(lines, asked, seconds)
    close(lines)
    check(outcome)
    return outcome


async def change_times(members: Members, report: Report, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    streams = []
    for index in range(MEMBERS):
        transport, stream = await loop.create_connection(functools.partial(Stream, index), host(index), CLIENT)
        async with asyncio.timeout(READY_S):
            await stream.created.wait()
        streams.append((transport, stream))
    lines = await lines_to_all(LINES * 2)
    pacers = [Pacer(group) for group in lines]
    numbers, here = itertools.count(), deque[tuple[float, int]]()
    asked_ns: dict[tuple[int, int], int] = {}

    def step() -> None:
        now = time.monotonic()
        if here and here[0][0] <= now:
            _, number = here.popleft()
            ask(number, 0, "/v3/kv/deleterange", {"key": b64(f"change/c{number}")})
        else:
            number = next(numbers)
            here.append((now + STAYS_S, number))
            ask(number, 1, "/v3/kv/put", put(f"change/c{number}"))

    def ask(number: int, there: int, path: str, body: object) -> None:
        asked_ns[number, there] = time.monotonic_ns()
        pacers[number % MEMBERS].ask(post(number % MEMBERS, path, body), lambda status, _: None)

    with members.measured("etcd: 500 changes/s"), contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await steadily(CHANGES_PER_S, step)
    await asyncio.sleep(1.0)
    assert all(len(stream.seen) == len(asked_ns) for _, stream in streams), "a member's watch missed a change"
    close(lines)
    for transport, _ in streams:
        transport.abort()
    seen = [stream.seen for _, stream in streams]
    all_ms = [(max(each[change] for each in seen) - at) / 1e6 for change, at in asked_ns.items()]
    report.note(measures.CHANGE_P50, COLUMN, percentile(all_ms, 0.5))
    report.note(measures.CHANGE_P99, COLUMN, percentile(all_ms, 0.99))
    report.note(measures.WATCHED_P99, COLUMN, percentile(all_ms, 0.99))
