"""What a compose file says about the LPARs in it: which container each one is, where it answers on this machine.

An LPAR is a service that publishes the port of a launcher, and its name is the LPAR's. The sysplex address is where a
service that is no LPAR publishes the gateways' port: the distributor's.

Source: the Compose specification (services, ports in their short and long form, networks).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shared.errors import ConfigError
from shared.plexfile import DEFAULT_PORTS

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
XCF = "xcf"
"""The network between the LPARs."""

SHORT = re.compile(r"(?:(?P<host>[^:]+|\[[^]]+]):)?(?P<published>\d+):(?P<target>\d+)(?:/tcp)?")


@dataclass(frozen=True)
class LparContainer:
    """`published`: port in the container → "host:port" on this machine. `networks` are the engine's names of them."""

    lpar: str
    name: str
    published: Mapping[int, str]
    networks: tuple[str, ...]
    scheme: str = "http"

    @property
    def launcher(self) -> str:
        return f"{self.scheme}://{self.published[DEFAULT_PORTS['launcher']]}"

    @property
    def address(self) -> str:
        return self.published[DEFAULT_PORTS["launcher"]].rpartition(":")[0]

    @property
    def components(self) -> dict[str, str]:
        """Those that are reached from here, and where."""
        return {
            name: f"{self.scheme}://{self.published[port]}"
            for name, port in DEFAULT_PORTS.items()
            if name != "launcher" and port in self.published
        }


@dataclass(frozen=True)
class ComposeFile:
    path: Path
    lpars: Mapping[str, LparContainer]
    sysplex_url: str

    def secure(self) -> ComposeFile:
        """As its containers answer with TLS."""
        lpars = {name: dataclasses.replace(each, scheme="https") for name, each in self.lpars.items()}
        return ComposeFile(self.path, lpars, f"https://{self.sysplex_url.removeprefix('http://')}")


def read(path: Path) -> ComposeFile:
    """Raises ConfigError."""
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: not YAML: {getattr(error, 'problem', None) or error}") from error
    return parse(tree, path)


def nearest(folder: Path) -> Path:
    """The compose file there, or in the nearest folder above. Raises ConfigError."""
    for each in (folder, *folder.parents):
        for name in NAMES:
            if (each / name).is_file():
                return each / name
    raise ConfigError(f"there is no {NAMES[0]} in {folder} or above; name one with --compose FILE")


def parse(tree: object, path: Path) -> ComposeFile:
    """Raises ConfigError."""
    top = _mapping(tree, path, "the file")
    services = _mapping(top.get("services"), path, "services")
    networks = _mapping(top.get("networks") or {}, path, "networks")
    lpars, url = {}, ""
    for name, given in services.items():
        service = _mapping(given, path, f"services.{name}")
        published = dict(_published(service.get("ports") or [], path, f"services.{name}.ports"))
        if DEFAULT_PORTS["launcher"] in published:
            lpar = name.upper()
            on = _networks(service, networks, path, f"services.{name}.networks")
            lpars[lpar] = LparContainer(lpar, str(service.get("container_name", name)), published, on)
        elif DEFAULT_PORTS["gateway"] in published:
            url = f"http://{published[DEFAULT_PORTS['gateway']]}"
    if not lpars:
        port = DEFAULT_PORTS["launcher"]
        raise ConfigError(
            f"{path}: services: expected LPARs, each publishing its launcher's port {port}; there is none"
        )
    return ComposeFile(path, lpars, url or next(iter(lpars.values())).components.get("gateway", ""))


def _networks(service: Mapping[str, Any], networks: Mapping[str, Any], path: Path, place: str) -> tuple[str, ...]:
    named = service.get("networks") or ()
    if not isinstance(named, list | tuple | Mapping):
        raise ConfigError(f"{path}: {place}: expected names, got {named!r}")
    return tuple(str((networks.get(each) or {}).get("name", each)) for each in named)


def _published(ports: object, path: Path, place: str) -> Iterator[tuple[int, str]]:
    if not isinstance(ports, list):
        raise ConfigError(f"{path}: {place}: expected a list, got {ports!r}")
    for port in ports:
        if isinstance(port, Mapping) and {"target", "published"} <= port.keys():
            yield int(port["target"]), f"{port.get('host_ip', '127.0.0.1')}:{port['published']}"
        elif short := SHORT.fullmatch(str(port)):
            yield int(short["target"]), f"{short['host'] or '127.0.0.1'}:{short['published']}"


def _mapping(value: object, path: Path, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{path}: {place}: expected keys and values, got {value!r}")
    return {str(key): below for key, below in value.items()}
