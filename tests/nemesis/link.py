"""A TCP proxy for one link: it passes bytes on, or is cut, deaf or slow, as it is told.

passing   bytes go both ways
cut       open connections are reset, new ones too
deaf      connections stay open, and nothing goes either way
slow      each piece of bytes waits `delay_s` first
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PIECE = 65_536


class Link:
    def __init__(self, towards: tuple[str, int]) -> None:
        self._towards = towards
        self._cut = False
        self._delay_s = 0.0
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        self._cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def deafen(self) -> None:
        self._passing.clear()

    def slow(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def heal(self) -> None:
        self._cut = False
        self._delay_s = 0.0
        self._passing.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._towards)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        ways = [
            asyncio.create_task(self._pass(reader, far_writer)),
            asyncio.create_task(self._pass(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, far_writer):
                self._writers.discard(each)
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                await self._passing.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(piece)
                await writer.drain()


@asynccontextmanager
async def link(host: str, port: int, towards: tuple[str, int]) -> AsyncIterator[Link]:
    """Listens at host and port."""
    made = Link(towards)
    server = await asyncio.start_server(made.accept, host, port)
    try:
        yield made
    finally:
        made.cut()
        server.close()
        await asyncio.sleep(0)
