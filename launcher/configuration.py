"""`plexmesh config`: what the configuration amounts to for one LPAR, and where each value comes from.

    check       the whole file, every LPAR, every component's own settings (which only that component knows)
    show LPAR   each value with its origin: a line of the file, an LPAR's section, a variable, a default, or derived

What is derived is never written down twice: peers, URLs, the volume. The settings of plexmesh's components come from
the components themselves (`python -m NAME --show-config`), in the environment their launcher would give them.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from launcher import listeners
from launcher.spec import place_variables
from shared.config import ServiceConfig
from shared.errors import ConfigError, NotFound, nearest
from shared.plexfile import COMPONENTS, Plexfile

TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Value:
    key: str
    """Its dotted path in the file, or what it would be there."""
    value: Any
    origin: str


def check(file: Plexfile, data: Path, environ: Mapping[str, str]) -> None:
    """Raises ConfigError with the first thing that is wrong."""
    listeners.exposed(file, environ)
    with ThreadPoolExecutor(2) as at_once:
        for asked in [at_once.submit(_settings, file, data, environ, lpar, name) for lpar, name in _ours(file)]:
            asked.result()


def values(file: Plexfile, data: Path, environ: Mapping[str, str], lpar: str) -> list[Value]:
    """Of that LPAR, in the order of the file's sections. Raises NotFound, ConfigError."""
    name = lpar.upper()
    if name not in file.lpars:
        raise NotFound(f"{file.path}: there is no LPAR {name}{nearest(name, file.lpars)}")
    return [*_sysplex(file, name, data, environ), *_launcher(file, name), *_components(file, data, environ, name)]


def as_text(found: list[Value]) -> str:
    """A line each: key, value as YAML has it, and its origin as a remark."""
    lines = [f"{each.key}: {msgspec.json.encode(each.value).decode()}" for each in found]
    width = min(max(map(len, lines)), 90)
    return "\n".join(f"{line:<{width}}  # {each.origin}" for line, each in zip(lines, found, strict=True))


def _sysplex(file: Plexfile, lpar: str, data: Path, environ: Mapping[str, str]) -> Iterator[Value]:
    entry = file.lpars[lpar]
    yield Value("plexmesh.sysplex", file.sysplex, _origin(file, "plexmesh.sysplex"))
    yield Value("plexmesh.address", file.address, _origin(file, "plexmesh.address"))
    for name, default in (("behaviour", "plexmesh"), ("speed", 1), ("without", ()), ("distributor", "distribute")):
        if getattr(file, name) != default:
            yield Value(f"plexmesh.{name}", getattr(file, name), _origin(file, f"plexmesh.{name}"))
    if file.authorities:
        place = "plexmesh.certificateAuthorities"
        yield Value(place, list(map(str, file.authorities)), _origin(file, place))
    if file.verify != "STRICT":
        yield Value("zowe.verifyCertificates", file.verify, _origin(file, "zowe.verifyCertificates"))
    for key, on, variable in (
        ("tls", file.tls, "PLEXMESH_TLS"),
        ("allowInsecure", file.allow_insecure, "PLEXMESH_ALLOW_INSECURE"),
    ):
        if on:
            written = _origin(file, f"plexmesh.{key}")
            yield Value(f"plexmesh.{key}", on, f"environment: {variable}" if variable in environ else written)
    yield Value("vipa", file.vipa, "derived from zowe.externalDomains[0] and zowe.externalPort")
    made = "made by up --lpars" if entry.made else _origin(file, f"haInstances.{lpar}.hostname", lpar)
    yield Value("haInstance.hostname", entry.hostname, made)
    yield Value("discovery", list(file.discovery_urls(lpar)), "derived from haInstances and discovery's ports")
    yield Value("volume", str(data / "volume"), "derived from the data folder")
    for name, value in entry.environments.items():
        yield Value(f"zowe.environments.{name}", value, _origin(file, f"zowe.environments.{name}", lpar))


