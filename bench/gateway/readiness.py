"""Before anything is measured: each proxy must answer on each route what the upstream says."""

from __future__ import annotations

import asyncio

from bench.gateway.client import Wrong, asked, request
from bench.gateway.peers import ROUTES
from bench.gateway.process import Process
from bench.gateway.upstream import LARGE_BYTES, SMALL

READY_IN_S = 15.0


async def ready(proxy: Process) -> None:
    """Right answers after a while are enough: plexmesh's gateway first hears from the registry."""
    end = asyncio.get_running_loop().time() + READY_IN_S
    while True:
        try:
            await check(proxy)
        except (Wrong, OSError) as trouble:
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"{proxy.name}: {trouble}: {proxy.said()}") from trouble
            await asyncio.sleep(0.1)
        else:
            return


async def check(proxy: Process) -> None:
    small = await asked(proxy.address, request("GET", f"{ROUTES['orders']}/items?page=1"))
    if small != SMALL:
        raise Wrong(f"the small answer is {small!r}")
    await asked(proxy.address, request("GET", f"{ROUTES['orders']}/large"), LARGE_BYTES)
    upload = bytes(LARGE_BYTES)
    told = await asked(proxy.address, request("POST", f"{ROUTES['sink']}/upload", upload))
    if told != b'{"bytes":%d}' % LARGE_BYTES:
        raise Wrong(f"of an upload of {LARGE_BYTES} bytes the upstream says {told!r}")
