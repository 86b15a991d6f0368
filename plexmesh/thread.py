"""A service registered from a thread of its own: for Flask, other blocking frameworks, and scripts.

The thread runs an event loop and is a daemon: it never keeps a program alive. The program's end reaches it in one of
three ways: `stop` (or the end of the `with` block), atexit, or a signal (`plexmesh.farewell`).
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from typing import TYPE_CHECKING

from plexmesh.farewell import Farewell
from plexmesh.registry import RegistryUnreachable

if TYPE_CHECKING:
    from plexmesh.service import Service

GRACE_S = 1.0
"""A health check that blocks holds up the thread; the program's end is not held up by it for longer than this."""


class ServiceThread:
    """`start` and `stop`, once each, or a `with` block. In a forked child it is nothing: threads do not survive a fork.

    Started from the main thread, it holds signals back until it has left; from another one, it cannot.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._farewell = Farewell(self._end_for_signal)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun = threading.Event()
        self._over = asyncio.Event()
        self._refused: RegistryUnreachable | None = None
        self._pid = 0

    def start(self) -> None:
        """Begin to register, and return. With `required`: raises RegistryUnreachable."""
        if self._thread is not None:
            raise RuntimeError("this service is started already")
        name = f"plexmesh {self._service.registration.instance_id}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._pid = os.getpid()
        self._thread.start()
        self._begun.wait()
        if self._refused is not None:
            raise self._refused
        if self._service.running:
            atexit.register(self.stop)
            self._farewell.arrange()

    def stop(self) -> None:
        """Leave; returns when that is done. Called again, it does nothing."""
        if self._thread is None or os.getpid() != self._pid:
            return
        self._end()
        self._thread.join(self._service.leaves_within_s + GRACE_S)
        self._farewell.undo()
        atexit.unregister(self.stop)

    def __enter__(self) -> ServiceThread:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)

    def _end_for_signal(self) -> None:
        self._end()
        if self._loop is None or self._loop.is_closed():
            self._farewell.left()

    def _run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._service.start()
        except RegistryUnreachable as error:
            self._refused = error
            return
        finally:
            self._begun.set()
        if not self._service.running:
            return
        await self._over.wait()
        await self._service.stop()
        self._farewell.left()
