"""Doing the steps of a scenario to a target, and mending what they have left broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import aiohttp

from launcher.drill.evidence import Done, Evidence
from launcher.drill.scenario import Step
from launcher.drill.storm import Storm
from launcher.drill.target import Target, connector
from shared.errors import PlexmeshError, Unavailable

READY_WITHIN_S = 60.0
ASK = aiohttp.ClientTimeout(total=5.0)

Tell = Callable[[str], None]


class Player:
    def __init__(self, target: Target, evidence: Evidence, now: Callable[[], float], tell: Tell) -> None:
        self._target = target
        self._seen = evidence
        self._now = now
        self._tell = tell
        self._storm = Storm(lambda: connector(target))

    async def play(self, steps: Iterable[Step]) -> None:
        """A step that fails is recorded, and the next one is done: what follows may be what mends it."""
        for step in steps:
            if step.action == "wait":
                await asyncio.sleep(step.number)
                continue
            self._tell(str(step))
            begin, error = self._now(), ""
            try:
                await self._do(step)
            except PlexmeshError as failed:
                error = str(failed)
                self._tell(f"{step}: {error}")
            self._seen.steps.append(Done(step, begin, self._now(), error))

    async def mend(self) -> None:
        """Leave the sysplex as it should be: everything running, nothing cut off, nobody slow."""
        await self._storm.end()
        for cut in self._seen.cut_off():
            await self._quietly(Step("heal", cut))
        for slowed in self._seen.slowed():
            await self._quietly(Step("slow", slowed))
        for lpar in (await asyncio.to_thread(self._target.status)).lpars:
            if lpar.state == "paused":
                await self._quietly(Step("resume", lpar.id))
            elif any(each.state in ("stopped", "failed") for each in lpar.components):
                await self._quietly(Step("start", lpar.id))
            for each in lpar.components:
                if each.state == "paused" and lpar.state != "paused":
                    await self._quietly(Step("resume", lpar.id, each.name))

    async def _quietly(self, step: Step) -> None:
        try:
            await self._do(step)
        except PlexmeshError as error:
            self._tell(f"left broken: {step}: {error}")

    async def _do(self, step: Step) -> None:
        doing: dict[str, Callable[[Step], Awaitable[None]]] = {
            "until": self._ready,
            "partition": self._cut,
            "silence": self._cut,
            "heal": self._cut,
            "slow": self._slow,
            "rolling": self._rolling,
            "add": self._add,
            "register": self._register,
            "deregister": self._deregister,
        }
        await doing.get(step.action, self._order)(step)

    async def _order(self, step: Step) -> None:
        if step.component:
            await asyncio.to_thread(self._target.order_component, step.lpar, step.component, step.action)
        else:
            await asyncio.to_thread(self._target.order, step.lpar, step.action)

    async def _ready(self, _: Step) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            status = await asyncio.to_thread(self._target.status)
            if status.sysplex.state == "ready":
                return
            if time.monotonic() > deadline:
                raise Unavailable(f"the sysplex is still {status.sysplex.state} after {READY_WITHIN_S:g} s")
            await asyncio.sleep(0.2)

    async def _cut(self, step: Step) -> None:
        await asyncio.to_thread(getattr(self._target, step.action), step.lpar)

    async def _rolling(self, step: Step) -> None:
        def restart() -> None:
            for line in self._target.rolling(step.lpar, step.component):
                loop.call_soon_threadsafe(self._tell, line)

        loop = asyncio.get_running_loop()
        await asyncio.to_thread(restart)

    async def _add(self, step: Step) -> None:
        await asyncio.to_thread(self._target.add, step.lpar.upper())

    async def _slow(self, step: Step) -> None:
        """The sample answers late from now on, by its own switch."""
        status = await asyncio.to_thread(self._target.status)
        components = [each for lpar in status.lpars if lpar.id == step.lpar for each in lpar.components]
        url = next((each.url for each in components if each.name == "sample"), None)
        if url is None:
            raise Unavailable(f"{step.lpar} has no component sample")
        try:
            async with (
                aiohttp.ClientSession(connector=connector(self._target), timeout=ASK) as session,
                session.put(f"{url}/drill/delay", json={"seconds": step.number}) as answer,
            ):
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{url} cannot be made slow: {error}") from error

    async def _register(self, step: Step) -> None:
        status = await asyncio.to_thread(self._target.status)
        nodes = [node.url for node in status.registry if node.reachable]
        self._seen.storm = await self._storm.begin(nodes, int(step.number))
        self._seen.storm_at = self._now()

    async def _deregister(self, _: Step) -> None:
        await self._storm.end()
