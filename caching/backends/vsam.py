"""The store of a sysplex: a data set on the shared volume, the same for the instances of all LPARs.

Point reads happen on the event loop (microseconds, and never behind a writer), lists in a thread of their own, writes
in the committing thread (`commits`). None of the instances owns the data set: whoever survives goes on, and the time to
recover is the time to notice.

    a write waits for the lock too long     503, withdrawn; the one who holds it is named. At once, while it lasts
    its holder gives no sign of life        it is fenced (`fence`)
    NONRLS, and another one writes          503 at once, naming it
    a commit takes too long                 504, nobody knows yet
    the volume is full                      507; reads go on
    the file was removed or replaced        503 for writes, not ready

Not here: the file (`data_set`), the bytes (`ksds`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from caching.backends import volume
from caching.backends.commits import Committer
from caching.backends.data_set import Busy, DataSet, opening_failed
from caching.backends.fence import Fence
from caching.backends.ksds import Attributes
from caching.backends.lock import LockFile
from caching.backends.openers import HOLDS, Opener
from caching.backends.output import Output
from caching.backends.pages import Asked
from caching.backends.status import StatusArea
from caching.backends.trouble import Trouble
from caching.capabilities import Capabilities
from caching.clock import Clock
from caching.entries import Entry, Name, Usage
from caching.limits import Limit
from caching.refusals import Corrupt, OutcomeUnknown, VolumeFull, missing
from caching.writes import Write
from shared.errors import PlexmeshError, Unavailable
from shared.events import Events
from shared.tls import Tls

log = logging.getLogger("plexmesh.caching")

A = TypeVar("A")
T = TypeVar("T")

BUSY_PAUSE_S = 0.01
LISTS_AT_ONCE = 32
"""Lists that may wait for the thread that reads them; one more is refused."""
CLOSE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which data set, and who opens it. `holder` is what others read when they wait for us."""

    volume: Path
    name: str
    sysplex: str
    holder: str
    attributes: Attributes
    limit: Limit
    write_deadline_s: float = 2.0
    read_deadline_s: float = 5.0
    fence_after_s: float = 3.0
    lpar: str = ""
    host: str = ""
    launcher: str = ""
    """URL of who can end this process; `up`: of who can when that one is stopped, too."""
    up: str = ""
    tls: Tls | None = None
    """For calls to them."""

    @property
    def path(self) -> Path:
        return self.volume / self.name

    def beside(self, kind: str) -> Path:
        return self.volume / f"{self.name}.{kind}"

    @property
    def opener(self) -> Opener:
        return Opener(self.holder, self.lpar, os.getpid(), int(time.time() * 1000), self.launcher, self.up)


