"""Random histories: machines, network and clients suffer for a minute, then there is peace, then judgement.

One integer is a history: what there is, what goes wrong, and when. `python -m tests.sim.faults SEED...` replays some
and prints their stories.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from discovery.replica import Replica
from discovery.space import Space
from tests.sim.client import Client
from tests.sim.host import Host
from tests.sim.simulator import POLICY, Sim
from tests.sim.watcher import Watcher

TROUBLE_S = 60.0
"""Faults happen until then."""

AGREE_S = 12.0
TRUE_S = 25.0


def history(seed: int) -> Sim:
    """A whole history; raises AssertionError with its story when an invariant is broken."""
    with small_deltas(8 if seed % 3 == 0 else 1000):
        return History(seed).run()


@contextmanager
def small_deltas(records: int) -> Iterator[None]:
    """Let no delta carry more records, so that a registry of a few dozen instances travels in parts.

    The limit is a constant of the core, patched here rather than made a setting that nobody else needs.
    """
    before = Space.delta_since.__defaults__, Replica.deltas.__defaults__
    Space.delta_since.__defaults__ = Replica.deltas.__defaults__ = (records,)
    try:
        yield
    finally:
        Space.delta_since.__defaults__, Replica.deltas.__defaults__ = before


class History:
    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(f"history {seed}")
        count = rng.choice((2, 2, 3, 3, 3, 4, 5, 5, 5, 9))
        self.sim = Sim(seed, count, policy=POLICY)
        self.hosts = self.sim.hosts
        self.network = self.sim.network
        for host in self.hosts:
            host.wall_offset_ms = rng.choice((0, 0, 0, 20, -300, 3_600_000, -3_600_000))
            if rng.random() < 0.1:
                host.set_rate(rng.choice((0.98, 1.02)))
        if rng.random() < 0.2:
            for host in self.hosts:
                host.seeds = [self.hosts[0].address, self.hosts[-1].address]
        self.calm_links()

    def run(self) -> Sim:
        sim, rng = self.sim, self.rng
        for _ in range(rng.randint(2, min(8 * len(self.hosts), 45))):
            sim.at(rng.uniform(0.1, 30), self.newcomer)
        for _ in range(rng.randint(2, 14)):
            sim.at(rng.uniform(3, TROUBLE_S - 1), self.fault)
        for _ in range(rng.randint(0, 25)):
            sim.at(rng.uniform(3, TROUBLE_S), self.client_event)
        watchers = [Watcher(sim, rng.uniform(2, 8)) for _ in range(rng.choice((0, 1, 2)))]
        sim.run(TROUBLE_S)
        sim.peace()
        sim.judge.settle(AGREE_S, TRUE_S)
        for watcher in watchers:
            watcher.settle()
        return sim

    # --- clients

    def newcomer(self) -> None:
        home = self.rng.randrange(len(self.hosts))
        key = f"{self.rng.choice('abc')}/i{len(self.sim.clients)}"
        self.sim.client(home, key=key, balanced=self.rng.random() < 0.15)

    def client_event(self) -> None:
        beating = [client for client in self.sim.clients if client.state == "beating"]
        if not beating:
            return
        client = self.rng.choice(beating)
        deeds: tuple[Callable[[], None], ...] = (
            client.leave,
            client.leave,
            client.crash,
            client.change,
            client.change,
            lambda: client.move(self.rng.randrange(len(self.hosts))),
            lambda: self._restart(client),
            lambda: self._twin(client),
        )
        self.rng.choice(deeds)()

    def _restart(self, client: Client) -> None:
        """The process ends, kindly or not, and another with its id comes."""
        if self.rng.random() < 0.5:
            client.leave()
        else:
            client.crash()
        home, key = self.rng.randrange(len(self.hosts)), client.key
        self.sim.after(self.rng.uniform(0.1, 10), lambda: self._start_again(home, key))

    def _start_again(self, home: int, key: str) -> None:
        if key not in self.sim.beating():
            self.sim.client(home, key=key)

    def _twin(self, client: Client) -> None:
        """A second process with the same id, for a while."""
        twin = self.sim.client(self.rng.randrange(len(self.hosts)), key=client.key)
        self.sim.after(self.rng.uniform(2, 15), twin.crash)

    # --- faults

    def fault(self) -> None:
        deeds = (
            *[self.kill] * 4,
            *[self.pause] * 3,
            *[self.cut] * 3,
            *[self.split] * 2,
            self.one_way,
            self.isolate,
            self.swizzle,
            self.bad_links,
            self.bad_links,
            self.slow,
            self.step_wall_clock,
            self.graceful,
            self.suspend_all,
            self.kill_all,
        )
        self.rng.choice(deeds)()

    def _host(self) -> Host:
        return self.rng.choice(self.hosts)

    def kill(self) -> None:
        host = self._host()
        if self.rng.random() < 0.3:
            host.vanish()
        else:
            host.kill()
        self.sim.after(self.rng.choice((0.05, 0.3, 2.0, 10.0, 40.0)), lambda: self.boot_again(host))

    def boot_again(self, host: Host) -> None:
        """With its disk, without, or with one that was restored from some time ago."""
        if host.process is not None:
            return
        rng = self.rng
        if rng.random() < 0.2:
            host.wall_offset_ms = rng.choice((0, -7_200_000, 7_200_000))
        if rng.random() < 0.2:
            host.reboot_clock()
        disk = rng.random()
        if disk < 0.2:
            host.boot(empty=True)
        elif disk < 0.35 and host.images:
            host.boot(rng.choice(host.images))
        else:
            host.boot()

    def kill_all(self) -> None:
        for host in self.hosts:
            host.kill()
            self.sim.after(self.rng.uniform(0.2, 6), partial(self.boot_again, host))

    def graceful(self) -> None:
        host = self._host()
        host.leave()
        self.sim.after(self.rng.choice((1.5, 5.0, 30.0)), lambda: self.boot_again(host))

    def pause(self) -> None:
        host = self._host()
        host.pause()
        self.sim.after(self.rng.choice((0.3, 1.5, 4.0, 7.0, 10.0, 25.0)), host.resume)

    def suspend_all(self) -> None:
        """A laptop's lid: everything stands still, clients too, but the clocks."""
        seconds = self.rng.choice((3.0, 12.0))
        for host in self.hosts:
            host.pause()
            self.sim.after(seconds, host.resume)

    def cut(self) -> None:
        one, other = self.rng.sample(self.hosts, 2)
        self.sim.split([one.index], [other.index])
        self._heal_later()

    def one_way(self) -> None:
        one, other = self.rng.sample(self.hosts, 2)
        self.sim.note(f"cut {one.name} to {other.name}")
        self.network.cut(one, other)
        self._heal_later()

    def isolate(self) -> None:
        host = self._host()
        self.sim.split([host.index], [each.index for each in self.hosts if each is not host])
        self._heal_later()

    def split(self) -> None:
        order = self.rng.sample(range(len(self.hosts)), len(self.hosts))
        at = self.rng.randint(1, len(order) - 1)
        self.sim.split(order[:at], order[at:])
        self._heal_later()

    def swizzle(self) -> None:
        """Links of some machines go one by one and come back in another order (FoundationDB's swizzle-clog)."""
        chosen = self.rng.sample(self.hosts, self.rng.randint(1, len(self.hosts)))
        pairs = [(one, other) for one in chosen for other in self.hosts if one is not other]
        start = self.sim.now
        for number, (one, other) in enumerate(pairs):
            self.sim.at(start + number * 0.3, partial(self._clog, one, other, cut=True))
        self.rng.shuffle(pairs)
        back = start + len(pairs) * 0.3 + self.rng.uniform(0, 10)
        for number, (one, other) in enumerate(pairs):
            self.sim.at(back + number * 0.3, partial(self._clog, one, other, cut=False))

    def _clog(self, one: Host, other: Host, cut: bool) -> None:
        if self.sim.now < TROUBLE_S:
            for a, b in ((one, other), (other, one)):
                (self.network.cut if cut else self.network.join)(a, b)

    def bad_links(self) -> None:
        rng = self.rng
        self.sim.note("bad links")
        for one in self.hosts:
            for other in self.hosts:
                if one is not other and rng.random() < 0.7:
                    link = self.network.own_link(one, other)
                    link.lost = rng.choice((0.0, 0.02, 0.2))
                    link.stalled = rng.choice((0.0, 0.05, 0.3))
                    link.doubled = rng.choice((0.0, 0.3))
                    link.reorder_s = rng.choice((0.0, 0.05))
        self._heal_later()

    def calm_links(self) -> None:
        """Some histories have a slow network from the start."""
        if self.rng.random() < 0.15:
            self.network.default.delay_s = (0.005, 0.030)

    def slow(self) -> None:
        host = self._host()
        self.sim.note(f"slow {host.name}")
        host.slow = self.rng.choice((5.0, 20.0, 60.0))
        self.sim.after(self.rng.uniform(2, 20), lambda: self._recover(host))

    def _recover(self, host: Host) -> None:
        host.slow = 1.0

    def step_wall_clock(self) -> None:
        self._host().wall_offset_ms += self.rng.choice((-600_000, 600_000, -2_000))

    def _heal_later(self) -> None:
        self.sim.after(self.rng.choice((0.5, 3.0, 8.0, 20.0, 40.0)), self.sim.heal)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print("\n".join(history(int(argument)).journal.story))
        print(f"seed {argument} passes")
