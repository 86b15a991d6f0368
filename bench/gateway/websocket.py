"""Websocket frames echoed through a proxy: small, masked, the next as soon as the last has come back.

Each connection has one frame on its way. Client, echo and their Python share the load's cores and are the limit for
the quick proxies, so messages per second of the proxy's own processor time are told as well.
"""

from __future__ import annotations

import asyncio
import time

from bench.gateway.client import Line, Lines
from bench.gateway.heads import HOST
from bench.gateway.peers import ROUTES
from bench.gateway.process import Process
from bench.gateway.rounds import Bench, say
from bench.gateway.table import Row

LINES = 64
GOALS = (("HAProxy", 0.7),)

HANDSHAKE = (
    f"GET {ROUTES['echo']}/echo HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()
ACCEPTED = b"\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"
"""RFC 6455, section 1.3: the answer to that key; in lower case, as the head it is looked for in."""

PAYLOAD = b'{"event":"price","symbol":"PLEX","bid":101.25,"ask":101.50}'
MASK = b"\x37\xfa\x21\x3d"
TEXT = 0x81
SENT = bytes((TEXT, 0x80 | len(PAYLOAD))) + MASK + bytes(each ^ MASK[i % 4] for i, each in enumerate(PAYLOAD))
EXPECTED = bytes((TEXT, len(PAYLOAD))) + PAYLOAD


class Socket(Line):
    """After `open`, `echoed` counts the frames that came back; the next goes out at once while `lively`."""

    def __init__(self, failed: asyncio.Future[None]) -> None:
        super().__init__(failed)
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lively = False
        self.echoed = 0
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self.opened.done():
            self._open()
        elif self._got == EXPECTED:
            self._got = b""
            self.echoed += 1
            if self.lively:
                self.transport.write(SENT)
        elif not EXPECTED.startswith(self._got):
            self.fail(f"not the echo: {self._got!r}")

    def _open(self) -> None:
        head, found, rest = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        if head[9:12] != b"101" or ACCEPTED not in head.lower() + b"\r\n" or rest:
            self.fail(f"no websocket: {self._got!r}")
        self._got = b""
        self.opened.set_result(None)

    def begin(self) -> None:
        self.lively = True
        self.transport.write(SENT)


async def opened(lines: Lines) -> None:
    for line in lines.lines:
        await lines.until(line.opened, 10.0)


async def measure(bench: Bench) -> None:
    say(f"websocket echo, {LINES} connections")

    async def one(proxy: Process) -> None:
        async with Lines(proxy.address, LINES, Socket) as lines:
            await opened(lines)
            cpu_s, begun = proxy.cpu_s(), time.monotonic()
            for line in lines.lines:
                line.begin()
            await lines.wait(bench.seconds)
            echoed = sum(line.echoed for line in lines.lines)
            passed, cpu_s = time.monotonic() - begun, proxy.cpu_s() - cpu_s
        bench.figures.note(Row("websocket echo: messages/s", goals=GOALS), proxy.name, echoed / passed)
        bench.figures.note(Row("websocket echo: messages per CPU second", goals=GOALS), proxy.name, echoed / cpu_s)
        say(f"  {proxy.name:9}{echoed / passed:8,.0f}/s {cpu_s / echoed * 1e6:7.1f} µs")

    await bench.visit(one)
