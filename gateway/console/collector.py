"""What the console shows, kept up to date while somebody watches; nothing is asked or followed otherwise.

    every process of plexmesh in the registry ──events, facts (`feeds`)──► heard, history
    this gateway's own snapshot and report ─────────────────────────────► document, every 0.1 s if anything changed
    caches, the lab ────────────────────────────────────────────────────►

Any gateway collects for itself, so any of them can show everything, and the loss of one takes nothing away.

Not here: how it reaches a browser (`stream`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec

from gateway.config import GatewayConfig
from gateway.console import document
from gateway.console.caches import Before, caches
from gateway.console.catalog import services
from gateway.console.document import Document, Heard, NodeWord, Peer, Section, settled
from gateway.console.feeds import Ask, Feed, Process, body
from gateway.console.history import History
from gateway.console.lab import Lab
from gateway.console.told import Told, recent, told
from gateway.console.words import Source, line
from gateway.plane import Plane
from gateway.snapshot import EMPTY, Snapshot
from shared.events import Event, Events
from shared.net import to_ours
from shared.wire import Lpar, NodeSummary, SysplexStatus

LOOK_S = 0.1
OWN_S = 1.0
CACHES_S = 2.0
LINGER_S = 10.0
"""Who reloads a page is back within that, and finds everything as it was."""

MAX_FEEDS = 80
"""Of sixteen LPARs, and a few more."""

FOLLOWED = {"gateway": "gateway", "discovery": "discovery", "launcher": "launcher", "cachingservice": "caching"}
"""Service → component."""


class _Peers(msgspec.Struct):
    peers: list[Peer] = []


class Collector:
    def __init__(self, config: GatewayConfig, plane: Plane, events: Events, lab: Lab, up: str) -> None:
        """`up`: the URL of `plexmesh up`, empty where there is none."""
        self._config = config
        self._plane = plane
        self._events = events
        self._lab = lab
        self._up = up
        self._own = Process(config.lpar, "gateway", config.url(config.port))
        self.source = Source(config.lpar, "gateway", f"{config.lpar}/gateway@{events.began:.3f}")
        self.document: Document = {}
        self.history = History()
        self.closed = False
        self.version = 0
        """Grows with everything that is new."""
        self._watchers = 0
        self._news = asyncio.Event()
        self._watched = asyncio.Event()
        self._snapshot = EMPTY
        self._panic: list[str] = []
        self._dirty = False
        self._told = 0
        """Lines that those who watch have been woken for."""
        self._samples: dict[str, list[Told] | str] = {}
        self._nodes: dict[str, NodeWord | str] = {}
        self._lpars: dict[str, Lpar] = {}
        self._caches: Section = {}
        self._feeds: dict[Process, tuple[Feed, asyncio.Task[None]]] = {}

    # --- for those who watch

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        self._watchers += 1
        self._watched.set()
        try:
            yield
        finally:
            self._watchers -= 1

    async def changed(self, since: int, within_s: float) -> bool:
        """Something has, since that `version`, or before the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.version == since:
                    await self._news.wait()
        return self.version != since

    def close(self) -> None:
        """This gateway leaves: those who watch go to another one."""
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        self.version += 1
        self._news.set()
        self._news = asyncio.Event()

    # --- collecting

    async def run(self) -> None:
        """For ever; idle while nobody watches."""
        while True:
            await self._watched.wait()
            collecting = asyncio.create_task(self._collect())
            leaving = asyncio.create_task(self._left_alone())
            try:
                await asyncio.wait((collecting, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                collecting.cancel()
                leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await collecting

    async def _left_alone(self) -> None:
        """Nobody has watched for a while."""
        last = time.monotonic()
        while time.monotonic() - last < LINGER_S:
            await asyncio.sleep(LOOK_S)
            if self._watchers:
                last = time.monotonic()
        self._watched.clear()

    async def _collect(self) -> None:
        calls = to_ours(self._config, limit=0)
        async with (
            aiohttp.ClientSession(connector=calls) as session,
            asyncio.TaskGroup() as tasks,
        ):
            try:
                tasks.create_task(self._follow_own())
                tasks.create_task(self._look_at_own())
                tasks.create_task(self._look_at_caches(session))
                tasks.create_task(self._lab.follow(self._mark))
                while True:
                    self._reconcile(session, tasks)
                    if self._dirty or self._plane.snapshot is not self._snapshot:
                        self._renew()
                    await asyncio.sleep(LOOK_S)
            finally:
                self._feeds.clear()
                self._samples.clear()
                self._nodes.clear()

    def _mark(self) -> None:
        self._dirty = True

    async def _follow_own(self) -> None:
        async for event in self._events.follow():
            self._on_event(self.source, event)

    async def _look_at_own(self) -> None:
        while True:
            report = await self._plane.ask()
            self._on_facts(self._own, told(self._config, self._plane.snapshot, report, time.monotonic()))
            await asyncio.sleep(OWN_S)

    async def _look_at_caches(self, session: aiohttp.ClientSession) -> None:
        before: Before = {}
        while True:
            self._caches = await caches(session, self._plane.snapshot, before)
            self._mark()
            await asyncio.sleep(CACHES_S)

    def _reconcile(self, session: aiohttp.ClientSession, tasks: asyncio.TaskGroup) -> None:
        """A feed for each process that is registered now, and none for others."""
        if self._plane.snapshot is self._snapshot and self._feeds:
            return
        wanted = set(self._processes(self._plane.snapshot))
        for process in self._feeds.keys() - wanted:
            self._feeds.pop(process)[1].cancel()
            self._forget(process)
        for process in wanted - self._feeds.keys():
            feed = Feed(process, self._asking(process), self._on_facts, self._on_event)
            self._feeds[process] = feed, tasks.create_task(feed.run(session))

    def _processes(self, snapshot: Snapshot) -> list[Process]:
        found = [Process("", "sysplex", self._up)] if self._up else []
        for each in snapshot.instances.values():
            component = FOLLOWED.get(each.service)
            if component is not None and each.lpar and each.secure == self._config.tls:
                found.append(Process(each.lpar, component, each.url))
        return [process for process in found if process != self._own][:MAX_FEEDS]

    def _asking(self, process: Process) -> Ask | None:
        if process.component == "launcher" and self._up:
            return None  # `up` asks it
        return ASKING.get(process.component)

    def _forget(self, process: Process) -> None:
        known: dict[str, dict[str, Any]] = {
            "gateway": self._samples, "discovery": self._nodes, "launcher": self._lpars,
        }  # fmt: skip
        known.get(process.component, {}).pop(process.lpar, None)

    # --- what is heard

    def _on_event(self, source: Source, event: Event) -> None:
        if source.component == "launcher" and self._up:
            for process, (feed, _) in self._feeds.items():
                if process.component == "sysplex":
                    feed.hurry()
        said = line(source, event)
        if said is not None and self.history.add(said):
            self._mark()

    def _on_facts(self, process: Process, facts: object) -> None:
        match facts:
            case Told():
                before = self._samples.get(process.lpar, [])
                self._samples[process.lpar] = recent([*([] if isinstance(before, str) else before), facts])
            case NodeWord():
                self._nodes[process.lpar] = facts
            case Lpar():
                self._lpars[process.lpar] = facts
            case SysplexStatus():
                self._lpars = {each.id: each for each in facts.lpars}
            case str() if process.component == "gateway":
                self._samples[process.lpar] = facts
            case str() if process.component == "discovery":
                self._nodes[process.lpar] = facts
            case str() if process.component == "launcher":
                self._lpars.pop(process.lpar, None)
            case str() if process.component == "sysplex":
                self._lpars.clear()
        self._mark()

    def _renew(self) -> None:
        """Make the document anew, of the old entries where nothing changed."""
        self._dirty = False
        snapshot, before = self._plane.snapshot, self.document
        heard = Heard(gateways=self._samples, nodes=self._nodes, lpars=self._lpars)
        made = {
            "lpars": document.lpars(snapshot, heard),
            "components": document.components(snapshot, heard),
            "gateways": document.gateways(snapshot, heard),
            "nodes": document.nodes(snapshot, heard),
            "instances": document.instances(snapshot, heard),
            "caches": dict(self._caches),
            **self._lab.facts(),
        }
        report = self._plane.report()
        if snapshot is self._snapshot and report.panic == self._panic and "services" in before:
            made["services"] = before["services"]
        else:
            made["services"] = services(snapshot, report)
        self._snapshot, self._panic = snapshot, report.panic
        self.document = {name: settled(section, before.get(name, {})) for name, section in made.items()}
        if self.history.came != self._told or any(before.get(name) is not it for name, it in self.document.items()):
            self._told = self.history.came
            self._tell()


async def _ask_gateway(session: aiohttp.ClientSession, url: str) -> object:
    return msgspec.json.decode(await body(session, f"{url}/console/v1/told"), type=Told)


async def _ask_node(session: aiohttp.ClientSession, url: str) -> object:
    summary = msgspec.json.decode(await body(session, f"{url}/v1/summary"), type=NodeSummary)
    peers = msgspec.json.decode(await body(session, f"{url}/v1/peers"), type=_Peers)
    return NodeWord(summary.instances, peers.peers)


async def _ask_launcher(session: aiohttp.ClientSession, url: str) -> object:
    return msgspec.json.decode(await body(session, f"{url}/v1/lpar"), type=Lpar)


async def _ask_up(session: aiohttp.ClientSession, url: str) -> object:
    return msgspec.json.decode(await body(session, f"{url}/v1/status"), type=SysplexStatus)


ASKING: dict[str, Ask] = {
    "gateway": _ask_gateway, "discovery": _ask_node, "launcher": _ask_launcher, "sysplex": _ask_up,
}  # fmt: skip
