"""The registry plexmesh's gateway watches here: its instances have a health page, as registered programs have.

`python -P -m bench.failover.registry HOST PORT SERVICE=HOST:PORT… [KEY:VALUE…]`; the last are metadata of all.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from tests.fakes import FakeDiscovery, an_instance


async def main(host: str, port: str, *words: str) -> None:
    services = [each for each in words if "=" in each]
    metadata = dict(each.split(":", 1) for each in words if "=" not in each)
    node = FakeDiscovery(host, int(port))
    node.registrations = True
    for each in services:
        service, address = each.split("=")
        at, _, number = address.partition(":")
        url = f"http://{address}/application/health"
        node.put(an_instance(service, int(number), at, health_check_url=url, metadata=metadata))
    await node.start()
    while True:
        await asyncio.sleep(5)
        node.put()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
