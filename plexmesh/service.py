"""One registered program: where it is, and how its registration follows the life of the program it is in.

Registering never delays the program and never raises into it, except at the start with `required=True`. Leaving takes
at most `drain_s` and a few seconds for a silent registry.

Not here: what is told (`plexmesh.registration`), keeping it true (`plexmesh.entry`), signals (`plexmesh.farewell`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence

from plexmesh import environment
from plexmesh.entry import Entry, Health
from plexmesh.farewell import Farewell
from plexmesh.registration import Registration
from plexmesh.registry import Registry, RegistryUnreachable
from plexmesh.thread import ServiceThread
from plexmesh.workers import Workers

log = logging.getLogger("plexmesh.service")

LEAVE_S = 4.0
"""What leaving may take besides the drain; a registry that is silent for longer finds out by the lease."""


class Service:
    """The registration of one program, by whichever of these fits it:

    async with service:                                  any asyncio program
    app.cleanup_ctx.append(service.cleanup_ctx)          aiohttp
    FastAPI(lifespan=service.lifespan)                   FastAPI, Starlette
    with service.in_thread():                            Flask, scripts

    `host` is the address callers reach, `lpar` the LPAR it runs in, `discovery` the registry's URLs; what is not given
    comes from the environment (`plexmesh.environment`, `plexmesh.tls`). `secure`: its port speaks TLS; `tls`: how the
    registry is called. `health` returns whether the program can serve; False lists it
    DOWN until it returns True again.
    """

    def __init__(
        self,
        service_id: str,
        *,
        port: int | None = None,
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
        secure: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        urls = environment.discovery_urls(discovery)
        host, port = environment.host(host, urls), environment.port(port)
        self.registration = Registration(
            service_id=service_id.lower(),
            host=host,
            port=port,
            instance_id=instance_id or f"{host}:{service_id.lower()}:{port}",
            lpar=environment.lpar(lpar),
            routes=routes,
            metadata=metadata or {},
            title=title,
            description=description,
            health_path=health_path,
            renew_s=renew_s,
            lease_s=lease_s,
            secure=secure,
        )
        self._registry = Registry(urls, tls)
        self._workers = Workers(environment.lock_folder(), self.registration.instance_id, self._registry.urls)
        self._entry = Entry(self.registration, self._registry, self._workers, health)
        self._drain_s = drain_s
        self._required = required
        self._keeping: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    @property
    def status(self) -> str | None:
        """The status this process last registered; None while it has not, or another worker process does it."""
        return self._entry.status

    @property
    def running(self) -> bool:
        """Whether it registers or has registered: started, with a discovery named, and not stopped."""
        return self._keeping is not None

    @property
    def leaves_within_s(self) -> float:
        return self._drain_s + LEAVE_S

    async def start(self) -> None:
        """Begin to register, in the background; with `required` wait, and raise RegistryUnreachable."""
        if self.running:
            raise RuntimeError(f"{self.registration.instance_id} is started already")
        if not self._registry.urls:
            self._without_registry()
            return
        await self._registry.open()
        if self._required:
            try:
                await self._entry.announce()
            except BaseException:  # also when the program gives up waiting
                await self._close()
                raise
        self._keeping = asyncio.create_task(self._entry.keep(), name=f"plexmesh {self.registration.instance_id}")
        self._keeping.add_done_callback(_say_failure)

    async def stop(self) -> None:
        """Leave: OUT_OF_SERVICE, `drain_s` for the gateways to hear of it and for calls to end, then deregister."""
        if self.running and self._leaving is None:
            self._leaving = asyncio.create_task(self._leave())
        if self._leaving is not None:
            await asyncio.shield(self._leaving)

    async def __aenter__(self) -> Service:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def cleanup_ctx(self, _: object) -> AsyncIterator[None]:
        """For aiohttp: `app.cleanup_ctx.append(service.cleanup_ctx)`."""
        async with self:
            yield

    @contextlib.asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """For FastAPI and Starlette: `FastAPI(lifespan=service.lifespan)`, or inside a lifespan of your own."""
        async with self:
            with self._farewell().arranged() if self.running else contextlib.nullcontext():
                yield

    def in_thread(self) -> ServiceThread:
        """For Flask and scripts: `with service.in_thread(): ...`, or `service.in_thread().start()`."""
        return ServiceThread(self)

    def _farewell(self) -> Farewell:
        loop = asyncio.get_running_loop()
        leaving: list[asyncio.Task[None]] = []

        async def leave() -> None:
            await self.stop()
            farewell.left()

        def begin() -> None:
            leaving.append(loop.create_task(leave()))

        def begin_soon() -> None:
            loop.call_soon_threadsafe(begin)

        farewell = Farewell(begin_soon)
        return farewell

    def _without_registry(self) -> None:
        if self._required:
            raise RegistryUnreachable("no discovery named: give `discovery`, or set PLEXMESH_DISCOVERY")
        name = self.registration.instance_id
        log.info("no discovery named (PLEXMESH_DISCOVERY is unset): %s runs unregistered", name)

    async def _leave(self) -> None:
        assert self._keeping is not None
        self._keeping.cancel()
        await asyncio.wait([self._keeping])
        try:
            async with asyncio.timeout(self.leaves_within_s):
                await self._entry.leave(self._drain_s)
        except (RegistryUnreachable, TimeoutError) as error:
            log.warning("%s left without deregistering: %s", self.registration.instance_id, error or "no answer")
        finally:
            await self._close()
            self._keeping = self._leaving = None

    async def _close(self) -> None:
        self._workers.close()
        await self._registry.close()


def _say_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("%s is no longer registered", task.get_name(), exc_info=task.exception())
