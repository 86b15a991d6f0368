"""The `Storage` port on Redis.

    reads    one lane: gets that wait together go together
    writes   another: each is one call of the script, all that wait go together
    probe    every `PROBE_S`: has the master moved, is it well, are its guards up
    sweep    every `SWEEP_S` what has expired is removed, owner by owner

A write whose connection was cut is looked for: if its entry is there under its id, it was done. It is never sent again
by itself: somebody else may have written meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from caching.backends.redis import guards, records, scripts
from caching.backends.redis.address import Address
from caching.backends.redis.guards import Facts
from caching.backends.redis.keys import Keys, bounds
from caching.backends.redis.lane import Doubtful, Lane, abort
from caching.backends.redis.replies import FORBIDDEN
from caching.backends.redis.settings import Node, RedisSettings
from caching.backends.trouble import Trouble
from caching.capabilities import Capabilities
from caching.clock import Clock
from caching.entries import Entry, Name, Usage
from caching.expiry import past
from caching.limits import Limit
from caching.refusals import Corrupt, OutcomeUnknown, VolumeFull, missing
from caching.writes import Clear, Delete, Evict, Put, Write
from shared.errors import ConfigError, PlexmeshError, Unavailable
from shared.events import Events

log = logging.getLogger("plexmesh.caching")

T = TypeVar("T")

FORMAT = "1"
SWEEP_S = 10.0
SWEPT_AT_ONCE = 100
PROBE_S = 1.0
READ_AT_ONCE = 100
"""Entries of a page that are asked for together."""


class RedisStorage:
    def __init__(
        self,
        settings: RedisSettings,
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
        """`instance` is for people who look at the server. `committed` is told the writes and the seconds of each
        batch."""
        self.capabilities = Capabilities(
            shared=True,
            durable=True,
            linearizable=False,
            acked_loss="window",
            ordered=True,
            watch="none",
            total_limit=False,
            max_value_bytes=scripts.LONGEST_VALUE,
            simulated=None,
            remark="replication is asynchronous: a failover can take the last acknowledged writes, and a read from a "
            "primary that is being replaced can be old; what is on disk is at most a second behind",
        )
        self._settings = settings
        self._events = events
        self._clock = clock
        self._limit = limit
        self._sysplex = sysplex
        self._keys = Keys(sysplex)
        self._write_deadline_s = write_deadline_s
        self._read_deadline_s = read_deadline_s
        client_name = "".join(each if each.isalnum() else "-" for each in f"plexmesh-{instance}")
        self._address = Address(settings, client_name, self._master_is)
        connect = self._address.connect
        self._reads = Lane(connect, patience_s=read_deadline_s)
        self._writes = Lane(connect, patience_s=write_deadline_s, done=committed)
        self._probes = Lane(connect, patience_s=PROBE_S)
        self._tasks: list[asyncio.Task[None]] = []
        self._master: Node | None = None
        self._facts = Facts()
        self._of_sentinels: list[str] = []
        self._trouble = Trouble(events)
        self._away: str | None = "Redis was not asked yet"

    # --- its life

    async def open(self) -> None:
        await self._address.check_name()
        abort(await self._address.connect())  # who is refused for good hears it here; a lane would try again
        await self._look()
        guards.check(self._facts, self._settings.min_replicas)
        await self._check_format()
        self.capabilities = msgspec.structs.replace(self.capabilities, durable=self._facts.aof)
        self._away = None
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(self._sweep_on()), loop.create_task(self._probe_on())]
            self._events.emit("storage.opened", master=str(self._master), sentinels=len(self._settings.sentinels))

    async def _check_format(self) -> None:
        about, wanted = self._keys.about, f"{FORMAT} {self._sysplex}"
        if (found := await self._read("GET", about)) is None:
            try:
                await self._writes.ask("SET", about, wanted, "NX", within_s=self._write_deadline_s)
            except Doubtful as error:
                raise Unavailable(str(error)) from error
            found = await self._read("GET", about)
        said = (found or b"").decode(errors="replace")
        if said != wanted:
            raise ConfigError(
                f"Redis: what is below plexmesh:{self._sysplex}: was written as {said!r} (format and sysplex), this "
                f"instance writes {wanted!r}; use another sysplex name or database"
            )

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for lane in (self._writes, self._reads, self._probes):
            await lane.close()
        await self._address.close()

    # --- what it says about itself

    def why(self) -> list[str]:
        return [] if self._away is None else [self._away]

    def remarks(self) -> list[str]:
        asked = bool(self._facts.role)
        sentinels, needed = bool(self._settings.sentinels), self._settings.min_replicas
        return [
            *(guards.remarks(self._facts, sentinels=sentinels, min_replicas=needed) if asked else []),
            *self._of_sentinels,
            *self._trouble.remarks(),
        ]

    def details(self) -> dict[str, object]:
        found = self._facts
        return {
            "backend": "redis",
            "master": str(self._master) if self._master else None,
            "role": found.role,
            "replicas": found.replicas,
            "appendOnly": found.aof,
            "maxmemoryPolicy": found.policy,
            "minReplicasToWrite": found.min_replicas,
            "sentinels": [str(each) for each in self._settings.sentinels],
            "quotaEntries": self._limit.owner_entries,
            "quotaBytes": self._limit.owner_bytes,
            "evictionStrategy": self._limit.eviction,
        }

    def waiting(self) -> int:
        """Writes that wait for the batch under way."""
        return len(self._writes)

    # --- reading

    async def _read(self, *command: bytes | str | int, within_s: float | None = None) -> Any:
        try:
            return await self._reads.ask(*command, within_s=within_s or self._read_deadline_s)
        except Doubtful as error:
            raise Unavailable(f"Redis: {error}") from error

    def get_now(self, name: Name) -> Entry | None:
        return None

    async def get(self, name: Name) -> Entry:
        entry = await self._found(name, self._read_deadline_s / 5)
        if entry is None or entry.expired(self._clock.now_ms()):
            raise missing(name)
        return entry

    async def _found(self, name: Name, within_s: float) -> Entry | None:
        key = self._keys.entry(name)
        try:
            return records.decode(name, await self._read("HMGET", key, *records.FIELDS, within_s=within_s))
        except Corrupt as error:
            error.key = key
            log.error("record.damaged", extra={"fields": {"digest": error.digest, "why": str(error)}})
            raise Corrupt("The record of this key is damaged; delete all entries of the service") from error

    async def page(
        self, owner: str, *, map: str | None = None, prefix: str = "", after: str | None = None, limit: int = 1000
    ) -> list[Entry]:
        found: list[Entry] = []
        while len(found) < limit:
            at_once = min(limit - len(found), READ_AT_ONCE)
            low, high = bounds(prefix, after)
            index = self._keys.index(owner, map)
            keys: list[bytes] = await self._read("ZRANGEBYLEX", index, low, high, "LIMIT", 0, at_once)
            found += await self._live([Name(owner, key.decode(), map) for key in keys])
            if len(keys) < at_once:
                break
            after = keys[-1].decode()
        return found

    async def _live(self, names: Sequence[Name]) -> list[Entry]:
        found = await asyncio.gather(
            *(self._found(each, self._read_deadline_s) for each in names), return_exceptions=True
        )
        now_ms, live = self._clock.now_ms(), []
        for each in found:
            if isinstance(each, BaseException):
                if not isinstance(each, Corrupt):
                    raise each
            elif each is not None and not each.expired(now_ms):
                live.append(each)
        return live

    async def maps(self, owner: str) -> list[str]:
        return [each.decode() for each in await self._read("ZRANGE", self._keys.maps(owner), 0, -1)]

    async def usage(self, owner: str) -> Usage:
        return records.decode_usage(await self._read("HMGET", self._keys.usage(owner), *records.USED))

    # --- writing

    async def write(self, write: Write[T]) -> T:
        try:
            outcome: Any = await self._done(write)
        except (VolumeFull, Unavailable, OutcomeUnknown) as error:
            self._trouble.begins(error)
            raise
        self._trouble.ends()
        return outcome  # type: ignore[no-any-return]

    async def _done(self, write: Any) -> Any:
        now_ms, ends_at = self._clock.now_ms(), time.monotonic() + self._write_deadline_s
        if isinstance(write, Put):
            return await self._put(write, now_ms, ends_at)
        if isinstance(write, Delete):
            said = await self._script(scripts.delete(self._keys, write, now_ms), ends_at)
            scripts.removed(write.name, self._limit, said)
            return None
        if isinstance(write, Clear):
            return scripts.removed(
                None, self._limit, await self._script(scripts.clear(self._keys, write.owner, now_ms), ends_at)
            )
        assert isinstance(write, Evict), write
        return await self._evict(write)

    async def _put(self, write: Put, now_ms: int, ends_at: float) -> Entry:
        try:
            said = await self._ask(scripts.put(self._keys, write, self._limit, now_ms), ends_at)
        except Doubtful as error:
            return await self._looked_for(write, str(error), ends_at)
        return scripts.stored(write, now_ms, self._limit, said)

    async def _looked_for(self, write: Put, why: str, ends_at: float) -> Entry:
        """The entry, if it is there by this very write."""
        left_s = ends_at - time.monotonic()
        if left_s > 0:
            with contextlib.suppress(PlexmeshError):
                found = await self._found(write.name, left_s)
                if found is not None and found.write_id == write.write_id:
                    return found
        raise OutcomeUnknown(f"Redis has not said whether it was written: {why}")

    async def _evict(self, write: Evict) -> int:
        """Page by page: what was written anew meanwhile stays."""
        gone, after = 0, None
        while page := await self.page(write.owner, map=write.map, after=after, limit=READ_AT_ONCE):
            now_ms = self._clock.now_ms()
            over = [item for item in page if past(write.rule, item.value, now_ms)]
            if over:
                ends_at = time.monotonic() + self._write_deadline_s
                said = await self._script(scripts.drop(self._keys, write.owner, over, now_ms), ends_at)
                gone += scripts.removed(None, self._limit, said)
            after = page[-1].name.key
        return gone

    async def _script(self, command: scripts.Command, ends_at: float) -> Any:
        try:
            return await self._ask(command, ends_at)
        except Doubtful as error:
            raise OutcomeUnknown(f"Redis has not said whether it was done: {error}") from error

    async def _ask(self, command: scripts.Command, ends_at: float) -> Any:
        return await self._writes.ask(*command, within_s=ends_at - time.monotonic())

    # --- what has expired

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S * random.uniform(0.8, 1.2))
            with contextlib.suppress(PlexmeshError, Doubtful):
                await self.sweep()

    async def sweep(self) -> int:
        """Remove what has expired, of every owner; how many there were."""
        gone = 0
        for base in await self._read("SMEMBERS", self._keys.owners):
            while True:
                command = scripts.sweep(self._keys, base, SWEPT_AT_ONCE, self._clock.now_ms())
                some = scripts.removed(
                    None, self._limit, await self._ask(command, time.monotonic() + self._write_deadline_s)
                )
                gone += some
                if some < SWEPT_AT_ONCE:
                    break
        return gone

    # --- how the server is

    async def _probe_on(self) -> None:
        while True:
            await asyncio.sleep(PROBE_S * random.uniform(0.8, 1.2))
            await self.probe()

    async def probe(self) -> None:
        try:
            await self._look()
            self._away = None
        except PlexmeshError as error:
            self._away = str(error)

    async def _look(self) -> None:
        """Raises Unavailable."""
        await self._address.find()
        try:
            info = await self._probes.ask("INFO", within_s=PROBE_S)
            try:
                configs = await self._probes.ask("CONFIG", "GET", guards.CONFIG, within_s=PROBE_S)
            except Unavailable as error:
                if FORBIDDEN not in str(error):
                    raise
                configs = None
        except Doubtful as error:
            raise Unavailable(f"Redis at {self._master}: {error}") from error
        self._facts = guards.facts(info, configs)
        self._of_sentinels = await self._address.remarks()

    def _master_is(self, master: Node) -> None:
        """Connections to another one are given up at once, whoever has heard of it first: it may be frozen, or go on as
        if nothing had happened."""
        if self._master is not None and master != self._master:
            self._events.emit("storage.master_changed", before=str(self._master), now=str(master))
            for lane in (self._reads, self._writes, self._probes):
                lane.drop()
        self._master = master
