"""Hypothesis drives the simulator: it looks for the shortest list of deeds that breaks an invariant, and shrinks it."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.sim.simulator import Sim
from tests.sim.watcher import Watcher

hosts = st.integers(0, 2)
seconds = st.sampled_from([0.1, 0.6, 2.0, 7.0, 12.0, 25.0])


class Mesh(RuleBasedStateMachine):
    """Three nodes; every deed is followed by a little time, and at the end there is peace and judgement."""

    sim: Sim

    @initialize(seed=st.integers(0, 1_000))
    def start(self, seed: int) -> None:
        self.sim = Sim(seed, hosts=3)
        self.watcher = Watcher(self.sim, 4.0)
        self.sim.run(2)

    def pass_time(self, seconds: float = 0.3) -> None:
        self.sim.run(self.sim.now + seconds)

    # --- clients

    @precondition(lambda self: len(self.sim.clients) < 12)
    @rule(home=hosts, balanced=st.booleans())
    def register(self, home: int, balanced: bool) -> None:
        self.sim.client(home, balanced=balanced)
        self.pass_time()

    @rule(number=st.integers(0, 11), deed=st.sampled_from(["leave", "crash", "change"]))
    def client_does(self, number: int, deed: str) -> None:
        if number < len(self.sim.clients):
            getattr(self.sim.clients[number], deed)()
            self.pass_time()

    @rule(number=st.integers(0, 11), home=hosts)
    def move(self, number: int, home: int) -> None:
        if number < len(self.sim.clients):
            self.sim.clients[number].move(home)

    # --- nodes

    @rule(host=hosts, silently=st.booleans())
    def kill(self, host: int, silently: bool) -> None:
        if silently:
            self.sim.hosts[host].vanish()
        else:
            self.sim.hosts[host].kill()
        self.pass_time()

    @rule(host=hosts, age=st.integers(0, 3), empty=st.booleans())
    def restart(self, host: int, age: int, empty: bool) -> None:
        """With its disk, an older state of it, or none."""
        images = self.sim.hosts[host].images
        old = images[-1 - age] if 0 < age < len(images) else None
        self.sim.hosts[host].boot(old, empty=empty)
        self.pass_time()

    @rule(host=hosts)
    def leave(self, host: int) -> None:
        self.sim.hosts[host].leave()
        self.pass_time()

    @rule(host=hosts)
    def pause(self, host: int) -> None:
        self.sim.hosts[host].pause()

    @rule(host=hosts)
    def resume(self, host: int) -> None:
        self.sim.hosts[host].resume()
        self.pass_time()

    @rule(host=hosts, offset_ms=st.sampled_from([0, -3_600_000, 3_600_000]))
    def skew(self, host: int, offset_ms: int) -> None:
        self.sim.hosts[host].wall_offset_ms = offset_ms

    # --- network and time

    @rule(one=hosts, other=hosts)
    def cut(self, one: int, other: int) -> None:
        if one != other:
            self.sim.network.cut(self.sim.hosts[one], self.sim.hosts[other])

    @rule()
    def heal(self) -> None:
        self.sim.heal()
        self.pass_time()

    @rule(by_s=seconds)
    def advance(self, by_s: float) -> None:
        self.pass_time(by_s)

    def teardown(self) -> None:
        if hasattr(self, "sim"):
            self.sim.peace()
            self.sim.judge.settle(12.0, 25.0)
            self.watcher.settle()


TestMesh = Mesh.TestCase
TestMesh.settings = settings(max_examples=25, stateful_step_count=30)
