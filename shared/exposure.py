"""What others can reach in plain: every address but the loopback's. It is refused, unless somebody has allowed it.

Whoever reaches a port of a sysplex without TLS may read its cache and kill its LPARs. The name of a host is not looked
up: unless it is localhost, it may be anybody's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from shared.errors import ConfigError
from shared.wire import authority

WAYS_OUT = (
    "turn it on (up --tls, PLEXMESH_TLS=on), or allow this: plexmesh.allowInsecure: true (PLEXMESH_ALLOW_INSECURE)"
)

Listener = tuple[str, int]
"""Host and port."""


def exposed(host: str) -> bool:
    """Whether an address, or a name, is more than this machine's own."""
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() != "localhost"
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return not (mapped or found).is_loopback


def check(listeners: Iterable[Listener], *, tls: bool, allowed: bool) -> list[str]:
    """Those that are open to others in plain, which is allowed: host:port. Raises ConfigError: it is not."""
    if tls:
        return []
    found = list(dict.fromkeys(authority(host, port) for host, port in listeners if exposed(host)))
    if found and not allowed:
        raise ConfigError(
            f"{found[0]}: others can reach it, and without TLS whoever does may do everything; {WAYS_OUT}"
        )
    return found


def split(address: str) -> Listener:
    """ "host:port". Raises ConfigError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"expected an address as host:port (the value is {address!r})")
    return host, int(port)
