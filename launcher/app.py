"""One LPAR's launcher, put together: `plexmesh run --lpar LPAR1`, and each child of `plexmesh up`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiohttp import web

import plexmesh
from launcher import place
from launcher.api import LauncherApi, application
from launcher.config import LauncherConfig
from launcher.spec import specs
from launcher.supervisor import Supervisor
from shared import log, plexfile
from shared.application import Application
from shared.config import load
from shared.errors import ConfigError, nearest
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.net import listen


async def main(lifecycle: Lifecycle, argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
    """`environ` names the configuration file, PLEXMESH_CONFIG."""
    config = load(LauncherConfig, "launcher", argv, environ)
    log.setup("launcher", config.lpar)
    file = plexfile.read(Path(environ["PLEXMESH_CONFIG"]))
    if config.lpar not in file.lpars and "PLEXMESH_HOST" not in environ:
        raise ConfigError(f"{file.path}: there is no LPAR {config.lpar}{nearest(config.lpar, file.lpars)}")
    port = file.port("launcher", config.lpar)
    sock = listen(config.host, port)
    events = Events(logging.getLogger("plexmesh.launcher"))
    supervisor = Supervisor(
        specs(file, config), config, place.make_lpar_folder(config.data, config.lpar), events, lifecycle
    )
    about = Application("launcher", config, events, lambda: _why_not(supervisor))
    runner = web.AppRunner(
        application(LauncherApi(supervisor).routes(), about), access_log=None, handle_signals=False, shutdown_timeout=1
    )
    service = plexmesh.Service(
        "launcher", port=port, host=config.host, lpar=config.lpar, discovery=config.discovery, drain_s=0
    )
    try:
        supervisor.start()
        await runner.setup()
        await web.SockSite(runner, sock).start()
        await service.start()
        await lifecycle.stopped()
    finally:
        leaving = asyncio.create_task(service.stop())  # while discovery still answers
        await supervisor.stop()
        await leaving
        await runner.cleanup()


def _why_not(supervisor: Supervisor) -> list[str]:
    lpar = supervisor.report()
    return [f"{each.name} is {each.state}" for each in lpar.components if each.state != "ready"]
