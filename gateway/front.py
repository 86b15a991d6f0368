"""One data path serving in this process: what it follows, what it probes with, where it listens, how it ends.

It is a gateway's whole data plane where that is one process, and the inside of a worker where it is several. The own
port is opened with the first whole snapshot, or after `patience_s` without one (then own pages can say why); the
sysplex address with the first whole snapshot, if wanted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import time

from gateway.config import GatewayConfig
from gateway.datapath import DataPath
from gateway.downstream import Downstream
from gateway.inner import Inner
from gateway.listener import Listener
from gateway.login.table import Check, Here
from gateway.plane import Place, WorkerState, WorkerView
from gateway.pool import Dial
from gateway.probing import Prober
from gateway.report import Judgement, Report, Room, Seen, WatchState
from gateway.snapshot import Endpoint, Snapshot
from gateway.standing import Standing
from gateway.vipa import Vipa
from gateway.watch import Watch
from shared.errors import Conflict
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.net import listen_on

CUT_S = 0.5
"""Until what was cut has been accounted for."""

FORGET_S = 60.0
"""How often meters of services that have left are looked for."""


class Front:
    def __init__(
        self, config: GatewayConfig, events: Events, dial_own: Dial | None = None, *, wanted: Place = "in"
    ) -> None:
        """`dial_own` leads to the own pages, where they are not in this process."""
        self.config = config
        self.events = events
        self.path = DataPath(config, events, random.Random(), dial_own or self._dial_own)
        self.watch = Watch(config, self.path.meters, events, self._publish)
        self.vipa = Vipa(self.path, config.vipa, events)
        self.whole = asyncio.Event()
        """Set with the first whole snapshot."""
        self._prober = Prober(self.path)
        self._inner: Inner
        self._wanted = wanted
        self._listeners: list[Listener] = []
        self._leaving = False
        self._began = asyncio.get_running_loop().time()

    @property
    def snapshot(self) -> Snapshot:
        return self.path.snapshot

    async def _dial_own(self, endpoint: Endpoint, within_s: float | None = None) -> socket.socket:
        return await self._inner.dial(endpoint, within_s)

    # --- up

    async def start(self, lifecycle: Lifecycle, inner: Inner, check: Check) -> None:
        self._inner = inner
        self.path.logins.asking = Here(check, self.path.logins.found)
        self.open()
        self.begin(lifecycle)

    def begin(self, lifecycle: Lifecycle) -> None:
        lifecycle.spawn("watch", self.watch.run)
        lifecycle.spawn("probes", self._prober.run)
        lifecycle.spawn("meters", self._forget)

    def open(self, *, shared: bool = False) -> None:
        """The own port, on each address; `shared` by several processes. Raises AddressInUse or ConfigError."""
        if not self._listeners and not self._leaving:
            socks = listen_on(self.config.listen_hosts, self.config.port, reuse_port=shared)
            self._listeners = [Listener(self.path, sock) for sock in socks]

    def _publish(self, snapshot: Snapshot) -> None:
        self.path.adopt(snapshot)
        if not self.whole.is_set():
            self.whole.set()
            if self._wanted == "in" and not self._leaving:
                self.vipa.enter()

    async def place(self, wanted: Place) -> None:
        self._wanted = wanted
        if wanted == "out":
            await self.vipa.let_go()
        elif self.whole.is_set() and not self._leaving:
            self.vipa.enter()

    async def reload(self) -> None:
        raise Conflict("this gateway is one process, and has no workers to replace")

    # --- what it tells

    def why_not_ready(self) -> list[str]:
        why = self.watch.why_not_ready()
        if self.vipa.trouble:
            why.append(f"the sysplex address cannot be opened: {self.vipa.trouble}")
        if not self._listeners:
            why.append("the own port is not open")
        return why

    def workers(self) -> list[WorkerView]:
        state: WorkerState = "draining" if self._leaving else "serving"
        uptime_s = round(asyncio.get_running_loop().time() - self._began, 1)
        return [WorkerView(1, os.getpid(), state, uptime_s, len(self.path.clients))]

    async def ask(self) -> Report:
        return self.report()

    def report(self) -> Report:
        path, watch, now = self.path, self.watch, time.monotonic()
        path.meters.access_dropped = path.access.dropped
        return Report(
            meters=path.meters,
            why_not_ready=self.why_not_ready(),
            in_flight=path.in_flight,
            idle={key: pool.idle_count for key, pool in path.pools.items() if key and pool.idle_count},
            health={
                key: Judgement(record.state, record.why, record.since) for key, record in path.health.records.items()
            },
            seen={key: _seen(each, now) for key, each in path.standings.items() if each.total or each.reached},
            rooms={name: Room(gate.limit, gate.waiting, gate.shed) for name, gate in path.gates.items()},
            panic=sorted(name for name, balancer in path.balancers.items() if balancer.panic),
            clients=len(path.clients),
            endpoints=len(path.snapshot.endpoints),
            listening=bool(self._listeners),
            vipa=self.vipa.state,
            vipa_trouble=self.vipa.trouble,
            watch=WatchState(watch.following, path.snapshot.token, watch.trouble),
        )

    async def _forget(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(FORGET_S)
            known = {upstream.service for upstream in self.snapshot.upstreams.values()}
            self.path.meters.forget(known, loop.time())

    # --- down

    def leave(self) -> None:
        self._leaving = True
        self.path.draining = True
        self.vipa.leave()

    async def drain(self, within_s: float | None = None) -> None:
        """Close the port, then wait: for `drain_s` clients may bring a last request each, then those at rest are
        closed, and after `within_s` (if longer) what is left is cut."""
        listeners, self._listeners = self._listeners, []
        for each in listeners:
            each.close()
        for each in listeners:
            await each.settled()
        await self.vipa.settled()
        idle_s = self.config.drain_s
        await self._deserted(idle_s)
        busy = self._rest_closed()
        if within_s is not None and within_s > idle_s:
            await self._deserted(within_s - idle_s)
            busy = self._rest_closed()
        for client in busy:
            client.reset()
        await self._deserted(CUT_S)
        await self.path.access.stop()
        self.events.emit("gateway.drained", cut=len(busy))

    def _rest_closed(self) -> list[Downstream]:
        """Clients that are not at rest."""
        return [client for client in list(self.path.clients) if not client.rest_is_over()]

    async def _deserted(self, within_s: float) -> None:
        self.path.deserted.clear()
        if self.path.clients:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self.path.deserted.wait()

    def close(self) -> None:
        self.path.close()


def _seen(standing: Standing, now: float) -> Seen:
    calls, failed = standing.recent(now)
    return Seen(
        standing.total,
        standing.total_failed,
        round(standing.per_s(now), 2),
        round(failed / calls, 3) if calls else 0.0,
        round(standing.latency_s * 1000, 2),
        standing.ejections,
        standing.reached,
    )
