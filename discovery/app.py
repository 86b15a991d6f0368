"""Constructs one discovery node and runs it: the only place where its parts meet."""

from __future__ import annotations

import asyncio
import logging
import time

from aiohttp import web

import plexmesh
from discovery import auth
from discovery.api import Api
from discovery.config import DiscoveryConfig
from discovery.driver import Driver
from discovery.eureka.api import EurekaApi
from discovery.eureka.delta import DeltaLog
from discovery.metrics import NodeMetrics
from discovery.node import Node
from discovery.peers import Peers
from discovery.registry import Registry
from discovery.watch import Watch
from shared import net, problem
from shared.application import Application
from shared.events import Events
from shared.lifecycle import Lifecycle

log = logging.getLogger("plexmesh.discovery")

PEER_BODY_FACTOR = 16


async def run(config: DiscoveryConfig, lifecycle: Lifecycle) -> None:
    listener = net.listen(config.host, config.port)
    key = auth.load(config.data / "volume" / "gossip.key")
    events = Events(log)
    node = new_node(config)
    delta = DeltaLog()
    watch = Watch(node, config.watch_buffer_bytes)
    peers = Peers(config, key)
    driver = Driver(node, peers.call, watch, delta, events)
    vitals = Application("discovery", config, events, why=lambda: [] if node.covered else ["joining its peers"])
    vitals.metrics.register(NodeMetrics(node, watch))

    app = web.Application(middlewares=[problem.middleware()], client_max_size=config.body_bytes * PEER_BODY_FACTOR)
    app.add_routes(vitals.routes())
    app.add_routes(Api(config, driver, watch, key).routes())
    app.add_routes(EurekaApi(Registry(node), driver, delta).routes())
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    events.emit("node.started", origin=node.origin, address=config.address, seeds=sorted(node.links))

    lifecycle.spawn("driver", driver.run)
    lifecycle.spawn("marks", watch.mark_regularly)
    service = plexmesh.Service(
        "discovery", host=config.host, port=config.port, lpar=config.lpar, discovery=[config.address]
    )
    async with service:
        await lifecycle.stopped()
        events.emit("node.leaving", origin=node.origin)
    await driver.told(at_most_s=1.0)
    await asyncio.sleep(max(config.drain_s - 1.0, 0.0))
    watch.close()
    events.close()
    await runner.cleanup()
    await driver.close()
    await peers.close()


def new_node(config: DiscoveryConfig) -> Node:
    now = time.monotonic()
    wall_ms = int(time.time() * 1000)
    return Node(
        node=config.lpar,
        address=config.address,
        seeds=config.discovery,
        epoch=wall_ms,
        wall_at_zero_ms=wall_ms - int(now * 1000),
        now=now,
    )