class VsamStorage:
    def __init__(
        self,
        place: Place,
        events: Events,
        clock: Clock,
        committed: Callable[[int, float], None] = lambda *_: None,
    ) -> None:
        """`committed` is told the number of writes and the seconds of each commit."""
        self.capabilities = Capabilities(
            shared=True,
            durable=True,
            linearizable=True,
            acked_loss="none",
            ordered=False,
            watch="none",
            total_limit=True,
            max_value_bytes=place.attributes.record_length - place.attributes.key_length,
            simulated="a KSDS on SQLite, shared by the LPARs through one volume",
            remark="every acknowledged write is synced to the volume, which is the single point: lost with it",
        )
        self._clock = clock
        self._place = place
        self._events = events
        self._on_commit = committed
        self._lock: LockFile | None = None
        self._area: StatusArea | None = None
        self._output: Output | None = None
        self._fence: Fence | None = None
        self._committer: Committer | None = None
        self._data_set: DataSet | None = None
        self._lists = ThreadPoolExecutor(1, thread_name_prefix="caching lists")
        self._lists_waiting = 0
        self._volume_remark: str | None = None
        self._trouble = Trouble(events, data_set=place.name)

    # --- its life

    async def open(self) -> None:
        if self._committer is None or self._failed_to_open(self._committer):
            self._committer = Committer(self._prepare(), self._define, self._place.limit, self._clock, self._on_commit)
        try:
            async with asyncio.timeout(self._place.write_deadline_s):
                self._data_set = await asyncio.shield(self._committer.opened)
        except TimeoutError as error:
            raise Unavailable(f"The data set {self._place.name} waits to be opened: {self._who_holds_it()}") from error
        if self._output is not None:
            self._output.ours()
        self._events.emit("storage.opened", data_set=self._place.name, path=str(self._place.path))

    async def close(self) -> None:
        self._data_set = None
        self._lists.shutdown(wait=False, cancel_futures=True)
        ended = self._committer is None or await self._committer.close(CLOSE_S)
        if self._fence is not None:
            await self._fence.close()
        held = (self._output, self._lock, self._area)
        self._output = self._lock = self._area = None
        for each in held if ended else ():  # a blocked thread still uses them; the process ends anyway
            if each is not None:
                each.close()

    def _prepare(self) -> LockFile:
        place = self._place
        try:
            place.volume.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._volume_remark = volume.remark(place.volume)
            if self._area is None:  # before the lock: `status` says why
                self._area = StatusArea(place.beside("status"), place.opener)
                self._fence = self._new_fence(self._area)
            if self._lock is None:
                self._lock = LockFile(place.beside("lock"), place.holder, self._area.says)
            if self._output is None and place.attributes.share == "nonrls":
                self._output = Output(place.beside("output"), place.holder)
        except OSError as error:
            raise opening_failed(place.path, error) from error
        return self._lock

    def _new_fence(self, area: StatusArea) -> Fence:
        place = self._place
        return Fence(
            area,
            self._events,
            lambda: 0.0 if self._committer is None else self._committer.blocked_s(),
            data_set=place.name,
            host=place.host,
            tls=place.tls,
            deadline_s=place.write_deadline_s,
            fence_after_s=place.fence_after_s,
        )

    def _define(self) -> DataSet:
        place = self._place
        return DataSet(place.path, place.sysplex, place.attributes, place.limit.eviction)

    @staticmethod
    def _failed_to_open(committer: Committer) -> bool:
        return committer.opened.done() and committer.opened.exception() is not None

    # --- what it says about itself

    def why(self) -> list[str]:
        try:
            data_set = self._opened()
            data_set.check_there()
            data_set.counts()
        except Busy:
            return []
        except Unavailable as error:
            return [str(error)]
        return []

    def remarks(self) -> list[str]:
        blocked = [self._who_holds_it()] if self._blocked() else []
        return [
            *([self._volume_remark] if self._volume_remark else []),
            *self._trouble.remarks(),
            *blocked,
            *self._for_input_only(),
        ]

    def details(self) -> dict[str, object]:
        place = self._place
        known: dict[str, object] = {
            "backend": "vsam",
            "dataSet": place.name,
            "keyLength": place.attributes.key_length,
            "recordLength": place.attributes.record_length,
            "share": place.attributes.share,
            "size": place.limit.size,
            "evictionStrategy": place.limit.eviction,
        }
        with contextlib.suppress(Unavailable):
            known["entries"], known["items"] = self._opened().counts()
        if self._area is not None:
            known["openElsewhere"] = [each.opener.who for each in self._area.others()]
        return known

    def waiting(self) -> int:
        """Writes that wait for a commit."""
        return 0 if self._committer is None else len(self._committer)

    # --- reading

    def get_now(self, name: Name) -> Entry | None:
        try:
            return self._live(name, self._opened().read(name))
        except Busy:  # somebody recovers or ends the log, which takes milliseconds
            return None
        except Corrupt as error:
            raise self._damaged(error) from error

    async def get(self, name: Name) -> Entry:
        if (found := self.get_now(name)) is not None:
            return found
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(Busy),
            stop=stop_after_delay(self._place.read_deadline_s / 5),
            wait=wait_fixed(BUSY_PAUSE_S),
            reraise=True,
        )
        async for attempt in attempts:
            with attempt:
                return self._live(name, self._opened().read(name))
        raise AssertionError("unreachable")

    def _live(self, name: Name, found: Entry | None) -> Entry:
        if found is None or found.expired(self._clock.now_ms()):
            raise missing(name)
        return found

    async def page(
        self, owner: str, *, map: str | None = None, prefix: str = "", after: str | None = None, limit: int = 1000
    ) -> list[Entry]:
        asked = Asked(owner, map, prefix, after, limit, self._clock.now_ms())
        found, damaged = await self._in_lists_thread(self._opened().browse, asked)
        for each in damaged:
            self._damaged(each)
        return found

    async def maps(self, owner: str) -> list[str]:
        return await self._in_lists_thread(self._opened().maps, owner)

    async def usage(self, owner: str) -> Usage:
        return self._opened().usage(owner)

    async def _in_lists_thread(self, read: Callable[[A], T], asked: A) -> T:
        if self._lists_waiting >= LISTS_AT_ONCE:
            raise Unavailable(f"{LISTS_AT_ONCE} lists are being read already")
        self._lists_waiting += 1
        reading = asyncio.get_running_loop().run_in_executor(self._lists, read, asked)
        reading.add_done_callback(self._list_read)
        try:
            async with asyncio.timeout(self._place.read_deadline_s):
                return await asyncio.shield(reading)
        except TimeoutError as error:
            raise Unavailable("The list could not be read in time") from error

    def _list_read(self, reading: asyncio.Future[Any]) -> None:
        self._lists_waiting -= 1
        if not reading.cancelled():
            reading.exception()  # or one that came after the time-out would be called "never retrieved"

    # --- writing

    async def write(self, write: Write[T]) -> T:
        self._opened()
        assert self._committer is not None
        if self._blocked():
            raise Unavailable(f"{self._who_holds_it()}; nothing was changed")
        for why in self._for_input_only():
            raise self._trouble.begins(Unavailable(f"{why}; nothing was changed"))
        pending = self._committer.submit(write)
        try:
            async with asyncio.timeout(self._place.write_deadline_s):
                outcome: T = await pending.future
        except TimeoutError as error:
            if not pending.future.cancelled():
                answered: T = pending.future.result()  # in the very moment of the time-out
                return answered
            raise self._trouble.begins(self._too_late(self._committer.withdraw(pending))) from error
        except (VolumeFull, Unavailable, OutcomeUnknown) as error:
            raise self._trouble.begins(error) from error
        except Corrupt as error:
            raise self._damaged(error) from error
        self._trouble.ends()
        return outcome

    def _too_late(self, withdrawn: bool) -> PlexmeshError:
        if withdrawn:
            return Unavailable(f"{self._who_holds_it()}; nothing was changed")
        return OutcomeUnknown("The volume is slow to confirm the write; it may or may not be applied")

    # --- trouble

    def _damaged(self, error: Corrupt) -> Corrupt:
        """Said by a digest of the key, and never the value."""
        fields = {"data_set": self._place.name, "digest": error.digest, "why": str(error)}
        log.error("record.damaged", extra={"fields": fields})
        return Corrupt("The record of this key is damaged; delete all entries of the service, or restore the data set")

    def _blocked(self) -> bool:
        return self._committer is not None and self._committer.blocked_s() > self._place.write_deadline_s

    def _who_holds_it(self) -> str:
        others = self._area.others() if self._area is not None else []
        said = [each.opener.who for each in others if each.lock == HOLDS]
        signed = self._lock.holder() if self._lock is not None else "unknown"
        return f"The lock of the data set {self._place.name} is held by {said[0] if said else signed}"

    def _for_input_only(self) -> list[str]:
        """Why we may not write: NONRLS, and another one does."""
        if self._output is None or self._data_set is None or self._output.ours():
            return []
        return [f"The data set {self._place.name} is NONRLS and open for output by {self._output.holder()}"]

    def _opened(self) -> DataSet:
        if self._data_set is None:
            raise Unavailable(f"The data set {self._place.name} is not open yet")
        return self._data_set
