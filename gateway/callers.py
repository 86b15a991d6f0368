"""Who calls: which addresses are trusted proxies, and how many connections each of the others has.

A loopback address is a machine and not a client (behind it may be all of a sysplex), and a trusted proxy calls for
many, so neither has a limit.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from shared.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Callers:
    def __init__(self, trusted: tuple[str, ...], limit: int) -> None:
        """`trusted` are addresses or networks, `limit` is 0 for none. Raises ConfigError."""
        self._networks = [_network(each) for each in trusted]
        self._limit = limit
        self._counts: dict[str, int] = {}
        self.trusts = lru_cache(1024)(self._trusts) if trusted else _nobody

    def _trusts(self, address: str) -> bool:
        found = _address(address)
        return found is not None and any(found in network for network in self._networks)

    def came(self, address: str) -> bool:
        """One more connection; False when it is one too many. Each is followed by `left`."""
        if self._unlimited(address):
            return True
        count = self._counts[address] = self._counts.get(address, 0) + 1
        return count <= self._limit

    def left(self, address: str) -> None:
        if self._unlimited(address):
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]

    def _unlimited(self, address: str) -> bool:
        return not self._limit or address.startswith("127.") or address == "::1" or self.trusts(address)


def _nobody(_: str) -> bool:
    return False


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(f"trustedProxies: {text!r}: expected an address or a network such as 10.0.0.0/8") from None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
