"""Restarting a sysplex while it serves: one instance at a time, and each step only when the one before it is done.

    drain ──► stop ──► start ──► seen ──► the next one

drain   discovery lists it OUT_OF_SERVICE, until no gateway sends it new calls and none is under way; a gateway leaves
        the sysplex address first, so that other gateways get the callers
stop    its launcher's order: SIGTERM, and SIGKILL after the grace
start   until it says itself that it is ready
seen    every living gateway has everything that served before in its rotation again, follows a discovery node, and is
        on the sysplex address if it is to be; the discovery nodes know each other, and none is behind

So at any moment each service has an instance that all gateways call, and there is a gateway on the sysplex address. A
component that nobody else can stand in for is refused, unless it is forced. Calls that take longer than the drain are
cut. The launchers are not restarted: their components would go with them.

Source: the order of z/OS' rolling IPL (quiesce, drain, stop, start, resume).
Not here: the order of instances (`launcher.itinerary`), what gateways see (`launcher.sight`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import msgspec

from launcher import sight
from launcher.itinerary import Stop, alone, stops
from launcher.states import Action
from launcher.sysplex import Sysplex
from shared.errors import Conflict, PlexmeshError, Unavailable

DRAIN_S = 10.0
"""Calls under way get so long."""

SEEN_S = 30.0
POLL_S = 0.1

TWO = "a rolling restart is under way already"

OVERRIDE = aiohttp.ClientTimeout(total=2.0)

NOT_ROUTED = ("discovery", "gateway")

Sights = dict[str, "sight.Sight | None"]


class Progress(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One line of a rolling restart: a step that is done; the last one has no step, and says whether it went wrong."""

    at_s: float
    lpar: str = ""
    component: str = ""
    step: str = ""
    took_s: float = 0.0
    text: str
    failed: bool = False


