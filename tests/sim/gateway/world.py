"""Virtual time for gateways, instances and callers: one integer decides everything.

A heap of (time, tie, what to do) is the world: it takes the earliest out and does it, so that simulated seconds cost
only what happens in them.

    world     the heap                                      server    an instance: workers, a queue, and what is wrong
    gateway   the real balancing core, and around it        callers   open-loop load
              what the exchange does with it                figures   what became of the calls
    turns     a service's bulkhead                          scenes    the parts put together

The core (`gateway.balancer`, `health`, `pickers`, `standing`, `budget`, `retries`, `policy`, `snapshot`, `bulkhead`) is
the real one. Sockets, clocks and processes are played; the registry says what a scenario has it say.

Source: FoundationDB's simulation; open-loop load as in Schroeder et al., Open Versus Closed (NSDI 2006): callers do not
wait for one another, so a slow instance meets all of its calls.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from random import Random


class World:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._ties = itertools.count()

    def at(self, time: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._heap, (max(time, self.now), next(self._ties), do))

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._heap, (self.now + seconds, next(self._ties), do))

    def run(self, until: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, do = heapq.heappop(heap)
            do()
        self.now = until
