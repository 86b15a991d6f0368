"""The workers of one gateway, seen to by their parent: as many as configured, each replaced when it ends or is renewed.

    number n:   starting ──told, listening──► serving ──ended──► starting …            (at once; later when too quick)
                                                 │ reload, SIGTERM: a new one is made ready first
                                                 └──► draining ──► ended

- A new worker listens when it knows the registry, except where nobody else does: then it listens after a moment all
  the same, so that the own pages can say what is missing.
- One is replaced at a time, and the old one takes no new connections only after the new one does.
- A worker that dies young is followed by a growing pause. One that is silent for 3 s is killed: its sockets hold
  connections that nobody serves.
- What a worker had counted stays in the sums when it is gone.

The parent follows the registry too, for its pages, and shows what its slowest worker has.

Not here: one worker's process (`child`), what is inside of it (`worker`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from gateway import control, report
from gateway.child import Child
from gateway.config import GatewayConfig
from gateway.control import Ask, Begin, Drain, Leave, Order
from gateway.inner import Inner
from gateway.login.table import Check
from gateway.meters import Meters
from gateway.plane import Place, WorkerState, WorkerView
from gateway.report import Report
from gateway.snapshot import EMPTY, Snapshot
from gateway.sticky_records import StickyRecords
from gateway.watch import Watch
from shared import vipa
from shared.errors import ConfigError, Conflict, Unavailable
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.net import listen_on

YOUNG_S = 1.0
PAUSES_S = (0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
"""Before another one is started, by how many died young in a row."""

PATIENCE_S = 0.5
MEANT_S = 0.1
"""A SIGTERM to a worker is meant for the gateway as a whole if that hears of it too within this time."""

READY_WITHIN_S = 15.0
ORDER_WITHIN_S = 1.0
ASK_WITHIN_S = 0.25
LOOK_S = 1.0
SNAPSHOTS = 8
"""How far a worker may be behind and still be told exactly."""

FIXED = (
    "sysplex", "lpar", "host", "bind", "port", "vipa", "discovery", "data", "tls",
    "login_provider", "zosmf_url", "login_refresh", "login_algorithm",
)  # fmt: skip
"""Settings of the gateway as a whole: they hold until it ends."""

MAX_DRAINING = 16


class Crew:
    """A `Plane`. `load` reads the configuration anew."""

    def __init__(self, config: GatewayConfig, events: Events, load: Callable[[], GatewayConfig]) -> None:
        self.config = config
        self.events = events
        self.serving: dict[int, Child] = {}
        self._load = load
        self._children: set[Child] = set()
        """All that have not ended: those that serve, that are coming, and that drain."""
        self._young: dict[int, int] = {}
        self._past = Meters()
        """What workers that have ended had counted; and what the parent counts itself."""
        self._watch = Watch(config, self._past, events, self._publish)
        self._records = StickyRecords(config, self._past, lambda: self._snapshots[-1], self._lead)
        self._snapshots: deque[Snapshot] = deque([EMPTY], SNAPSHOTS)
        self._place: Place = "out" if vipa.held(config.data / config.lpar / "run", os.environ) else "in"
        self._turn = asyncio.Lock()
        """Held while a worker is exchanged for a new one."""
        self._questions = 0
        self._leaving = False
        self._lifecycle: Lifecycle
        self._check: Check
        self._own = ""

    # --- up

    async def start(self, lifecycle: Lifecycle, inner: Inner, check: Check) -> None:
        # plainly: what workers share hides that somebody is there
        for each in listen_on(self.config.listen_hosts, self.config.port):
            each.close()
        self._lifecycle = lifecycle
        self._own = inner.listen()
        self._check = check
        lifecycle.spawn("watch", self._watch.run)
        lifecycle.spawn("workers", self._look_after)
        lifecycle.spawn("sticky", self._records.run)
        for number in range(1, self.config.worker_count + 1):
            self._fill(number, patience_s=0.0)

    def _fill(self, number: int, patience_s: float | None) -> None:
        async def fill() -> None:
            while not self._leaving and number <= self.config.worker_count:
                await asyncio.sleep(PAUSES_S[min(self._young.get(number, 0), len(PAUSES_S) - 1)])
                if self._leaving or number in self.serving or await self._started(number, patience_s):
                    return

        self._lifecycle.spawn(f"starting worker {number}", fill)

    async def _started(self, number: int, patience_s: float | None) -> bool:
        try:
            child = await self._spawn(number, self.config, patience_s)
        except OSError as error:
            self._young[number] = self._young.get(number, 0) + 1
            self.events.emit("worker.not_started", worker=number, why=error.strerror or str(error))
            return False
        if self.serving.setdefault(number, child) is not child:  # a reload was quicker
            await self._retire(child)
        return True

    async def _spawn(self, number: int, config: GatewayConfig, patience_s: float | None) -> Child:
        begin = Begin(number, control.packed(config), self._own, self._place, patience_s)
        child = await Child.spawn(begin)
        child.retired = self._leaving
        self._children.add(child)
        self.events.emit("worker.started", worker=number, pid=child.pid)
        self._lifecycle.spawn(f"worker {number}", lambda: self._attend(child))
        self._lifecycle.spawn(f"asking of worker {number}", lambda: self._renew_when_asked(child))
        return child

    # --- what happens to them

    async def _attend(self, child: Child) -> None:
        await child.attend(self.events, self._records, self._check)
        self._children.discard(child)
        if child.report is not None:
            child.report.meters.tunnels = 0
            self._past.add(child.report.meters)
        self.events.emit(
            "worker.ended" if child.retired else "worker.died", worker=child.number, pid=child.pid, how=child.how
        )
        if self.serving.get(child.number) is not child:
            return
        del self.serving[child.number]
        young = child.lived_s < YOUNG_S or child.report is None
        self._young[child.number] = self._young.get(child.number, 0) + 1 if young else 0
        self._fill(child.number, None if self._anybody_listens() else PATIENCE_S)

    def _anybody_listens(self) -> bool:
        return any(each.report is not None and each.report.listening for each in self.serving.values())

    async def _look_after(self) -> None:
        """Kill the silent, forget what is long gone."""
        looked = time.monotonic()
        while True:
            now = time.monotonic()
            for child in list(self._children):
                if now - looked > 2 * LOOK_S:  # it is we who were not there: stopped, or on a machine asleep
                    child.excuse(now)
                elif child.silent(now):
                    child.kill("killed: it was silent for too long")
            looked = now
            self._past.forget({upstream.service for upstream in self.snapshot.upstreams.values()}, now)
            await asyncio.sleep(LOOK_S)

    def _lead(self, key: str, instance: str) -> None:
        for child in self._children:
            child.lead(key, instance)

    # --- exchanging one for another

    async def reload(self) -> None:
        """Returns when new workers serve in place of the old ones, which may still be finishing."""
        if self._leaving:
            raise Conflict("this gateway is leaving")
        if self._turn.locked():
            raise Conflict("workers are being replaced just now")
        if len(self._children) > len(self.serving) + MAX_DRAINING:
            raise Conflict(f"{len(self._children) - len(self.serving)} replaced workers are still finishing")
        async with self._turn:
            config = self._changed_config()
            self.events.emit("gateway.reloading", workers=config.worker_count)
            for number in range(1, config.worker_count + 1):
                await self._exchange(number, config)
            self.config = config
            self._watch.configure(config)
            for number in [each for each in self.serving if each > config.worker_count]:
                await self._retire(self.serving.pop(number))
        self.events.emit("gateway.reloaded", workers=config.worker_count)

    def _changed_config(self) -> GatewayConfig:
        config = self._load()
        for name in FIXED:
            if getattr(config, name) != getattr(self.config, name):
                raise ConfigError(f"{name} cannot change in a reload: stop the gateway and start it again")
        return config

    async def _exchange(self, number: int, config: GatewayConfig) -> None:
        """Raises Unavailable; then the old one goes on."""
        try:
            child = await self._spawn(number, config, None)
        except OSError as error:
            raise Unavailable(f"worker {number} cannot be started: {error.strerror}") from error
        serves = await child.until(lambda: child.report is not None and child.report.listening, READY_WITHIN_S)
        if not serves:
            why = "; ".join(child.report.why_not_ready) if child.report else "it says nothing"
            child.kill(f"killed: it was not ready within {READY_WITHIN_S:g} s")
            child.require(False, f"is not ready: {why}")
        old = self.serving.get(number)
        self.serving[number] = child
        if old is not None:
            await self._retire(old)

    async def _retire(self, old: Child) -> None:
        old.retired = True
        old.send(Leave())
        old.send(Drain(self.config.reload_drain_s))
        await old.until(lambda: old.report is not None and not old.report.listening, ORDER_WITHIN_S)

    async def _renew_when_asked(self, child: Child) -> None:
        while not await child.until(lambda: child.asked, 3600.0):
            if child.ended:
                return
        await asyncio.sleep(MEANT_S)
        async with self._turn:
            if self._leaving or self.serving.get(child.number) is not child:
                return
            try:
                await self._exchange(child.number, self.config)
            except Unavailable as error:
                self.events.emit("worker.not_renewed", worker=child.number, why=str(error))

    # --- what they tell

    @property
    def snapshot(self) -> Snapshot:
        """The newest that every worker has, as far as that can be told."""
        reports = [each.report for each in self.serving.values() if each.report is not None]
        return common(self._snapshots, {each.watch.token for each in reports if each.listening})

    def _publish(self, snapshot: Snapshot) -> None:
        if self._snapshots[-1].token == snapshot.token:  # the same instances, with another configuration
            self._snapshots.pop()
        self._snapshots.append(snapshot)

    def why_not_ready(self) -> list[str]:
        numbers = range(1, self.config.worker_count + 1)
        why = [f"worker {number} is starting" for number in numbers if not self._has_told(number)]
        return list(dict.fromkeys([*why, *self.report().why_not_ready, *self._watch.why_not_ready()]))

    def _has_told(self, number: int) -> bool:
        return number in self.serving and self.serving[number].report is not None

    def report(self) -> Report:
        found = report.nothing()
        found.meters.add(self._past)
        for child in self._children:
            if child.report is not None:
                found.add(child.report, serving=self.serving.get(child.number) is child)
        found.meters.drop_gone(time.monotonic())
        return found

    async def ask(self) -> Report:
        self._questions += 1
        question = self._questions
        asked = list(self._children)
        for child in asked:
            child.send(Ask(question))
        await _all(child.until(partial(_has_answered, child, question), ASK_WITHIN_S) for child in asked)
        return self.report()

    def workers(self) -> list[WorkerView]:
        return sorted(map(self._view, self._children), key=lambda each: (each.number, -each.uptime_s))

    def _view(self, child: Child) -> WorkerView:
        serves = child.report is not None and self.serving.get(child.number) is child
        state: WorkerState = "draining" if child.retired else "serving" if serves else "starting"
        connections = child.report.clients if child.report else 0
        return WorkerView(child.number, child.pid, state, round(child.lived_s, 1), connections)

    async def place(self, wanted: Place) -> None:
        self._place = wanted
        told = [child for child in self._children if not child.retired]
        for child in told:
            child.send(Order(wanted))
        await _all(child.until(partial(_is, child, wanted), ORDER_WITHIN_S) for child in told)

    # --- down

    def leave(self) -> None:
        self._leaving = True
        for child in self._children:
            child.retired = True
            child.send(Leave())

    async def drain(self) -> None:
        for child in self._children:
            child.send(Drain(self.config.drain_s))
        await self._gone(self.config.drain_s + 1.0)
        for child in self._children:
            child.kill("killed: it did not end in time")
        await self._gone(1.0)

    async def _gone(self, within_s: float) -> None:
        await _all(child.until(lambda: False, within_s) for child in list(self._children))

    def close(self) -> None:
        pass


def common(snapshots: Sequence[Snapshot], tokens: Collection[str]) -> Snapshot:
    """The oldest that somebody has; the newest of these (oldest first), where nobody's is among them."""
    return next((each for each in snapshots if each.token in tokens), snapshots[-1])


def _has_answered(child: Child, question: int) -> bool:
    return child.answered >= question


def _is(child: Child, place: Place) -> bool:
    return child.report is not None and child.report.vipa == place


async def _all(waits: Iterable[Coroutine[Any, Any, bool]]) -> None:
    await asyncio.gather(*waits)
