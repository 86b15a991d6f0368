"""The registry plexmesh's gateway watches, in a process of its own so that its CPU time is not the gateway's.

`python -P -m bench.gateway.registry HOST PORT SERVICE=HOST:PORT…`
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from tests.fakes import FakeDiscovery, an_instance


async def main(host: str, port: str, *services: str) -> None:
    node = FakeDiscovery(host, int(port))
    node.registrations = True
    for each in services:
        service, address = each.split("=")
        at, _, number = address.partition(":")
        node.put(an_instance(service, int(number), at))
    await node.start()
    while True:
        await asyncio.sleep(5)
        node.put()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
