"""Constructs one discovery node and runs it: the only place where its parts meet."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import random
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web

import plexmesh
from discovery import clock, disk, operations, zowe_model
from discovery.access import certified, short_way
from discovery.api import Api
from discovery.auth import Verifier
from discovery.bulletin import Bulletin
from discovery.config import DiscoveryConfig
from discovery.dashboard.comings import Comings
from discovery.dashboard.page import Dashboard
from discovery.desk import Desk
from discovery.driver import Driver
from discovery.entrance import Entrance
from discovery.eureka.api import BATCH_FACTOR, EurekaApi
from discovery.eureka.lists import Lists
from discovery.eureka.replicator import Replicator
from discovery.image import Image
from discovery.keyfile import KeyFile
from discovery.metrics import EurekaPeerMetrics, NodeMetrics
from discovery.node import Node
from discovery.peer_stream import peers_way
from discovery.peers import BODY_FACTOR, Peers
from discovery.policy import Policy
from discovery.registry import Registry
from discovery.rights import Rights
from discovery.snapshots import Snapshots
from discovery.traffic import Traffic
from discovery.watch import Watch
from discovery.zowe import prefix
from discovery.zowe.api import StaticApi
from discovery.zowe.onboarding import Onboarding
from discovery.zowe.static import Static
from shared import net, problem
from shared.application import Application
from shared.doorway import Doorway, short_ways
from shared.errors import BadInput, ConfigError
from shared.events import Events
from shared.guards import SELF_PRESERVATION
from shared.lifecycle import Lifecycle
from shared.tls import client_tls, server_tls

log = logging.getLogger("plexmesh.discovery")

ACCEPTED_S = 0.1
"""A node that stops goes on accepting for so long after it has refused new connections."""

TOLD_S = 1.0
"""At its end a node waits so long for its peers to know, and once more for what was written while it drained."""


async def run(config: DiscoveryConfig, lifecycle: Lifecycle) -> None:
    for url in config.discovery:
        if not url.startswith(f"{config.scheme}://"):
            raise ConfigError(
                f"discovery: {url}: expected {config.scheme}://, as TLS is {'on' if config.tls else 'off'}"
            )
    onboarding = Onboarding(prefix.parse(config.service_id_prefix_replacer))
    listeners = net.listen_on(config.listen_hosts, config.port)
    events = Events(log)
    keys = KeyFile(config.data / "volume" / "gossip.key", config.keys_s, events)
    verifier = Verifier(lambda: keys.ring, secrets.token_bytes(32))
    node = new_node(config, loaded(config, events))
    traffic = Traffic()
    lists = Lists(node)
    watch = Watch(node, config.watch_buffer_bytes, config.watchers_max)
    registry = Registry(node, config.instances_per_service)
    peers = Peers(config, lambda: keys.ring, traffic)
    comings = Comings(node)
    bulletin = Bulletin(node)
    driver = Driver(node, peers.call, watch, [lists, comings, bulletin], events)
    peers.lost = driver.look_at
    snapshots = Snapshots(disk.path_of(config.data, config.lpar), node.image, config.snapshot_s, events)
    replicator = Replicator(config, registry, driver, events)
    hearer = replicator if config.eureka_peers else None
    static = Static(config, registry, driver, onboarding, events, hearer)
    parts = functools.partial(health, node, snapshots, static)
    vitals = Application(
        "discovery",
        config,
        events,
        why=node.why_not_ready,
        parts=parts,
        documents=operations.documents,
        beside=operations.beside,
    )
    vitals.metrics.register(NodeMetrics(driver, watch, traffic, snapshots))
    vitals.metrics.register(EurekaPeerMetrics(replicator.peers))

    doors = [problem.middleware(), certified(config)]
    app = web.Application(middlewares=doors, client_max_size=config.body_bytes * BATCH_FACTOR)
    rights = new_rights(config)
    api = Api(config, driver, registry, watch, onboarding, hearer, rights)
    eureka = EurekaApi(config, registry, driver, lists, onboarding, hearer, rights)
    for room in (vitals, api, eureka, StaticApi(static)):
        app.add_routes(room.routes())
    dashboard = Dashboard(config, node, comings, events, replicator.peers, lambda: static.refusals)
    dashboard.install(app)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    assert runner.server is not None
    entrance = Entrance(config.sysplex, driver.receive, verifier, traffic, config.body_bytes * BODY_FACTOR)
    ways = {**peers_way(entrance), **short_ways(Desk(api, eureka, config.access), runner.server)}
    doorway = Doorway(runner.server, ways, admits=short_way(config))
    servers = [await net.serve(doorway, each, server_tls(config)) for each in listeners]
    gc.collect()
    gc.freeze()
    events.emit("node.started", origin=node.origin, address=config.address, seeds=sorted(node.links))

    for name, task in (
        ("driver", driver.run),
        ("marks", watch.mark_regularly),
        ("lists", lists.sweep_regularly),
        ("snapshots", snapshots.run),
        ("keys", keys.watch),
        ("static", static.run),
        ("bulletin", lambda: bulletin.run(events)),
    ):
        lifecycle.spawn(name, task)
    replicator.spawn(lifecycle)
    service = plexmesh.Service(
        "discovery",
        host=config.host,
        port=config.port,
        lpar=config.lpar,
        discovery=[config.address],
        secure=config.tls,
        tls=client_tls(config),
        renew_s=config.renew_s,
        lease_s=config.lease_s,
    )
    async with service:
        await lifecycle.stopped()
        events.emit("node.leaving", origin=node.origin)
    await say_goodbye(driver, config.drain_s)
    await replicator.last(TOLD_S)
    await snapshots.last()
    watch.close()
    bulletin.publish(events)
    events.close()
    await stop_listening(servers, listeners)
    await runner.cleanup()
    doorway.close()
    await driver.close()
    peers.close()
    await dashboard.close()
    await replicator.close()


async def say_goodbye(driver: Driver, drain_s: float) -> None:
    """Tell the other nodes, answer for a while, and tell them what came meanwhile."""
    driver.depart()
    await driver.told(TOLD_S)
    await asyncio.sleep(max(drain_s - TOLD_S, 0.0))
    await driver.told(TOLD_S)


async def stop_listening(servers: Iterable[asyncio.Server], listeners: Iterable[socket.socket]) -> None:
    """Take those who wait to be accepted, then close: one client of Eureka's hangs for good after a reset."""
    for listener in listeners:
        with contextlib.suppress(OSError):
            net.refuse_handshakes(listener)
    await asyncio.sleep(ACCEPTED_S)
    for server in servers:
        server.close()


