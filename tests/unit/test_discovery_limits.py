"""The token bucket, and a watcher's buffer."""

from __future__ import annotations

import asyncio
import random

import pytest

from discovery.limits import JITTER_S, Bucket, TooMany
from discovery.token import Place
from discovery.watcher import Watcher

T1, T2 = {"A@1": Place(1)}, {"A@1": Place(2)}


def bucket(rate_per_s: float = 10.0, burst: float = 20.0) -> Bucket:
    return Bucket(rate_per_s, burst, random.Random(1))


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    held = bucket()
    held.take(20, 100.0)
    with pytest.raises(TooMany):
        held.take(1, 100.0)
    held.take(10, 101.0)
    with pytest.raises(TooMany):
        held.take(1, 101.0)


def test_what_is_refused_takes_nothing() -> None:
    held = bucket()
    held.take(15, 0.0)
    with pytest.raises(TooMany):
        held.take(6, 0.0)
    held.take(5, 0.0)


def test_the_pause_is_long_enough_and_not_the_same_for_all() -> None:
    held = bucket()
    held.take(20, 0.0)
    pauses = set()
    for _ in range(30):
        with pytest.raises(TooMany) as refused:
            held.take(20, 0.0)
        pauses.add(refused.value.retry_after_s)
        assert 2 <= refused.value.retry_after_s <= 2 + JITTER_S + 1
    assert len(pauses) > 1


def test_more_than_a_burst_passes_when_the_bucket_is_full() -> None:
    held = bucket()
    held.take(1000, 0.0)
    with pytest.raises(TooMany):
        held.take(1, 0.0)


def test_a_quiet_time_fills_it_to_the_brim_only() -> None:
    held = bucket()
    held.take(20, 0.0)
    held.take(20, 1e6)
    with pytest.raises(TooMany):
        held.take(1, 1e6)


def test_rate_zero_is_no_limit() -> None:
    held = bucket(rate_per_s=0.0)
    for _ in range(100):
        held.take(1000, 0.0)


async def test_a_watcher_is_told_what_was_fed_in_order_and_where_it_stands() -> None:
    watcher = Watcher(100, T1)
    frames = watcher.frames()
    watcher.feed(b"a")
    watcher.feed(b"b", T2)
    watcher.feed(b"c")
    assert await anext(frames) == b"abc"
    assert watcher.token == T2
    watcher.end()
    assert [each async for each in frames] == []


async def test_a_watcher_that_lags_is_told_no_more_and_stands_where_it_was() -> None:
    watcher = Watcher(10, T1)
    watcher.feed(b"12345", T2)
    watcher.feed(b"12345", T2)
    assert not watcher.lagging
    watcher.feed(b"1", T2)
    watcher.feed(b"2", T2)
    assert watcher.lagging
    assert [each async for each in watcher.frames()] == []
    assert watcher.token == T1


async def test_what_was_written_is_room_again() -> None:
    watcher = Watcher(10, T1)
    frames = watcher.frames()
    for _ in range(5):
        watcher.feed(b"123456789")
        assert await anext(frames) == b"123456789"
        reading = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0)
        watcher.feed(b"1")
        assert await reading == b"1"
    assert not watcher.lagging
