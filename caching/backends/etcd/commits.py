"""A batch of writes as one transaction: decide, and commit if nothing that mattered has changed.

    by memory ──every write is done──▶ commit ──unchanged──▶ answered
        │ one is refused, or              │ changed
        │ something is not known          ▼
        └──────────────────▶ read ──▶ decide ──▶ commit … until the time is over

What a batch came to is always found out, unless the time is over: it writes a key of this instance, on the condition
that it is as the batch before left it. A transaction without an answer is sent again; should it then say "changed",
that key tells whether it had landed, and if it had not, it no longer can once the next one has.

A refusal is answered only from what was read for it; memory may be old.
"""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from caching.backends.etcd import client as etcd
from caching.backends.etcd.client import Doubtful, EtcdClient
from caching.backends.etcd.keys import Keys
from caching.backends.etcd.memory import Memory
from caching.backends.etcd.table import EtcdTable, Found, Read, Unread, Wanted
from caching.clock import Clock
from caching.entries import Entry, Name, Table
from caching.limits import Limit
from caching.refusals import OutcomeUnknown, VolumeFull
from caching.writes import Delete, Put, Write
from shared.errors import PlexmeshError, Unavailable


class Remove(msgspec.Struct, frozen=True):
    """Remove an entry if it is still the one of that revision, expired or not."""

    name: Name
    rev: int

    def apply(self, table: Table, limit: Limit, now_ms: int) -> None:
        found = table.find(self.name)
        if found is not None and found.rev == self.rev:
            table.remove(found)


def name_of(write: Write[Any]) -> Name | None:
    """The one name it is about; None: it is about more."""
    return write.name if isinstance(write, Put | Delete | Remove) else None


class Commits:
    def __init__(self, client: EtcdClient, keys: Keys, own_key: bytes, limit: Limit, clock: Clock) -> None:
        """`own_key` is written by nobody else, and by one batch at a time."""
        self._client = client
        self._keys = keys
        self._own_key = own_key
        self._limit = limit
        self._clock = clock
        self._memory = Memory()

    async def commit(self, writes: Sequence[Write[Any]], ends_at: float) -> list[Any]:
        """Per write its outcome, or what refuses it. Raises Unavailable, OutcomeUnknown, VolumeFull."""
        now_ms = self._clock.now_ms()  # of all decisions, so that what they want to read stays the same
        doubtful: dict[bytes, list[Any]] = {}
        try:
            if (done := await self._by_memory(writes, now_ms, doubtful, ends_at)) is not None:
                return done
            return await self._by_reading(writes, now_ms, doubtful, ends_at)
        except (Unavailable, VolumeFull) as error:
            if doubtful:
                raise OutcomeUnknown(f"etcd has not said whether it was written: {error}") from error
            raise

    async def _by_memory(
        self, writes: Sequence[Write[Any]], now_ms: int, doubtful: dict[bytes, list[Any]], ends_at: float
    ) -> list[Any] | None:
        """None: it has to be read."""
        if self._own_key not in self._memory:
            return None
        try:
            table, outcomes = self._decided(writes, Read(self._memory, {}), now_ms)
        except Unread:
            return None
        if any(isinstance(each, Exception) or (isinstance(each, Entry) and each.rev) for each in outcomes):
            return None
        if not table.changes:
            return None
        return await self._send(table, outcomes, self._memory[self._own_key], doubtful, ends_at)

    async def _by_reading(
        self, writes: Sequence[Write[Any]], now_ms: int, doubtful: dict[bytes, list[Any]], ends_at: float
    ) -> list[Any]:
        single, ranges = {self._own_key: None, **self._about(writes)}, list[Wanted]()
        while True:
            asked = list(single)
            read = etcd.found_in(await self._client.read(etcd.reading(asked, ranges), ends_at), asked, ranges)
            own = read.single[self._own_key]
            if own is not None and own.value in doubtful:
                return [_numbered(outcome, own.rev) for outcome in doubtful[own.value]]
            for key, found in read.single.items():
                self._memory.saw(key, found)
            try:
                table, outcomes = self._decided(writes, read, now_ms)
            except Unread as more:
                if more.key is not None:
                    single[more.key] = None
                if more.wanted is not None:
                    ranges.append(more.wanted)
                continue
            if not table.changes and not table.cleared:
                return outcomes
            if (done := await self._send(table, outcomes, own, doubtful, ends_at)) is not None:
                return done

    def _about(self, writes: Sequence[Write[Any]]) -> dict[bytes, None]:
        keys: dict[bytes, None] = {}
        for write in writes:
            if (name := name_of(write)) is not None:
                keys[self._keys.entry(name)] = None
                keys[self._keys.usage(name.owner)] = None
        return keys

    def _decided(self, writes: Sequence[Write[Any]], read: Read, now_ms: int) -> tuple[EtcdTable, list[Any]]:
        """Raises Unread."""
        table = EtcdTable(self._keys, read)
        outcomes = [_applied(write, table, self._limit, now_ms) for write in writes]
        table.finish()
        return table, outcomes

    async def _send(
        self, table: EtcdTable, outcomes: list[Any], own: Found | None, doubtful: dict[bytes, list[Any]], ends_at: float
    ) -> list[Any] | None:
        """The outcomes; None: something had changed. Notes in `doubtful` what may have landed for all that. Raises
        Unavailable, VolumeFull."""
        batch_id = secrets.token_bytes(12)
        relied_on = {**table.relied_on, self._own_key: own.rev if own else 0}
        conditions = [etcd.still_at(key, rev) for key, rev in relied_on.items()]
        ops = [etcd.put(self._own_key, batch_id)]
        ops += [etcd.delete(key) if value is None else etcd.put(key, value) for key, value in table.changes.items()]
        ops += [etcd.delete_all(each) for each in table.cleared]
        doubt = functools.partial(doubtful.__setitem__, batch_id, outcomes)
        try:
            answer = await self._answer(conditions, ops, doubt, ends_at)
        except PlexmeshError:
            self._memory.forget_all()
            raise
        if not answer.succeeded:
            self._memory.forget(relied_on)
            return None
        self._remember(table, batch_id, answer.revision)
        return [_numbered(outcome, answer.revision) for outcome in outcomes]

    async def _answer(
        self, conditions: Sequence[etcd.Op], ops: Sequence[etcd.Op], doubt: Callable[[], None], ends_at: float
    ) -> etcd.TxnAnswer:
        while True:
            try:
                return await self._client.txn(conditions, ops, ends_at)
            except Doubtful as error:
                doubt()
                if time.monotonic() >= ends_at:
                    raise Unavailable(str(error)) from error

    def _remember(self, table: EtcdTable, batch_id: bytes, rev: int) -> None:
        if table.cleared:
            self._memory.forget_all()
        for key, value in table.changes.items():
            self._memory.saw(key, None if value is None else Found(value, rev))
        self._memory.saw(self._own_key, Found(batch_id, rev))


def _applied(write: Write[Any], table: EtcdTable, limit: Limit, now_ms: int) -> Any:
    try:
        return write.apply(table, limit, now_ms)
    except PlexmeshError as refusal:
        return refusal


def _numbered(outcome: Any, rev: int) -> Any:
    """An entry that the batch has stored gets the batch's revision as its number."""
    return msgspec.structs.replace(outcome, rev=rev) if isinstance(outcome, Entry) and outcome.rev == 0 else outcome
