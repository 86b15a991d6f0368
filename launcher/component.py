"""One component: performs what its restart core decides, on a real process.

A task runs from an operator's start to its end for good (stopped or failed): start the process, ask it whether it is
ready and, when it is silent, whether it lives, wait for its end, let the core decide, wait, again. Orders change the
core's state and signal the process; they return when their effect is there.

Not here: the rule (`launcher.restart`), several of them (`launcher.supervisor`).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping

import aiohttp

import plexmesh
from launcher import orphans, readiness, reloading
from launcher.config import LauncherConfig
from launcher.joblog import JobLog
from launcher.logfile import LogFile
from launcher.pids import Pid
from launcher.process import NotStarted, Process
from launcher.restart import CONFIGURATION, Decision, GiveUp, RestartAfter, Restarts
from launcher.spec import ComponentSpec, component_mark
from shared import wire
from shared.child import ending
from shared.lifecycle import Lifecycle
from shared.tls import client_tls

READY_WITHIN_S = 30.0
"""How long `start` and `resume` wait for a component to be ready before they answer with what there is."""


DRAIN_S = 1.0
"""Between a registered component's leaving the registry and SIGTERM: calls under way end, gateways have heard of it."""

Turn = Callable[[], Coroutine[None, None, None]]


class Component:
    def __init__(
        self,
        spec: ComponentSpec,
        config: LauncherConfig,
        log: LogFile,
        joblog: JobLog,
        lifecycle: Lifecycle,
        session: aiohttp.ClientSession,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called when its state has changed, or its process has begun or ended."""
        self.spec = self._next_spec = spec
        self.restarts = Restarts(
            spec.intervals_s, spec.min_uptime_s, hung_after=spec.hung_after, exit_2_is_final=spec.built_in
        )
        self.process: Process | None = None
        self.why: list[str] = []
        self.killed = False
        """Whether it did not stop within the grace when it was told to."""
        self.host = spec.hosts[0]
        self._registration: plexmesh.Service | None = None
        self._config = config
        self._log = log
        self._joblog = joblog
        self._lifecycle = lifecycle
        self._session = session
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @property
    def wanted(self) -> bool:
        return self.restarts.state not in ("stopped", "failed")

    @property
    def grace_s(self) -> float:
        return self._config.stop_s

    @property
    def ready(self) -> bool:
        return self.restarts.state == "ready"

    @property
    def tried(self) -> bool:
        """Whether its process has been started since the launcher began, or it is not to be."""
        return self.process is not None or not self.wanted

    @property
    def leader(self) -> Pid | None:
        """Its process, the leader of its session, as long as it runs."""
        return self.process.record if self.process is not None and self.restarts.running else None

    def adopt(self, spec: ComponentSpec) -> None:
        """Of the same name; it holds from the next start."""
        self._next_spec = spec

    def report(self) -> wire.Component:
        uptime_s = self.restarts.uptime_s(time.monotonic())
        return wire.Component(
            name=self.spec.name,
            state=self.restarts.state,
            pid=self.leader.pid if self.leader else None,
            uptime_s=None if uptime_s is None else round(uptime_s, 1),
            restarts=self.restarts.restarts,
            url=self.spec.at(self.host),
            why=self.why,
        )

    # --- orders

    def begin(self, turn: Turn | None = None) -> None:
        """`turn` ends when it is this one's turn to start, which an order does not wait for. Raises Conflict."""
        self.restarts.start()
        self._changed()
        if self._task is None or self._task.done():
            self._task = self._lifecycle.spawn(f"component {self.spec.name}", lambda: self._run(turn))

    async def start(self) -> None:
        self.begin()
        await self._settled()

    async def stop(self) -> None:
        self.restarts.stop()
        self._changed()
        if self.process is None or not self.restarts.running:
            return
        self._say("component.stopping")
        if await self._leave_registry():
            await asyncio.sleep(DRAIN_S)
        if not await self.process.stop(self._config.stop_s):
            self.killed = True
            self._say("component.killing", grace_s=self._config.stop_s)
        await self.until(lambda: not self.restarts.running)

    async def leave(self) -> None:
        """As stop, and nothing when it is not wanted anyway."""
        if self.wanted:
            await self.stop()

    async def kill(self) -> None:
        process = self._running()
        process.signal(signal.SIGKILL)
        await self.until(lambda: self.process is not process or not self.restarts.running)

    async def pause(self) -> None:
        process = self._running()
        self.restarts.pause()
        process.signal(signal.SIGSTOP)
        self.why = ["paused by an operator"]
        self._say("component.paused")
        self._changed()

    async def resume(self) -> None:
        process = self._running()
        self.restarts.resume()
        process.signal(signal.SIGCONT)
        self._say("component.resumed")
        self._changed()
        await self._settled()

    async def reload(self) -> None:
        self._running()
        await reloading.reload(self._session, self.spec.name, self.spec.url)
        self._say("component.reloaded")

    def _running(self) -> Process:
        self.restarts.require_running()
        assert self.process is not None
        return self.process

    # --- its life

    async def _run(self, turn: Turn | None) -> None:
        if turn is not None:
            await self._unless_ordered(turn)
        while self.wanted and (self.restarts.running or self._spawn()):
            code = await self._watch(self._running())
            decision = self.restarts.exited(code, time.monotonic())
            self._ended(code, decision)
            if not isinstance(decision, RestartAfter):
                return
            if not await self._wanted_after(decision.delay_s):
                return

    async def _unless_ordered(self, turn: Turn) -> None:
        orders = self.restarts.orders
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(turn())
            waiting.add_done_callback(lambda _: self._changed())
            await self.until(lambda: waiting.done() or self.restarts.orders != orders)
            waiting.cancel()

    def _spawn(self) -> bool:
        self._log.last.clear()
        self.killed = False
        self.spec = self._next_spec
        self.restarts.configure(self.spec.intervals_s, self.spec.min_uptime_s, self.spec.hung_after)
        try:
            self.process = Process(self.spec.command, self.spec.environ, self._line, self.spec.folder)
        except NotStarted as error:
            reason = self.restarts.not_started(str(error)).reason
            self.why = [reason]
            self._say("component.not_restarted" if self.restarts.restarts else "component.not_started", why=str(error))
            self._changed()
            return False
        self.restarts.started(time.monotonic())
        self.why = ["started, not heard of yet"]
        self._say("component.started")
        self._changed()
        return True

    async def _watch(self, process: Process) -> int:
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(self._ask(process))
            code = await process.ended()
            asking.cancel()
        await self._leave_registry()
        if left := await orphans.end(component_mark(self._config, self.spec.name), [process.pid]):
            self._say("component.left", count=left)
        return code

    async def _ask(self, process: Process) -> None:
        while True:
            if self.restarts.state != "paused":
                why = await self._why_not()
                self._answered(why)
                if (why == [readiness.SILENT] or not self.spec.tells_ready) and await self._hangs():
                    self._say("component.hung", times=self.restarts.hung_after)
                    process.signal(signal.SIGKILL)
                    return
            running_s = self.restarts.uptime_s(time.monotonic()) or 0.0
            ready = self.restarts.state in ("ready", "paused")
            await self._news_within(readiness.pause_s(ready, running_s, self._config.probe_s))

    async def _hangs(self) -> bool:
        """Ask for a sign of life until there is one, or has been none for too long."""
        sign = False
        while self.spec.live_path and self.restarts.owes_sign_of_life and not sign:
            sign = await readiness.lives(self._session, f"{self.spec.at(self.host)}{self.spec.live_path}")
            if self.restarts.lives(sign):
                return True
        return False

    async def _why_not(self) -> list[str]:
        """The reasons for not being ready. One of somebody else's is ready when its port answers."""
        if self.spec.tells_ready:
            return await readiness.why_not(self._session, self.spec.url)
        host = await readiness.found(self.spec.hosts, self.spec.port)
        if host is None:
            return [f"nothing listens on port {self.spec.port} of {' or '.join(self.spec.hosts)} yet"]
        self.host = host
        return await self._not_registered()

    async def _not_registered(self) -> list[str]:
        """Register it, if that is ours to do; why it is not registered (yet)."""
        if self.spec.routes is None:
            return []
        if self._registration is None:
            self._registration = self._registered_as(self.spec.routes)
            await self._registration.start()
            self._say("component.registering", url=self.spec.at(self.host))
        return [] if self._registration.status else ["it listens, and is not registered yet"]

    def _registered_as(self, routes: Mapping[str, str]) -> plexmesh.Service:
        return plexmesh.Service(
            self.spec.name,
            port=self.spec.port,
            host=self.host,
            lpar=self._config.lpar,
            routes=routes,
            discovery=self._config.discovery,
            health_path="/",
            drain_s=0,
            tls=client_tls(self._config),
        )

    async def _leave_registry(self) -> bool:
        """Whether it was registered by us."""
        registration, self._registration = self._registration, None
        if registration is not None:
            await registration.stop()
        return registration is not None

    def _answered(self, why: list[str]) -> None:
        if self.restarts.state == "paused":
            return
        self.why = why
        if not self.restarts.answered(not why):
            return
        if why:
            self._say("component.not_ready", why="; ".join(why))
        else:
            self._say("component.ready", seconds=round(self.restarts.uptime_s(time.monotonic()) or 0.0, 3))
        self._changed()

    def _ended(self, code: int, decision: Decision) -> None:
        status, last = ending(code), list(self._log.last)
        self._say("component.ended", status=f"{status}: {last[-1]}" if code > 0 and last else status)
        match decision:
            case RestartAfter(delay_s, nth, of):
                self.why = [f"{status}; starts again in {delay_s:g} s", *last]
                self._say("component.restarting", delay_s=delay_s, nth=nth, of=of)
            case GiveUp(reason):
                self.why = [f"{reason}: {last[-1]}"] if reason == CONFIGURATION and last else [reason, status, *last]
                self._say("component.given_up", why=self.why[0])
            case _:
                self.why = []
                self._say("component.stopped")
        self._changed()

    async def _wanted_after(self, delay_s: float) -> bool:
        """Wait out the delay, or less when an operator gives an order; whether it is to be started."""
        orders = self.restarts.orders
        deadline = time.monotonic() + delay_s
        while self.restarts.orders == orders and (left_s := deadline - time.monotonic()) > 0:
            await self._news_within(left_s)
        return self.wanted

    # --- waiting, saying

    def _changed(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
        self._on_change()

    async def _news_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._news.wait()

    async def _settled(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN_S):
                await self.until(lambda: self.restarts.state != "starting")

    def _say(self, event: str, **values: object) -> None:
        pid = self.process.pid if self.process else None
        self._joblog.say(event, component=self.spec.name, pid=pid, **values)

    def _line(self, line: bytes) -> None:
        self._log.write(line)
        self._joblog.pass_on(line)
        if self._config.echo:
            with contextlib.suppress(OSError):
                sys.stdout.buffer.write(line + b"\n")
                sys.stdout.buffer.flush()
