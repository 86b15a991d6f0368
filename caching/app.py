"""Constructs one caching instance and runs it."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from aiohttp import web

import plexmesh
from caching import health, settings
from caching.api import BASE, CachingApi, render
from caching.backends.in_memory import REMARK, InMemoryStorage
from caching.backends.vsam import Place, VsamStorage
from caching.caller import DISTINGUISHED_NAME, ROLE
from caching.calls import Calls
from caching.clock import Clock
from caching.config import CachingConfig
from caching.desk import Desk
from caching.metrics import CachingMetrics
from caching.openapi import document
from caching.operations import OPERATIONS
from caching.refusals import Full
from caching.settings import StorageChoice
from caching.storage import Storage
from shared import access, net, problem
from shared.application import Application
from shared.doorway import Doorway, short_ways
from shared.errors import PlexmeshError, Unavailable
from shared.events import Events
from shared.identity import Identity
from shared.lifecycle import Lifecycle
from shared.tls import client_tls, secured, server_tls

if TYPE_CHECKING:
    from caching.backends.etcd.storage import EtcdStorage
    from caching.backends.redis.storage import RedisStorage

log = logging.getLogger("plexmesh.caching")

OPEN_AGAIN_S = 1.0
FINISH_S = 1.0
"""What calls under way get when the instance ends."""


async def run(config: CachingConfig, lifecycle: Lifecycle) -> None:
    choice = settings.choose(config.storage)
    identity = settings.identity(config.identity)
    oversize_status = settings.oversize_status(config.compat)
    for note in choice.notes:
        log.warning("config.note", extra={"fields": {"note": note}})
    listeners = net.listen_on(config.listen_hosts, config.port)
    events = Events(log)
    vitals = Application(
        "caching",
        config,
        events,
        why=lambda: storage.why(),
        parts=lambda: health.parts(storage, identity, config.tls),
        documents=lambda: [document(OPERATIONS, "", BASE)],
    )
    metrics = CachingMetrics(vitals.metrics)
    storage = new_storage(choice, config, events, metrics)

    doors = [problem.middleware(render), access.certified(config, is_for_holders)]
    app = web.Application(middlewares=doors, client_max_size=config.body_bytes)
    app.add_routes(vitals.routes())
    identify = functools.partial(access.who, access=config.access) if config.tls else nobody
    calls = Calls(storage, metrics, oversize_status=oversize_status)
    app.add_routes(CachingApi(calls, identify).routes())
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=FINISH_S)
    await runner.setup()
    assert runner.server is not None
    ways = short_ways(Desk(calls, config.body_bytes, identify), runner.server)
    doorway = Doorway(runner.server, ways, certified=config.tls)
    servers = [await net.serve(doorway, each, server_tls(config)) for each in listeners]
    events.emit("caching.started", instance=config.instance, storage=choice.mode)
    try:
        if await opened(storage, lifecycle):
            async with service(config, storage):
                await lifecycle.stopped()
                events.emit("caching.leaving", instance=config.instance)
    finally:
        events.close()
        for each in servers:
            each.close()
        await calls.finished(FINISH_S)
        doorway.close()
        await runner.cleanup()
        await storage.close()


def service(config: CachingConfig, storage: Storage) -> plexmesh.Service:
    return plexmesh.Service(
        "cachingservice",
        host=config.host,
        port=config.port,
        lpar=config.lpar,
        routes={"api/v1": BASE},
        metadata=api_info(config),
        title="Caching service",
        description="Keeps keys and values for services that keep no state",
        health=lambda: not storage.why(),
        discovery=config.discovery,
        drain_s=config.drain_s,
        renew_s=config.renew_s,
        lease_s=config.lease_s,
        secure=config.tls,
        tls=client_tls(config),
    )


def nobody(_: asyncio.BaseTransport | None) -> Identity | None:
    """In plain."""
    return None


def is_for_holders(path: str) -> bool:
    """Of a certificate, where there is TLS: the entries; not the document that describes them."""
    return path.startswith(BASE) and path != f"{BASE}/openapi.json"


def api_info(config: CachingConfig) -> dict[str, str]:
    """Where a catalog shows the API and finds its OpenAPI document, as Zowe's services say it; with TLS, that gateways
    are to tell whose certificate a caller has shown."""
    about = {
        "apiId": "zowe.apiml.cachingservice",
        "version": version("plexmesh-sysplex"),
        "gatewayUrl": "api/v1",
        "swaggerUrl": f"{config.url(config.port)}{BASE}/openapi.json",
    }
    tile = {"id": "infrastructure", "title": "Infrastructure", "description": "What services build on"}
    vouched = {"apiml.authentication.scheme": "x509", "apiml.authentication.headers": f"{DISTINGUISHED_NAME},{ROLE}"}
    return {
        "plexmesh.visibility": "internal",
        **(vouched if config.tls else {}),
        **{f"apiml.apiInfo.api-v1.{name}": value for name, value in about.items()},
        **{f"apiml.catalog.tile.{name}": value for name, value in tile.items()},
    }


def new_storage(choice: StorageChoice, config: CachingConfig, events: Events, metrics: CachingMetrics) -> Storage:
    clock = Clock(config.clock_offset_s)
    if choice.mode == "inMemory":
        alone = len(config.discovery) < 2
        if not alone:
            log.warning("storage.not_shared", extra={"fields": {"remark": REMARK}})
        return InMemoryStorage(choice.limit, alone=alone, clock=clock)
    if choice.mode in ("etcd", "redis"):
        server = new_server_storage(choice, config, events, clock, metrics)
        metrics.waiting(server.waiting)
        return server
    place = Place(
        volume=config.data / "volume",
        name=choice.name,
        sysplex=config.sysplex,
        holder=f"{config.lpar} (process {os.getpid()})",
        attributes=choice.attributes,
        limit=choice.limit,
        write_deadline_s=config.write_deadline_s,
        read_deadline_s=config.read_deadline_s,
        fence_after_s=settings.fence_after_s(config.fence_after_s),
        lpar=config.lpar,
        host=config.host,
        launcher=os.environ.get("PLEXMESH_LAUNCHER", ""),
        up=os.environ.get("PLEXMESH_UP", ""),
        tls=secured(config),
    )
    storage = VsamStorage(place, events, clock, metrics.committed)
    metrics.waiting(storage.waiting)
    return storage


def new_server_storage(
    choice: StorageChoice, config: CachingConfig, events: Events, clock: Clock, metrics: CachingMetrics
) -> EtcdStorage | RedisStorage:
    """Their libraries take time and memory, which only those are to pay who use them; so they are imported here."""
    shared: dict[str, Any] = {
        "sysplex": config.sysplex,
        "instance": config.instance,
        "write_deadline_s": config.write_deadline_s,
        "read_deadline_s": config.read_deadline_s,
        "committed": metrics.committed,
    }
    if choice.mode == "etcd":
        from caching.backends.etcd.storage import EtcdStorage

        return EtcdStorage(choice.etcd, events, clock, choice.limit, **shared)
    from caching.backends.redis.storage import RedisStorage

    return RedisStorage(choice.redis, events, clock, choice.limit, **shared)


async def opened(storage: Storage, lifecycle: Lifecycle) -> bool:
    """Open it, again and again while it cannot be yet; False when told to stop meanwhile."""
    reason = ""
    while not lifecycle.stopping:
        try:
            await storage.open()
            return True
        except (Unavailable, Full) as error:
            reason = said(error, reason)
        try:
            async with asyncio.timeout(OPEN_AGAIN_S):
                await lifecycle.stopped()
        except TimeoutError:
            continue
    return False


def said(error: PlexmeshError, before: str) -> str:
    """One line for each new reason."""
    text = str(error)
    if text != before:
        log.warning("storage.not_open", extra={"fields": {"why": text}})
    return text
