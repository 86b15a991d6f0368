"""What it costs to pick an instance: microseconds a pick of every picker, alone and as its balancer asks it.

`python -P -m bench.gateway.picks`. Of 3 instances and of 100, a third of which is ejected, with two calls under way at
each of the others, so that rings look at the load. In a second series weights differ. The best of five runs counts: it
is the one least disturbed by whatever else the machine does. The goal is 2 µs at 100 instances.

No proxy takes part: this is what a call costs the gateway's own core beyond what every proxy does.
Not here: whole calls (`bench.gateway`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from gateway.balancer import Balancer
from gateway.health import Health, Record
from gateway.pickers import PICKERS
from gateway.policy import PLAIN
from gateway.snapshot import Endpoint, Upstream
from gateway.standing import Standing

COUNTS = (3, 100)
UNDER_WAY = 2
PICKS = 20_000
RUNS = 5
GOAL_US = 2.0
KEYS = [b"user %d" % number for number in range(256)]

Pick = Callable[[float, bytes], Standing]


def instances(count: int, weights: Sequence[int]) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            f"orders/{number}", "orders", 1, "", f"127.0.1.{number}", "", 9000, b"", (), b"", lpar=f"LPAR{number % 2}",
            weight=weights[number % len(weights)],
        )
        for number in range(count)
    )  # fmt: skip


def balancer(picker: str, endpoints: Sequence[Endpoint]) -> Balancer:
    """A third of them is ejected; the others have answered, and are busy."""
    standings = {each.key: Standing(each, 0.0) for each in endpoints}
    for standing in standings.values():
        standing.answered(0.0, 0.005)
        standing.in_flight = UNDER_WAY
    health = Health(Random(1))
    for each in endpoints[: len(endpoints) // 3]:
        health.records[each.key] = Record(each, "ejected", "it answered 503", 0.0, 1.0)
    made = Balancer(health, standings, Random(1), "LPAR1")
    made.adopt(Upstream("orders", (), tuple(endpoints), len(endpoints), replace(PLAIN, picker=picker)))
    return made


def alone(picker: str, candidates: Sequence[Standing]) -> Pick:
    made = PICKERS[picker](Random(1))
    made.renew(candidates)
    return made.pick


def cost_us(pick: Pick) -> float:
    """Of one pick, at the best of the runs; what the loop itself costs is in it."""
    keys = KEYS * (PICKS // len(KEYS))
    best = float("inf")
    for _ in range(RUNS):
        begun = time.perf_counter()
        for key in keys:
            pick(0.1, key)
        best = min(best, time.perf_counter() - begun)
    return best / len(keys) * 1e6


def main() -> int:
    missed = 0
    print(f"µs a pick, a third ejected, {UNDER_WAY} calls under way at each of the others")
    print(f"{'':16}" + "".join(f"{f'{count}, {how}':>16}" for count in COUNTS for how in ("alone", "balanced")))
    for name, weights in (("equal", (100,)), ("1:3:10", (100, 300, 1000))):
        for picker in PICKERS:
            figures = []
            for count in COUNTS:
                made = balancer(picker, instances(count, weights))
                figures += [cost_us(alone(picker, made.candidates)), cost_us(made.pick)]
            missed += figures[2] > GOAL_US
            over = "" if figures[2] <= GOAL_US else f"   more than {GOAL_US:g}"
            print(f"{picker:14}  " + "".join(f"{figure:16.2f}" for figure in figures) + f"   {name}{over}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
