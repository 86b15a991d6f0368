"""A websocket client that sends exactly the bytes it is given, right or wrong, and keeps what came back as plain data.

    script    steps, run in order: send bytes, wait for frames, end it in one of several ways
    verdict   what the client saw, and how the server saw it end: two runs can be compared for equality

Its own codec of RFC 6455 section 5.2, so that it is independent of the server's library.

Not here: the scripts (`websocket_suite`), the servers (`websocket_servers`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from dataclasses import dataclass, field
from enum import Enum

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10
MASK = b"\x37\xfa\x21\x3d"
KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The example of RFC 6455 section 1.3."""

HANDSHAKE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY
COMPARED = (
    "Upgrade", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Version",
    "Set-Cookie", "WWW-Authenticate", "Content-Type", "Content-Length",
)  # fmt: skip
"""Fields of an answer that a tunnel leaves alone."""

MANY_BYTES = 200
STEP_S = 8.0


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = MASK, wide: int = 0
) -> bytes:
    """One frame; `wide` is the number of bytes its length takes at least (0, 2 or 8): longer than need be is wrong."""
    size, masked = len(payload), 0x80 if mask is not None else 0
    first = bytes((opcode | rsv | (0x80 if fin else 0),))
    if size < 126 and not wide:
        head = first + bytes((masked | size,))
    elif size < 65_536 and wide < 8:
        head = first + bytes((masked | 126,)) + struct.pack(">H", size)
    else:
        head = first + bytes((masked | 127,)) + struct.pack(">Q", size)
    return head + (payload if mask is None else mask + masked_with(mask, payload))


def masked_with(mask: bytes, payload: bytes) -> bytes:
    size = len(payload)
    whole = int.from_bytes((mask * (size // 4 + 1))[:size]) ^ int.from_bytes(payload)
    return whole.to_bytes(size)


def close_frame(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


class Do(Enum):
    DRIP = "send the next bytes one by one"
    HALF = "send no more"
    RESET = "end by RST"
    END = "read until the server ends it"


Step = bytes | int | Do
"""Bytes are sent, a number of frames is waited for."""

Script = tuple[Step, ...]


@dataclass(frozen=True)
class Place:
    """Where a server is reached: straight, or below a gateway's route."""

    host: str
    port: int
    below: str = ""


@dataclass
class Verdict:
    status: int = 0
    reason: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    frames: list[tuple[int, bytes | tuple[int, int]]] = field(default_factory=list)
    """The first byte of each, and its payload (of a long one the size and a checksum)."""
    rest: bytes = b""
    """What came and is no frame; in a tunnel of another protocol, everything."""
    ended: bool = False
    server: object = None
    """How the server saw the end."""


class Wire:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framed: bool) -> None:
        self._reader, self._writer, self._framed = reader, writer, framed
        self.verdict = Verdict()

    async def open(self, head: bytes, first: bytes = b"") -> bool:
        """Shake hands, with `first` right behind it; False: refused."""
        self._writer.write(head + first)
        verdict = self.verdict
        line, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        _, status, verdict.reason = line.split(" ", 2)
        verdict.status = int(status)
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        verdict.fields = {name: fields[name.lower()] for name in COMPARED if name.lower() in fields}
        if verdict.status == 101:
            return True
        verdict.body = await self._reader.readexactly(int(fields.get("content-length", 0)))
        return False

    async def run(self, script: Script) -> None:
        try:
            await self._run(script)
        except asyncio.IncompleteReadError as error:
            self.verdict.rest, self.verdict.ended = error.partial, True
        except ConnectionError:  # an end like another: 1006 either way
            self.verdict.ended = True

    async def _run(self, script: Script) -> None:
        drip = False
        for step in script:
            match step:
                case bytes() if drip:
                    await self._drip(step)
                case bytes():
                    self._writer.write(step)
                case int():
                    for _ in range(step):
                        await self._frame()
                case Do.HALF:
                    self._writer.write_eof()
                case Do.RESET:
                    sock = self._writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self._writer.transport.abort()
                case Do.END:
                    await self._end()
            drip = step is Do.DRIP

    async def _drip(self, data: bytes) -> None:
        for byte in data:
            self._writer.write(bytes((byte,)))
            await asyncio.sleep(0)

    async def _frame(self) -> None:
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self._reader.readexactly(8))
        mask = await self._reader.readexactly(4) if second & 0x80 else b""
        payload = await self._reader.readexactly(size)
        if mask:
            payload = masked_with(mask, payload)
        self.verdict.frames.append((first, payload if size <= MANY_BYTES else (size, zlib.crc32(payload))))

    async def _end(self) -> None:
        """Frames, or bytes, as long as they come."""
        self.verdict.rest = await self._frames() if self._framed else await self._reader.read()
        self.verdict.ended = True

    async def _frames(self) -> bytes:
        """All that come; what is left when they end."""
        try:
            while True:
                await self._frame()
        except asyncio.IncompleteReadError as error:
            return error.partial


async def play(
    place: Place, path: str, script: Script, *, id: str, fields: bytes = HANDSHAKE, first: bytes = b"",
    method: bytes = b"GET", framed: bool = True,
) -> Verdict:  # fmt: skip
    """Run a script at a server. `first` goes out in one write with the handshake; `id` tells the server whose it is."""
    target = f"{place.below}{path}{'&' if '?' in path else '?'}id={id}".encode()
    head = b"%b %b HTTP/1.1\r\nHost: ws.test\r\n%b\r\n\r\n" % (method, target, fields)
    reader, writer = await asyncio.open_connection(place.host, place.port, limit=1 << 22)
    wire = Wire(reader, writer, framed)
    try:
        async with asyncio.timeout(STEP_S):
            if await wire.open(head, first):
                await wire.run(script)
    finally:
        writer.close()
    return wire.verdict
