"""Tokens whose users have logged out, kept in the caching service until they expire: `revoked.<jti>`, in the gateway's
own name, so that every gateway knows them, also one that has just started.

    "not revoked"    remembered for FRESH_S from the moment it was asked for
    "revoked"        remembered for good
    no answer        nothing is known, and whoever asked must not go on

So half a second after a logout was answered, nobody takes the token any more, and nothing has to be told around.

Not here: what a token is (`tokens`), the caching service's own promises (`caching`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from cachetools import LRUCache, TLRUCache

from gateway.login.tokens import Token
from gateway.snapshot import Snapshot
from gateway.sticky_records import OWNER, SERVICE, TEXT
from plexmesh import Cache
from plexmesh.cache_errors import CacheError
from shared.errors import Unavailable

PREFIX = "revoked."
FRESH_S = 0.5
READ_S = 2.0
TRY_S = 0.5
WRITE_S = 5.0
MARGIN_S = 60
"""Longer than the token lives: clocks differ."""
REMEMBERED = 100_000

WHY = "whether a login was revoked cannot be found out: "


class Revocations:
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._reader = Cache(OWNER, self._urls, try_s=TRY_S, deadline_s=READ_S)
        self._writer = Cache(OWNER, self._urls, deadline_s=WRITE_S)
        self._revoked: LRUCache[str, bool] = LRUCache(REMEMBERED)
        self._good: TLRUCache[str, float] = TLRUCache(REMEMBERED, _stale, timer=time.monotonic)
        """And when that was asked."""
        self._opened = False
        self._asked: dict[str, tuple[asyncio.Task[bool], float]] = {}

    async def _open(self) -> None:
        """With the first call: most gateways are never asked."""
        if not self._opened:
            await self._reader.__aenter__()
            await self._writer.__aenter__()
            self._opened = True

    async def close(self) -> None:
        for task, _ in self._asked.values():
            task.cancel()
        if self._opened:
            await self._reader.__aexit__(None, None, None)
            await self._writer.__aexit__(None, None, None)

    def _urls(self) -> Sequence[str]:
        upstream = self._snapshot().upstreams.get(SERVICE)
        return [each.url for each in upstream.endpoints] if upstream else []

    async def revoke(self, token: Token, now_s: float) -> None:
        """It is stored when this returns. Raises Unavailable: it may be, or not."""
        if self._urls():
            await self._open()
            ttl_s = max(int(token.expires_s - now_s), 0) + MARGIN_S
            try:
                await self._writer.put(PREFIX + token.id, "1", ttl_s=ttl_s, content_type=TEXT)
            except CacheError as error:
                raise Unavailable(f"the logout cannot be stored: {error}") from error
            self._revoked[token.id] = True
            self._good.pop(token.id, None)
            return
        raise Unavailable("the logout cannot be stored: there is no caching service")

    async def revoked(self, token: Token) -> bool:
        """Raises Unavailable."""
        if token.id in self._revoked:
            return True
        if token.id in self._good:
            return False
        now = time.monotonic()
        task, began = self._asked.get(token.id, (None, 0.0))
        if task is None or now - began >= FRESH_S:  # one that began earlier may not have seen the newest
            began = now
            task = asyncio.get_running_loop().create_task(self._read(token.id, began))
            self._asked[token.id] = task, began
            task.add_done_callback(lambda done: self._answered(token.id, done))
        return await asyncio.shield(task)

    def _answered(self, id: str, task: asyncio.Task[bool]) -> None:
        if self._asked.get(id, (None, 0.0))[0] is task:
            del self._asked[id]
        if not task.cancelled():
            task.exception()  # whoever asked has it, if he is still there

    async def _read(self, id: str, began: float) -> bool:
        if not self._urls():
            raise Unavailable(WHY + "there is no caching service")
        await self._open()
        try:
            found = await self._reader.get(PREFIX + id)
        except CacheError as error:
            raise Unavailable(WHY + str(error)) from error
        if found is not None:
            self._revoked[id] = True
        elif id not in self._revoked:
            self._good[id] = began
        return id in self._revoked


def _stale(_id: str, asked: float, _now: float) -> float:
    return asked + FRESH_S
