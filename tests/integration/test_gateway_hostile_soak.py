"""Damaged conversations without end against a real gateway, with the strict judge behind it.

`make test` plays those of a few seconds, beginning at the same place each time; with PLEXMESH_HOSTILE_SECONDS (`make
soak`) it begins elsewhere each time. A failing seed is told with its bytes and played again alone by
`PLEXMESH_HOSTILE_SEED=SEED`.
"""

from __future__ import annotations

import gc
import os
import time

import pytest

from tests.hostile.mutation import conversation
from tests.hostile.play import Stage, a_stage, all_good
from tests.hostile.theatre import faults_of, perform
from tests.integration.gateway_rig import QUICK, on_uvloop

SECONDS = float(os.environ.get("PLEXMESH_HOSTILE_SECONDS", "6"))
SLICE_S = 15.0
FIRST_SEED = 394_849_000
PATIENT = QUICK | {"head_timeout_s": 0.9, "idle_timeout_s": 1.8}
"""A pause of this process, between connecting and writing a good request, must not look like a broken connection."""

GOOD_EVERY = 20
"""So many conversations between good requests through all pooled connections."""


class Seeds:
    """`played` counts over all parts of the test."""

    def __init__(self) -> None:
        soak = "PLEXMESH_HOSTILE_SECONDS" in os.environ
        self.first = 1_000_000 + int(time.time()) % 1_000_000 * 1_000 if soak else FIRST_SEED
        self.first = int(os.environ.get("PLEXMESH_HOSTILE_SEED", self.first))
        self.played = 0

    def next(self) -> int:
        self.played += 1
        return self.first + self.played - 1


seeds = Seeds()


async def played(stage: Stage, seed: int) -> str:
    """What broke, or nothing."""
    pieces = conversation(seed)
    outcome = await perform(stage, pieces)
    found = faults_of(outcome, b"".join(pieces))
    if seed % GOOD_EVERY == 0:
        found += await all_good(stage)
    return "\n".join([f"seed {seed}", *found, f"written: {pieces}", f"answers: {outcome.answers}"]) if found else ""


@pytest.mark.parametrize("part", range(max(1, round(SECONDS / SLICE_S))))
@on_uvloop
async def test_damaged_conversations(part: int, capsys: pytest.CaptureFixture[str]) -> None:
    end = time.monotonic() + min(SLICE_S, SECONDS)
    before, broken = seeds.played, ""
    gc.collect()
    gc.freeze()  # what thousands of tests have left is not looked through again: that takes longer than a time-out here
    try:
        async with a_stage(**PATIENT) as stage:
            while time.monotonic() < end and not broken:
                broken = await played(stage, seeds.next())
    finally:
        gc.unfreeze()
    with capsys.disabled():
        print(f"\nhostile: {seeds.played} damaged conversations played, from seed {seeds.first} on")
    assert not broken, broken
    assert seeds.played > before
