"""Discovery nodes, their machines, their network and their clients under virtual time: one integer decides everything.

The real core runs through its real codec; only sockets, clocks, disks and processes are played. A heap of (time, tie,
what to do) is the world: it takes the earliest out and does it, so that simulated seconds cost only what happens in
them. Whoever wants to break something finds the handles here (`hosts`, `network`, `clients`); `tests.sim.faults` does
so at random. What ought to hold is watched meanwhile by `tests.sim.judge`.

    simulator   the heap, and the parts put together        host      a machine: clock, CPU, disk; one boot of a node
    network     links with faults, calls with time-outs     client    processes that register, beat, leave, crash
    journal     what happened, for scenarios to measure     judge     the invariants
    watcher     folds the watch stream, changing nodes      faults    random histories

Times are scaled: an instance beats every 2 s under a lease of 6 s, and the node's own long times are shortened to match
(`POLICY`), so that fencing, collection and forgetting all happen within a minute. Detection, probing, pushing and
offering run at their real speed.

Source: FoundationDB's simulation; the design of memberlist's and chitchat's tests.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from discovery.policy import Policy
from tests.sim.client import BEAT_S, LEASE_S, Client
from tests.sim.host import Host, Process
from tests.sim.journal import Journal
from tests.sim.judge import Judge
from tests.sim.network import Network

POLICY = replace(Policy(), fence_s=8.0, gc_grace_s=20.0, forget_superseded_s=30.0, forget_s=60.0)
assert POLICY.gc_grace_s >= 2 * (LEASE_S + BEAT_S)

LOOK_S = 0.25
"""How often everything is looked at."""


class Sim:
    """`running` names the hosts whose node is started, one after the other within half a second, at the beginning."""

    def __init__(
        self, seed: int, hosts: int = 5, *, policy: Policy = POLICY, running: Iterable[int] | None = None
    ) -> None:
        self.seed = seed
        self.policy = policy
        self.rng = random.Random(seed)
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._ties = itertools.count()
        self.journal = Journal(self)
        self.network = Network(self)
        names = [f"LPAR{n}" for n in range(1, hosts + 1)]
        self.hosts = [Host(self, index, name) for index, name in enumerate(names)]
        self.clients: list[Client] = []
        self.judge = Judge(self)
        for index in range(hosts) if running is None else running:
            self.at(self.rng.uniform(0, 0.5), self.hosts[index].boot)
        self.at(LOOK_S, self._look)

    # --- time

    def at(self, time: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._heap, (time if time > self.now else self.now, next(self._ties), do))

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        self.at(self.now + seconds, do)

    def run(self, until: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, do = heapq.heappop(heap)
            do()
        self.now = until

    def wait(self, what: str, holds: Callable[[], bool], within_s: float, step_s: float = 0.05) -> float:
        """Run until that holds; returns the seconds it took. Fails when it takes longer than `within_s`."""
        start = self.now
        while not holds():
            if self.now >= start + within_s:
                self.judge.fail(f"not within {within_s} s: {what}")
            self.run(self.now + step_s)
        return self.now - start

    def note(self, text: str) -> None:
        self.journal.note(text)

    def _look(self) -> None:
        self.judge.look()
        self.after(LOOK_S, self._look)

    # --- the parts

    def processes(self) -> list[Process]:
        """The boots that are there: running or paused."""
        return [host.process for host in self.hosts if host.process is not None]

    def client(
        self, home: int, *, key: str = "", balanced: bool = False, lease_s: int = LEASE_S, beat_s: float = BEAT_S
    ) -> Client:
        """A new process that registers at once with the node of host `home`, on whose machine it runs."""
        client = Client(self, key or f"app/i{len(self.clients)}", home, balanced, lease_s, beat_s)
        self.clients.append(client)
        client.start()
        return client

    def beating(self) -> set[str]:
        """The instances that ought to be visible."""
        return {client.key for client in self.clients if client.state == "beating"}

    # --- faults that concern more than one part

    def split(self, *sides: Iterable[int]) -> None:
        """Cut all links between hosts of different sides, named by number."""
        groups = [set(side) for side in sides]
        self.note(f"split {groups}")
        for one, other in itertools.combinations(groups, 2):
            for a, b in itertools.product(sorted(one), sorted(other)):
                self.network.cut(self.hosts[a], self.hosts[b])
                self.network.cut(self.hosts[b], self.hosts[a])

    def heal(self) -> None:
        """The network is whole and without fault again; machines stay as they are."""
        self.note("heal")
        self.network.heal()

    def peace(self) -> None:
        """No fault is left: every machine runs a node at its full speed, over a whole network."""
        self.heal()
        for host in self.hosts:
            host.resume()
            host.slow = 1.0
            host.vanished = False
            if host.process is None:
                host.boot()
