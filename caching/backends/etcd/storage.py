"""The `Storage` port on etcd.

    reads    wait for the read under way, then go together: one transaction of gets, linearizable
    writes   wait for the batch under way, then go together: decide, commit if nothing has changed
    sweep    every `SWEEP_S` what has expired is removed, a batch at a time

Not here: what becomes of a batch of writes (`commits`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

from caching.backends.batches import Batches, Pending
from caching.backends.etcd import client as etcd
from caching.backends.etcd import records
from caching.backends.etcd.client import Doubtful, EtcdClient
from caching.backends.etcd.commits import Commits, Remove, name_of
from caching.backends.etcd.keys import Keys, Range, below
from caching.backends.etcd.settings import EtcdSettings
from caching.backends.etcd.table import LONGEST_VALUE, Found, Wanted
from caching.backends.trouble import Trouble
from caching.capabilities import Capabilities
from caching.clock import Clock
from caching.entries import Entry, Name, Usage
from caching.expiry import past
from caching.limits import Limit
from caching.refusals import Corrupt, OutcomeUnknown, VolumeFull, missing
from caching.writes import Evict, Write
from shared.errors import ConfigError, PlexmeshError, Unavailable
from shared.events import Events

log = logging.getLogger("plexmesh.caching")

T = TypeVar("T")

FORMAT = "1"
WRITES_AT_ONCE = 24
READS_AT_ONCE = 100
"""A transaction has at most 128 operations; a write needs up to four."""
SWEEP_S = 10.0
SWEPT_AT_ONCE = 30
PROBE_S = 2.0
FINISH_S = 2.0


class EtcdStorage:
    def __init__(
        self,
        settings: EtcdSettings,
        events: Events,
        clock: Clock,
        limit: Limit,
        *,
        sysplex: str,
        instance: str,
        write_deadline_s: float = 2.0,
        read_deadline_s: float = 5.0,
        committed: Callable[[int, float], None] = lambda *_: None,
    ) -> None:
        """`instance`: a name that no other living instance has. `committed` is told the writes and the seconds of each
        batch."""
        self.capabilities = Capabilities(
            shared=True,
            durable=True,
            linearizable=True,
            acked_loss="none",
            ordered=True,
            watch="none",
            total_limit=False,
            max_value_bytes=LONGEST_VALUE,
            simulated=None,
            remark="a majority of the members has every acknowledged write on disk; without one nothing is answered",
        )
        self._settings = settings
        self._events = events
        self._clock = clock
        self._limit = limit
        self._keys = Keys(settings.prefix, sysplex)
        self._sysplex = sysplex
        self._write_deadline_s = write_deadline_s
        self._read_deadline_s = read_deadline_s
        self._committed = committed
        self._client = EtcdClient(settings.endpoints)
        self._commits = Commits(self._client, self._keys, self._keys.instance(instance), limit, clock)
        self._reads: Batches[bytes] = Batches(self._read_batch, _take_reads)
        self._writes: Batches[Write[Any]] = Batches(self._write_batch, _take_writes)
        self._tasks: list[asyncio.Task[None]] = []
        self._silent: dict[str, str] = {}
        self._alarms: list[str] = []
        self._trouble = Trouble(events)
        self._away: str | None = "etcd was not asked yet"

    # --- its life

    async def open(self) -> None:
        await self._client.open()
        await self._check_format()
        self._away = None
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(self._sweep_on()), loop.create_task(self._probe_on())]
            self._events.emit("storage.opened", endpoints=list(self._settings.endpoints), prefix=self._settings.prefix)

    async def _check_format(self) -> None:
        about, ends_at = self._keys.about, self._deadline(self._read_deadline_s)
        said = f"{FORMAT} {self._sysplex}".encode()
        with contextlib.suppress(Doubtful):
            await self._client.txn([etcd.still_at(about, 0)], [etcd.put(about, said)], ends_at)
        rows = (await self._client.read([etcd.get(about)], ends_at)).rows(0)
        found = rows[0][1].value if rows else b""
        if found != said:
            raise ConfigError(
                f"etcd: what is below /{self._settings.prefix} was written as {found.decode(errors='replace')!r} "
                f"(format and sysplex), the configuration says {said.decode()!r}; use another prefix"
            )

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._writes.finish(FINISH_S)
        await self._reads.finish(FINISH_S)
        await self._client.close()

    # --- what it says about itself

    def why(self) -> list[str]:
        return [] if self._away is None else [self._away]

    def remarks(self) -> list[str]:
        few = len(self._settings.endpoints) == 2
        return [
            *(["two members are worse than one: losing either stops all writes"] if few else []),
            *(f"member {endpoint} does not answer: {why}" for endpoint, why in self._silent.items()),
            *(f"alarm: {each}" for each in self._alarms),
            *self._trouble.remarks(),
        ]

    def details(self) -> dict[str, object]:
        return {
            "backend": "etcd",
            "endpoints": list(self._settings.endpoints),
            "prefix": self._settings.prefix,
            "quotaEntries": self._limit.owner_entries,
            "quotaBytes": self._limit.owner_bytes,
            "evictionStrategy": self._limit.eviction,
        }

    def waiting(self) -> int:
        """Writes that wait for a batch."""
        return len(self._writes)

    # --- reading

    def get_now(self, name: Name) -> Entry | None:
        return None

    async def get(self, name: Name) -> Entry:
        found = await self._read_key(self._keys.entry(name))
        if found is None:
            raise missing(name)
        try:
            entry = records.decode_as(name, found.value, found.rev)
        except Corrupt as error:
            raise self._damaged(self._keys.entry(name), error) from error
        if entry.expired(self._clock.now_ms()):
            raise missing(name)
        return entry

    async def usage(self, owner: str) -> Usage:
        found = await self._read_key(self._keys.usage(owner))
        return Usage() if found is None else records.decode_used(found.value).usage

    async def page(
        self, owner: str, *, map: str | None = None, prefix: str = "", after: str | None = None, limit: int = 1000
    ) -> list[Entry]:
        whole = below(self._keys.space(owner, map) + prefix.encode())
        start = (
            max(whole.start, self._keys.entry(Name(owner, after, map)) + b"\0") if after is not None else whole.start
        )
        found: list[Entry] = []
        async for key, row in self._rows(Range(start, whole.end), limit):
            try:
                entry = records.decode(row.value, row.rev)
            except Corrupt as error:
                self._damaged(key, error)
                continue
            if not entry.expired(self._clock.now_ms()):
                found.append(entry)
                if len(found) == limit:
                    break
        return found

    async def maps(self, owner: str) -> list[str]:
        names: list[str] = []
        whole = below(self._keys.lists(owner))
        start = whole.start
        while start < whole.end:
            wanted = Wanted(Range(start, whole.end), limit=1)
            answer = await self._client.read([etcd.scan(wanted, keys_only=True)], self._deadline(self._read_deadline_s))
            rows = answer.rows(0)
            if not rows:
                break
            names.append(self._keys.map_of(owner, rows[0][0]))
            start = below(self._keys.space(owner, names[-1])).end
        return sorted(names)

    async def _rows(self, range: Range, limit: int) -> AsyncIterator[tuple[bytes, Found]]:
        """Of a range, in pieces: what is read later may have been written later."""
        start, at_once = range.start, min(limit, 500)
        while start < range.end:
            wanted = Wanted(Range(start, range.end), limit=at_once)
            rows = (await self._client.read([etcd.scan(wanted)], self._deadline(self._read_deadline_s))).rows(0)
            for row in rows:
                yield row
            if len(rows) < at_once:
                return
            start = rows[-1][0] + b"\0"

    async def _read_key(self, key: bytes) -> Found | None:
        pending = self._reads.submit(key)
        try:
            async with asyncio.timeout(self._read_deadline_s):
                found: Found | None = await pending.future
        except TimeoutError as error:
            raise Unavailable("etcd did not answer in time") from error
        return found

    async def _read_batch(self, batch: Sequence[Pending[bytes]]) -> None:
        wanted = list(dict.fromkeys(each.call for each in batch))
        try:
            answer = await self._client.read([etcd.get(key) for key in wanted], self._deadline(self._read_deadline_s))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            for each in batch:
                each.settle(error)
            return
        found, _ = etcd.found_in(answer, wanted, [])
        for each in batch:
            each.settle(found[each.call])

    # --- writing

    async def write(self, write: Write[T]) -> T:
        asked: Any = write
        if isinstance(asked, Evict):
            evicted: Any = await self._evict(asked)
            return evicted  # type: ignore[no-any-return]
        pending = self._writes.submit(write)
        try:
            async with asyncio.timeout(self._write_deadline_s):
                outcome: T = await pending.future
        except TimeoutError as error:
            if pending.taken:
                raise self._trouble.begins(
                    OutcomeUnknown("etcd has not said in time whether it was written")
                ) from error
            raise self._trouble.begins(Unavailable("etcd is slow; nothing was changed")) from error
        except (VolumeFull, Unavailable, OutcomeUnknown) as error:
            raise self._trouble.begins(error) from error
        self._trouble.ends()
        return outcome

    async def _evict(self, write: Evict) -> int:
        """Item by item: what was written anew meanwhile stays."""
        gone, after = 0, None
        while page := await self.page(write.owner, map=write.map, after=after):
            now_ms = self._clock.now_ms()
            for item in page:
                if past(write.rule, item.value, now_ms):
                    await self.write(Remove(item.name, item.rev))
                    gone += 1
            after = page[-1].name.key
        return gone

    async def _write_batch(self, batch: Sequence[Pending[Write[Any]]]) -> None:
        started = time.monotonic()
        try:
            outcomes = await self._commits.commit([each.call for each in batch], self._deadline(self._write_deadline_s))
        except PlexmeshError as error:
            outcomes = [error] * len(batch)
        except Exception as error:  # the top of this task's work: it goes on, and those who wait are told
            log.exception("storage.commit_failed", extra={"fields": {"writes": len(batch)}})
            outcomes = [error] * len(batch)
        for each, outcome in zip(batch, outcomes, strict=True):
            each.settle(outcome)
        self._committed(len(batch), time.monotonic() - started)

    # --- what has expired

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S * random.uniform(0.8, 1.2))
            with contextlib.suppress(PlexmeshError):
                while await self.sweep():
                    continue

    async def sweep(self) -> int:
        """Remove some of what has expired; how many there were."""
        ends_at, now_ms = self._deadline(self._read_deadline_s), self._clock.now_ms()
        due = Wanted(self._keys.due_until(now_ms), limit=SWEPT_AT_ONCE)
        index = [key for key, _ in (await self._client.read([etcd.scan(due, keys_only=True)], ends_at)).rows(0)]
        if not index:
            return 0
        single = [self._keys.due_of(key) for key in index]
        found, _ = etcd.found_in(await self._client.read([etcd.get(key) for key in single], ends_at), single, [])
        for key, entry_key in zip(index, single, strict=True):
            row = found[entry_key]
            entry = _expired(row, now_ms)
            if entry is not None and self._keys.due(entry.expires_ms or 0, entry_key) == key:
                await self.write(Remove(entry.name, entry.rev))
            else:  # the entry is gone, or lives longer now: only the index was left
                conditions = [etcd.still_at(entry_key, row.rev if row else 0)]
                with contextlib.suppress(Doubtful):
                    await self._client.txn(conditions, [etcd.delete(key)], ends_at)
        return len(index)

    # --- how its members are

    async def _probe_on(self) -> None:
        while True:
            await self.probe()
            await asyncio.sleep(PROBE_S)

    async def probe(self) -> None:
        """Ask every member, and all together for a linearizable read."""
        endpoints = self._settings.endpoints
        answers = await asyncio.gather(*(self._client.status(each) for each in endpoints), return_exceptions=True)
        self._silent = {
            endpoint: str(answer).removeprefix(f"{endpoint}: ")
            for endpoint, answer in zip(endpoints, answers, strict=True)
            if isinstance(answer, BaseException)
        }
        said = [each for each in answers if isinstance(each, etcd.StatusAnswer)]
        self._alarms = sorted({error for each in said for error in each.errors})
        try:
            await self._client.read([etcd.get(self._keys.about)], self._deadline(PROBE_S))
            self._away = None
        except (Unavailable, OutcomeUnknown) as error:
            self._away = str(error)

    # --- trouble

    def _damaged(self, key: bytes, error: Corrupt) -> Corrupt:
        error.key = key
        log.error("record.damaged", extra={"fields": {"digest": error.digest, "why": str(error)}})
        return Corrupt("The record of this key is damaged; delete all entries of the service, or restore the store")

    @staticmethod
    def _deadline(seconds: float) -> float:
        return time.monotonic() + seconds


def _expired(row: Found | None, now_ms: int) -> Entry | None:
    if row is None:
        return None
    with contextlib.suppress(Corrupt):
        entry = records.decode(row.value, row.rev)
        return entry if entry.expired(now_ms) else None
    return None


def _take_reads(waiting: deque[Pending[bytes]]) -> list[Pending[bytes]]:
    return [waiting.popleft() for _ in range(min(READS_AT_ONCE, len(waiting)))]


def _take_writes(waiting: deque[Pending[Write[Any]]]) -> list[Pending[Write[Any]]]:
    """In their order, each name once: a transaction writes no key twice. A Clear goes alone."""
    taken: list[Pending[Write[Any]]] = []
    names: set[Name] = set()
    while waiting and len(taken) < WRITES_AT_ONCE:
        name = name_of(waiting[0].call)
        if (name is None and taken) or name in names:
            break
        taken.append(waiting.popleft())
        if name is None:
            break
        names.add(name)
    return taken
