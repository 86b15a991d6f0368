"""Everybody's view while a drill runs: what any process tells anybody who asks, kept with the time it was seen.

    gateways     GET /gateway/v1/upstreams ten times a second: which instances each one calls
    registries   the watch stream of every discovery node, folded: its records, and how it judges its peers
    processes    the sysplex' status five times a second: states and pids
    events       every /application/events, for the timeline

A view is as late as it was asked for: 0.1 s for gateways (whose workers report every 0.2 s), 0.2 s for processes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import aiohttp
import msgspec

from launcher import follow
from launcher.drill.evidence import Evidence, Member, Process, Registry, Rotation, Track
from launcher.drill.target import Target, connector
from shared import wire
from shared.errors import PlexmeshError
from shared.events import Event

GATEWAY_S, PROCESS_S, AGAIN_S = 0.1, 0.2, 0.2
ASK = aiohttp.ClientTimeout(total=0.5)
WATCH = aiohttp.ClientTimeout(total=None, sock_connect=0.5)
READ_BYTES = 1_048_576

CALLED = ("fine", "trial")
"""A gateway's words for an instance that calls go to."""

Tell = Callable[[float, str, str], None]
"""An event: when, whose (an LPAR or ""), in words."""

TOLD = ("component.", "lpar.", "gateway.", "endpoint.", "peer.", "distributor.", "rolling.")
NOT_TOLD = ("component.initialised", "component.started", "endpoint.unproven")


class _Upstream(msgspec.Struct):
    instances: list[dict[str, Any]] = []


class _Upstreams(msgspec.Struct):
    upstreams: list[_Upstream] = []


class Observers:
    def __init__(self, target: Target, evidence: Evidence, now: Callable[[], float], tell: Tell) -> None:
        self._target = target
        self._seen = evidence
        self._now = now
        self._tell = tell
        self._session = aiohttp.ClientSession(connector=connector(target), read_bufsize=READ_BYTES)
        self._tasks: list[asyncio.Task[None]] = []
        self._followed: set[str] = set()

    async def start(self, status: wire.SysplexStatus) -> None:
        self._go(self._watch_processes())
        self.follow(status)

    def follow(self, status: wire.SysplexStatus) -> None:
        """Everybody in it who is not yet followed: LPARs may be added."""
        for lpar in status.lpars:
            urls = {each.name: each.url for each in lpar.components if each.url}
            if "gateway" in urls and lpar.id not in self._seen.gateways:
                self._seen.gateways[lpar.id] = Track()
                self._go(self._watch_gateway(lpar.id, urls["gateway"]))
                self._go(self._follow(lpar.id, urls["gateway"]))
            if "discovery" in urls and lpar.id not in self._seen.registries:
                self._seen.registries[lpar.id] = Track()
                self._go(self._watch_registry(lpar.id, urls["discovery"]))
        for whose, url in self._target.event_urls().items():
            if url not in self._followed:
                self._followed.add(url)
                self._go(self._follow(whose, url))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def _go(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _watch_gateway(self, lpar: str, url: str) -> None:
        track = self._seen.gateways[lpar]
        while True:
            try:
                async with self._session.get(f"{url}/gateway/v1/upstreams", timeout=ASK) as answer:
                    track.note(self._now(), rotation(await answer.read()))
            except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
                track.note(self._now(), None)
            await asyncio.sleep(GATEWAY_S)

    async def _watch_registry(self, lpar: str, url: str) -> None:
        track = self._seen.registries[lpar]
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
                async with self._session.get(f"{url}/v1/watch", timeout=WATCH) as stream:
                    fold, event = Fold(), b""
                    async for line in stream.content:
                        if line.startswith(b"event:"):
                            event = line[6:].strip()
                        elif line.startswith(b"data:") and fold.take(event, line[5:]):
                            track.note(self._now(), fold.view())
            track.note(self._now(), None)
            await asyncio.sleep(AGAIN_S)

    async def _watch_processes(self) -> None:
        while True:
            with contextlib.suppress(PlexmeshError):
                status = await asyncio.to_thread(self._target.status)
                for lpar in status.lpars:
                    for each in lpar.components:
                        track = self._seen.processes.setdefault((lpar.id, each.name), Track())
                        track.note(self._now(), Process(each.state, each.pid))
            await asyncio.sleep(PROCESS_S)

    async def _follow(self, whose: str, url: str) -> None:
        after: int | None = None
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
                first = after is None
                begun = self._now()
                async for event in follow.follow(self._session, url, after or 0):
                    after = event.seq
                    if not first or self._now() - begun > 0.5:  # what was in the ring before is not ours
                        self._say(whose, event)
            after = 0 if after is not None else None  # another process begins at 1 again
            await asyncio.sleep(AGAIN_S)

    def _say(self, whose: str, event: Event) -> None:
        if event.event.startswith(TOLD) and event.event not in NOT_TOLD:
            lpar = str(event.fields.get("lpar") or whose)
            self._tell(self._now(), lpar, in_words(event))


class Fold:
    """The watch stream of one discovery node, event by event; a whole snapshot replaces what was there before."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[Member, tuple[int, int]]] = {}
        self._owners: dict[str, tuple[str, str]] = {}
        self._whole = False

    def take(self, event: bytes, data: bytes) -> bool:
        """Whether there is a view, and it may have changed."""
        match event:
            case b"put":
                for each in msgspec.json.decode(data, type=wire.Put).instances:
                    member = Member(each.service, each.instance, each.lpar or "")
                    self._records[each.key] = (member, (each.gen, each.rev))
            case b"del":
                for key in msgspec.json.decode(data, type=wire.Del).keys:
                    self._records.pop(key, None)
            case b"owner":
                owner = msgspec.json.decode(data, type=wire.Owner)
                lpar, _, epoch = owner.owner.partition("@")
                if epoch >= self._owners.get(lpar, ("", ""))[0]:
                    self._owners[lpar] = (epoch, owner.state)
            case b"mark":
                self._whole = True
        return self._whole

    def view(self) -> Registry:
        return Registry(dict(self._records.values()), {lpar: state for lpar, (_, state) in self._owners.items()})


def rotation(body: bytes) -> Rotation:
    """Each instance a gateway knows, and whether it calls it."""
    found = {}
    for upstream in msgspec.json.decode(body, type=_Upstreams).upstreams:
        for each in upstream.instances:
            member = Member(each["service"], each["instance"], each.get("lpar") or "")
            found[member] = each["view"] in CALLED and each["status"] == "UP"
    return found


def in_words(event: Event) -> str:
    fields: Mapping[str, object] = event.fields
    if "text" in fields:
        return str(fields["text"])
    said = ", ".join(f"{value}" for name, value in fields.items() if name in ("instance", "service", "why") and value)
    return f"{event.event} {said}".strip()
