"""A place on the sysplex address (VIPA), which all gateways and their workers share by SO_REUSEPORT.

Each owns a socket there; the kernel spreads new connections over those that are open, and forgets a dead process's at
once. A gateway is *in* only while it is ready, and leaves or comes back when told (drain, quiesce, hot standby).
Connections it has then stay until their next call is answered. An address that cannot be had is tried again every
second, until told to leave.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

from gateway.datapath import DataPath
from gateway.listener import Listener
from shared.errors import ConfigError
from shared.events import Events
from shared.net import listen

log = logging.getLogger("plexmesh.gateway")

RETRY_S = 1.0


class Vipa:
    def __init__(self, path: DataPath, address: str, events: Events) -> None:
        """`address` is "host:port", or empty: there is none."""
        self.address = address
        self.trouble = ""
        """Why it cannot be opened."""
        self._path = path
        self._events = events
        self._listener: Listener | None = None
        self._left: Listener | None = None
        self._retry: asyncio.TimerHandle | None = None

    @property
    def state(self) -> Literal["in", "out"]:
        return "in" if self._listener is not None else "out"

    def enter(self) -> None:
        """Now, or as soon as it can be had."""
        if self._listener is not None or not self.address:
            return
        host, _, port = self.address.rpartition(":")
        try:
            sock = listen(host.strip("[]"), int(port), reuse_port=True)
        except ConfigError as error:
            self._failed(str(error))
            return
        self.trouble = ""
        self._listener = Listener(self._path, sock)
        self._events.emit("vipa.in", address=self.address)

    def _failed(self, why: str) -> None:
        if why != self.trouble:
            log.error("vipa.failed", extra={"fields": {"why": why}})
        self.trouble = why
        self._forget_retry()
        self._retry = asyncio.get_running_loop().call_later(RETRY_S, self.enter)

    def leave(self) -> None:
        self._forget_retry()
        self.trouble = ""
        if self._listener is None:
            return
        self._listener.close()
        self._left, self._listener = self._listener, None
        self._events.emit("vipa.out", address=self.address)

    async def let_go(self) -> None:
        """Leave; and whoever came this way has one call left, whose answer says `Connection: close`."""
        self.leave()
        await self.settled()
        if self._left is not None:
            for client in self._path.clients:
                client.let_go(self._left.address)

    async def settled(self) -> None:
        """Whoever was accepted last before leaving is being served."""
        if self._left is not None:
            await self._left.settled()

    def _forget_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
