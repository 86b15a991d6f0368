"""Connections to one endpoint: those at rest, last used first, and opening new ones.

A rest is short (4 s): servers close idle connections after 5 s and more, and a request that meets the closing is lost
for a method that cannot be repeated. Last in, first out, so that the surplus of a burst ages away. No connection gets
older than `upstream_age_s`, so that a name which means another address now is noticed.

Bound: `max_connections_per_endpoint`, of which `max_idle_per_endpoint` are kept when at rest.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gateway.config import GatewayConfig
from gateway.dialing import OWN_FAULTS, reason
from gateway.meters import PoolMeter
from gateway.retries import Fault
from gateway.snapshot import Endpoint
from gateway.ticker import NEVER, Ticker
from gateway.upstream import UpstreamConnection
from shared.outbox import Outbox

if TYPE_CHECKING:
    from gateway.exchange import Exchange

HANDSHAKE_S = 2.0

Dial = Callable[[Endpoint, float | None], Awaitable[socket.socket]]
"""(endpoint, seconds for the connect or None: as configured) → a connected socket. Raises OSError."""


class Pool:
    def __init__(
        self,
        endpoint: Endpoint,
        dial: Dial,
        ticker: Ticker,
        outbox: Outbox,
        config: GatewayConfig,
        meter: PoolMeter,
        way: bytes,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        """`way` is the X-Plexmesh-Path line of an answer that this endpoint gave at the first try, or empty; `tls` is
        asked at each connection to one that is secure."""
        self.endpoint = endpoint
        self.way = way
        self.outbox = outbox
        self.start_of_fields = b" HTTP/1.1\r\nHost: %b\r\n" % endpoint.authority if endpoint.authority else b""
        """What follows the target in a request to it; empty when it has no name of its own."""
        self.connections: set[UpstreamConnection] = set()
        self._dial = dial
        self._ticker = ticker
        self._idle_s = config.upstream_idle_s
        self._age_s = config.upstream_age_s
        self._max_idle = config.max_idle_per_endpoint
        self._max = config.max_connections_per_endpoint
        self._meter = meter
        self._tls = tls
        self._idle: list[UpstreamConnection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._connecting = 0
        self._closed = False

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    def take(self, now: float, *, sure: bool) -> UpstreamConnection | None:
        """A connection at rest. `sure`: the kernel is asked as well whether its other end is still there."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.deadline > now and (not sure or connection.alive()):
                connection.reused = True
                self._meter.reused += 1
                return connection
            connection.abort()
        return None

    def give(self, connection: UpstreamConnection, now: float) -> None:
        if self._closed or len(self._idle) >= self._max_idle or now > connection.born + self._age_s:
            connection.abort()
            return
        connection.deadline = now + self._idle_s
        self._idle.append(connection)

    def open(self, exchange: Exchange, timeout_s: float | None) -> None:
        """Connect; then `exchange.connected` or `exchange.connect_failed` with the attempt it was for."""
        self._begin(self._open_for(exchange, exchange.attempt, timeout_s))

    def warm(self, count: int) -> None:
        """Open connections that rest until they are needed; failures are found out by requests."""
        for _ in range(min(count, self._max_idle)):
            self._begin(self._open_to_rest())

    def _begin(self, opening: Awaitable[None]) -> None:
        task = asyncio.ensure_future(opening)
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open_for(self, exchange: Exchange, attempt: int, timeout_s: float | None) -> None:
        try:
            connection = await self._connect(timeout_s)
        except OSError as error:
            fault: Fault = "gateway" if error.errno in OWN_FAULTS else "connect"
            exchange.connect_failed(attempt, fault, _reason(error), timed_out=isinstance(error, TimeoutError))
            return
        if not exchange.connected(attempt, connection):
            self._rest(connection)

    async def _open_to_rest(self) -> None:
        try:
            self._rest(await self._connect(None))
        except OSError:
            return

    async def _connect(self, timeout_s: float | None) -> UpstreamConnection:
        if len(self.connections) + self._connecting >= self._max:
            raise OSError(errno.ENOBUFS, f"all {self._max} connections to it are in use")
        self._connecting += 1
        try:
            return await self._connected(await self._dial(self.endpoint, timeout_s))
        finally:
            self._connecting -= 1

    async def _connected(self, sock: socket.socket) -> UpstreamConnection:
        connection, loop = UpstreamConnection(self, sock), asyncio.get_running_loop()
        try:
            if self.endpoint.secure:
                await self._greet(connection, sock)
            else:
                await loop.connect_accepted_socket(lambda: connection, sock)
        except OSError:
            sock.close()
            raise
        self._meter.opened += 1
        return connection

    async def _greet(self, connection: UpstreamConnection, sock: socket.socket) -> None:
        """The handshake. It is called by the name that is registered, which its certificate has to hold."""
        name = self.endpoint.host or self.endpoint.ip
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                sock=sock,
                ssl=self._tls(),
                server_hostname=name,
                ssl_handshake_timeout=HANDSHAKE_S,
            )
        except ConnectionAbortedError as error:
            raise TimeoutError(f"no TLS handshake in {HANDSHAKE_S:g} s") from error

    def _rest(self, connection: UpstreamConnection) -> None:
        if connection.open:
            self.give(connection, time.monotonic())

    def opened(self, connection: UpstreamConnection) -> None:
        self.connections.add(connection)
        self._ticker.add(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """It is no longer at rest."""
        if connection in self._idle:
            self._idle.remove(connection)

    def closed(self, connection: UpstreamConnection) -> None:
        self.connections.discard(connection)
        self._ticker.discard(connection)
        if connection.deadline != NEVER:
            self.forget(connection)

    def close(self) -> None:
        """Close what is at rest, and from now on everything that comes back. Busy ones finish."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOBUFS:
        return error.strerror or "no room"
    return reason(error)
