"""Entries in this process's memory: not shared with the other instances, and gone with this one.

In a sysplex of several LPARs a value written at one instance is not found at the next, so it says so at start and shows
yellow. cachetools' FIFOCache keeps the entries in the order of their last write, which is what `removeOldest` asks for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, MutableMapping
from typing import TypeVar

import msgspec
from cachetools import FIFOCache

from caching.capabilities import Capabilities
from caching.clock import Clock
from caching.entries import Content, Entry, Name, Usage
from caching.limits import Limit
from caching.refusals import missing
from caching.writes import Write

T = TypeVar("T")

REMARK = "entries are kept in this instance's memory: not shared with the other LPARs, and lost with it"
FAR = 1 << 62
"""Room of the cache itself; what may be kept is decided by the limit (`caching.limits`)."""


class _Space:
    """What one owner has: its entries, and its items by list."""

    def __init__(self) -> None:
        self.entries: FIFOCache[Name, Entry] = FIFOCache(maxsize=FAR)
        self.lists: defaultdict[str, dict[Name, Entry]] = defaultdict(dict)
        self.usage = Usage()

    def place(self, name: Name) -> MutableMapping[Name, Entry]:
        return self.entries if name.map is None else self.lists[name.map]

    def count(self, entry: Entry, number: int) -> None:
        used, item = self.usage, entry.name.map is not None
        entries, items = (used.entries, used.items + number) if item else (used.entries + number, used.items)
        self.usage = Usage(entries, items, used.bytes + number * entry.size)


class InMemoryTable:
    """The `Table` of one process."""

    def __init__(self) -> None:
        self._spaces: dict[str, _Space] = {}
        self._rev = 0

    def find(self, name: Name) -> Entry | None:
        return self._space(name.owner).place(name).get(name)

    def check_size(self, name: Name, content: Content) -> None:
        """There is no record to fit; the largest body of a request is the limit."""

    def usage(self, owner: str) -> Usage:
        return self._space(owner).usage

    def total(self, *, items: bool) -> int:
        return sum(each.usage.items if items else each.usage.entries for each in self._spaces.values())

    def store(self, entry: Entry, replaced: Entry | None) -> Entry:
        self._rev += 1
        entry = msgspec.structs.replace(entry, rev=self._rev)
        if replaced is not None:
            self.remove(replaced)
        space = self._spaces.setdefault(entry.name.owner, _Space())
        space.place(entry.name)[entry.name] = entry
        space.count(entry, 1)
        return entry

    def remove(self, entry: Entry) -> None:
        space = self._spaces[entry.name.owner]
        del space.place(entry.name)[entry.name]
        space.count(entry, -1)
        if space.usage == Usage():
            del self._spaces[entry.name.owner]

    def remove_all(self, owner: str) -> int:
        gone = list(self._space(owner).entries.values())
        for each in gone:
            self.remove(each)
        return len(gone)

    def due(self, owner: str, now_ms: int) -> list[Entry]:
        space = self._space(owner)
        held = [*space.entries.values(), *(each for items in space.lists.values() for each in items.values())]
        return [each for each in held if each.expired(now_ms)]

    def oldest(self, owner: str) -> Iterator[Entry]:
        return iter(self._space(owner).entries.values())

    def items(self, owner: str, map: str) -> list[Entry]:
        return list(self._space(owner).lists[map].values())

    def entries(self, owner: str) -> list[Entry]:
        return list(self._space(owner).entries.values())

    def maps(self, owner: str) -> list[str]:
        return sorted(map for map, items in self._space(owner).lists.items() if items)

    def _space(self, owner: str) -> _Space:
        """Of somebody who has nothing: an empty one, which is not kept."""
        return self._spaces.get(owner) or _Space()


class InMemoryStorage:
    capabilities = Capabilities(
        shared=False,
        durable=False,
        linearizable=True,
        acked_loss="all",
        ordered=True,
        watch="none",
        total_limit=True,
        max_value_bytes=FAR,
        simulated=None,
        remark=REMARK,
    )

    def __init__(self, limit: Limit, *, alone: bool, clock: Clock) -> None:
        """`alone`: there is no other instance to disagree with."""
        self._table = InMemoryTable()
        self._limit = limit
        self._alone = alone
        self._clock = clock

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def why(self) -> list[str]:
        return []

    def remarks(self) -> list[str]:
        return [] if self._alone else [REMARK]

    def details(self) -> dict[str, object]:
        entries, items = self._table.total(items=False), self._table.total(items=True)
        return {"backend": "inMemory", "entries": entries, "items": items, "size": self._limit.size}

    async def get(self, name: Name) -> Entry:
        return self.get_now(name)

    def get_now(self, name: Name) -> Entry:
        found = self._table.find(name)
        if found is None or found.expired(self._clock.now_ms()):
            raise missing(name)
        return found

    async def write(self, write: Write[T]) -> T:
        return write.apply(self._table, self._limit, self._clock.now_ms())

    async def page(
        self, owner: str, *, map: str | None = None, prefix: str = "", after: str | None = None, limit: int = 1000
    ) -> list[Entry]:
        now_ms, behind = self._clock.now_ms(), b"" if after is None else after.encode()
        held = self._table.entries(owner) if map is None else self._table.items(owner, map)
        found = [each for each in held if each.name.key.startswith(prefix) and not each.expired(now_ms)]
        found.sort(key=lambda each: each.name.key.encode())
        return [each for each in found if after is None or each.name.key.encode() > behind][:limit]

    async def maps(self, owner: str) -> list[str]:
        return self._table.maps(owner)

    async def usage(self, owner: str) -> Usage:
        return self._table.usage(owner)
