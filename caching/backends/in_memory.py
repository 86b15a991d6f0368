"""Entries in this process's memory: not shared with the other instances, and gone with this one.

In a sysplex of several LPARs a value written at one instance is not found at the next, so it says so at start and shows
yellow. cachetools' FIFOCache keeps the entries in the order of their last write, which is what `removeOldest` asks for.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TypeVar

from cachetools import FIFOCache

from caching.entries import Entry, Name
from caching.expiry import Rule
from caching.writes import Clear, Create, Delete, Evict, Limit, PutItem, Replace, Write, must_be_there

T = TypeVar("T")

REMARK = "entries are kept in this instance's memory: not shared with the other LPARs, and lost with it"


class InMemoryTable:
    """The `Table` of one process. `find` and `items` cost no search; `remove_all` looks at every entry."""

    def __init__(self, size: int) -> None:
        self.entries: FIFOCache[Name, Entry] = FIFOCache(maxsize=size)
        self.lists: defaultdict[tuple[str, str], dict[Name, Entry]] = defaultdict(dict)
        self._items = 0
        self._rev = 0

    def find(self, name: Name) -> Entry | None:
        if name.map is None:
            return self.entries.get(name)
        return self.lists.get((name.owner, name.map), {}).get(name)

    def check_size(self, name: Name, value: bytes) -> None:
        """There is no record to fit; the largest body of a request is the limit."""

    def add(self, name: Name, value: bytes, now_ms: int) -> Entry:
        self._items += name.map is not None
        return self.change(name, value, now_ms)

    def change(self, name: Name, value: bytes, now_ms: int) -> Entry:
        self._rev += 1
        entry = Entry(name, value, now_ms, self._rev)
        if name.map is None:
            self.entries[name] = entry
        else:
            self.lists[name.owner, name.map][name] = entry
        return entry

    def remove(self, name: Name) -> None:
        if name.map is None:
            del self.entries[name]
        else:
            del self.lists[name.owner, name.map][name]
            self._items -= 1

    def remove_all(self, owner: str) -> int:
        names = [name for name in self.entries if name.owner == owner]
        for name in names:
            del self.entries[name]
        return len(names)

    def remove_oldest(self) -> None:
        self.entries.popitem()

    def items(self, owner: str, map: str) -> list[Entry]:
        return list(self.lists.get((owner, map), {}).values())

    def count(self, *, items: bool) -> int:
        return self._items if items else len(self.entries)


class InMemoryStorage:
    def __init__(self, limit: Limit, *, alone: bool) -> None:
        """`alone`: there is no other instance to disagree with."""
        self._table = InMemoryTable(limit.size)
        self._limit = limit
        self._alone = alone

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def why(self) -> list[str]:
        return []

    def remarks(self) -> list[str]:
        return [] if self._alone else [REMARK]

    def details(self) -> dict[str, object]:
        entries, items = len(self._table.entries), self._table.count(items=True)
        return {"backend": "inMemory", "entries": entries, "items": items, "size": self._limit.size}

    async def create(self, owner: str, key: str, value: bytes) -> Entry:
        return self._apply(Create(Name(owner, key), value))

    async def get(self, owner: str, key: str) -> Entry:
        return must_be_there(self._table, Name(owner, key))

    async def replace(self, owner: str, key: str, value: bytes) -> Entry:
        return self._apply(Replace(Name(owner, key), value))

    async def delete(self, owner: str, key: str) -> None:
        self._apply(Delete(Name(owner, key)))

    async def entries(self, owner: str) -> list[Entry]:
        return [entry for name, entry in self._table.entries.items() if name.owner == owner]

    async def clear(self, owner: str) -> int:
        return self._apply(Clear(owner))

    async def put_item(self, owner: str, map: str, key: str, value: bytes) -> Entry:
        return self._apply(PutItem(Name(owner, key, map), value))

    async def items(self, owner: str, map: str) -> list[Entry]:
        return self._table.items(owner, map)

    async def maps(self, owner: str) -> dict[str, list[Entry]]:
        lists = self._table.lists.items()
        return {map: list(items.values()) for (whose, map), items in lists if whose == owner and items}

    async def evict(self, owner: str, map: str, rule: Rule) -> int:
        return self._apply(Evict(owner, map, rule))

    def _apply(self, write: Write[T]) -> T:
        return write.apply(self._table, self._limit, int(time.time() * 1000))
