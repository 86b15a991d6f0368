"""Calls that wait together go together: while one batch is under way, the next gathers.

Theory: as group commit; what a round trip costs is shared by all that came while the one before was under way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from shared.errors import Unavailable

T = TypeVar("T")

WAITING = 1024
"""Calls that may wait; one more is refused at once."""


class Pending(Generic[T]):
    """A call that waits, the future of its outcome, and whether it was taken into a batch, so that it may be done."""

    __slots__ = ("call", "future", "taken")

    def __init__(self, call: T, future: asyncio.Future[Any]) -> None:
        self.call = call
        self.future = future
        self.taken = False

    def settle(self, outcome: Any) -> None:
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Batches(Generic[T]):
    def __init__(
        self,
        work: Callable[[Sequence[Pending[T]]], Awaitable[None]],
        take: Callable[[deque[Pending[T]]], list[Pending[T]]],
    ) -> None:
        """`work` settles all of a batch; `take` removes what is to go together from those that wait. Who has given up
        is left out."""
        self._work = work
        self._take = take
        self._waiting: deque[Pending[T]] = deque()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(self, call: T) -> Pending[T]:
        if len(self._waiting) >= WAITING:
            raise Unavailable(f"{WAITING} calls wait already; nothing was changed")
        pending = Pending(call, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        return pending

    async def finish(self, within_s: float) -> None:
        """What waits is still done, if there is time."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=within_s)
            self._task.cancel()

    async def _run(self) -> None:
        while self._waiting:
            batch = [each for each in self._take(self._waiting) if not each.future.done()]
            for each in batch:
                each.taken = True
            if batch:
                await self._work(batch)
