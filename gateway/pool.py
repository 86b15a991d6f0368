"""Connections to one endpoint: those at rest, last used first, and opening new ones.

A rest is short (4 s): servers close idle connections after 5 s and more, and a request that meets the closing is lost
for a method that cannot be repeated. Last in, first out, so that the surplus of a burst ages away.

Bound: as many connections as there are client connections, of which `max_idle` are kept when at rest.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gateway.dialing import OWN_FAULTS
from gateway.retries import Fault
from gateway.snapshot import Endpoint
from gateway.ticker import NEVER, Ticker
from gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from gateway.exchange import Exchange

Dial = Callable[[Endpoint], Awaitable[socket.socket]]


class Pool:
    def __init__(self, endpoint: Endpoint, dial: Dial, ticker: Ticker, idle_s: float, max_idle: int) -> None:
        self.endpoint = endpoint
        self.connections: set[UpstreamConnection] = set()
        self._dial = dial
        self._ticker = ticker
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._idle: list[UpstreamConnection] = []
        self._opening: set[asyncio.Task[None]] = set()
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
                return connection
            connection.abort()
        return None

    def give(self, connection: UpstreamConnection, now: float) -> None:
        if self._closed or len(self._idle) >= self._max_idle or not connection.open:
            connection.abort()
            return
        connection.deadline = now + self._idle_s
        self._idle.append(connection)

    def open(self, exchange: Exchange) -> None:
        """Connect; then `exchange.connected` or `exchange.connect_failed` with the attempt it was for."""
        task = asyncio.get_running_loop().create_task(self._open(exchange, exchange.attempt))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, exchange: Exchange, attempt: int) -> None:
        try:
            sock = await self._dial(self.endpoint)
            connection = UpstreamConnection(self, sock)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)
        except OSError as error:
            fault: Fault = "gateway" if error.errno in OWN_FAULTS else "connect"
            exchange.connect_failed(attempt, fault, _reason(error))
            return
        if not exchange.connected(attempt, connection):
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
    return os.strerror(error.errno).lower() if error.errno else str(error) or type(error).__name__
