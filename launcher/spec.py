"""What is to be run in an LPAR: one `ComponentSpec` per component, derived from plexmesh.yaml and the launcher's place.

A built-in component is `python -P -m NAME`; `components.NAME.command` names another program, with `{host}` and `{port}`
filled in (they are in its environment too, as HOST and PORT). Restart settings are looked up as Zowe does: the LPAR's
own section of the component, the component's, the launcher's. As a model of what Zowe documents (`behaviour: zowe`) the
minimum uptime is its constant 90 s whatever is configured, and nothing hangs.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from launcher.config import LauncherConfig
from launcher.kin import MARK
from shared.config import ServiceConfig
from shared.errors import ConfigError, nearest
from shared.plexfile import COMPONENTS, Plexfile
from shared.tls import Files

MAX_COMPONENTS = 128
ZOWE_MIN_UPTIME_S = 90.0


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
    after: tuple[str, ...]
    """At the launcher's start it waits until these are ready."""
    live_path: str
    """Where it gives a sign of life; empty: nowhere."""
    hung_after: int
    """Silent probes in a row after which it is killed; 0: never."""
    built_in: bool
    tells_ready: bool
    scheme: str = "http"

    @property
    def url(self) -> str:
        return self.at(self.hosts[0])

    def at(self, host: str) -> str:
        return f"{self.scheme}://{host}:{self.port}"


def specs(file: Plexfile, config: LauncherConfig) -> list[ComponentSpec]:
    """In start order; of those that are enabled the ones the launcher is told to run. Raises ConfigError."""
    enabled = file.enabled(config.lpar)
    for name in config.components:
        if name not in enabled:
            raise ConfigError(f"--components: {config.lpar} has no component {name!r}{nearest(name, enabled)}")
    names = [name for name in enabled if name in config.components or not config.components]
    if not names:
        raise ConfigError(f"{file.path}: components: none is enabled in {config.lpar}, there is nothing to start")
    if len(names) > MAX_COMPONENTS:
        raise ConfigError(f"{file.path}: components: {len(names)} in {config.lpar}, at most {MAX_COMPONENTS} can run")
    made = [_spec(file, config, name) for name in names]
    _check_order(file, {spec.name: spec.after for spec in made}, enabled)
    return made


def _check_order(file: Plexfile, after: Mapping[str, tuple[str, ...]], enabled: Sequence[str]) -> None:
    """Raises ConfigError for an unknown name and for a circle."""
    for name, others in after.items():
        for other in others:
            if other not in enabled:
                where = f"{file.path}: components.{name}.launcher.after"
                raise ConfigError(f"{where}: there is no component {other!r}{nearest(other, enabled)}")
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        circle = " after ".join(reversed(error.args[1]))
        raise ConfigError(f"{file.path}: components: launcher.after: each waits for another: {circle}") from error


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
        **_compared(file),
        **_certificates(place),
    }


def _certificates(place: ServiceConfig) -> dict[str, str]:
    """Whether the sysplex speaks TLS, whatever the file says meanwhile, and what calls to it need then."""
    if not place.tls:
        return {"PLEXMESH_TLS": "off"}
    return {"PLEXMESH_TLS": "on", **Files.named(place.certificates.absolute(), place.lpar).variables()}


def _compared(file: Plexfile) -> dict[str, str]:
    """What a drill compares with; nothing in a usual sysplex."""
    model = {"PLEXMESH_BEHAVIOUR": file.behaviour, "PLEXMESH_SPEED": f"{file.speed:g}"}
    without = {"PLEXMESH_WITHOUT_GUARDS": ",".join(file.without)}
    return (model if file.behaviour != "plexmesh" else {}) | (without if file.without else {})


def _gateways(file: Plexfile, place: ServiceConfig) -> list[str]:
    """Where that LPAR's programs reach the sysplex: its own gateway, if it has one, then any."""
    port = file.port("gateway", place.lpar)
    own = [place.url(port)] if "gateway" in file.enabled(place.lpar) else []
    return [*own, f"{place.scheme}://{place.vipa}"]


def component_mark(config: ServiceConfig, name: str = "") -> str:
    """What tells whose a process is (`launcher.kin`); of all components of the LPAR without a name."""
    return str(config.data.absolute() / config.lpar / name)


def _zowe_variables(file: Plexfile, config: LauncherConfig, name: str) -> dict[str, str]:
    """What a component of Zowe's is told."""
    return {
        "ZWE_CLI_PARAMETER_CONFIG": str(file.path.absolute()),
        "ZWE_CLI_PARAMETER_HA_INSTANCE": config.lpar.lower(),
        "ZWE_CLI_PARAMETER_COMPONENT": name,
    }


def _environment(file: Plexfile, config: LauncherConfig, name: str, port: int) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PLEXMESH_LAUNCHER_")}
    own = {
        "HOST": config.host,
        "PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",  # `python` is ours
        "PLEXMESH_LAUNCHER": config.url(file.port("launcher", config.lpar)),
        "PYTHONUNBUFFERED": "1",  # or a program's prints reach its log only in blocks of 8 kB
    }
    place = place_variables(file, config) | _zowe_variables(file, config, name) | {MARK: component_mark(config, name)}
    return inherited | own | dict(file.entry(config.lpar).environments) | place


def _spec(file: Plexfile, config: LauncherConfig, name: str) -> ComponentSpec:
    section = file.component(name, config.lpar)
    port = file.port(name, config.lpar)
    launcher, whole = section.get("launcher") or {}, file.entry(config.lpar)
    command = section.get("command")
    moved = file.moves(name, config.lpar)
    zowe = file.behaviour == "zowe"
    return ComponentSpec(
        name=name,
        command=_command(str(command), config.host, port, name) if command else (sys.executable, "-P", "-m", name),
        environ=_environment(file, config, name, port),
        folder=file.path.absolute().parent,
        hosts=_hosts(config.host, moved),
        port=port,
        moved=moved,
        routes=section.get("routes"),
        intervals_s=tuple(launcher.get("restartIntervals", whole.restart_intervals_s)),
        min_uptime_s=ZOWE_MIN_UPTIME_S / file.speed if zowe else float(launcher.get("minUptime", whole.min_uptime_s)),
        after=tuple(launcher.get("after") or ()),
        live_path=launcher.get("live", "/application/live" if name in COMPONENTS else ""),
        hung_after=0 if zowe else int(launcher.get("hungAfter", whole.hung_after)),
        built_in=not command,
        tells_ready=name in COMPONENTS,
        scheme="http" if command else config.scheme,
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
