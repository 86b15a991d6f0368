"""Constructs one sample instance and runs it."""

from __future__ import annotations

import logging

from aiohttp import web

import plexmesh
from sample import openapi, operations
from sample.api import SampleApi
from sample.config import SampleConfig
from shared import net, problem
from shared.application import Application
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.tls import client_tls, server_tls

log = logging.getLogger("plexmesh.sample")

ROUTES = {"api/v1": "/api/v1", "ui/v1": "/ui/v1", "ws/v1": "/ws/v1"}


async def run(config: SampleConfig, lifecycle: Lifecycle) -> None:
    listeners = net.listen_on(config.listen_hosts, config.port)
    events = Events(log)
    vitals = Application("sample", config, events, why=list, documents=operations.documents)
    app = web.Application(middlewares=[problem.middleware()])
    app.add_routes(vitals.routes())
    app.add_routes(SampleApi(config).routes())
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    assert runner.server is not None
    servers = [await net.serve(runner.server, each, server_tls(config)) for each in listeners]
    events.emit("sample.started", instance=config.instance)
    service = plexmesh.Service(
        "sample",
        host=config.host,
        port=config.port,
        lpar=config.lpar,
        routes=ROUTES,
        metadata=openapi.metadata(config),
        title="Sample service",
        description="Says who answers",
        discovery=config.discovery,
        drain_s=config.drain_s,
        renew_s=config.renew_s,
        lease_s=config.lease_s,
        secure=config.tls,
        tls=client_tls(config),
    )
    async with service:
        await lifecycle.stopped()
        events.emit("sample.leaving", instance=config.instance)
    events.close()
    for each in servers:
        each.close()
    await runner.cleanup()
