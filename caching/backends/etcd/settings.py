"""The `storage:` setting for etcd.

etcd://h1:2379,h2:2379,h3:2379[/PREFIX]          {mode: etcd, etcd: {endpoints: ["h1:2379", …], prefix: …}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import ConfigError

ENDPOINT = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}\Z")
KEYS = ("endpoints", "prefix")
DEFAULT_PREFIX = "plexmesh"


@dataclass(frozen=True)
class EtcdSettings:
    endpoints: tuple[str, ...] = ("127.0.0.1:2379",)
    prefix: str = DEFAULT_PREFIX


def section_of(address: str) -> dict[str, Any]:
    """Of what follows the scheme in a URL."""
    hosts, _, prefix = address.removeprefix("//").partition("/")
    return {"endpoints": hosts.split(",")} | ({"prefix": prefix} if prefix else {})


def decode(section: Mapping[str, Any], where: str) -> EtcdSettings:
    """Raises ConfigError; keys were checked."""
    endpoints = section.get("endpoints", list(EtcdSettings.endpoints))
    if not isinstance(endpoints, list) or not endpoints:
        raise ConfigError(f"{where}.endpoints: expected a list of host:port, got {endpoints!r}")
    for each in endpoints:
        if not ENDPOINT.match(str(each)) or not 0 < int(str(each).rpartition(":")[2]) < 65536:
            raise ConfigError(f"{where}.endpoints: expected host:port, got {each!r}")
    prefix = str(section.get("prefix", DEFAULT_PREFIX)).strip("/")
    if not prefix or not prefix.isascii() or not prefix.isprintable():
        raise ConfigError(f"{where}.prefix: expected printable ASCII characters, got {prefix!r}")
    return EtcdSettings(tuple(str(each) for each in endpoints), prefix)
