"""The stores themselves, asked for the same without anything of ours around them.

    vsam    SQLite as the data set has it (write-ahead log, synchronous FULL): a read each, commits of 16 writes
    etcd    its JSON gateway, asked by wrk over 16 connections at the leader
    redis   redis-benchmark over 16 connections

Writes per second are keys per second.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from pathlib import Path

from bench.caching.asked import CONNECTIONS, KEYS, VALUE

Rates = dict[str, float]
"""GET and PUT, per second."""


def sqlite(folder: Path, seconds: float) -> Rates:
    writer = sqlite3.connect(folder / "bare.db", isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA synchronous = FULL")
    writer.execute("CREATE TABLE held (key BLOB PRIMARY KEY, value BLOB)")
    keys = [f"key{number}".encode() for number in range(KEYS)]
    value = VALUE.encode()
    writer.executemany("INSERT INTO held VALUES (?, ?)", [(key, value) for key in keys])
    reader = sqlite3.connect(folder / "bare.db", isolation_level=None)
    done, ends_at, begun = 0, time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < ends_at:
        writer.execute("BEGIN IMMEDIATE")
        for _ in range(CONNECTIONS):
            writer.execute("UPDATE held SET value = ? WHERE key = ?", (value, keys[done % KEYS]))
            done += 1
        writer.execute("COMMIT")
    written = done / (time.monotonic() - begun)
    done, ends_at, begun = 0, time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < ends_at:
        reader.execute("SELECT value FROM held WHERE key = ?", (keys[done % KEYS],)).fetchone()
        done += 1
    read = done / (time.monotonic() - begun)
    reader.close()
    writer.close()
    return {"GET": read, "PUT": written}


async def redis(host: str, port: int) -> Rates:
    """By redis-benchmark, which comes with the server (Debian: redis-tools)."""
    program = shutil.which("redis-benchmark")
    assert program, "redis-benchmark is missing: apt-get install redis-tools"
    rates: Rates = {}
    for name, test in (("PUT", "set"), ("GET", "get")):
        command = [
            program,
            "-h",
            host,
            "-p",
            str(port),
            "-c",
            str(CONNECTIONS),
            "-d",
            "512",
            "-n",
            "60000",
            "-r",
            str(KEYS),
        ]
        process = await asyncio.create_subprocess_exec(*command, "-t", test, "--csv", stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        rates[name] = float(said.decode().splitlines()[-1].split(",")[1].strip('"'))
    return rates