class Rolling:
    def __init__(self, sysplex: Sysplex) -> None:
        self._sysplex = sysplex
        self._session = sysplex.session
        self._under_way = False
        self._given_up = False
        self._began = 0.0

    async def plan(self, lpar: str, component: str, *, force: bool) -> list[Stop]:
        """What is going to be restarted. Raises NotFound, and Conflict: it cannot be done without failing calls."""
        if self._under_way:
            raise Conflict(TWO)
        reports = await self._sysplex.reports()
        itinerary = stops(reports, lpar.upper(), component.lower())
        if not force:
            self._require_others(alone(reports, itinerary, self._sysplex.distributor.report().quiesced))
        return itinerary

    def give_up(self) -> None:
        """Nobody listens any more: end when the instance under way is done."""
        self._given_up = True

    async def run(self, itinerary: list[Stop], *, force: bool) -> AsyncIterator[Progress]:
        """What `plan` has found. Errors are told, not raised."""
        if self._under_way:
            yield self._end(TWO, failed=True)
            return
        self._under_way, self._given_up, self._began = True, False, time.monotonic()
        try:
            serving = await self._serving(itinerary)
            for number, stop in enumerate(itinerary):
                if self._given_up:
                    yield self._end(f"ended before {stop}, as nobody listened", failed=True)
                    return
                try:
                    if not force:
                        await self._check(stop)
                    async for progress in self._restart(stop, serving):
                        yield progress
                except PlexmeshError as error:
                    done = f"{number} of {len(itinerary)} restarted"
                    yield self._end(f"stopped at {stop}: {error} ({done}); {await self._go_on(stop)}", failed=True)
                    return
            count = f"{len(itinerary)} component{'s' * (len(itinerary) > 1)}"
            yield self._end(f"{count} restarted in {time.monotonic() - self._began:.1f} s")
        finally:
            self._under_way = False

    # --- before

    def _require_others(self, lonely: list[Stop]) -> None:
        if lonely:
            named = ", ".join(map(str, lonely))
            raise Conflict(f"calls would fail: nobody else is ready to stand in for {named}; restart it with --force")

    async def _check(self, stop: Stop) -> None:
        reports = await self._sysplex.reports()
        lonely = alone(reports, [stop], self._sysplex.distributor.report().quiesced)
        if lonely:
            raise Conflict(f"nobody else is ready to stand in for {stop} any more")

    async def _serving(self, itinerary: list[Stop]) -> set[tuple[str, str]]:
        """The instances of what is restarted that are well now: they are what is waited for after each step."""
        known = [each for each in (await self._sights()).values() if each is not None]
        well = set.intersection(*map(sight.serving, known)) if known else set()
        return {key for stop in itinerary for key in sight.at(known, stop.url)} & well

    # --- one instance

    async def _restart(self, stop: Stop, serving: set[tuple[str, str]]) -> AsyncIterator[Progress]:
        gateway = stop.component == "gateway"
        keys: set[tuple[str, str]] = set()
        try:
            if gateway:
                yield await self._step(stop, "drained", self._empty_gateway(stop))
            elif stop.component not in NOT_ROUTED:
                keys = await self._out_of_service(stop)
                yield await self._step(stop, "drained", self._drained(stop))
            yield await self._step(stop, "stopped", self._order(stop, "stop", "stopped"))
            yield await self._step(stop, "ready", self._order(stop, "start", "ready"))
        finally:
            await self._in_service(keys)
            if gateway:
                self._sysplex.distributor.stay(stop.lpar)
        yield await self._step(stop, "seen by all", self._until_seen(stop, serving))

    async def _step(self, stop: Stop, name: str, doing: Awaitable[None]) -> Progress:
        begin = time.monotonic()
        await doing
        now = time.monotonic()
        at_s, took_s = round(now - self._began, 1), round(now - begin, 2)
        text = f"{at_s:6.1f} s  {stop.lpar:<6} {stop.component:<10} {name:<12} {took_s:5.1f} s"
        return Progress(at_s=at_s, lpar=stop.lpar, component=stop.component, step=name, took_s=took_s, text=text)

    def _end(self, text: str, *, failed: bool = False) -> Progress:
        return Progress(at_s=round(time.monotonic() - self._began, 1), text=text, failed=failed)

    async def _go_on(self, stop: Stop) -> str:
        """What the operator is to do."""
        if self._sysplex.lpars[stop.lpar].condition != "running":
            return f"start it again: {self._sysplex.command(f'start {stop.lpar}')}, then restart the rest"
        if stop.url in await self._ready(stop.component):
            return "when that is mended, restart the rest"
        return (
            f"when it is mended: {self._sysplex.command(f'start {stop.lpar} {stop.component}')}, then restart the rest"
        )

    async def _order(self, stop: Stop, action: Action, wanted: str) -> None:
        done = await self._sysplex.order_component(stop.lpar, stop.component, action)
        if done.state != wanted:
            raise Unavailable(f"it is {done.state} ({'; '.join(done.why)})")

    # --- drain

    async def _empty_gateway(self, stop: Stop) -> None:
        await self._sysplex.distributor.withdraw(stop.lpar)
        await self._idle(lambda sights: sum(sight.under_way(sights.get(stop.url))))

    async def _drained(self, stop: Stop) -> None:
        await self._idle(lambda sights: sight.busy(sights.values(), stop.url))

    async def _idle(self, busy: Callable[[Sights], object]) -> None:
        """Wait until nothing is under way; what takes longer than the drain is cut."""
        deadline = time.monotonic() + DRAIN_S
        while busy(await self._sights()) and time.monotonic() < deadline:  # noqa: ASYNC110 - others' facts
            await asyncio.sleep(POLL_S)

    async def _out_of_service(self, stop: Stop) -> set[tuple[str, str]]:
        """The instances at its address. Programs that leave in order do so themselves, too; others do not."""
        keys = sight.at((await self._sights()).values(), stop.url)
        for key in keys:
            await self._override("PUT", key, "?value=OUT_OF_SERVICE")
        return keys

    async def _in_service(self, keys: set[tuple[str, str]]) -> None:
        """An operator's word stays when an instance does not deregister."""
        for key in keys:
            await self._override("DELETE", key, "")

    async def _override(self, method: str, key: tuple[str, str], query: str) -> None:
        service, instance = (urllib.parse.quote(part, safe="") for part in key)
        for node in await self._ready("discovery"):
            url = f"{node}/eureka/apps/{service.upper()}/{instance}/status{query}"
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._session.request(method, url, timeout=OVERRIDE) as answer:
                    if answer.status in (200, 404):
                        return

    # --- seen

    async def _until_seen(self, stop: Stop, serving: set[tuple[str, str]]) -> None:
        """Raises Unavailable with what is missing still."""
        deadline = time.monotonic() + SEEN_S
        while missing := await self._unseen(serving):
            if time.monotonic() > deadline:
                raise Unavailable(f"{stop} is not in everybody's sight after {SEEN_S:g} s: {missing[0]}")
            await asyncio.sleep(POLL_S)

    async def _unseen(self, serving: set[tuple[str, str]]) -> list[str]:
        trouble = []
        for url, seen in (await self._sights()).items():
            if seen is None:
                trouble.append(f"{url} does not answer")
            elif not seen.watch.node:
                trouble.append(f"{url} follows no discovery node")
            else:
                trouble += [f"{url} does not call {instance}" for _, instance in serving - sight.serving(seen)]
        return (
            trouble
            + self._sysplex.distributor.misplaced(await self._ready("gateway"))
            + await sight.apart(self._session, await self._ready("discovery"))
        )

    async def _sights(self) -> Sights:
        return await sight.sights(self._session, await self._ready("gateway"))

    async def _ready(self, component: str) -> list[str]:
        """Where those that are ready answer."""
        reports = await self._sysplex.reports()
        parts = [part for lpar in reports for part in lpar.components]
        return [part.url for part in parts if part.name == component and part.state == "ready" and part.url]
