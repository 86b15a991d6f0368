"""The thread that writes: every write that waits goes into one commit, and is answered after it.

    waiting ──take, at most BATCH, once the lock is held──▶ in a commit ──synced──▶ answered
       │
       └──withdrawn at its deadline: certainly not applied

The thread opens the data set too, and ends it: everything that needs the lock happens here, so a lock that a stopped
process holds blocks this thread and nothing else. What is taken can no longer be withdrawn; its outcome is then unknown
until it is answered. The thread is a daemon: one that is blocked does not keep the process from ending.

Theory: group commit; the sync of a commit is shared by all writes that came while the one before was under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from caching.backends.batches import WAITING, Pending
from caching.backends.data_set import DataSet
from caching.backends.lock import LockFile
from caching.clock import Clock
from caching.limits import Limit
from caching.writes import Write
from shared.errors import PlexmeshError, Unavailable

log = logging.getLogger("plexmesh.caching")

BATCH = 256


class Committer:
    def __init__(
        self,
        lock: LockFile,
        define: Callable[[], DataSet],
        limit: Limit,
        clock: Clock,
        committed: Callable[[int, float], None],
    ) -> None:
        """`define` opens the data set. `committed` is told of each commit on the loop: its writes, its seconds."""
        self._lock = lock
        self._define = define
        self._limit = limit
        self._clock = clock
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Pending[Write[Any]]] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._blocked_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="caching commits", daemon=True)
        self.opened: asyncio.Future[DataSet] = self._loop.create_future()
        self._thread.start()

    # --- on the loop

    def submit(self, write: Write[Any]) -> Pending[Write[Any]]:
        pending = Pending(write, self._loop.create_future())
        with self._news:
            if len(self._waiting) >= WAITING:
                raise Unavailable(f"{WAITING} writes wait already; nothing was changed")
            self._waiting.append(pending)
            self._news.notify()
        return pending

    def withdraw(self, pending: Pending[Write[Any]]) -> bool:
        """True: it waited still, and will never be applied."""
        with self._news, contextlib.suppress(ValueError):
            self._waiting.remove(pending)
            return True
        return False

    def __len__(self) -> int:
        return len(self._waiting)

    def blocked_s(self) -> float:
        """For how long the thread has been waiting for the lock."""
        since = self._blocked_since
        return 0.0 if since is None else time.monotonic() - since

    async def close(self, within_s: float) -> bool:
        """What waits is still written. False: the thread is blocked, and is left so."""
        with self._news:
            self._closing = True
            self._news.notify()
        await asyncio.to_thread(self._thread.join, within_s)
        return not self._thread.is_alive()

    # --- in the thread

    def _run(self) -> None:
        try:
            with self._locked():
                data_set = self._define()
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits for the opening is told
            self._tell(self._settle_opened, error)
            return
        self._tell(self._settle_opened, data_set)
        while self._wait_for_work():
            self._commit(data_set)
        with self._locked():
            data_set.close()

    def _wait_for_work(self) -> bool:
        with self._news:
            while not self._waiting and not self._closing:
                self._news.wait()
            return bool(self._waiting)

    def _commit(self, data_set: DataSet) -> None:
        started = time.monotonic()
        with self._locked():
            batch = self._take()
            results = self._results(data_set, [each.call for each in batch])
        self._tell(self._settle, batch, results, time.monotonic() - started)

    def _take(self) -> list[Pending[Write[Any]]]:
        with self._news:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _results(self, data_set: DataSet, writes: Sequence[Write[Any]]) -> Sequence[Any]:
        if not writes:
            return []
        try:
            return data_set.commit(writes, self._limit, self._clock.now_ms())
        except PlexmeshError as error:
            return [error] * len(writes)
        except Exception as error:  # the top of this thread's work: it goes on, and whoever waits is told
            log.exception("storage.commit_failed", extra={"fields": {"writes": len(writes)}})
            return [error] * len(writes)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._blocked_since = time.monotonic()
        with self._lock:
            self._blocked_since = None
            yield

    def _tell(self, what: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(what, *args)

    # --- on the loop again

    def _settle_opened(self, result: DataSet | Exception) -> None:
        if self.opened.cancelled():
            return
        if isinstance(result, Exception):
            self.opened.set_exception(result)
        else:
            self.opened.set_result(result)

    def _settle(self, batch: Sequence[Pending[Write[Any]]], results: Sequence[Any], seconds: float) -> None:
        if batch:
            self._committed(len(batch), seconds)
        for pending, result in zip(batch, results, strict=True):
            pending.settle(result)
