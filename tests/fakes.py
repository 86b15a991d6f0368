"""Fakes, written once: a discovery node that serves the watch stream, and instances that answer exactly as told."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from discovery.node import Node
from shared.wire import LPAR_KEY, Del, Instance, Mark, Owner, OwnerState, Put, Status, WatchEvent, checksum

DEADLINE_S = 10.0


async def until(condition: Callable[[], object], what: str = "", deadline_s: float = DEADLINE_S) -> None:
    """Poll a condition until it holds; fail with `what` when it does not in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not condition():
        assert loop.time() < end, f"not in {deadline_s} s: {what or condition}"
        await asyncio.sleep(0.005)


def a_node(name: str = "A", address: str = "http://a", seeds: Sequence[str] = (), **more: Any) -> Node:
    """A discovery node at time 0, on its own unless it has seeds."""
    more = {"sysplex": "PLEX1", "now": 0.0, "wall_ms": 1_700_000_000_000, "rng": random.Random(1)} | more
    return Node(name, address, seeds, **more)


def an_instance(
    service: str = "orders",
    port: int = 9000,
    host: str = "127.0.40.1",
    *,
    id: str = "",
    lpar: str = "LPAR1",
    status: Status = "UP",
    gen: int = 1,
    rev: int = 1,
    owner: str = "LPAR1@1",
    routes: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    **more: Any,
) -> Instance:
    """A registered instance. `routes` maps gatewayUrl to serviceUrl; None leaves the default ones."""
    data = dict(metadata or {})
    if lpar:
        data[LPAR_KEY] = lpar
    for number, (gateway_url, service_url) in enumerate((routes or {}).items()):
        data[f"apiml.routes.r{number}.gatewayUrl"] = gateway_url
        data[f"apiml.routes.r{number}.serviceUrl"] = service_url
    return Instance(
        service=service,
        instance=id or f"{host}:{service}:{port}",
        status=status,
        owner=owner,
        gen=gen,
        rev=rev,
        host=host,
        ip=host,
        port=port,
        metadata=data,
        **more,
    )


class FakeDiscovery:
    """Serves /v1/watch as a discovery node does, and takes Eureka registrations without keeping them.

    `await start()`, then `put`, `remove`, `owner`; every change is followed by a mark. `stop` cuts all streams;
    `lie` makes the next mark's checksum wrong; `covered` False answers 503; so do registrations unless
    `registrations` is True (a registered program takes a second to leave).
    """

    def __init__(self, host: str, port: int = 7553) -> None:
        self.url = f"http://{host}:{port}"
        self.host, self.port = host, port
        self.instances: dict[str, Instance] = {}
        self.owners: dict[str, OwnerState] = {}
        self.covered = True
        self.lie = False
        self.registrations = False
        self.registered: list[tuple[str, str, bytes]] = []
        self.streams = 0
        self._token = 0
        self._watchers: set[asyncio.Queue[bytes | None]] = set()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/watch", self._watch)
        app.router.add_get("/application/ready", self._ready)
        app.router.add_route("*", "/eureka/{rest:.*}", self._eureka)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()

    async def stop(self) -> None:
        for queue in list(self._watchers):
            queue.put_nowait(None)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def put(self, *instances: Instance) -> None:
        self.instances |= {each.key: each for each in instances}
        self._send(Put(list(instances)))

    def remove(self, *keys: str) -> None:
        for key in keys:
            del self.instances[key]
        self._send(Del(list(keys)))

    def owner(self, owner: str, state: OwnerState) -> None:
        self.owners[owner] = state
        self._send(Owner(owner, state))

    def mark(self, *, whole: bool = False) -> Mark:
        parts = 0
        for each in self.instances.values():
            parts = checksum(parts, each.key, each.gen, each.rev)
        wrong, self.lie = self.lie, False
        return Mark(f"t{self._token}", len(self.instances), parts ^ wrong, whole)

    def _send(self, event: WatchEvent) -> None:
        self._token += 1
        frames = frame(event) + frame(self.mark())
        for queue in self._watchers:
            queue.put_nowait(frames)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        if not self.covered:
            return web.Response(status=503)
        self.streams += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._watchers.add(queue)
        await response.write(self._whole())
        with contextlib.suppress(ConnectionError):
            while (data := await queue.get()) is not None:
                await response.write(data)
        self._watchers.discard(queue)
        return response

    def _whole(self) -> bytes:
        owners = b"".join(frame(Owner(owner, state)) for owner, state in self.owners.items())
        return owners + frame(Put(list(self.instances.values()))) + frame(self.mark(whole=True))

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.covered else 503)

    async def _eureka(self, request: web.Request) -> web.Response:
        if not self.registrations:
            return web.Response(status=503)
        self.registered.append((request.method, request.path, await request.read()))
        return web.Response(status=204 if request.method == "POST" else 200)