def new_rights(config: DiscoveryConfig) -> Rights:
    nodes = [urlsplit(each).hostname or "" for each in config.discovery]
    own = [config.host, config.vipa.rpartition(":")[0], *nodes]
    return Rights(config.access, own, tls=config.tls, replicas=bool(config.eureka_peers))


def new_policy(config: DiscoveryConfig) -> Policy:
    """The rules this node goes by, all in one place; what is not named here is the policy's own default."""
    guarded = SELF_PRESERVATION not in config.without_guards
    if config.behaviour == "zowe":
        return zowe_model.policy(speed=config.speed, fence_s=config.fence_s, guarded=guarded)
    if not guarded:
        return Policy(fence_s=config.fence_s, owner_guard=None, isolation_guard=None)
    return Policy(fence_s=config.fence_s)


def new_node(config: DiscoveryConfig, image: Image | None) -> Node:
    return Node(
        config.lpar,
        config.address,
        config.discovery,
        sysplex=config.sysplex,
        now=clock.now(),
        wall_ms=clock.wall_ms(config.clock_offset_s),
        rng=random.Random(),
        policy=new_policy(config),
        image=image,
    )


def loaded(config: DiscoveryConfig, events: Events) -> Image | None:
    """What this node's last boot has saved, if it is to be used."""
    path = disk.path_of(config.data, config.lpar)
    try:
        image = disk.load(path, config.sysplex, config.lpar)
    except BadInput as error:
        events.emit("snapshot.refused", path=str(path), reason=str(error))
        return None
    if image is not None:
        records = sum(len(space.records) for space in image.spaces)
        events.emit("snapshot.loaded", path=str(path), records=records, logs=len(image.spaces))
    return image


def health(node: Node, snapshots: Snapshots, static: Static) -> dict[str, object]:
    """What people should know although the node works: guards that are on, what is not confirmed, a disk that fails,
    definitions that are not served."""
    details = {
        "guards": {guard.name: guard.why for guard in node.guards(clock.now()) if guard.on},
        "stale": node.stale,
        "snapshotFailing": snapshots.failing,
        "refusedDefinitions": [str(each) for each in static.refusals],
    }
    return {"registry": {"status": "UP", "details": details}}
