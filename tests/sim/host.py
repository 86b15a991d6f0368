"""A machine of the simulated sysplex: its clocks, its one CPU, its disk, and the boot of a node that runs on it.

A node is one thread: a step that finds the CPU busy, or the machine paused (SIGSTOP), waits in the inbox and is done
later, in order; after a pause timers and sockets are served in any order. Each step costs simulated time, more on a
slow machine. Messages that a step sends leave when it is done.

The machine's own clock (CLOCK_BOOTTIME) has a base and a rate of its own; the wall clock may be off and may step.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from discovery.effects import Changed, OwnerChanged, Said, Send
from discovery.image import Image
from discovery.node import Node
from discovery.registry import Registry

if TYPE_CHECKING:
    from tests.sim.network import Call
    from tests.sim.simulator import Sim

SYSPLEX = "SIMPLEX"
WALL_AT_ZERO_MS = 1_700_000_000_000
STEP_COST_S = 0.0003
RECORD_COST_S = 0.00002
ROUNDING_S = 1e-6
"""What going from a machine's clock to the simulation's time and back may lose."""

SAVE_S = 4.0
"""A node writes its image to disk this often."""

_images = msgspec.msgpack.Encoder()
_saved = msgspec.msgpack.Decoder(Image)


class Process:
    """One boot of a node. `dead`: killed; what was on its way to it finds nobody."""

    def __init__(self, host: Host, image: Image | None) -> None:
        sim = host.sim
        self.host = host
        self.dead = False
        self.started = sim.now
        self.steps = 0
        self.leaving = False
        now = host.clock()
        seeds = [each.address for each in sim.hosts] if host.seeds is None else host.seeds
        self.node = Node(
            host.name,
            host.address,
            seeds,
            sysplex=SYSPLEX,
            now=now,
            wall_ms=host.wall_ms(),
            rng=random.Random(f"{sim.seed} {host.name} {sim.now}"),
            policy=sim.policy,
            image=image,
        )
        self.registry = Registry(self.node)
        self.first_origin = self.node.origin
        self.ready_at: float | None = None
        self._tick_at = float("inf")

    def tick(self) -> None:
        """A timer has run out; what was due may have been done, or moved, meanwhile."""
        self._tick_at = float("inf")
        now, due = self.host.clock(), self.node.next_deadline()
        if now >= due - ROUNDING_S:
            self.node.tick(max(now, due))

    def perform(self, leave_at: float) -> None:
        """Do what the last step asks for; messages leave at `leave_at`."""
        sim, host = self.host.sim, self.host
        for effect in self.node.ready():
            match effect:
                case Send(address, message):
                    sim.network.call(self, address, message, leave_at)
                case Changed(changes):
                    sim.journal.changed(self, changes)
                    sim.judge.changed(self, changes)
                case OwnerChanged(origin, state):
                    sim.journal.owner_changed(self, origin, state)
                case Said(event, fields):
                    sim.journal.said(self, event, fields)
                    sim.judge.said(self, event, fields)
        if self.ready_at is None and self.node.covered:
            self.ready_at = sim.now
            sim.note(f"{host.name} ready after {sim.now - self.started:.2f} s")
        sim.judge.stepped(self)
        self._wake(leave_at)

    def _wake(self, not_before: float) -> None:
        """Come back at the node's next deadline."""
        due = max(self.host.instant(self.node.next_deadline()), not_before)
        if due < self._tick_at - 1e-9:
            self._tick_at = due
            self.host.sim.at(due, lambda: self._timer(due))

    def _timer(self, due: float) -> None:
        if not self.dead and self._tick_at == due:
            self.host.submit(self.tick)


