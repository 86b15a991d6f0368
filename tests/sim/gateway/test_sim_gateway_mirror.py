"""The played exchange does what the real one does: random steps done to both, and everything compared after each."""

from __future__ import annotations

import pytest

from tests.sim.gateway.mirror import scripted


@pytest.mark.parametrize("first", range(0, 60, 20))
async def test_the_played_gateway_is_as_the_real_one(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    for seed in range(first, first + 20):
        assert not await scripted(monkeypatch, seed)
