"""What every test of the storage contract gets: a bench of one backend, and storages opened on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from caching.limits import Limit
from caching.storage import Storage
from tests.contract.storages import BENCHES, Bench

Open = Callable[..., Awaitable[Storage]]


@pytest.fixture(params=list(BENCHES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with BENCHES[request.param](tmp_path) as made:
        yield made


@pytest.fixture
async def opening(bench: Bench) -> AsyncIterator[Open]:
    """Opens a storage with the given limit; closed at the end."""
    opened: list[Storage] = []

    async def open_one(limit: Limit | None = None) -> Storage:
        made = bench.new(limit or Limit())
        await made.open()
        opened.append(made)
        return made

    yield open_one
    for each in opened:
        await each.close()


@pytest.fixture
async def storage(opening: Open) -> Storage:
    return await opening()