def _launcher(file: Plexfile, lpar: str) -> Iterator[Value]:
    entry = file.lpars[lpar]
    yield Value("launcher.url", file.launcher_url(lpar), "derived")
    for key, value in (
        ("restartIntervals", list(entry.restart_intervals_s)),
        ("minUptime", entry.min_uptime_s),
        ("hungAfter", entry.hung_after),
    ):
        yield Value(f"zowe.launcher.{key}", value, _origin(file, f"zowe.launcher.{key}", lpar))


def _components(file: Plexfile, data: Path, environ: Mapping[str, str], lpar: str) -> Iterator[Value]:
    ours = {name for each, name in _ours(file) if each == lpar}
    for name, found in itertools.groupby(_component_keys(file, lpar), lambda each: each.key.split(".")[1]):
        yield from found
        for key, told in (_settings(file, data, environ, lpar, name) if name in ours else {}).items():
            if key != "port":
                origin = told["origin"]
                written = _origin(file, origin, lpar) if origin.startswith("components.") else origin
                yield Value(f"components.{name}.{key}", told["value"], written)


def _component_keys(file: Plexfile, lpar: str) -> Iterator[Value]:
    """What the launcher reads of each component that is enabled."""
    for name in file.enabled(lpar):
        section, place, port = file.component(name, lpar), f"components.{name}", file.port(name, lpar)
        moved = "derived: moved, because its command has no {host}" if file.moves(name, lpar) else ""
        yield Value(f"{place}.port", port, moved or _origin(file, f"{place}.port", lpar))
        yield Value(f"{place}.url", file.component_url(name, lpar), "derived")
        for key in ("enabled", "command", "routes", "launcher"):
            if key in section:
                yield Value(f"{place}.{key}", section[key], _origin(file, f"{place}.{key}", lpar))


def _ours(file: Plexfile) -> Iterator[tuple[str, str]]:
    for lpar in file.lpars:
        for name in file.enabled(lpar):
            if name in COMPONENTS and "command" not in file.component(name, lpar):
                yield lpar, name


def _settings(file: Plexfile, data: Path, environ: Mapping[str, str], lpar: str, name: str) -> dict[str, Any]:
    """As the component says itself. Raises ConfigError with its words."""
    place = ServiceConfig(
        sysplex=file.sysplex,
        lpar=lpar,
        host=file.lpars[lpar].hostname,
        data=data,
        vipa=file.vipa,
        discovery=file.discovery_urls(lpar),
        tls=file.tls,
    )
    told = dict(environ) | place_variables(file, place)
    asked = subprocess.run(
        [sys.executable, "-P", "-m", name, "--show-config"], env=told, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    if asked.returncode != 0:
        lines = asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"]
        raise ConfigError(f"{lpar} {name}: {lines[-1].removeprefix('plexmesh: ')}")
    found: dict[str, Any] = msgspec.json.decode(asked.stdout)
    return found


def _origin(file: Plexfile, key: str, lpar: str = "") -> str:
    """The LPAR's own section, the file, or the default; with the line."""
    path = tuple(key.split("."))
    for place in _places(file, path, lpar):
        if (line := file.lines.get(place)) is not None:
            where = f"{file.path.name}:{line}"
            return f"{'.'.join(place[:2])}, {where}" if place[0] == "haInstances" != path[0] else where
    return "default"


def _places(file: Plexfile, path: tuple[str, ...], lpar: str) -> Iterator[tuple[str, ...]]:
    """Where a value may be written, what counts first at first; names as the file spells them."""
    spelled = next((each[1] for each in file.lines if len(each) == 2 and each[1].upper() == lpar), lpar)
    paths = [path]
    if path[:2] == ("components", "caching"):
        paths.append(("components", "caching-service", *path[2:]))
    if path[0] == "haInstances":
        yield (path[0], spelled, *path[2:])
        return
    if lpar:
        yield from (("haInstances", spelled, *each) for each in paths)
    yield from paths
