"""A random history: some gateways, a service, load, and faults that come and go; then peace.

At each moment one instance is well and has been for a while. Any number of others may be dead, vanished or hung; one
at most answers with failures, slowly, or with a part of its calls lost, and two are well then. Under these rules no GET
may be lost, whatever comes together. A seed replays alone: `python -m tests.sim.gateway.histories SEED`.
"""

from __future__ import annotations

import sys
from random import Random
from typing import NamedTuple

from gateway.guards import ALL, Guards
from tests.sim.gateway.figures import Figures
from tests.sim.gateway.scenarios import goal, no_get_lost, only_sent_posts_lost
from tests.sim.gateway.scenes import Scene
from tests.sim.gateway.server import Way

GONE: tuple[Way, ...] = ("dead", "vanished", "hung")
POORLY: tuple[Way, ...] = ("failing", "half", "lossy", "slow")

FIRST_S, LAST_S = 3.0, 24.0
PEACE_S = 45.0
"""So long after the last fault, shares are even."""
KNOWN_S = 3.0
"""After so long, no fault is news."""
LONGEST_GET_S = 10.0
"""It may have waited at one hung instance after another."""


class Fault(NamedTuple):
    begin: float
    end: float
    server: int
    way: Way


def drawn(random: Random, servers: int) -> list[Fault]:
    """In the order of their beginnings; at least one is always well, two while one is poorly."""
    faults: list[Fault] = []
    time = FIRST_S
    while time < LAST_S:
        now = [each for each in faults if each.end + KNOWN_S > time]
        well = [number for number in range(servers) if number not in {each.server for each in now}]
        ways = GONE if any(each.way in POORLY for each in now) else GONE + POORLY
        way = random.choice(ways)
        spared = 2 if way in POORLY or any(each.way in POORLY for each in now) else 1
        if len(well) > spared:
            faults.append(Fault(time, time + random.uniform(0.3, 8), random.choice(well), way))
        time += random.expovariate(0.8)
    return faults


def history(seed: int, guards: Guards = ALL) -> str:
    """Returns its figures; raises Missed."""
    random = Random(seed)
    servers = random.choice((2, 3, 3, 4, 6, 10))
    scene = Scene(
        seed,
        servers,
        gateways=random.choice((1, 1, 2, 4, 8)),
        guards=guards,
        mean_s=random.choice((0.002, 0.005, 0.02)),
        picker=random.choice(("leastRequests", "leastRequests", "peakEwma", "roundRobin", "random")),
    )
    per_s = random.choice((20, 60, 150, 300))
    faults = drawn(random, servers)
    for each in faults:
        scene.become(each.begin, each.way, each.server, share=0.7)
        scene.become(each.end, "well", each.server)
    peace = max((each.end for each in faults), default=LAST_S) + PEACE_S
    scene.load(per_s, LAST_S + 10)
    scene.at(peace - 15, lambda: scene.load(60, peace + 20))
    figures = scene.finish()
    judge(figures, faults, servers, peace)
    return figures.line(f"history {seed}")


def judge(figures: Figures, faults: list[Fault], servers: int, peace: float) -> None:
    no_get_lost(figures)
    only_sent_posts_lost(figures)
    slowest_s = figures.latency_s(1.0, "GET")
    goal(slowest_s < LONGEST_GET_S, f"a GET took {slowest_s:.1f} s")
    tries = figures.tries_per_call()
    goal(tries < 1.3, f"{tries:.2f} tries a call")
    wasted = sum(
        fault.begin + KNOWN_S < each.time < fault.end and each.server == fault.server
        for fault in faults
        if fault.way in GONE
        for each in figures.tries
    )
    goal(wasted <= 3 + 0.01 * len(figures.tries), f"{wasted} tries at instances gone for {KNOWN_S:g} s")
    shares = figures.spread(servers, peace)
    goal(min(shares) > 0.3 and max(shares) < 2.2, f"in peace, their shares are {[round(each, 2) for each in shares]}")


if __name__ == "__main__":
    print(history(int(sys.argv[1])))
