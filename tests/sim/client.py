"""A process that registers, as Eureka's clients do: renew, register on 404, try the next node when one does not answer.

It knows whether it truly lives, so the judge can say what ought to be visible. `state`:

    beating ──leave()──▶ leaving ──acknowledged──▶ left
       │                    └────nobody knew it──▶ crashed
       └────crash()──────────────────────────────▶ crashed
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from discovery.registration import Registration
from tests.sim.host import WALL_AT_ZERO_MS, Process

if TYPE_CHECKING:
    from tests.sim.host import Host
    from tests.sim.simulator import Sim

LEASE_S = 6
BEAT_S = 2.0
RETRY_S = 0.1

State = Literal["beating", "leaving", "left", "crashed"]


class Client:
    """`last_sign`: when a node last took in anything that this process had said.

    `streak`: the boot that has answered without interruption, and since when; what "beats successfully" means.
    """

    def __init__(self, sim: Sim, key: str, home: int, balanced: bool, lease_s: int, beat_s: float) -> None:
        self.sim = sim
        self.key = key
        self.home = home
        self.zone = home
        self.balanced = balanced
        self.lease_s = lease_s
        self.beat_s = beat_s
        self.state: State = "beating"
        self.dirty_ms = self._stamp(0)
        self.metadata: dict[str, str] = {}
        self.registered = False
        self.last_sign = -1.0
        self.last_ack = -1.0
        self.streak: tuple[Process, float] | None = None
        self.answers: list[str] = []
        self._next_beat = 0.0
        self._asleep_until = 0.0

    def start(self) -> None:
        self._beat()

    # --- what it may do

    def move(self, home: int) -> None:
        """From now on it talks to another node (its machine stays where it is)."""
        self.home = home

    def change(self) -> None:
        """Say something new of itself; an Eureka client stamps that with the time."""
        if self.state == "beating":
            self.dirty_ms = self._stamp(self.dirty_ms + 1)
            self.metadata = {"version": str(self.dirty_ms)}
            self.registered = False
            self._ask(lambda: None)

    def crash(self) -> None:
        if self.state == "beating":
            self.state = "crashed"
            self.sim.note(f"crash {self.key}")

    def sleep(self, seconds: float) -> None:
        """Its machine is suspended: it says nothing for so long, then goes on."""
        self._asleep_until = self.sim.now + seconds

    def leave(self, tries: int = 6) -> None:
        """Deregister, at the next node when one does not answer; late heartbeats may still be on the way."""
        if self.state not in ("beating", "leaving"):
            return
        self.state = "leaving"
        host = self.sim.hosts[self.home]
        dirty_ms = self.dirty_ms

        def serve(process: Process) -> bool:
            found = process.registry.cancel(self.key, process.host.clock())
            self.sim.note(f"leave {self.key} at {process.host.name}: {found}")
            if found:
                self.sim.judge.left(self.key, process)
            return found

        def end(answer: object) -> None:
            if answer == "failed" and tries:
                self._next_home()
                self.sim.after(RETRY_S, lambda: self.leave(tries - 1))
            else:
                self.state = "left" if answer is True else "crashed"

        self.sim.network.request(self._machine, host, serve, end)
        if self.sim.rng.random() < 0.3:
            late = self.sim.rng.choice(self.sim.hosts)
            self.sim.after(self.sim.rng.uniform(0, 4), lambda: self._late_heartbeat(late, dirty_ms))

    # --- beating

    @property
    def _machine(self) -> Host:
        return self.sim.hosts[self.zone]

    def _stamp(self, above: int) -> int:
        """The wall clock of its machine, but never going back within one process."""
        return max(above, WALL_AT_ZERO_MS + self._machine.wall_offset_ms + int(self.sim.now * 1000))

    def _beat(self) -> None:
        if self.state == "beating":
            self._next_beat = self.sim.now + self.beat_s
            if self.balanced:
                self._next_home()
            self._ask(self._beat_later)

    def _beat_later(self) -> None:
        self.sim.at(self._next_beat, self._beat)

    def _next_home(self) -> None:
        self.home = (self.home + 1) % len(self.sim.hosts)

    def _ask(self, afterwards: Callable[[], None]) -> None:
        """Register or renew, then `afterwards`."""
        if self.sim.now < self._asleep_until:
            self.sim.at(self._asleep_until, lambda: self._again(afterwards))
            return
        host, dirty_ms, registered = self.sim.hosts[self.home], self.dirty_ms, self.registered
        registration = None if registered else self._registration()

        def serve(process: Process) -> tuple[str, Process]:
            now = process.host.clock()
            self.last_sign = self.sim.now
            if registration is not None:
                process.registry.register(registration, now)
                answer = "registered"
            else:
                answer = process.registry.renew(self.key, dirty_ms, now)
            self.sim.judge.answered(self, process, answer)
            return answer, process

        def end(answer: object) -> None:
            if self.state != "beating":
                return
            if not isinstance(answer, tuple):
                self.streak = None
                if not self.balanced:
                    self._next_home()
                self.sim.after(RETRY_S, lambda: self._again(afterwards))
                return
            said, process = answer
            if said == "unknown":
                self.sim.judge.lost(self, process)
                self.registered = False
                self.streak = None
                self._again(afterwards)
                return
            if dirty_ms == self.dirty_ms:
                self.registered = True
            self._acknowledged(process)
            afterwards()

        self.sim.network.request(self._machine, host, serve, end)

    def _again(self, afterwards: Callable[[], None]) -> None:
        if self.state == "beating":
            self._ask(afterwards)

    def _acknowledged(self, process: Process) -> None:
        now = self.sim.now
        if self.streak is None or self.streak[0] is not process or now - self.last_ack > self.lease_s - 1:
            self.streak = (process, now)
        self.last_ack = now

    def _late_heartbeat(self, host: Host, dirty_ms: int) -> None:
        """A packet of the process that has left, overtaken by its deregistration."""

        def serve(process: Process) -> None:
            renewal = process.registry.renew(self.key, dirty_ms, process.host.clock())
            self.last_sign = self.sim.now
            self.sim.note(f"late heartbeat of {self.key} at {host.name}: {renewal}")

        self.sim.network.request(self._machine, host, serve, lambda answer: None)

    def _registration(self) -> Registration:
        service, _, instance = self.key.partition("/")
        return Registration(
            app=service.upper(),
            instance=instance,
            host=instance,
            ip="192.0.2.1",
            lease_s=self.lease_s,
            dirty_ms=self.dirty_ms,
            metadata=self.metadata,
        )
