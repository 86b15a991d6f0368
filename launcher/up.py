"""`plexmesh up`, put together: check, start one launcher per LPAR, show them coming up, stay, take everything down.

A wrong machine or file is one line and exit code 2, found before anything is started (`launcher.plan`). A component
that finds its own section of the file wrong, which only it can, ends the first start in the same way.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import logging.handlers
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from aiohttp import web

from launcher import operations, orphans, place, secure
from launcher.adoption import Adoption
from launcher.api import application
from launcher.drills import Drills
from launcher.drills_api import DrillsApi
from launcher.journal import Journal
from launcher.lpar import Lpar
from launcher.plan import Plan
from launcher.restart import CONFIGURATION
from launcher.screen import Screen
from launcher.sysplex import Sysplex
from launcher.sysplex_api import SysplexApi
from shared import log, wire
from shared.application import Application
from shared.config import ServiceConfig
from shared.errors import ConfigError, PlexmeshError
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.net import listen, serve
from shared.plexfile import COMPONENTS
from shared.tls import Tls

READY_WITHIN_S = 60.0
USERS_WITHIN_S = 10.0
"""Components of the user may be waited for no longer; what is wrong with them is shown."""

LOG_BYTES = 5_000_000


class NotAsWanted(PlexmeshError):
    """The sysplex could not be started; the text says why. Exit code 1."""


async def main(lifecycle: Lifecycle, plan: Plan, screen: Screen) -> None:
    began = time.monotonic()
    log.setup("up", plan.file.sysplex, _log_file(plan.data))
    plan.check_all_addresses()
    sock = listen(*plan.address)
    events = Events(logging.getLogger("plexmesh.up"))
    journal = Journal(events, screen.tell, plan.program.command)
    if exposed := plan.exposed():
        journal.say("sysplex.insecure", addresses=", ".join(exposed))
    secured = secure.tls(plan.data) if plan.file.tls else None
    connector = aiohttp.TCPConnector(ssl=secured.client if secured else True)
    async with aiohttp.ClientSession(connector=connector) as session:

        def make(plan: Plan, lpar: str) -> Lpar:
            folder = place.make_lpar_folder(plan.data, lpar)
            return Lpar(lpar, plan.file, plan.environment(lpar), folder, session, lifecycle, journal)

        sysplex = Sysplex(plan.file, {each: make(plan, each) for each in plan.file.lpars}, session, journal)
        adoption = Adoption(plan, sysplex, make, journal, lifecycle)
        drills = Drills(plan.file.path, plan.data, journal, lifecycle)
        runner = _runner(plan, sysplex, adoption, drills, events, lifecycle, secured)
        servers: list[asyncio.Server] = []
        try:
            orphans.adopt()
            sysplex.begin(lifecycle)
            lifecycle.on_hangup(functools.partial(lifecycle.spawn, "reload", adoption.adopt_if_it_can_be))
            await runner.setup()
            assert runner.server is not None
            servers.append(await serve(runner.server, sock, secured.server if secured else None))
            await _come_up(lifecycle, sysplex, screen, began)
            await lifecycle.stopped()
        finally:
            screen.close()
            _second_signal_kills(sysplex)
            await drills.end()
            await sysplex.stop()
            await orphans.end("")
            for each in servers:
                each.close()
            await runner.cleanup()


def _runner(
    plan: Plan,
    sysplex: Sysplex,
    adoption: Adoption,
    drills: Drills,
    events: Events,
    lifecycle: Lifecycle,
    secured: Tls | None,
) -> web.AppRunner:
    config = ServiceConfig(
        sysplex=plan.file.sysplex, lpar="", host=plan.address[0], data=plan.data, vipa=plan.file.vipa,
        tls=plan.file.tls, access=plan.file.access,
    )  # fmt: skip
    about = Application("up", config, events, sysplex.why_not, documents=operations.up, tls=secured)
    api = SysplexApi(sysplex, adoption, plan.file.sysplex, plan.data, lifecycle)
    app = application([*api.routes(), *DrillsApi(drills).routes()], about, plan.file.access)
    return web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)


async def _come_up(lifecycle: Lifecycle, sysplex: Sysplex, screen: Screen, began: float) -> None:
    """Show every component until all are ready. Raises ConfigError, NotAsWanted when one of ours has failed.

    An LPAR that an operator kills, stops or pauses meanwhile is not waited for. A component of the user's that does not
    come up is shown, and takes nothing else with it.
    """
    while not lifecycle.stopping:
        lpars = await sysplex.reports()
        seconds = time.monotonic() - began
        screen.progress(lpars, seconds)
        awaited = [lpar for lpar in lpars if sysplex.lpars[lpar.id].condition == "running"]
        _require_none_failed(sysplex, awaited)
        within_s = USERS_WITHIN_S if _ours_ready(awaited) else READY_WITHIN_S
        if all(lpar.state == "ready" for lpar in awaited) or seconds > within_s:
            screen.summary(lpars, seconds)
            return
        await asyncio.sleep(0.1)


def _ours_ready(reports: Sequence[wire.Lpar]) -> bool:
    return all(each.state == "ready" for lpar in reports for each in lpar.components if each.name in COMPONENTS)


def _require_none_failed(sysplex: Sysplex, reports: Sequence[wire.Lpar]) -> None:
    for lpar in sysplex.lpars.values():
        if lpar.condition == "lost":
            raise _error(f"{lpar.id}: {lpar.last_line}", lpar.code == 2)
    for report in reports:
        for each in report.components:
            if each.state == "failed" and each.name in COMPONENTS:
                raise _error(f"{report.id} {each.name}: {'; '.join(each.why)}", each.why[0].startswith(CONFIGURATION))


def _error(text: str, configuration: bool) -> PlexmeshError:
    text = text.replace("plexmesh: ", "").replace(f"{CONFIGURATION}: ", "")
    return ConfigError(text) if configuration else NotAsWanted(text)


def _second_signal_kills(sysplex: Sysplex) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, sysplex.kill_now)


def _log_file(data: Path) -> logging.Handler:
    return logging.handlers.RotatingFileHandler(data / "up.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
