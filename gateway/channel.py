"""One end of the socket pair between a gateway's parent and a worker: whole messages, in order, never waiting to send.

What cannot be sent because the other end does not read is dropped when `MAX_WAITING_BYTES` wait already. A parent kills
a worker that is silent for long, and a worker dies with its parent, so neither end depends on a dropped message.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Generic, TypeVar

import msgspec

from gateway.control import LENGTH, MAX_FRAME_BYTES, FromWorker, ToWorker, frame

In = TypeVar("In")

MAX_WAITING_BYTES = 4 * 1024 * 1024


class Channel(Generic[In]):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, incoming: Any) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder: msgspec.msgpack.Decoder[In] = msgspec.msgpack.Decoder(incoming)

    @classmethod
    async def over(cls, sock: socket.socket, incoming: Any) -> Channel[In]:
        """`incoming` is the type of what will be received: ToWorker or FromWorker."""
        return cls(*await asyncio.open_unix_connection(sock=sock), incoming)

    def send(self, message: ToWorker | FromWorker) -> bool:
        """False: dropped."""
        return self.send_frame(frame(message))

    def send_frame(self, data: bytes) -> bool:
        transport = self._writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            return False
        self._writer.write(data)
        return True

    async def receive(self) -> In | None:
        """The next message; None when the other end has gone. Raises msgspec.DecodeError."""
        try:
            (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            if size > MAX_FRAME_BYTES:
                raise msgspec.DecodeError(f"a frame of {size} bytes")
            return self._decoder.decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def flush(self, within_s: float) -> None:
        """Everything is sent when this returns, or the time is over."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        transport.set_write_buffer_limits(high=0)
        try:
            async with asyncio.timeout(within_s):
                await self._writer.drain()
        except (TimeoutError, ConnectionError):
            return

    def close(self) -> None:
        self._writer.close()
