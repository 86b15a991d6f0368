"""The HTTP servers under test: an instance of the caching service on a store, and the bare one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp
import yaml

from bench.caching.asked import BASE, KEYS, OWNER, VALUE
from bench.gateway.cores import Cores
from bench.gateway.process import Process

PORT = 7555
NAIVE = Path(__file__).with_name("naive.py")


def instance(name: str, host: str, storage: str, cores: Cores, folder: Path) -> Process:
    """On that store."""
    place = folder / f"instance-{name}"
    place.mkdir()
    file = place / "plexmesh.yaml"
    tree = {
        "components": {"caching": {"port": PORT, "storage": storage}},
        "haInstances": {"LPAR1": {"hostname": host}},
    }
    file.write_text(yaml.safe_dump(tree))
    environ = {"PLEXMESH_CONFIG": str(file), "PLEXMESH_LPAR": "LPAR1", "PLEXMESH_DATA": str(place / "data")}
    return Process(name, (host, PORT), [sys.executable, "-P", "-m", "caching"], cores, folder, environ)


def naive(name: str, host: str, cores: Cores, folder: Path) -> Process:
    return Process(name, (host, PORT), [sys.executable, "-P", str(NAIVE), host, str(PORT)], cores, folder)


async def fill(process: Process) -> None:
    """Every key is there when this returns; waits until the store takes writes."""
    host, port = process.address
    url = f"http://{host}:{port}{BASE}/cache"
    async with aiohttp.ClientSession(headers={"X-CS-Service-ID": OWNER}) as session, asyncio.timeout(30):
        for number in range(KEYS):
            body = {"key": f"key{number}", "value": VALUE}
            while True:
                async with session.post(url, json=body) as answer:
                    if answer.status in (201, 204):
                        break
                    assert answer.status == 503, f"{process.name}: {answer.status} {await answer.text()}"
                await asyncio.sleep(0.05)
