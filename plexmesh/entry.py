"""One instance's entry in the registry, kept true by one of its worker processes.

    (port silent) ──port answers──▶ UP ◀──port, `health`──▶ DOWN          any ──leave──▶ OUT_OF_SERVICE ──▶ gone

Every `renew_s` the status is measured anew (the port, then `health`): a changed one is registered, an unchanged one
renewed, an instance the registry does not know registered again. While another worker of the same instance has the
turn (`plexmesh.workers`), this one only waits for it. Nothing here raises into the program but `announce`.

Not here: the registry's protocol (`plexmesh.registry`), when all of this begins and ends (`plexmesh.service`).
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable

from plexmesh.registration import Registration
from plexmesh.registry import Registry, RegistryUnreachable
from plexmesh.workers import Workers

log = logging.getLogger("plexmesh.service")

Health = Callable[[], bool | Awaitable[bool]]

POLL_S = 0.05
"""How often the port is tried until it answers for the first time, at first."""

POLL_MAX_S = 1.0

CONNECT_S = 1.0
HEALTH_S = 5.0
"""A health check that takes longer counts as failed: a hung one must not stop the heartbeats."""

RETRY_S = 0.1
"""The first pause after a registration that did not work; doubled up to `renew_s`."""

PATIENCE_S = 2.0
"""A registry unreachable for longer is said, once: at a common start everybody is unreachable for a moment."""

PORT_PATIENCE_S = 10.0
"""A port silent for longer is said, once: it may be the wrong one."""

TURN_S = 1.0
"""How often a waiting worker looks whether the registering one is gone; well below a lease."""

JOIN_S = 0.1


class Entry:
    def __init__(self, registration: Registration, registry: Registry, workers: Workers, health: Health | None) -> None:
        self.registration = registration
        self.status: str | None = None
        """The status this process last registered; None while it has registered none."""
        self._registry = registry
        self._workers = workers
        self._health = health
        self._health_failed = False
        self._dirty_ms = 0
        self._alone = False
        """The workers cannot be told apart: register in any case."""
        self._unreachable_since: float | None = None
        self._unreachable_said = False

    async def announce(self) -> None:
        """Before the port answers: be registered as STARTING, by this worker or another. Raises RegistryUnreachable."""
        if self._join() and not self._has_turn():
            await self._renew()
        else:
            await self._tell("STARTING")

    async def keep(self) -> None:
        """Until cancelled."""
        while not self._join():  # noqa: ASYNC110 - a file lock has no event to wait for
            await asyncio.sleep(JOIN_S)
        await self._port_opened()
        pause_s = RETRY_S
        while True:
            if not self._has_turn():
                await asyncio.sleep(TURN_S)
                continue
            try:
                await self._make_true()
                self._unreachable_since, pause_s = None, RETRY_S
                await asyncio.sleep(self.registration.renew_s)
            except RegistryUnreachable as error:
                self._note_unreachable(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self.registration.renew_s)

    async def leave(self, drain_s: float) -> None:
        """Out of rotation, `drain_s` for calls to end, and gone; only the last worker does it.

        A port that is closed already is not waited for. Raises RegistryUnreachable.
        """
        if not (self._workers.leave() or self._alone) or not await self._is_listed():
            return
        await self._tell("OUT_OF_SERVICE")
        if await self._port_answers():
            await asyncio.sleep(drain_s)
        await self._registry.cancel(self.registration.app, self.registration.instance_id)
        self.status = None
        log.info("%s deregistered", self._name)

    @property
    def _name(self) -> str:
        return self.registration.instance_id

    def _join(self) -> bool:
        try:
            return self._alone or self._workers.join()
        except OSError as error:
            log.warning("%s cannot tell whether other processes serve its port, and registers: %s", self._name, error)
            self._alone = True
            return True

    def _has_turn(self) -> bool:
        try:
            return self._alone or self._workers.take_turn()
        except OSError:
            return False  # for the moment: no more descriptors, or somebody cleared the folder

    async def _is_listed(self) -> bool:
        """Whether there is something to take out: what this worker registered, or one that went before it."""
        if self.status is not None:
            return True
        with contextlib.suppress(RegistryUnreachable):
            return not self._alone and await self._renew()
        return False

    async def _port_opened(self) -> None:
        pause_s = POLL_S
        begun, said = time.monotonic(), False
        while not await self._port_answers():
            if not said and time.monotonic() - begun > PORT_PATIENCE_S:
                where = f"{self.registration.host}:{self.registration.port}"
                log.warning("%s is not registered yet: nothing answers at %s (host, PLEXMESH_HOST?)", self._name, where)
                said = True
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, POLL_MAX_S)

    async def _make_true(self) -> None:
        status = await self._measure()
        if status != self.status or not await self._renew():
            await self._tell(status)

    def _note_unreachable(self, error: RegistryUnreachable) -> None:
        now = time.monotonic()
        if self._unreachable_since is None:
            self._unreachable_since, self._unreachable_said = now, False
        if now - self._unreachable_since > PATIENCE_S and not self._unreachable_said:
            log.warning("%s cannot register yet, trying on: %s", self._name, error)
            self._unreachable_said = True

    async def _renew(self) -> bool:
        """Whether the registry knows this instance."""
        instance = self.registration
        return await self._registry.renew(instance.app, instance.instance_id, self.status or "UP", self._dirty_ms)

    async def _tell(self, status: str) -> None:
        self._dirty_ms = max(int(time.time() * 1000), self._dirty_ms + 1)
        document = self.registration.document(status, self._dirty_ms)
        await self._registry.register(self.registration.app, document)
        log.info("%s registered as %s", self._name, status)
        self.status = status

    async def _measure(self) -> str:
        return "UP" if await self._port_answers() and await self._healthy() else "DOWN"

    async def _healthy(self) -> bool:
        if self._health is None:
            return True
        try:
            async with asyncio.timeout(HEALTH_S):
                healthy = self._health()
                if inspect.isawaitable(healthy):
                    healthy = await healthy
        except Exception:
            if not self._health_failed:
                log.exception("%s: its health check failed; listed DOWN", self._name)
            self._health_failed = True
            return False
        self._health_failed = False
        return bool(healthy)

    async def _port_answers(self) -> bool:
        try:
            async with asyncio.timeout(CONNECT_S):
                _, writer = await asyncio.open_connection(self.registration.host, self.registration.port)
        except (OSError, TimeoutError):
            return False
        except RuntimeError:  # the interpreter is ending: names cannot be looked up any more
            return False
        writer.close()
        return True
