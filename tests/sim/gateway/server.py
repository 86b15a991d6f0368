"""One instance: some workers, a queue before them, and one thing at a time that is wrong with it.

    well       it answers 200, each call after a time drawn anew; probes queue like calls
    slow       the same, but what it asks elsewhere takes 300 ms more, while its workers go on
    failing    503 at once
    half       some calls are answered 503, as soon as the others are answered
    lossy      some calls die: the connection is closed without an answer
    hung       the kernel accepts; nothing is read until it goes on, then all of it
    vanished   nothing comes back, not even to a connect, and what was under way is lost
    dead       connects are refused; what was under way died

`cold` lasts for a while after a start: each call then takes several times as long.

Not here: what a gateway makes of it (`gateway`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import log
from typing import TYPE_CHECKING, Literal

from tests.sim.gateway.world import World

if TYPE_CHECKING:
    from tests.sim.gateway.call import Call

Way = Literal["well", "slow", "failing", "half", "lossy", "hung", "vanished", "dead"]

HOP_S = 0.000_1
"""One way between a gateway and an instance."""
SPREAD = 0.5
"""Of the logarithm of the time a call takes."""
SLOWER_S = 0.3
PROBE_PART = 0.2
"""Of a call's time: what a probe takes."""

Told = Callable[[int], None]
"""A status, 0: the connection was closed."""


class Connection:
    """Between a gateway and an instance; it serves one call at a time."""

    __slots__ = ("call", "deadline", "open", "reused", "server")

    def __init__(self, server: Server) -> None:
        self.server = server
        self.call: Call | None = None
        self.open = True
        """At this gateway's end."""
        self.reused = False
        self.deadline = 0.0
        server.connections[self] = None

    def close(self) -> None:
        self.open = False
        self.call = None
        self.server.connections.pop(self, None)

    def told(self, status: int) -> None:
        """What comes back over it, if anybody is there still."""
        call = self.call
        if not self.open:
            return
        if not status:
            self.close()
        if call is None:
            return
        self.call = None
        if status:
            call.answered(status, self)
        else:
            call.died(self)


class Server:
    def __init__(self, world: World, number: int, *, mean_s: float, workers: int) -> None:
        self.world = world
        self.number = number
        self.way: Way = "well"
        self.mean_s = mean_s
        self.workers = workers
        self.share = 0.5
        """Of the calls that fail, when it is half well or lossy."""
        self.connections: dict[Connection, None] = {}
        self.served = 0
        self._median_s = mean_s / 2.718281828 ** (SPREAD**2 / 2)
        self._busy = 0
        self._queue: deque[tuple[float, Told]] = deque()
        """Part of a call's usual time, who is told."""
        self._unread: list[tuple[float, Told]] = []
        self._frozen: list[tuple[float, Told]] = []
        """While it hangs: what has come, what would be done."""
        self._boot = 0
        """What was begun in an earlier one never ends."""
        self._cold_until, self._cold_times = 0.0, 1.0

    # --- what goes wrong

    def become(self, way: Way, share: float = 0.5) -> None:
        self.share = share
        if way in ("dead", "vanished"):
            self._boot += 1
            self._queue.clear()
            self._unread.clear()
            self._frozen.clear()
            self._busy = 0
        if way == "dead":
            self._cut()
        if self.way == "vanished":
            self._cut()  # the other ends are resumed with a machine that knows nothing of them
        self.way = way
        frozen, self._frozen = self._frozen, []
        unread, self._unread = self._unread, []
        for part, told in frozen:
            self._done(told, part, self._boot)
        for part, told in unread:
            self._arrive(part, told)

    def cold(self, seconds: float, times: float) -> None:
        """From now on; each call takes so many times as long."""
        self._cold_until, self._cold_times = self.world.now + seconds, times

    def _cut(self) -> None:
        for connection in list(self.connections):
            self.world.after(HOP_S, lambda each=connection: each.told(0))  # type: ignore[misc]

    # --- what a gateway does

    def connect(self, timeout_s: float, done: Callable[[Connection], None], failed: Callable[[str], None]) -> None:
        if self.way == "vanished":
            self.world.after(timeout_s, lambda: failed("no connection in time"))
        elif self.way == "dead":
            self.world.after(2 * HOP_S, lambda: failed("connection refused"))
        else:
            self.world.after(2 * HOP_S, lambda: done(Connection(self)))

    def send(self, connection: Connection) -> None:
        """A call; its connection is told what comes back."""
        self.world.after(HOP_S, lambda: self._arrive(1.0, connection.told))

    def probe(self, timeout_s: float, told: Callable[[str], None]) -> None:
        """How it failed, or nothing."""
        done: list[int] = []

        def ended(why: str) -> None:
            if not done:
                done.append(1)
                told(why)

        if self.way == "dead":
            self.world.after(2 * HOP_S, lambda: ended("connection refused"))
            return
        self.world.after(timeout_s, lambda: ended("no answer to a probe"))
        self.world.after(2 * HOP_S, lambda: self._arrive(PROBE_PART, lambda status: ended("" if status else "closed")))

    # --- what it does

    def _arrive(self, part: float, told: Told) -> None:
        match self.way:
            case "hung":
                self._unread.append((part, told))
            case "vanished":
                pass
            case "dead":
                self.world.after(HOP_S, lambda: told(0))
            case "failing" if part == 1.0:
                self.world.after(HOP_S, lambda: told(503))
            case _:
                self._queue.append((part, told))
                self._work()

    def _work(self) -> None:
        world = self.world
        while self._queue and self._busy < self.workers:
            part, told = self._queue.popleft()
            self._busy += 1
            seconds = world.random.lognormvariate(log(self._median_s), SPREAD) * part
            if world.now < self._cold_until:
                seconds *= self._cold_times
            world.after(seconds, lambda told=told, part=part, boot=self._boot: self._done(told, part, boot))  # type: ignore[misc]

    def _done(self, told: Told, part: float, boot: int) -> None:
        if boot != self._boot:
            return
        if self.way == "hung":
            self._frozen.append((part, told))
            return
        self._busy -= 1
        self.served += 1
        status, later_s = 200, HOP_S
        if part == 1.0:
            if self.way == "slow":
                later_s += SLOWER_S
            elif self.way in ("half", "lossy") and self.world.random.random() < self.share:
                status = 503 if self.way == "half" else 0
        self.world.after(later_s, lambda: told(status))
        self._work()
