"""Connecting to a peer by the address it is known by, which may be a name.

A name is looked up off the loop and remembered for 5 s, or until nothing answers at what it stood for: a container
comes back with another address. Calls come from the LPAR's own address, except to what a loopback address cannot reach.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from cachetools import TTLCache

from shared.net import outgoing

RESOLVED_S = 5.0

Address = tuple[int, str]
"""Family and numeric address."""


class Dialer:
    def __init__(self, source: str) -> None:
        """`source`: the address calls come from."""
        self._source = source
        self._resolved: TTLCache[str, tuple[Address, ...]] = TTLCache(256, RESOLVED_S)

    async def dial(self, host: str, port: int) -> socket.socket:
        """A connected socket. Raises OSError; the caller sets the deadline."""
        error = OSError(f"{host} has no address")
        for family, address in await self._addresses(host):
            sock = outgoing(self._source_for(address), family)
            try:
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
            except OSError as failed:
                sock.close()
                error = failed
            except BaseException:
                sock.close()
                self._resolved.pop(host, None)
                raise
            else:
                return sock
        self._resolved.pop(host, None)
        raise error

    def _source_for(self, address: str) -> str:
        return "" if self._source.startswith("127.") and not address.startswith("127.") else self._source

    async def _addresses(self, host: str) -> tuple[Address, ...]:
        numeric = _numeric(host)
        if numeric is not None:
            return (numeric,)
        found = self._resolved.get(host)
        if found is None:
            infos = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found = tuple(dict.fromkeys((int(info[0]), str(info[4][0])) for info in infos))
            self._resolved[host] = found
        return found


def _numeric(host: str) -> Address | None:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    return (socket.AF_INET if version == 4 else socket.AF_INET6, host)
