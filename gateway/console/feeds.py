"""Following one process: its events as they happen, and its facts every second, sooner when something happened there.

A process that cannot be reached is tried again for as long as it is in the registry; the reason stands in its place.
Events are asked for from the last one known on, so a stream that broke off loses nothing that is still in the ring.

Not here: which processes there are (`collector`), what is made of events (`words`) and facts (`document`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiohttp
import msgspec

from gateway.console.words import Source
from gateway.dialing import reason
from gateway.fetching import TROUBLE, NotUsable, fetched
from gateway.sse import Message, Parser, TooLong
from shared.events import Event

EVERY_S = 1.0
WITHIN_S = 1.0
OF_MANY_S = 5.0
"""`up` asks others for what it tells, and waits a second for each that is frozen."""
AGAIN_S = 0.5
SILENCE_S = 40.0
"""An event stream without a byte for so long is opened anew: its other end may have frozen or gone."""

MAX_BYTES = 8 * 1024 * 1024

Ask = Callable[[aiohttp.ClientSession, str], Awaitable[object]]
"""The facts of the process at this URL; raises any of `TROUBLE`."""


class Process(NamedTuple):
    """`component` is gateway, discovery, launcher, caching, or sysplex for `plexmesh up`."""

    lpar: str
    component: str
    url: str


class _Info(msgspec.Struct):
    started: float = 0.0


class Feed:
    def __init__(
        self,
        process: Process,
        ask: Ask | None,
        on_facts: Callable[[Process, object], None],
        on_event: Callable[[Source, Event], None],
    ) -> None:
        """`on_facts` is told facts, or in a string why there are none."""
        self.process = process
        self._ask = ask
        self._on_facts = on_facts
        self._on_event = on_event
        self._wanted = asyncio.Event()
        self._source = Source(process.lpar, process.component, "")
        self._after = 0

    def hurry(self) -> None:
        """Something happened there: ask now."""
        self._wanted.set()

    async def run(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(session))
            if self._ask is not None:
                tasks.create_task(self._ask_regularly(session, self._ask))

    async def _ask_regularly(self, session: aiohttp.ClientSession, ask: Ask) -> None:
        while True:
            self._wanted.clear()
            self._on_facts(self.process, await self._facts(session, ask))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._wanted.wait()

    async def _facts(self, session: aiohttp.ClientSession, ask: Ask) -> object:
        within_s = OF_MANY_S if self.process.component == "sysplex" else WITHIN_S
        try:
            async with asyncio.timeout(within_s):
                return await ask(session, self.process.url)
        except TROUBLE as error:
            return said(error, within_s)

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        while True:
            with contextlib.suppress(*TROUBLE, TooLong):
                await self._identify(session)
                await self._read(session)
            await asyncio.sleep(AGAIN_S)

    async def _identify(self, session: aiohttp.ClientSession) -> None:
        """A process that was started anew counts its events from the beginning."""
        async with asyncio.timeout(WITHIN_S):
            info = msgspec.json.decode(await body(session, f"{self.process.url}/application/info"), type=_Info)
        name = "/".join(filter(None, (self.process.lpar, self.process.component)))
        source = Source(self.process.lpar, self.process.component, f"{name}@{info.started:.3f}")
        if source != self._source:
            self._source, self._after = source, 0

    async def _read(self, session: aiohttp.ClientSession) -> None:
        parser = Parser()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=WITHIN_S, sock_read=SILENCE_S)
        headers = {"Last-Event-ID": str(self._after)}
        url = f"{self.process.url}/application/events"
        async with session.get(url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
            if answer.status != 200:
                raise NotUsable(f"answers {answer.status}")
            async for chunk in answer.content.iter_any():
                for message in parser.feed(chunk):
                    self._take(message)

    def _take(self, message: Message) -> None:
        event = msgspec.json.decode(message.data, type=Event)
        self._after = event.seq
        self._on_event(self._source, event)
        self.hurry()


async def body(session: aiohttp.ClientSession, url: str) -> bytes:
    """What a GET there answers. Raises any of `TROUBLE`."""
    return await fetched(session, url, MAX_BYTES)


def said(error: Exception, within_s: float) -> str:
    """Why it told nothing, in a few words."""
    match error:
        case TimeoutError():
            return f"silent: no answer within {within_s:g} s"
        case NotUsable():
            return str(error)
        case ValueError():
            return "answers something else than expected"
    return reason(error)
