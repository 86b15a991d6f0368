"""Accepting connections, with a loop of our own.

Closing a listening socket resets every connection that waits in its queue. On the sysplex address that would happen
each time a gateway leaves while others stay, so leaving is, in one step: refuse new handshakes, accept until there is
nothing more, close. A handshake is refused by a socket filter that drops SYN segments: the caller's kernel sends it
again, and then another gateway has it. (Measured with 16 callers in a loop: about 1 reset in 10 leaves without the
filter; with it none, and in 1 of 8 leaves one caller waits a second.)

At the limit of connections or descriptors accepting pauses, so that clients wait in the kernel's queue instead of being
accepted and dropped; it goes on as soon as connections have ended, looked at every 0.1 s. A quarter of the descriptors
is not for clients: the calls of those who are in need them. A new descriptor has the lowest free number, so its number
says how many are in use.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
import sys
import time

from gateway.datapath import DataPath
from gateway.downstream import Downstream
from shared import net
from shared.tls import server_tls

log = logging.getLogger("plexmesh.gateway")

BATCH = 64
"""Connections accepted before others get their turn."""

PAUSE_S = 0.1
HANDSHAKE_S = 2.0
SHUTDOWN_S = 3600.0
"""Of uvloop's own, which cuts whatever moves; a connection's own deadlines are looked after where it is served."""
FULL = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Listener:
    def __init__(self, path: DataPath, sock: socket.socket) -> None:
        self._path = path
        self._sock = sock
        self.address: tuple[str, int] = sock.getsockname()[:2]
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[object]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._closed = False
        self._tls = server_tls(path.config)
        self._last_fd = last_for_clients(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._loop.add_reader(sock, self._ready)

    def close(self) -> None:
        """Leave: nothing new, take what waits in the queue, close, in one step."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._sock)
        if self._paused is not None:
            self._paused.cancel()
        with contextlib.suppress(OSError):  # without the filter a few resets are possible, nothing else
            net.refuse_handshakes(self._sock)
        for _ in range(2):  # those that were under way end within microseconds
            while self._accept():
                pass
        self._sock.close()

    async def settled(self) -> None:
        """All that were accepted are being served, or have gone."""
        while self._starting:
            await asyncio.wait(self._starting)

    def _ready(self) -> None:
        for _ in range(BATCH):
            if self._crowded():
                self._pause("the limit of connections is reached")
                return
            if not self._accept():
                return

    def _accept(self) -> bool:
        try:
            sock, address = self._sock.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:
            if error.errno in FULL and not self._closed:
                self._pause(error.strerror or str(error))
            return False
        self._path.meters.accepted += 1
        task: asyncio.Task[object] = self._loop.create_task(self._serve(sock, address[0]))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        if sock.fileno() >= self._last_fd and not self._closed:
            self._pause("descriptors are needed for calls")
            return False
        return True

    def _crowded(self) -> bool:
        return len(self._path.clients) + len(self._starting) >= self._path.config.max_connections

    async def _serve(self, sock: socket.socket, peer: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: Downstream(self._path, sock, peer, self.address[1]),
                sock,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_S if self._tls else None,
                ssl_shutdown_timeout=SHUTDOWN_S if self._tls else None,
            )
        except OSError as error:
            sock.close()
            self._lost(error, peer)

    def _lost(self, error: OSError, peer: str) -> None:
        """Before there was a connection to talk over: with TLS by its handshake, which anybody may spoil often."""
        if self._tls is None:
            log.info("connection.lost", extra={"fields": {"why": str(error)}})
        elif reason := self._path.handshakes.failed(error, time.monotonic()):
            log.info("handshake.failed", extra={"fields": {"reason": reason, "why": str(error), "client": peer}})

    def _pause(self, why: str) -> None:
        self._path.meters.accept_pauses += 1
        log.warning("accept.paused", extra={"fields": {"why": why, "connections": len(self._path.clients)}})
        self._loop.remove_reader(self._sock)
        self._paused = self._loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._crowded() or self._short():
            self._paused = self._loop.call_later(PAUSE_S, self._resume)
            return
        self._paused = None
        self._loop.add_reader(self._sock, self._ready)
        self._ready()

    def _short(self) -> bool:
        try:
            descriptor = os.dup(self._sock.fileno())
        except OSError:
            return True
        os.close(descriptor)
        return descriptor >= self._last_fd


def last_for_clients(limit: int) -> int:
    """The number of the last descriptor that a client may have, of RLIMIT_NOFILE."""
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit - limit // 4 - 1
