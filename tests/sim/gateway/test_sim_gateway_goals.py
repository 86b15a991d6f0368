"""The gateway's goals, each over several seeds; what each guard is worth; and random histories.

Figures are printed (`pytest -s`). With PLEXMESH_SIM_SECONDS (`make soak`) histories go on with new seeds for so long.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

import pytest

from gateway.guards import NAMES, guards_without
from tests.sim.gateway import scenarios
from tests.sim.gateway.histories import history
from tests.sim.gateway.scenarios import Missed

SOAK_S = float(os.environ.get("PLEXMESH_SIM_SECONDS", "0"))
SECONDS = SOAK_S or 3.0
SEEDS = range(1, 4)
FIRST_HISTORY = 1000

PLAYS: dict[str, Callable[[int], str]] = {
    name: getattr(scenarios, name)
    for name in (
        "killed", "failing", "hung", "vanished", "slow", "lossy", "flapping", "all_failing", "all_half_failing",
        "eight_gateways", "hundred", "few_left", "overrun", "hung_at_night", "lpar_lost", "returned", "returned_cold",
        "restarted", "peak_in_one_lpar", "lpar_without_instances",
    )
} | {
    **{f"slow at {per_s}/s": partial(scenarios.slow, per_s=per_s) for per_s in (10, 100, 1000)},
    "slow, peakEwma": partial(scenarios.slow, picker="peakEwma"),
    "eight gateways, one hung": partial(scenarios.eight_gateways, way="hung"),
    "30 of a hundred failing": partial(scenarios.hundred, way="failing"),
    "back from failing": partial(scenarios.returned, way="failing"),
    "back from hanging, peakEwma": partial(scenarios.returned, way="hung", picker="peakEwma"),
}  # fmt: skip

WORTH = {
    "evidence": "killed",
    "silence": "lpar_lost",
    "doubt": "hung",
    "probes": "hung_at_night",
    "ejection": "failing",
    "panic": "few_left",
    "slow_start": "returned_cold",
    "retries": "killed",
    "reroute": "hundred",
    "budget": "all_half_failing",
    "shedding": "overrun",
}
"""Guard → the play whose goal is missed without it."""


@pytest.mark.parametrize("name", PLAYS)
def test_the_goal_is_reached(name: str) -> None:
    for seed in SEEDS:
        print(f"seed {seed}: {PLAYS[name](seed)}")


def test_every_guard_is_worth_something() -> None:
    assert set(WORTH) == set(NAMES)


@pytest.mark.parametrize("guard", WORTH)
def test_without_this_guard_the_goal_is_missed(guard: str) -> None:
    for seed in SEEDS:
        with pytest.raises(Missed) as missed:
            getattr(scenarios, WORTH[guard])(seed, guards_without([guard]))
        print(f"seed {seed}: without {guard}: {missed.value}")


def test_more_histories() -> None:
    """Faults come and go as they like, but for one that is well: no GET is lost, and in peace shares are even."""
    seed = int(time.time()) if SOAK_S else FIRST_HISTORY
    end, first = time.monotonic() + SECONDS, seed
    while time.monotonic() < end:
        try:
            history(seed)
        except Missed as missed:
            raise AssertionError(f"seed {seed} (python -m tests.sim.gateway.histories {seed}): {missed}") from missed
        seed += 1
    print(f"{seed - first} histories passed, from {first} on")
