"""Connecting to an instance: which addresses, from where, and whose fault a failure is.

A registration names a `host` and often an `ip`. `host` is tried first (it is what the instance calls itself; it may be
an address), then `ip` when it differs: host names of a stranger's machine often mean nothing here. Names are resolved
by the loop's threads as soon as an instance is known. What was found is used at once; after 30 s it is looked up
again beside the call that uses it, and an answer that fails or takes too long leaves it as it is for as long again.
So only a name nobody has asked for yet is waited for. It is looked up again, too, when nothing answers at what it
meant: a container comes back with another address.

Calls come from the LPAR's own address, except to addresses that a loopback address cannot reach.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
import time
from typing import Any

import aiohttp
from cachetools import LRUCache

from gateway.snapshot import Endpoint
from shared.net import outgoing
from shared.tls import failure

Address = tuple[int, str]
"""Family and numeric address."""

RESOLVED_S = 30.0
UNKNOWN_S = 1.0
RESOLVE_TIMEOUT_S = 0.3

OWN_FAULTS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE))
"""Failures to connect that say nothing about the instance."""


class Dialer:
    def __init__(self, source: str, timeout_s: float) -> None:
        self._source = source
        self._timeout_s = timeout_s
        self._resolved: LRUCache[str, tuple[tuple[Address, ...], float]] = LRUCache(1024)
        """Name → what it meant last, and how long that is fresh (monotonic)."""
        self._looking: set[asyncio.Task[None]] = set()

    async def dial(self, endpoint: Endpoint, timeout_s: float | None = None) -> socket.socket:
        """A connected socket; each address is given `timeout_s` (None: as configured). Raises OSError."""
        timeout_s = timeout_s or self._timeout_s
        error: OSError = ConnectionRefusedError(f"the name {endpoint.host or endpoint.ip!r} is not known here")
        for family, address in await self._addresses(endpoint):
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._connect(family, address, endpoint.port)
            except TimeoutError:
                error = TimeoutError(f"no connection in {timeout_s} s")
            except OSError as failed:
                error = failed
                if failed.errno in OWN_FAULTS:
                    raise
        self._doubt(endpoint)
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
        now = time.monotonic()
        addresses, fresh_until = self._resolved.get(name, ((), 0.0))
        if not addresses and now >= fresh_until:
            await self._look_up(name)
            return self._resolved[name][0]
        if now >= fresh_until:
            self._resolved[name] = (addresses, now + RESOLVED_S)
            self._refresh(name)
        return addresses

    def learn(self, endpoint: Endpoint) -> None:
        """Look its names up before anybody calls it."""
        for name in (endpoint.host, endpoint.ip):
            if name and _numeric(name) is None and name not in self._resolved:
                self._refresh(name)

    def _doubt(self, endpoint: Endpoint) -> None:
        """Nothing answers there; a name's meaning is doubted once a second at most."""
        now = time.monotonic()
        for name in (endpoint.host, endpoint.ip):
            addresses, fresh_until = self._resolved.get(name, ((), 0.0))
            if addresses and fresh_until < now + RESOLVED_S - UNKNOWN_S:
                self._resolved[name] = (addresses, now + RESOLVED_S)
                self._refresh(name)

    def _refresh(self, name: str) -> None:
        task = asyncio.get_running_loop().create_task(self._look_up(name))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look_up(self, name: str) -> None:
        found = await _look_up(name)
        if found or not self._resolved.get(name, ((), 0.0))[0]:
            self._resolved[name] = (found, time.monotonic() + (RESOLVED_S if found else UNKNOWN_S))


def reason(error: Exception) -> str:
    """Why nothing was reached, in a few words."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host!r} is not known here"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorSSLError):
        error = error.os_error
    if isinstance(error, ssl.SSLError):
        return failure(error)
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if number else str(error) or type(error).__name__


def _numeric(name: str) -> Address | None:
    try:
        version = ipaddress.ip_address(name).version
    except ValueError:
        return None
    return (socket.AF_INET if version == 4 else socket.AF_INET6, name)


async def _getaddrinfo(name: str) -> list[tuple[int, int, int, str, tuple[Any, ...]]]:
    return list(await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM))


async def _look_up(name: str) -> tuple[Address, ...]:
    """Empty when the name means nothing here, or the answer takes too long."""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            infos = await _getaddrinfo(name)
    except OSError:
        return ()
    return tuple(dict.fromkeys((int(info[0]), str(info[4][0])) for info in infos))
