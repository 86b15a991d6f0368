"""Connecting to an instance: which addresses, from where, and whose fault a failure is.

A registration names a `host` and often an `ip`. `host` is tried first (it is what the instance calls itself; it may be
an address), then `ip` when it differs: host names of a stranger's machine often mean nothing here. Names are resolved
off the path, by the loop's threads, and remembered for 30 s.

Calls come from the LPAR's own address, except to addresses that a loopback address cannot reach.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket

from cachetools import TTLCache

from gateway.snapshot import Endpoint
from shared.net import outgoing

Address = tuple[int, str]
"""Family and numeric address."""

RESOLVED_S = 30.0
RESOLVE_TIMEOUT_S = 0.3

OWN_FAULTS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE))
"""Failures to connect that say nothing about the instance."""


class Dialer:
    def __init__(self, source: str, timeout_s: float) -> None:
        self._source = source
        self._timeout_s = timeout_s
        self._resolved: TTLCache[str, tuple[Address, ...]] = TTLCache(1024, RESOLVED_S)

    async def dial(self, endpoint: Endpoint) -> socket.socket:
        """A connected socket. Raises OSError; TimeoutError is one."""
        error: OSError = ConnectionRefusedError("it has no address")
        for family, address in await self._addresses(endpoint):
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._connect(family, address, endpoint.port)
            except TimeoutError:
                error = TimeoutError(f"no connection in {self._timeout_s} s")
            except OSError as failed:
                error = failed
                if failed.errno in OWN_FAULTS:
                    break
        raise error

    async def _connect(self, family: int, address: str, port: int) -> socket.socket:
        sock = outgoing(self._source_for(address), family)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def _source_for(self, address: str) -> str:
        return "" if self._source.startswith("127.") and not address.startswith("127.") else self._source

    async def _addresses(self, endpoint: Endpoint) -> list[Address]:
        found: list[Address] = []
        for name in (endpoint.host, endpoint.ip):
            for address in await self._resolve(name) if name else ():
                if address not in found:
                    found.append(address)
        return found

    async def _resolve(self, name: str) -> tuple[Address, ...]:
        numeric = _numeric(name)
        if numeric is not None:
            return (numeric,)
        known = self._resolved.get(name)
        if known is None:
            known = self._resolved[name] = await _look_up(name)
        return known


def _numeric(name: str) -> Address | None:
    try:
        version = ipaddress.ip_address(name).version
    except ValueError:
        return None
    return (socket.AF_INET if version == 4 else socket.AF_INET6, name)


async def _look_up(name: str) -> tuple[Address, ...]:
    """Empty when the name means nothing here, or the answer takes too long."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            infos = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys((int(info[0]), str(info[4][0])) for info in infos))
