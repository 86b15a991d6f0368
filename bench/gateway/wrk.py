"""wrk: one thread of C on the load's core that asks as fast as it is answered.

Its script (`heads`) counts every status of 400 or more and every error of a socket; one of either fails the
run. Where a proxy leaves some of its core idle, the load was the limit: requests per second of the proxy's own
processor time then say what it could do.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.gateway.process import Process, output

HOW = "apt-get install wrk"
ERRORS = ("connect", "read", "write", "status", "timeout")


class Done(msgspec.Struct):
    """What wrk's script prints at its end; the last five are counts of errors."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    connect: int
    read: int
    write: int
    status: int
    timeout: int


@dataclass(frozen=True)
class Rate:
    per_s: float
    per_cpu_s: float
    p50_ms: float
    p99_ms: float
    busy: float
    """Share of its core the proxy used."""


def found() -> str:
    return shutil.which("wrk") or ""


async def rate(proxy: Process, script: Path, connections: int, seconds: int, scheme: str = "http") -> Rate:
    before = proxy.cpu_s()
    done = await ask(proxy.address, script, connections, seconds, scheme=scheme)
    cpu_s, taken_s = proxy.cpu_s() - before, done.duration_us / 1e6
    return Rate(
        per_s=done.requests / taken_s,
        per_cpu_s=done.requests / cpu_s,
        p50_ms=done.p50_us / 1e3,
        p99_ms=done.p99_us / 1e3,
        busy=cpu_s / taken_s,
    )


async def ask(
    address: tuple[str, int],
    script: Path,
    connections: int,
    seconds: int,
    patience_s: int = 10,
    scheme: str = "http",
) -> Done:
    host, port = address
    said = await output(
        found(), "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={patience_s}s", "-s", str(script),
        f"{scheme}://{host}:{port}/",
    )  # fmt: skip
    lines = [line for line in said.splitlines() if line.startswith(b"{")]
    assert lines, f"wrk failed: {said.decode(errors='replace')}"
    done = msgspec.json.decode(lines[0], type=Done)
    wrong = {name: getattr(done, name) for name in ERRORS}
    assert done.requests, f"{host}:{port}: nothing was answered"
    assert not any(wrong.values()), f"{host}:{port}: {done.requests} requests, errors: {wrong}"
    return done
