"""The gateway's own pages as one more upstream: an aiohttp application at the other end of a socket pair.

Own requests go through the same exchange, with the same checks, limits and counters as all others. A socket pair has
no port and no path, so nobody else can reach the application.
"""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from gateway.snapshot import Endpoint


class Inner:
    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        await self._runner.setup()

    async def dial(self, _: Endpoint) -> socket.socket:
        server = self._runner.server
        if server is None:
            raise ConnectionRefusedError("the gateway's own pages are not there yet")
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(server, far)
        return near

    async def stop(self) -> None:
        await self._runner.cleanup()