def frame(event: WatchEvent) -> bytes:
    id = f"id: {event.token}\n" if isinstance(event, Mark) else ""
    return f"{id}event: {type(event).__name__.lower()}\ndata: {msgspec.json.encode(event).decode()}\n\n".encode()


Behave = Callable[["Caller"], Awaitable[None]]


class Caller:
    """One connection to a `RawInstance`: read heads and bodies, write bytes, end it kindly or not."""

    def __init__(self, instance: RawInstance, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.instance = instance
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """The next request's head; empty when the connection has ended."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.instance.heads.append(head)
        return head

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End by RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


class RawInstance:
    """A server whose behaviour is a coroutine over bytes; `heads` are the requests it got, as they came."""

    def __init__(self, host: str, port: int, behave: Behave, tls: ssl.SSLContext | None = None) -> None:
        self.host, self.port = host, port
        self.behave = behave
        self.tls = tls
        self.heads: list[bytes] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._callers: dict[Caller, asyncio.Task[object]] = {}

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, limit=1 << 20, ssl=self.tls)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = Caller(self, reader, writer)
        task = asyncio.current_task()
        if self._server is None or task is None:
            caller.reset()
            return
        self.connections += 1
        self._callers[caller] = task
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):  # asyncio's streams log cancelled handlers
            await self.behave(caller)
        del self._callers[caller]
        writer.close()

    async def stop(self) -> None:
        """Close the listening socket and reset every connection: what SIGKILL looks like from outside."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for caller, task in list(self._callers.items()):
            caller.reset()
            task.cancel()
        await until(lambda: not self._callers, "the instance's handlers have ended")


def answer(body: bytes, status: str = "200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status.encode(), len(body), extra, body)


def answering(body: bytes) -> Behave:
    """Answers every request with this body; request bodies with a Content-Length are read first."""

    async def behave(caller: Caller) -> None:
        while head := await caller.head():
            await caller.reader.readexactly(content_length(head))
            await caller.send(answer(b"" if head.startswith(b"HEAD") else body))

    return behave


def content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


@contextlib.asynccontextmanager
async def running(*parts: FakeDiscovery | RawInstance) -> AsyncIterator[None]:
    for part in parts:
        await part.start()
    try:
        yield
    finally:
        for part in parts:
            await part.stop()


class FakeRegistry:
    """Eureka's write operations, recorded: `calls` has (method, status told) in order. `forget` loses all instances.

    `documents` are the instances as they were registered, in order.
    """

    def __init__(self, host: str, port: int) -> None:
        self.url = f"http://{host}:{port}"
        self.calls: list[tuple[str, str]] = []
        self.documents: list[dict[str, Any]] = []
        self._host, self._port = host, port
        self._known = False
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> FakeRegistry:
        app = web.Application()
        app.router.add_route("*", "/eureka/apps/{app}", self._register)
        app.router.add_route("*", "/eureka/apps/{app}/{instance}", self._change)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def forget(self) -> None:
        self._known = False

    @property
    def told(self) -> list[str]:
        """The statuses registered, in order."""
        return [status for method, status in self.calls if method == "POST"]

    async def _register(self, request: web.Request) -> web.Response:
        document = await request.json()
        self.calls.append(("POST", document["instance"]["status"]))
        self.documents.append(document["instance"])
        self._known = True
        return web.Response(status=204)

    async def _change(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, request.query.get("status", "")))
        known, self._known = self._known, self._known and request.method != "DELETE"
        return web.Response(status=200 if known else 404)
