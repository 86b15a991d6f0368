"""Random histories of two to nine nodes with every fault there is; afterwards all must agree, and on the truth.

Some seeds are always run; then comes a long series, as far as time allows. `make test` begins it at the same place
each time, so that a change fails by what it changed; with PLEXMESH_SIM_SECONDS (`make soak`) it begins elsewhere each
time. A failing seed replays alone and tells its story: `python -m tests.sim.faults SEED`; it is kept in REGRESSIONS.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import pytest

from tests.sim.faults import history

SECONDS = float(os.environ.get("PLEXMESH_SIM_SECONDS", "14"))
SLICE_S = 25.0
FIRST_SEED = 394_849_000
SERIES = 600
"""So many from there; a machine that is through begins again."""
CORES = 2

REGRESSIONS = [
    *(69, 95, 131, 143, 151, 156, 158, 163, 167, 173, 180, 187, 190, 206, 357, 478),
    *(1046, 1050, 1230, 1247, 1463, 1545, 2305, 4142),
]


class NewSeeds(Iterator[int]):
    """In a soak other numbers each time; `passed` counts over all parts of the test."""

    def __init__(self) -> None:
        self._soak = "PLEXMESH_SIM_SECONDS" in os.environ
        self.first = 1_000_000 + int(time.time()) % 1_000_000 * 1_000 if self._soak else FIRST_SEED
        self._next = self.first
        self.passed = 0

    def __next__(self) -> int:
        seed, self._next = self._next, self._next + 1
        return seed if self._soak else FIRST_SEED + (seed - FIRST_SEED) % SERIES


new_seeds = NewSeeds()


def outcome(seed: int) -> tuple[int, str]:
    """(seed, what broke or nothing), for worker processes."""
    try:
        history(seed)
    except Exception as error:  # noqa: BLE001 - a seed that raises anything at all is a finding
        return seed, f"seed {seed}: {type(error).__name__}: {error}"
    return seed, ""


@pytest.fixture(scope="module")
def workers() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(CORES, multiprocessing.get_context("spawn")) as pool:
        yield pool


def run_all(workers: ProcessPoolExecutor, seeds: Iterable[int], seconds: float = float("inf")) -> int:
    """Run histories until the seeds or the time end; returns how many passed. Fails with the first that did not."""
    deadline = time.monotonic() + seconds
    waiting: set[Future[tuple[int, str]]] = set()
    passed = 0
    seeds = iter(seeds)
    while True:
        while len(waiting) < 2 * CORES and time.monotonic() < deadline and (seed := next(seeds, None)) is not None:
            waiting.add(workers.submit(outcome, seed))
        if not waiting:
            return passed
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for each in done:
            seed, broken = each.result()
            assert not broken, f"{broken}\nreplay: python -m tests.sim.faults {seed}"
            passed += 1


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_known_histories(workers: ProcessPoolExecutor, first: int) -> None:
    run_all(workers, range(first, first + 10))


@pytest.mark.parametrize("part", range(3))
def test_histories_that_have_shown_a_fault(workers: ProcessPoolExecutor, part: int) -> None:
    run_all(workers, REGRESSIONS[part::3])


@pytest.mark.parametrize("part", range(max(1, round(SECONDS / SLICE_S))))
def test_more_histories(workers: ProcessPoolExecutor, part: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The series, as far as time allows."""
    passed = run_all(workers, new_seeds, min(SLICE_S, SECONDS))
    new_seeds.passed += passed
    with capsys.disabled():
        print(f"\nsimulation: {new_seeds.passed} seeds passed, from {new_seeds.first} on")
    assert passed > 0


def test_one_integer_replays_a_history_in_any_process() -> None:
    """The order of sets of strings differs between processes; nothing may depend on it."""
    stories = []
    for hash_seed in ("1", "2"):
        replay = subprocess.run(
            [sys.executable, "-m", "tests.sim.faults", "7"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        stories.append(replay.stdout)
    assert "boot LPAR1" in stories[0]
    assert stories[0] == stories[1]
