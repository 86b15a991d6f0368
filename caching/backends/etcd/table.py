"""The `Table` of one batch of writes: it decides on what was read, and remembers what it relied on.

    read ──▶ EtcdTable(read) ──writes──▶ `changes`, `cleared`, `relied_on`
                    │
                    └─Unread: something else is needed; read that too, and decide again

Everything in it was read at one revision. The batch may be committed only while each key it relied on still has the
revision it was read with (0: it was not there): then it is as if nobody had been in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from caching.backends.etcd import keys, records
from caching.backends.etcd.keys import Keys, Range
from caching.backends.etcd.records import Used
from caching.entries import Content, Entry, Name, Usage
from caching.refusals import Corrupt, Full, ValueTooLong

LONGEST_VALUE = 1024 * 1024
"""etcd refuses requests of 1.5 MiB; this leaves room for the names and for base64 of a batch of one."""
MOST_REMOVED = 40
"""Entries that one write may remove to make room: a transaction holds 128 operations."""


class Found(NamedTuple):
    """A key that is there."""

    value: bytes
    rev: int


class Wanted(NamedTuple):
    """What is read for a batch besides single keys. `oldest`: by revision, not by key."""

    range: Range
    oldest: bool = False
    limit: int = 0


class Unread(Exception):
    """A decision needs this to be read as well."""

    def __init__(self, *, key: bytes | None = None, wanted: Wanted | None = None) -> None:
        super().__init__()
        self.key = key
        self.wanted = wanted


class Read(NamedTuple):
    """`single`: by key, None when it is not there. `ranges`: keys with what was found, in the order asked for."""

    single: Mapping[bytes, Found | None]
    ranges: Mapping[Wanted, list[tuple[bytes, Found]]]


class EtcdTable:
    def __init__(self, where: Keys, read: Read) -> None:
        self._keys = where
        self._read = read
        self._now: dict[bytes, Entry | None] = {}
        self._used: dict[str, Used] = {}
        self._changed: set[str] = set()
        self.changes: dict[bytes, bytes | None] = {}
        """What each key becomes; None: it is deleted."""
        self.cleared: list[Range] = []
        self.relied_on: dict[bytes, int] = {}

    def finish(self) -> None:
        """Note what the counts have become."""
        for owner in self._changed:
            key = self._keys.usage(owner)
            self._single(key)
            self.changes[key] = records.encode_used(self._used[owner])

    # --- the table

    def find(self, name: Name) -> Entry | None:
        key = self._keys.entry(name)
        if key not in self._now:
            found = self._single(key)
            self._now[key] = None if found is None else records.decode_as(name, found.value, found.rev)
        return self._now[key]

    def check_size(self, name: Name, content: Content) -> None:
        size = len(name.key.encode()) + len(content.value)
        if size > LONGEST_VALUE:
            raise ValueTooLong(f"Key and value have {size} bytes; {LONGEST_VALUE} is the most")

    def usage(self, owner: str) -> Usage:
        return self._used_of(owner).usage

    def total(self, *, items: bool) -> int:
        return 0

    def store(self, entry: Entry, replaced: Entry | None) -> Entry:
        key = self._keys.entry(entry.name)
        self.relied_on.setdefault(key, replaced.rev if replaced else 0)
        self._count(replaced, entry)
        if replaced is not None and replaced.expires_ms is not None:
            self.changes[self._keys.due(replaced.expires_ms, key)] = None
        if entry.expires_ms is not None:
            self.changes[self._keys.due(entry.expires_ms, key)] = b""
        self.changes[key] = records.encode(entry)
        self._now[key] = entry
        return entry

    def remove(self, entry: Entry) -> None:
        key = self._keys.entry(entry.name)
        self.relied_on.setdefault(key, entry.rev)
        self._count(entry, None)
        self.changes[key] = None
        if entry.expires_ms is not None:
            self.changes[self._keys.due(entry.expires_ms, key)] = None
        self._now[key] = None

    def remove_all(self, owner: str) -> int:
        used = self._used_of(owner)
        self.cleared.append(keys.below(self._keys.space(owner)))
        self._note(owner, Used(0, 0, used.items, used.item_bytes))
        return used.entries

    def due(self, owner: str, now_ms: int) -> Iterator[Entry]:
        spaces = (self._keys.space(owner), self._keys.lists(owner))
        for number, (key, _) in enumerate(self._range(Wanted(self._keys.due_until(now_ms), limit=MOST_REMOVED))):
            entry = self._keys.due_of(key)
            if entry.startswith(spaces) and (found := self._entry_at(entry)) is not None and found.expired(now_ms):
                _check_number(number)
                yield found

    def oldest(self, owner: str) -> Iterator[Entry]:
        wanted = Wanted(keys.below(self._keys.space(owner)), oldest=True, limit=MOST_REMOVED + 1)
        for number, (key, found) in enumerate(self._range(wanted)):
            _check_number(number)
            entry = self._now[key] if key in self._now else records.decode(found.value, found.rev)
            if entry is not None and entry.rev == found.rev:  # else it was written or removed in this batch
                yield entry

    def items(self, owner: str, map: str) -> list[Entry]:
        raise NotImplementedError("lists are evicted item by item")

    # --- what was read

    def _single(self, key: bytes) -> Found | None:
        if key not in self._read.single:
            raise Unread(key=key)
        found = self._read.single[key]
        self.relied_on[key] = found.rev if found else 0
        return found

    def _range(self, wanted: Wanted) -> list[tuple[bytes, Found]]:
        if wanted not in self._read.ranges:
            raise Unread(wanted=wanted)
        return self._read.ranges[wanted]

    def _entry_at(self, key: bytes) -> Entry | None:
        if key not in self._now:
            found = self._single(key)
            try:
                self._now[key] = None if found is None else records.decode(found.value, found.rev)
            except Corrupt:
                return None
        return self._now[key]

    # --- what becomes of it

    def _used_of(self, owner: str) -> Used:
        if owner not in self._used:
            found = self._single(self._keys.usage(owner))
            self._used[owner] = Used() if found is None else records.decode_used(found.value)
        return self._used[owner]

    def _count(self, before: Entry | None, after: Entry | None) -> None:
        if before is not None and after is not None and before.size == after.size:
            return
        owner = (before or after).name.owner  # type: ignore[union-attr]
        used = self._used_of(owner)
        used = used.plus(before, -1) if before is not None else used
        used = used.plus(after, 1) if after is not None else used
        if used != self._used[owner]:
            self._note(owner, used)

    def _note(self, owner: str, used: Used) -> None:
        self._used[owner] = used
        self._changed.add(owner)


def _check_number(number: int) -> None:
    if number >= MOST_REMOVED:
        raise Full(f"More than {MOST_REMOVED} entries would have to give way at once")
