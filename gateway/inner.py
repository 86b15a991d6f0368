"""The gateway's own pages as one more upstream: an aiohttp application reached without a port.

Own requests go through the same exchange, with the same checks, limits and counters as all others. In one process the
application is at the other end of a socket pair; workers reach it through an abstract Unix socket, whose name nobody
can guess and whose callers must be of the same user (SO_PEERCRED).

Source: unix(7).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import struct
from typing import TYPE_CHECKING

from gateway.snapshot import Endpoint

if TYPE_CHECKING:
    from aiohttp import web

log = logging.getLogger("plexmesh.gateway")

BACKLOG = 128
PAUSE_S = 0.1
"""Without a free descriptor a caller waits in the kernel's queue; it is looked again after so long."""


class Inner:
    def __init__(self, app: web.Application) -> None:
        from aiohttp.web import AppRunner  # late: workers only dial

        self._runner = AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._sock: socket.socket | None = None
        self._serving: set[asyncio.Task[object]] = set()

    async def start(self) -> None:
        await self._runner.setup()

    async def dial(self, endpoint: Endpoint, within_s: float | None = None) -> socket.socket:
        """From this process."""
        server = self._runner.server
        if server is None:
            raise ConnectionRefusedError("the gateway's own pages are not there yet")
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(server, far)
        return near

    def listen(self) -> str:
        """From other processes: the name to give to a `Dialer`."""
        name = f"\0plexmesh-gateway-{os.getpid()}-{secrets.token_hex(8)}"
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.setblocking(False)
        self._sock.bind(name)
        self._sock.listen(BACKLOG)
        asyncio.get_running_loop().add_reader(self._sock, self._accept)
        return name

    def _accept(self) -> None:
        assert self._sock is not None
        try:
            sock, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            log.warning("pages.paused", extra={"fields": {"why": error.strerror}})
            self._pause()
            return
        if not same_user(sock):
            sock.close()
            return
        sock.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._serve(sock))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, sock: socket.socket) -> None:
        server = self._runner.server
        if server is None:
            sock.close()
            return
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(server, sock)

    def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._sock is not None
        loop.remove_reader(self._sock)
        loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._sock is not None:
            asyncio.get_running_loop().add_reader(self._sock, self._accept)

    async def stop(self) -> None:
        if self._sock is not None:
            sock, self._sock = self._sock, None
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        await self._runner.cleanup()


class Dialer:
    """Connects to the `Inner` of another process."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def dial(self, endpoint: Endpoint, within_s: float | None = None) -> socket.socket:
        """At once: a Unix socket that cannot be connected now is full."""
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        try:
            sock.connect(self._name)
        except BlockingIOError as error:
            sock.close()
            raise ConnectionRefusedError("too many wait for the gateway's own pages") from error
        except OSError:
            sock.close()
            raise
        return sock


def same_user(sock: socket.socket) -> bool:
    """The process at the other end runs under our user id."""
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(uid == os.getuid())
