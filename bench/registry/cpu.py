"""CPU time of the parts over a while, and of everything else on the machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import psutil

Parts = Callable[[], Mapping[str, float]]
"""Name of a process → CPU seconds it has used so far."""


@dataclass
class Cpu:
    """Shares of one core."""

    shares: dict[str, float] = field(default_factory=dict)

    @property
    def nodes(self) -> float:
        return sum(share for name, share in self.shares.items() if name.startswith("node"))

    def __str__(self) -> str:
        return "  ".join(f"{name} {share:.0%}" for name, share in self.shares.items())


@contextlib.contextmanager
def spent(parts: Parts) -> Iterator[Cpu]:
    """The shares are there after the block. A process that started within it counts from its start."""
    cpu, begun, before = Cpu(), time.monotonic(), parts()
    load, machine = time.process_time(), busy_s()
    yield cpu
    passed_s = time.monotonic() - begun
    used = {name: seconds - min(before.get(name, 0.0), seconds) for name, seconds in parts().items()}
    used["load"] = time.process_time() - load
    used["others"] = max(busy_s() - machine - sum(used.values()), 0.0)
    cpu.shares = {name: seconds / passed_s for name, seconds in used.items()}


def busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)
