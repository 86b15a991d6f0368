"""How long what was found out about a token is believed: by a gateway's parent, and by a data path that asks it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from gateway.login import revocations, table
from gateway.login.passing import Outcome
from gateway.login.revocations import Revocations
from gateway.login.table import LoginTable
from gateway.login.tokens import Token
from gateway.snapshot import EMPTY
from plexmesh import Cached
from plexmesh.cache_errors import CacheError, OutcomeUnknown
from plexmesh.cache_errors import Unavailable as Away
from shared.errors import Unavailable

TOKEN = Token("ada", 0, 1 << 30, "x")


class Store:
    """A cache that answers when it is told to."""

    def __init__(self) -> None:
        self.entries: dict[str, int | None] = {}
        self.reads = 0
        self.trouble: CacheError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def get(self, key: str) -> Cached | None:
        self.reads += 1
        found = key in self.entries
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        return Cached(key, b"1", "") if found else None

    async def put(self, key: str, value: str, *, ttl_s: int | None = None, content_type: str = "") -> str:
        if self.trouble is not None:
            raise self.trouble
        self.entries[key] = ttl_s
        return ""


def a_gateway(store: Store, *, registered: bool = True) -> Revocations:
    found = Revocations(lambda: EMPTY)
    found._reader = found._writer = store  # type: ignore[assignment]
    found._opened = True
    found._urls = lambda: ["http://cache"] if registered else []  # type: ignore[method-assign]
    return found


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(5):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)


async def test_a_logout_is_stored_for_as_long_as_the_token_lives_and_known_to_others() -> None:
    store = Store()
    one, other = a_gateway(store), a_gateway(store)
    await one.revoke(TOKEN, TOKEN.expires_s - 100.5)
    assert store.entries == {"revoked.x": 160}
    assert await one.revoked(TOKEN)
    assert await other.revoked(TOKEN)
    assert await other.revoked(TOKEN)
    assert store.reads == 1  # revoked is for good


async def test_not_revoked_is_believed_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocations, "FRESH_S", 0.05)
    store = Store()
    one, other = a_gateway(store), a_gateway(store)
    assert not any([await other.revoked(TOKEN) for _ in range(3)])
    assert store.reads <= 3
    await one.revoke(TOKEN, 0)
    await until(lambda: other.revoked(TOKEN))


async def test_a_slow_answer_is_not_believed_longer_than_a_quick_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocations, "FRESH_S", 0.05)
    store = Store()
    one, other = a_gateway(store), a_gateway(store)
    store.gate.clear()
    early = asyncio.create_task(other.revoked(TOKEN))
    while not store.reads:  # noqa: ASYNC110 - a turn of the loop or two
        await asyncio.sleep(0)
    await one.revoke(TOKEN, 0)  # after it was read, before it is answered
    await asyncio.sleep(0.06)
    late = asyncio.create_task(other.revoked(TOKEN))  # does not wait for the early one's answer
    while store.reads < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    store.gate.set()
    assert not await early
    assert await late
    assert await other.revoked(TOKEN)


async def test_those_who_ask_at_the_same_time_ask_once() -> None:
    store = Store()
    one = a_gateway(store)
    assert await asyncio.gather(*(one.revoked(TOKEN) for _ in range(20))) == [False] * 20
    assert store.reads == 1


async def test_without_an_answer_nothing_is_known_and_nothing_is_promised() -> None:
    store = Store()
    for one in (a_gateway(store, registered=False), a_gateway(store)):
        store.trouble = Away("gone")
        with pytest.raises(Unavailable):
            await one.revoked(TOKEN)
        with pytest.raises(Unavailable):
            await one.revoke(TOKEN, 0)
        store.trouble = OutcomeUnknown("1", "cut")
        with pytest.raises(Unavailable):
            await one.revoke(TOKEN, 0)
    store.trouble = None
    assert not await one.revoked(TOKEN)


# --- a data path


class Asked:
    def __init__(self) -> None:
        self.numbers: list[int] = []

    def ask(self, number: int, token: str) -> bool:
        self.numbers.append(number)
        return True


def a_path() -> tuple[LoginTable, Asked, list[Outcome]]:
    found = LoginTable()
    found.asking = asked = Asked()
    return found, asked, []


async def test_an_answer_is_remembered_from_when_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FRESH_S", 0.05)
    path, asked, heard = a_path()
    path.seek("t", heard.append)
    time.sleep(0.06)  # noqa: ASYNC251 - nothing else is to happen
    path.found(asked.numbers[0], "good")
    assert heard == ["good"]
    assert path.known("t") is None


async def test_who_comes_later_waits_for_an_answer_of_his_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FRESH_S", 0.05)
    path, asked, heard = a_path()
    path.seek("t", heard.append)
    path.seek("t", heard.append)
    assert len(asked.numbers) == 1
    time.sleep(0.06)  # noqa: ASYNC251 - nothing else is to happen
    late: list[Outcome] = []
    path.seek("t", late.append)
    first, second = asked.numbers
    path.found(first, "good")
    assert (heard, late, path.known("t")) == (["good", "good"], [], None)
    path.found(second, "bad")
    path.found(second, "good")  # nobody asks any more
    assert (late, path.known("t")) == (["bad"], "bad")


async def test_what_is_not_known_is_not_remembered() -> None:
    path, asked, heard = a_path()
    path.seek("t", heard.append)
    path.found(asked.numbers[0], "not known")
    assert (heard, path.known("t"), path._questions, path._latest) == (["not known"], None, {}, {})


def test_a_logout_is_known_within_a_second_all_in_all() -> None:
    assert revocations.FRESH_S + table.FRESH_S < 1.0
