"""A real gateway in this process, on uvloop as in production, a fake discovery node, and a raw HTTP client.

Addresses lie in 127.0.40.x to 127.0.49.x; the last part depends on our pid, so that two test runs do not meet.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from gateway.app import Gateway
from gateway.config import GatewayConfig
from shared.lifecycle import Lifecycle
from shared.loop import Loop
from tests.fakes import FakeDiscovery, RawInstance, an_instance, running, until

N = os.getpid() % 250 + 1
LPAR1, LPAR2 = f"127.0.40.{N}", f"127.0.41.{N}"
VIPA = f"127.0.49.{N}:7554"
INSTANCES = [f"127.0.{part}.{N}" for part in (42, 43, 44)]
PORT = 7554

QUICK = {
    "head_timeout_s": 0.3,
    "idle_timeout_s": 0.6,
    "body_timeout_s": 0.3,
    "response_timeout_s": 0.5,
    "linger_s": 0.3,
    "half_closed_s": 0.3,
    "tick_s": 0.02,
}
"""Time-outs that a test can wait for."""


def on_uvloop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **named: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(25):
                await test(*args, **named)

        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(bounded())

    return run


@dataclass
class Rig:
    gateway: Gateway
    discovery: FakeDiscovery
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        self.clients.append(await Client.to(self.gateway.config.host, PORT))
        return self.clients[-1]

    async def ask(self, data: bytes) -> Answer:
        """One request on a connection of its own."""
        async with await self.connect() as client:
            return await client.ask(data)

    async def get(self, path: str) -> Answer:
        return await self.ask(f"GET {path} HTTP/1.1\r\nHost: g\r\n\r\n".encode())

    def in_flight(self) -> int:
        return sum(self.gateway.path.in_flight.values())


@contextlib.asynccontextmanager
async def a_gateway(
    *instances: RawInstance,
    service: str = "orders",
    vipa: str = "",
    metadata: dict[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """A ready gateway in front of these instances, all of one service. It connects to them for calls only, unless
    `probe_rounds` says otherwise."""
    discovery = FakeDiscovery(LPAR1)
    async with running(discovery, *instances):
        for each in instances:
            discovery.put(an_instance(service, each.port, each.host, lpar="LPAR2", metadata=metadata))
        settings = {"access_log": "off", "probe_rounds": False} | settings
        config = GatewayConfig(host=LPAR1, port=PORT, vipa=vipa, discovery=(discovery.url,), **settings)
        async with started(config) as gateway:
            await until(lambda: not gateway.why_not_ready(), "the gateway is ready")
            rig = Rig(gateway, discovery)
            try:
                yield rig
            finally:
                for client in rig.clients:
                    client.close()


@contextlib.asynccontextmanager
async def started(config: GatewayConfig) -> AsyncIterator[Gateway]:
    async with asyncio.TaskGroup() as tasks:
        lifecycle = Lifecycle(tasks)
        gateway = Gateway(config)
        await gateway.start(lifecycle)
        try:
            yield gateway
        finally:
            if not gateway.path.draining:
                for client in list(gateway.path.clients):
                    client.reset()
                await gateway.stop()
            lifecycle.cancel_tasks()


@dataclass
class Answer:
    status: int
    head: bytes
    body: bytes
    closed: bool
    """The connection ended with it."""

    def header(self, name: str) -> str | None:
        values = self.headers(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    def headers(self, name: str) -> list[str]:
        lines = [line.decode("latin-1").partition(":") for line in self.head.split(b"\r\n")[1:]]
        return [value.strip() for key, _, value in lines if key.lower() == name.lower()]

    @property
    def number(self) -> str:
        return str(json.loads(self.body)["messages"][0]["messageNumber"])

    @property
    def content(self) -> str:
        return str(json.loads(self.body)["messages"][0]["messageContent"])


class Client:
    """A client that sends exactly the bytes it is given and reads answers strictly."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, host: str, port: int, limit: int = 1 << 20) -> Client:
        return cls(*await asyncio.open_connection(host, port, limit=limit))

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.writer.transport.abort()

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer("HEAD" if data.startswith(b"HEAD") else "GET")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def get(self, path: str) -> Answer:
        return await self.ask(f"GET {path} HTTP/1.1\r\nHost: g\r\n\r\n".encode())

    async def answer(self, method: str = "GET") -> Answer:
        """The next answer; raises IncompleteReadError or ConnectionError when it is cut short."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        answer = Answer(int(head.split(b" ", 2)[1]), head[:-2], b"", False)
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        if answer.header("Transfer-Encoding"):
            answer.body = await self._chunked()
        elif (length := answer.header("Content-Length")) is not None:
            answer.body = await self.reader.readexactly(int(length))
        else:
            answer.body, answer.closed = await self.reader.read(), True
        return answer

    async def _chunked(self) -> bytes:
        pieces = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            pieces.append(await self.reader.readexactly(size))
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return b"".join(pieces)

    async def ended(self) -> bool:
        """The gateway closes the connection, without another byte."""
        return await self.reader.read(1) == b""
