"""One LPAR's launcher, put together: `plexmesh run --lpar LPAR1`, and each child of `plexmesh up`."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiohttp import web

import plexmesh
from launcher import listeners, operations, orphans, place
from launcher.api import LauncherApi, application
from launcher.certs_command import follow_certificate, make_certificate
from launcher.command import Operator
from launcher.config import LauncherConfig
from launcher.joblog import JobLog
from launcher.logfile import LogFile
from launcher.spec import MAX_COMPONENTS, ComponentSpec, component_mark, specs
from launcher.supervisor import Supervisor
from shared import exposure, log, plexfile
from shared.application import Application
from shared.config import load
from shared.errors import ConfigError, nearest
from shared.events import Events
from shared.guards import FENCING
from shared.lifecycle import Lifecycle
from shared.net import listen_on, serve
from shared.plexfile import Plexfile
from shared.tls import client_tls, server_tls


async def main(lifecycle: Lifecycle, argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
    """`environ` names the configuration file, PLEXMESH_CONFIG."""
    config = load(LauncherConfig, "launcher", argv, environ)
    log.setup("launcher", config.lpar)
    file = plexfile.read(Path(environ["PLEXMESH_CONFIG"]))
    if config.lpar not in file.lpars and "PLEXMESH_HOST" not in environ:
        raise ConfigError(f"{file.path}: there is no LPAR {config.lpar}{nearest(config.lpar, file.lpars)}")
    if config.tls and not _below_up(environ):
        for path in make_certificate(config.data, file, config.lpar, config.host):
            logging.getLogger("plexmesh.launcher").info("certificates.made", extra={"fields": {"file": str(path)}})
    if config.tls and (given := file.entry(config.lpar).certificate) is not None:
        follow = functools.partial(follow_certificate, config.data, file, config.lpar, given)
        lifecycle.spawn("certificates", follow)
    port = file.port("launcher", config.lpar)
    socks = listen_on(config.listen_hosts, port)
    events = Events(logging.getLogger("plexmesh.launcher"))
    folder = place.make_lpar_folder(config.data, config.lpar)
    console = file.entry(config.lpar).sys_messages
    joblog = JobLog(LogFile(folder / "logs" / "plexmesh.log", config.log_bytes), events, console)
    ending = Ending(lifecycle)
    url = config.url(port)
    fences = not _below_up(environ) and config.behaviour == "plexmesh" and FENCING not in config.without_guards
    wanted = _checked(file, config, joblog, folder)
    if exposed := _exposed(file, config, wanted, environ):
        joblog.say("launcher.insecure", addresses=", ".join(exposed))
    supervisor = Supervisor(wanted, config, folder, joblog, lifecycle, url, fences=fences)
    operator = Operator(config.lpar, supervisor, ending.order)

    def reload() -> None:
        """Raises ConfigError, with nothing changed."""
        again = plexfile.read(file.path)
        if again.tls != file.tls:
            raise ConfigError(
                f"{file.path}: plexmesh.tls cannot change in a reload: stop {config.lpar} and start it again"
            )
        known = config.lpar in again.lpars
        discovery = again.discovery_urls(config.lpar) if known else config.discovery
        supervisor.adopt(specs(again, dataclasses.replace(config, discovery=discovery)))
        joblog.say("launcher.reloaded", file=str(file.path))

    def reload_if_it_can_be() -> None:
        try:
            reload()
        except ConfigError as error:
            joblog.say("launcher.not_reloaded", why=str(error))

    about = Application("launcher", config, events, lambda: _why_not(supervisor), documents=operations.launcher)
    runner = web.AppRunner(
        application(LauncherApi(supervisor, operator, reload).routes(), about, config.access),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=1,
    )
    service = plexmesh.Service(
        "launcher", port=port, host=config.host, lpar=config.lpar, discovery=config.discovery, drain_s=0,
        secure=config.tls, tls=client_tls(config),
    )  # fmt: skip
    servers: list[asyncio.Server] = []
    try:
        if strays := await orphans.end_strays(component_mark(config)):
            joblog.say("launcher.strays", count=strays)
        supervisor.start()
        lifecycle.on_hangup(reload_if_it_can_be)
        await runner.setup()
        assert runner.server is not None
        servers += [await serve(runner.server, each, server_tls(config)) for each in socks]
        await service.start()
        await lifecycle.stopped()
    finally:
        if not ending.ordered:
            joblog.say("launcher.ending")
        leaving = asyncio.create_task(service.stop())  # while discovery still answers
        await supervisor.stop()
        await leaving
        for each in servers:
            each.close()
        await runner.cleanup()
        if ending.ordered:
            joblog.say("launcher.ended")


def _exposed(
    file: Plexfile, config: LauncherConfig, wanted: Sequence[ComponentSpec], environ: Mapping[str, str]
) -> list[str]:
    """What of this LPAR others can reach in plain, which is allowed. Raises ConfigError: it is not."""
    port = file.port(listeners.LAUNCHER, config.lpar)
    found = [(host, port) for host in config.listen_hosts]
    names = [each.name for each in wanted]
    found += listeners.of_lpar(file, config.lpar, config.host, names, environ)
    found += [exposure.split(config.vipa)] if "gateway" in names and config.vipa else []
    return exposure.check(found, tls=config.tls, allowed=config.allow_insecure)


def _below_up(environ: Mapping[str, str]) -> bool:
    """It is a child of `plexmesh up`, which has seen to certificates, and fences what hangs."""
    return "PLEXMESH_UP" in environ


class Ending:
    """How the launcher comes to its end: a signal, or the operator's order."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self.ordered = False

    def order(self) -> None:
        self.ordered = True
        self._lifecycle.stop()


def _checked(file: Plexfile, config: LauncherConfig, joblog: JobLog, folder: Path) -> list[ComponentSpec]:
    """What is to be run. Raises ConfigError, which the job log has too."""
    joblog.note("launcher.begun")
    joblog.note("launcher.config", file=str(file.path))
    joblog.note("launcher.lpar", lpar=config.lpar, sysplex=config.sysplex, address=config.host)
    try:
        found = specs(file, config)
    except ConfigError as error:
        count = len(file.enabled(config.lpar))
        event = "nothing_to_start" if not count else "too_many" if count > MAX_COMPONENTS else "config_invalid"
        joblog.note(f"launcher.{event}", why=str(error))
        raise
    joblog.note("launcher.config_valid")
    joblog.note("launcher.prepared", folder=str(folder))
    joblog.note("launcher.components", components=", ".join(spec.name for spec in found))
    return found


def _why_not(supervisor: Supervisor) -> list[str]:
    lpar = supervisor.states()
    return [f"{each.name} is {each.state}" for each in lpar.components if each.state != "ready"]
