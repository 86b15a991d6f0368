"""The Sysplex Distributor as `up` plays it: it watches every gateway and tells it to enter or leave the address.

One task asks for the moves that are due and makes them, one after the other; whatever cannot be made is tried again
until the gateway's process has ended. The end of a process is heard from the kernel (pidfd), its intention to end from
its own event stream; so with hot standby the next gateway enters within milliseconds. A hang is the fence's to end.

Not here: who is to be in (`launcher.distribution`), hangs (`launcher.fence`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Collection, Mapping

import aiohttp
import msgspec

from launcher import pids, readiness
from launcher.distribution import Distribution, Move
from launcher.follow import follow
from launcher.journal import Journal
from launcher.lpar import Lpar
from shared import vipa, wire
from shared.errors import NotFound, Unavailable
from shared.lifecycle import Lifecycle

TELL = aiohttp.ClientTimeout(total=1.5)
AGAIN_S = 0.1
MOVED_WITHIN_S = 5.0
ALL_WITHIN_S = 2.0
"""How long, when the sysplex comes up, hot standby waits for the first gateway in order while others are ready."""

LEAVING = "gateway.leaving"


class Distributor:
    def __init__(
        self,
        distribution: Distribution,
        lpars: Mapping[str, Lpar],
        urls: Mapping[str, str],
        session: aiohttp.ClientSession,
        journal: Journal,
    ) -> None:
        """`lpars` may grow; `urls`: of those that have a gateway, where that answers."""
        self.distribution = distribution
        self._lpars = lpars
        self._urls = dict(urls)
        self._session = session
        self._journal = journal
        self._due = asyncio.Event()
        self._moved = asyncio.Event()

    def begin(self, lifecycle: Lifecycle) -> None:
        """Before any gateway is started."""
        for lpar in self._urls:
            self._look_after(lifecycle, lpar)
        lifecycle.spawn("distributor", self._move)

    def add(self, lifecycle: Lifecycle, lpar: str, url: str) -> None:
        """One more LPAR with a gateway, before that is started."""
        self.distribution.add(lpar)
        self._urls[lpar] = url
        self._look_after(lifecycle, lpar)

    def _look_after(self, lifecycle: Lifecycle, lpar: str) -> None:
        self._mark(lpar)
        lifecycle.spawn(f"gateway of {lpar}", functools.partial(self._watch, lpar))

    # --- orders

    async def quiesce(self, lpar: str) -> None:
        """Its gateway leaves; what it has under way ends. Raises NotFound, Conflict, Unavailable."""
        self._known(lpar)
        self.distribution.quiesce(lpar)
        self._journal.say("lpar.quiesced", lpar)
        await self._settle(lpar)

    async def activate(self, lpar: str) -> None:
        """Raises NotFound, Conflict, Unavailable."""
        self._known(lpar)
        self.distribution.activate(lpar)
        self._journal.say("lpar.activated", lpar)
        await self._settle(lpar)

    async def withdraw(self, lpar: str) -> None:
        """Its gateway is about to be stopped: others take its calls first. One that does not leave is stopped so."""
        if lpar in self._urls:
            self.distribution.withdraw(lpar)
            with contextlib.suppress(Unavailable):
                await self._settle(lpar)

    def stay(self, lpar: str) -> None:
        """It was not stopped after all."""
        if lpar in self._urls:
            self.distribution.stay(lpar)
            self._due.set()

    def report(self) -> wire.Distributor:
        return wire.Distributor(
            policy=self.distribution.policy,
            active=self.distribution.entered,
            quiesced=[lpar for lpar in self.distribution.lpars if lpar in self.distribution.quiesced],
        )

    def misplaced(self, ready: Collection[str]) -> list[str]:
        """Of the gateways at these URLs, in words: those that are not (yet) where they are to be."""
        wrong = [lpar for lpar, url in self._urls.items() if url in ready and not self.distribution.settled(lpar)]
        return [f"the gateway of {lpar} is not {self.distribution.wanted(lpar)} yet" for lpar in wrong]

    def _known(self, lpar: str) -> None:
        if lpar not in self._urls:
            raise NotFound(f"{lpar} has no gateway")

    async def _settle(self, lpar: str) -> None:
        self._mark(lpar)
        self._due.set()
        try:
            async with asyncio.timeout(MOVED_WITHIN_S):
                while not self.distribution.done(lpar) or self.distribution.changing_over:
                    await self._moved.wait()
        except TimeoutError as error:
            late = ", ".join(f"{move.lpar} {move.place}" for move in self.distribution.moves())
            raise Unavailable(f"not done yet on the sysplex address, and tried on: {late}") from error

    def _mark(self, lpar: str) -> None:
        """A new process of it must know whether to wait."""
        run_folder = self._lpars[lpar].run_folder
        (vipa.hold if self.distribution.held(lpar) else vipa.release)(run_folder)

    # --- moves

    async def _move(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            while moves := self.distribution.moves():
                told = [move for move in moves if await self._told(move)]
                for move in told:
                    self.distribution.moved(move)
                self._wake()
                if not told:
                    await asyncio.sleep(AGAIN_S)

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _told(self, move: Move) -> bool:
        url = f"{self._urls[move.lpar]}/gateway/v1/vipa"
        try:
            async with self._session.put(url, json={"state": move.place}, timeout=TELL) as answer:
                state = msgspec.json.decode(await answer.read(), type=State).state if answer.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
            return False
        return state == move.place

    # --- what becomes of a gateway

    async def _watch(self, lpar: str) -> None:
        while True:
            process = await self._ready(lpar)
            self.distribution.came(lpar)
            self._changed(lpar)
            asyncio.get_running_loop().call_later(ALL_WITHIN_S, self._complete)
            await self._leaving(lpar, process)
            self.distribution.lost(lpar)
            self._changed(lpar)
            await pids.gone([process])
            self._wake()

    def _changed(self, lpar: str) -> None:
        self._due.set()
        self._wake()

    def _complete(self) -> None:
        self.distribution.complete()
        self._due.set()

    async def _ready(self, lpar: str) -> pids.Pid:
        """Its process, once that is ready."""
        began, seen = time.monotonic(), None
        while True:
            process = pids.read(self._lpars[lpar].run_folder).get("gateway")
            if process is not None and pids.alive(process):
                if process != seen:
                    began, seen = time.monotonic(), process
                if not await readiness.why_not(self._session, self._urls[lpar]) and pids.alive(process):
                    return process
            await asyncio.sleep(readiness.pause_s(False, time.monotonic() - began, 1.0))

    async def _leaving(self, lpar: str, process: pids.Pid) -> None:
        """Return when it has ended, or says that it is going to."""
        ends = [asyncio.create_task(pids.gone([process]))]
        if self.distribution.policy == "hot-standby":  # else nobody has to take its place
            ends.append(asyncio.create_task(self._said(lpar)))
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ends:
                each.cancel()

    async def _said(self, lpar: str) -> None:
        seen = 0
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
                async for event in follow(self._session, self._urls[lpar], seen):
                    seen = event.seq
                    if event.event == LEAVING:
                        return
            await asyncio.sleep(1.0)


class State(msgspec.Struct):
    """The answer to PUT /gateway/v1/vipa."""

    state: str
