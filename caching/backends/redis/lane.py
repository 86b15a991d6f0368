"""One connection to the master; calls that wait together go together, and each has its own outcome.

    waits ──sent──▶ answered
      │ ▲    │
      │ └────┤ the server says it did not do it, and somebody may soon: READONLY, LOADING, NOSCRIPT
      │      └──cut, or no answer in time──▶ Doubtful
      └──its time is over──▶ Unavailable: it was never sent

While one batch is under way the next gathers. A connection that was cut, or gave no answer in time, is never used
again: an answer that came late would be taken for another's. The library's own repeats are switched off: they cannot
tell what was sent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import hiredis
from redis import exceptions as theirs
from redis.asyncio import Connection

from caching.backends.batches import WAITING, Pending
from caching.backends.redis import replies
from caching.backends.redis.scripts import Command
from shared.errors import PlexmeshError, Unavailable

log = logging.getLogger("plexmesh.caching")

AT_ONCE = 128
PAUSE_S, LONG_PAUSE_S = 0.05, 0.5
"""Between two tries to connect: while calls wait for it, and after that."""
HANGS_S = 2.0
"""A master that is away longer than this is not waited for: calls are refused at once."""


class Doubtful(Exception):
    """No answer came to what was sent: it may or may not have been done."""


_NOT_DONE: Any = object()


class Lane:
    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        patience_s: float,
        done: Callable[[int, float], None] = lambda *_: None,
    ) -> None:
        """`connect` raises PlexmeshError. `patience_s`: what a batch may take. `done` is told its calls and seconds."""
        self._connect = connect
        self._patience_s = patience_s
        self._done = done
        self._waiting: deque[Pending[bytes]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._why = ""
        self._away_since: float | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def ask(self, *command: bytes | str | int, within_s: float) -> Any:
        """Its answer. Raises Unavailable, VolumeFull, Corrupt: it was not done; Doubtful."""
        pending = self._submit(command)
        try:
            async with asyncio.timeout(within_s):
                return await pending.future
        except TimeoutError as error:
            if pending.taken:
                raise Doubtful("Redis did not answer in time") from error
            raise Unavailable(f"Redis did not take it in time{self._because()}; nothing was changed") from error

    def drop(self) -> None:
        """The connection is given up, with what is under way on it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            abort(connection)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.drop()
        for each in self._waiting:
            each.settle(Unavailable("The storage is being closed; nothing was changed"))

    def _submit(self, command: Command) -> Pending[bytes]:
        if len(self._waiting) >= WAITING:
            raise Unavailable(f"{WAITING} calls wait already; nothing was changed")
        if self._long_away():
            raise Unavailable(f"Redis is away{self._because()}; nothing was changed")
        packed = hiredis.pack_command(command)  # type: ignore[arg-type]  # of any length, whatever the stub says
        pending = Pending(packed, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        self._run_on()
        return pending

    def _long_away(self) -> bool:
        return self._away_since is not None and time.monotonic() - self._away_since > HANGS_S

    def _because(self) -> str:
        return f" ({self._why})" if self._why else ""

    def _run_on(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        await asyncio.sleep(0)  # what the loop has heard of the connection is told first, and more calls come along
        while self._waiting or self._away_since is not None:
            connection = await self._connected()
            if connection is None:
                self._forget_those_who_left()
                await asyncio.sleep(LONG_PAUSE_S if self._long_away() else PAUSE_S)
            elif batch := self._taken():
                await self._exchange(connection, batch)

    async def _connected(self) -> Connection | None:
        if self._connection is not None and _closed(self._connection):
            self.drop()
        if self._connection is None:
            try:
                async with asyncio.timeout(self._patience_s):
                    self._connection = await self._connect()
            except (PlexmeshError, TimeoutError) as error:
                self._why = str(error) or "no connection in time"
                self._away_since = self._away_since or time.monotonic()
                return None
            except Exception as error:  # the top of this task's work: it goes on, and those who wait time out
                log.exception("storage.connect_failed")
                self._why = type(error).__name__
                return None
            self._why, self._away_since = "", None
        return self._connection

    def _forget_those_who_left(self) -> None:
        self._waiting = deque(each for each in self._waiting if not each.future.done())

    def _taken(self) -> list[Pending[bytes]]:
        batch: list[Pending[bytes]] = []
        while self._waiting and len(batch) < AT_ONCE:
            if not (each := self._waiting.popleft()).future.done():
                batch.append(each)
        return batch

    async def _exchange(self, connection: Connection, batch: list[Pending[bytes]]) -> None:
        started, answered = time.monotonic(), 0
        back: list[Pending[bytes]] = []
        for each in batch:
            each.taken = True
        try:
            async with asyncio.timeout(self._patience_s):
                await connection.send_packed_command([each.call for each in batch], check_health=False)
                for each in batch:
                    if (outcome := await _answer(connection)) is _NOT_DONE:
                        back.append(each)
                    else:
                        each.settle(outcome)
                    answered += 1
        except (*replies.CUT, asyncio.CancelledError) as error:
            self.drop()
            for each in batch[answered:]:
                each.settle(Doubtful(f"the connection was cut ({type(error).__name__})"))
            if isinstance(error, asyncio.CancelledError):
                raise
        self._done(len(batch), time.monotonic() - started)
        if back:
            self._take_back(back)

    def _take_back(self, back: list[Pending[bytes]]) -> None:
        """They were not done. The next connection is a new one: where the master is now, with the script."""
        for each in reversed(back):
            each.taken = False
            self._waiting.appendleft(each)
        self.drop()


def abort(connection: Connection) -> None:
    """Now, with what it has not sent yet: `disconnect` would wait for a server that is frozen to take that. Whoever
    reads from it is told."""
    writer = connection._writer
    if writer is not None:
        writer.transport.abort()
    connection._reader = connection._writer = None


def _closed(connection: Connection) -> bool:
    """By the server, while nothing was under way: better known before the next batch is sent."""
    return connection._reader is None or connection._reader.at_eof()


async def _answer(connection: Connection) -> Any:
    """What is to be told, an exception as well; `_NOT_DONE`: it may be asked again."""
    try:
        return await connection.read_response(disable_decoding=True, disconnect_on_error=False)
    except theirs.RedisError as error:
        if isinstance(error, replies.NOSCRIPT) or replies.waits(error):
            return _NOT_DONE
        if type(error) in (theirs.ConnectionError, theirs.TimeoutError, theirs.InvalidResponse):
            raise
        return replies.meaning(error)
