"""What is to be run in an LPAR: one `ComponentSpec` per component, derived from plexmesh.yaml and the launcher's place.

A built-in component is `python -P -m NAME`; `components.NAME.command` names another program, with `{host}` and `{port}`
filled in (they are in its environment too, as HOST and PORT). Restart settings are looked up as Zowe does: the LPAR's
own section of the component, the component's, the launcher's.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.config import LauncherConfig
from shared.config import ServiceConfig
from shared.errors import ConfigError
from shared.plexfile import COMPONENTS, Plexfile


@dataclass(frozen=True)
class ComponentSpec:
    """`built_in`: one of ours, whose exit codes have a meaning. `tells_ready`: it serves /application/ready."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    folder: Path
    """Where it is started: beside plexmesh.yaml, so that relative paths mean the same wherever `up` is typed."""
    hosts: tuple[str, ...]
    """Where it may be found: its LPAR's address; a program not told that may listen on 127.0.0.1 instead."""
    port: int
    moved: bool
    """Its port is another one in each LPAR."""
    routes: Mapping[str, str] | None
    """Given: the launcher registers it, with these. None: it does so itself."""
    intervals_s: tuple[float, ...]
    min_uptime_s: float
    built_in: bool
    tells_ready: bool

    @property
    def url(self) -> str:
        return f"http://{self.hosts[0]}:{self.port}"


def specs(file: Plexfile, config: LauncherConfig) -> list[ComponentSpec]:
    """In start order. Raises ConfigError."""
    names = file.enabled(config.lpar)
    if not names:
        raise ConfigError(f"{file.path}: components: none is enabled in {config.lpar}, there is nothing to start")
    return [_spec(file, config, name) for name in names]


def place_variables(file: Plexfile, place: ServiceConfig) -> dict[str, str]:
    """Where a process of that LPAR is, as `shared.config` reads it."""
    return {
        "PLEXMESH_CONFIG": str(file.path.absolute()),
        "PLEXMESH_SYSPLEX": place.sysplex,
        "PLEXMESH_LPAR": place.lpar,
        "PLEXMESH_HOST": place.host,
        "PLEXMESH_DISCOVERY": ",".join(place.discovery),
        "PLEXMESH_VIPA": place.vipa,
        "PLEXMESH_GATEWAY": ",".join(_gateways(file, place)),
        "PLEXMESH_DATA": str(place.data.absolute()),
    }


def _gateways(file: Plexfile, place: ServiceConfig) -> list[str]:
    """Where that LPAR's programs reach the sysplex: its own gateway, if it has one, then any."""
    own = [f"http://{place.host}:{file.port('gateway', place.lpar)}"] if "gateway" in file.enabled(place.lpar) else []
    return [*own, f"http://{place.vipa}"]


def _environment(file: Plexfile, config: LauncherConfig, port: int) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_LAUNCHER_")}
    own = {
        "HOST": config.host,
        "PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",  # `python` is ours
        "PLEXMESH_LAUNCHER": f"http://{config.host}:{file.port('launcher', config.lpar)}",
        "PYTHONUNBUFFERED": "1",  # or a program's prints reach its log only in blocks of 8 kB
    }
    return inherited | own | dict(file.environments) | place_variables(file, config)


def _spec(file: Plexfile, config: LauncherConfig, name: str) -> ComponentSpec:
    section = file.component(name, config.lpar)
    port = file.port(name, config.lpar)
    launcher = section.get("launcher") or {}
    command = section.get("command")
    moved = file.moves(name, config.lpar)
    return ComponentSpec(
        name=name,
        command=_command(str(command), config.host, port, name) if command else (sys.executable, "-P", "-m", name),
        environ=_environment(file, config, port),
        folder=file.path.absolute().parent,
        hosts=_hosts(config.host, moved),
        port=port,
        moved=moved,
        routes=section.get("routes"),
        intervals_s=tuple(launcher.get("restartIntervals", file.restart_intervals_s)),
        min_uptime_s=float(launcher.get("minUptime", file.min_uptime_s)),
        built_in=not command,
        tells_ready=name in COMPONENTS,
    )


def _hosts(host: str, moved: bool) -> tuple[str, ...]:
    """Other LPARs on this machine can call 127.0.0.1; from another container nobody can."""
    return (host, "127.0.0.1") if moved and host.startswith("127.") else (host,)


def _command(text: str, host: str, port: int, name: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"components.{name}.command: {error} in {text!r}") from error
    if not words:
        raise ConfigError(f"components.{name}.command: expected a program to run")
    return tuple(word.replace("{host}", host).replace("{port}", str(port)) for word in words)
