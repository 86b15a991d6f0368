"""What a program is told by its surroundings, when its own text does not say it.

    PLEXMESH_DISCOVERY   URLs of the registry, comma-separated, tried in turn
    PLEXMESH_HOST, HOST  the address callers reach; `HOST` is what launchers of other kinds set, too
    PORT                 the port that answers
    PLEXMESH_LPAR        the LPAR the program runs in
    PLEXMESH_DATA        the data folder of a sysplex, for its own components: lock files go there

An argument wins over a variable. Without either, the host is the address this machine reaches the registry from: on a
laptop, where all of that is on the loopback, 127.0.0.1. A host that means "every address" (0.0.0.0, ::) is one to
listen on, not one to call, and counts as none.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

WILDCARDS = ("0.0.0.0", "::", "[::]", "*")
ELSEWHERE = "192.0.2.1"
"""TEST-NET-1: an address behind the default route."""


def discovery_urls(given: Sequence[str] | None) -> list[str]:
    """Without a trailing `/` or `/eureka`: people copy both forms."""
    urls = given if given is not None else os.environ.get("PLEXMESH_DISCOVERY", "").split(",")
    return [url.strip().rstrip("/").removesuffix("/eureka") for url in urls if url.strip()]


def host(given: str | None, registry: Sequence[str]) -> str:
    """`registry`: its URLs."""
    found = given or os.environ.get("PLEXMESH_HOST") or os.environ.get("HOST")
    return own_address(registry) if not found or found in WILDCARDS else found


def port(given: int | None) -> int:
    """Raises ValueError."""
    found = os.environ.get("PORT", "") if given is None else str(given)
    if not found:
        raise ValueError("port: none given, and PORT is not set")
    if not found.isdigit() or not 0 < int(found) < 65536:
        raise ValueError(f"port: expected one from 1 to 65535, got {found!r}")
    return int(found)


def lpar(given: str | None) -> str | None:
    return given or os.environ.get("PLEXMESH_LPAR") or None


def own_address(registry: Sequence[str] = ()) -> str:
    """The address this machine calls the registry from; 127.0.0.1 where it has no network."""
    towards = next((each for each in map(_numeric_host, registry) if each), ELSEWHERE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))  # connecting a datagram socket sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _numeric_host(url: str) -> str:
    """The IPv4 address in a URL; empty when it has a name, which would have to be looked up."""
    try:
        name = urlsplit(url).hostname or ""
        return str(IPv4Address("127.0.0.1" if name == "localhost" else name))
    except ValueError:
        return ""


def lock_folder() -> Path:
    """Where this user's programs on this machine agree who registers; a component of a sysplex stays in its data."""
    data = os.environ.get("PLEXMESH_DATA")
    if data:
        return Path(data, os.environ.get("PLEXMESH_LPAR", ""), "run")
    return Path(tempfile.gettempdir(), f"plexmesh-{os.getuid()}")
