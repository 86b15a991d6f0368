"""Who runs where: the proxy under test has one core to itself, load and upstreams have the rest."""

from __future__ import annotations

import os
from dataclasses import dataclass

Cores = frozenset[int]


@dataclass(frozen=True)
class Split:
    proxy: Cores
    rest: Cores


def split() -> Split:
    """The last core is the proxy's: interrupts gather on the first. Needs two."""
    first, *others = sorted(os.sched_getaffinity(0))
    assert others, "one core is not enough to tell a proxy from its load"
    return Split(frozenset({others[-1]}), frozenset({first, *others[:-1]}))
