"""What a component uses: processor, memory, threads and descriptors, summed over all its processes.

Measured only when somebody asks. The processor's part is that since the question before, at the first one since the
processes began; 100 is one core. Resident memory counts pages that processes share once for each of them, so the sum
is an upper bound. What an ended process had used is not in it.

Not here: which processes are a component's (`launcher.supervisor`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from launcher.pids import Pid


@dataclass(frozen=True)
class Resources:
    cpu_percent: float
    rss_bytes: int
    threads: int
    descriptors: int


class Meter:
    """One component's. It remembers what each process had used at the last question."""

    def __init__(self) -> None:
        self._used_s: dict[Pid, float] = {}
        self._asked = 0.0

    def measure(self, processes: Iterable[Pid]) -> Resources:
        now = time.monotonic()
        used_s, cpu, rss, threads, descriptors = {}, 0.0, 0, 0, 0
        for each in processes:
            with contextlib.suppress(psutil.Error, OSError):  # it has ended meanwhile
                process = psutil.Process(each.pid)
                with process.oneshot():
                    times = process.cpu_times()
                    used_s[each] = times.user + times.system
                    passed_s = now - self._asked if each in self._used_s else time.time() - process.create_time()
                    cpu += (used_s[each] - self._used_s.get(each, 0.0)) / max(passed_s, 0.01)
                    rss += process.memory_info().rss
                    threads += process.num_threads()
                    descriptors += process.num_fds()
        self._used_s, self._asked = used_s, now
        return Resources(round(100 * cpu, 1), rss, threads, descriptors)