class Host:
    def __init__(self, sim: Sim, index: int, name: str) -> None:
        self.sim = sim
        self.index = index
        self.name = name
        self.address = f"http://{name.lower()}:7553"
        self.seeds: list[str] | None = None
        self.process: Process | None = None
        self.paused = False
        self.vanished = False
        self.slow = 1.0
        self.images: list[bytes] = []
        """What was written to the disk, oldest first; the last is what a boot finds."""
        self.rate = 1.0
        self.wall_offset_ms = 0
        self._base = sim.rng.uniform(100, 100_000)
        self._inbox: deque[tuple[Callable[[], None], Call | None]] = deque()
        self._busy_until = 0.0
        self._draining = False

    # --- clocks

    def clock(self) -> float:
        """Seconds of this machine's CLOCK_BOOTTIME."""
        return self._base + self.sim.now * self.rate

    def instant(self, clock: float) -> float:
        """The simulated time at which this machine's clock says that."""
        return (clock - self._base) / self.rate

    def wall_ms(self) -> int:
        return WALL_AT_ZERO_MS + self.wall_offset_ms + int(self.sim.now * self.rate * 1000)

    # --- the node's life

    def boot(self, disk: bytes | None = None, *, empty: bool = False) -> None:
        """Start the node with what is on the disk, with that image instead, or with an empty disk."""
        if self.process is not None:
            return
        self.vanished = self.paused = False
        if empty:
            self.images.clear()
        elif disk is not None:
            self.images.append(disk)
        found = _saved.decode(self.images[-1]) if self.images else None
        self.process = process = Process(self, found)
        self.sim.note(f"boot {process.node.origin} {'with' if found else 'without'} disk")
        process.perform(self.sim.now)
        self.sim.after(self.sim.rng.uniform(0.5, 1.5) * SAVE_S, lambda: self._save_regularly(process))

    def kill(self) -> None:
        """kill -9: nothing is said any more; who waits for an answer finds the connection broken."""
        if self.process is None:
            return
        self.sim.note(f"kill {self.process.node.origin}")
        self.process.dead = True
        self.process = None
        self.paused = False
        for _, call in self._inbox:
            if call is not None:
                call.fail_soon(refused=not self.vanished)
        self._inbox.clear()
        self._busy_until = self.sim.now

    def vanish(self) -> None:
        """The machine is gone: nobody even refuses a connection."""
        self.vanished = True
        self.kill()

    def leave(self) -> None:
        """A graceful end: tell everybody, wait for at most a second, write the disk, go."""
        process = self.process
        if process is None or self.paused or process.leaving:
            return
        self.sim.note(f"leave {process.node.origin}")
        process.leaving = True
        self.submit(lambda: process.node.depart(self.clock()))
        last = self.sim.now + 1.0

        def wait() -> None:
            if process.dead:
                return
            if process.node.told or self.sim.now >= last:
                self.save()
                self.kill()
            else:
                self.sim.after(0.02, wait)

        self.sim.after(0.02, wait)

    def reboot_clock(self) -> None:
        """The machine itself was started again: its clock counts from about nought."""
        assert self.process is None
        self._base = self.sim.rng.uniform(1, 20) - self.sim.now * self.rate

    def set_rate(self, rate: float) -> None:
        """From now on this machine's clocks run so much faster than time."""
        self._base += self.sim.now * (self.rate - rate)
        self.wall_offset_ms += int(self.sim.now * (self.rate - rate) * 1000)
        self.rate = rate

    def pause(self) -> None:
        if self.process is not None and not self.paused:
            self.sim.note(f"pause {self.name}")
            self.paused = True

    def resume(self) -> None:
        if self.paused:
            self.sim.note(f"resume {self.name}")
            self.paused = False
            if self.sim.rng.random() < 0.3:
                waiting = list(self._inbox)
                self.sim.rng.shuffle(waiting)
                self._inbox = deque(waiting)
            self._drain_at(self.sim.now)

    # --- the disk

    def save(self) -> None:
        if self.process is not None:
            self.images.append(_images.encode(self.process.node.image(self.clock())))

    def _save_regularly(self, process: Process) -> None:
        if not process.dead:
            if not self.paused:
                self.save()
            self.sim.after(SAVE_S, lambda: self._save_regularly(process))

    # --- the CPU

    def submit(self, step: Callable[[], None], call: Call | None = None) -> None:
        """Do a step of the node as soon as it has the CPU. `call`: who waits for it."""
        if self.process is None:
            return
        if self.paused or self._inbox or self._busy_until > self.sim.now:
            self._inbox.append((step, call))
            if call is not None:
                call.time_out_at_deadline()
            if not self.paused:
                self._drain_at(self._busy_until)
        else:
            self._do(step)

    def _drain_at(self, time: float) -> None:
        if not self._draining and self._inbox:
            self._draining = True
            self.sim.at(time, self._drain)

    def _drain(self) -> None:
        self._draining = False
        if self.paused or not self._inbox or self.process is None:
            return
        if self._busy_until <= self.sim.now:
            step, _ = self._inbox.popleft()
            self._do(step)
        self._drain_at(self._busy_until)

    def _do(self, step: Callable[[], None]) -> None:
        process = self.process
        assert process is not None
        self._busy_until = self.sim.now + self.step_cost_s()
        process.steps += 1
        step()
        if not process.dead:
            process.perform(self._busy_until)

    def step_cost_s(self) -> float:
        return STEP_COST_S * self.slow

    def charge(self, records: int) -> None:
        """Records to take in cost more than a message without."""
        self._busy_until += RECORD_COST_S * self.slow * records
