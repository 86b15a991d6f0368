"""One registered program: the task that keeps its entry in the registry true.

States: unregistered → registered (an instance is listed once its port answers; STARTING is never sent) → left. Every
`renew_s` the status is measured anew (port, then `health`): a changed one is registered, an unchanged one renewed, an
unknown instance registered again. Nothing here raises into the program, except `start` with `required=True`.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from plexmesh.registration import Registration
from plexmesh.registry import Registry, RegistryUnreachable

log = logging.getLogger("plexmesh.service")

Health = Callable[[], bool | Awaitable[bool]]

POLL_S = 0.05
"""How often the port is tried until it answers for the first time, at first."""

POLL_MAX_S = 1.0

RETRY_S = 0.1
"""The first pause after a registration that did not work; doubled up to `renew_s`."""

PATIENCE_S = 2.0
"""A registry unreachable for longer is said, once: at a common start everybody is unreachable for a moment."""


class Service:
    """The registration of one program; `async with service` or `service.cleanup_ctx`.

    `host` is the address callers reach (default: PLEXMESH_HOST, else this machine's), `lpar` the LPAR it runs in
    (default: PLEXMESH_LPAR, else outside the sysplex), `discovery` the registry's URLs (default: PLEXMESH_DISCOVERY).
    `health` returns whether the program can serve; False lists it DOWN until it returns True again.
    """

    def __init__(
        self,
        service_id: str,
        *,
        port: int,
        host: str | None = None,
        lpar: str | None = None,
        instance_id: str | None = None,
        routes: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        title: str = "",
        description: str = "",
        health_path: str = "/application/health",
        health: Health | None = None,
        discovery: Sequence[str] | None = None,
        renew_s: int = 5,
        lease_s: int = 15,
        drain_s: float = 1.0,
        required: bool = False,
    ) -> None:
        host = host or os.environ.get("PLEXMESH_HOST") or own_address()
        self.registration = Registration(
            service_id=service_id.lower(),
            host=host,
            port=port,
            instance_id=instance_id or f"{host}:{service_id.lower()}:{port}",
            lpar=lpar or os.environ.get("PLEXMESH_LPAR"),
            routes=routes,
            metadata=metadata or {},
            title=title,
            description=description,
            health_path=health_path,
            renew_s=renew_s,
            lease_s=lease_s,
        )
        urls = discovery if discovery is not None else os.environ.get("PLEXMESH_DISCOVERY", "").split(",")
        self._registry = Registry([url.strip() for url in urls if url.strip()])
        self._health = health
        self._drain_s = drain_s
        self._required = required
        self._status: str | None = None
        self._dirty_ms = 0
        self._unreachable_since: float | None = None
        self._unreachable_said = False
        self._task: asyncio.Task[None] | None = None

    @property
    def status(self) -> str | None:
        """The status last registered; None while the registry has not been told."""
        return self._status

    async def start(self) -> None:
        """Begin to register, in the background; with `required` wait, and raise RegistryUnreachable."""
        if not self._registry.urls:
            log.info("no discovery named (PLEXMESH_DISCOVERY is unset): %s runs unregistered", self._name)
            return
        await self._registry.open()
        if self._required:
            await self._tell(await self._measure())
        self._task = asyncio.create_task(self._keep(), name=f"plexmesh {self._name}")

    async def stop(self) -> None:
        """Leave: OUT_OF_SERVICE, `drain_s` for the gateways to hear of it and for calls to end, then deregister."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._status is not None:
            with contextlib.suppress(RegistryUnreachable):
                await self._tell("OUT_OF_SERVICE")
                await asyncio.sleep(self._drain_s)
                await self._registry.cancel(self.registration.app, self.registration.instance_id)
            self._status = None
        await self._registry.close()

    async def __aenter__(self) -> Service:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def cleanup_ctx(self, _: object) -> AsyncIterator[None]:
        """For aiohttp: `app.cleanup_ctx.append(service.cleanup_ctx)`."""
        async with self:
            yield

    @property
    def _name(self) -> str:
        return self.registration.instance_id

    async def _keep(self) -> None:
        pause_s = POLL_S
        while not await self._port_answers():
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, POLL_MAX_S)
        pause_s = RETRY_S
        while True:
            try:
                await self._keep_true()
                self._unreachable_since, pause_s = None, RETRY_S
                await asyncio.sleep(self.registration.renew_s)
            except RegistryUnreachable as error:
                self._note_unreachable(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self.registration.renew_s)

    async def _keep_true(self) -> None:
        """Make the entry true once: tell a new status, renew an old one, register again what is unknown."""
        status = await self._measure()
        if status != self._status or not await self._renew():
            await self._tell(status)

    def _note_unreachable(self, error: RegistryUnreachable) -> None:
        now = time.monotonic()
        if self._unreachable_since is None:
            self._unreachable_since, self._unreachable_said = now, False
        if now - self._unreachable_since > PATIENCE_S and not self._unreachable_said:
            log.warning("%s cannot register yet, trying on: %s", self._name, error)
            self._unreachable_said = True

    async def _renew(self) -> bool:
        instance = self.registration
        return await self._registry.renew(instance.app, instance.instance_id, self._status or "UP", self._dirty_ms)

    async def _tell(self, status: str) -> None:
        self._dirty_ms = max(int(time.time() * 1000), self._dirty_ms + 1)
        document = self.registration.document(status, self._dirty_ms)
        await self._registry.register(self.registration.app, document)
        log.info("%s registered as %s", self._name, status)
        self._status = status

    async def _measure(self) -> str:
        if not await self._port_answers():
            return "DOWN"
        if self._health is None:
            return "UP"
        try:
            healthy = self._health()
            if inspect.isawaitable(healthy):
                healthy = await healthy
        except Exception:
            log.exception("%s: its health check failed; listed DOWN", self._name)
            return "DOWN"
        return "UP" if healthy else "DOWN"

    async def _port_answers(self) -> bool:
        try:
            async with asyncio.timeout(1.0):
                _, writer = await asyncio.open_connection(self.registration.host, self.registration.port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True


def own_address() -> str:
    """The address this machine calls out from; 127.0.0.1 where it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: connecting a datagram socket sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
