"""How much may be kept: in all, and by each owner; and what makes room.

    reject         a write that does not fit is refused (Full)
    removeOldest   the owner's own entries written longest ago give way to its new one

What has expired gives way first, always. Items of lists are counted like entries, by themselves, and are never dropped
for room: they are revocations. Nobody's write removes what belongs to another.

Source: Zowe's Caching Service, whose `size` counts the entries of all owners together and whose removeOldest drops
anybody's; the quota of an owner is ours, and so is the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from caching.entries import Content, Entry, Name, Table, Usage, size_of
from caching.refusals import Full

Eviction = Literal["reject", "removeOldest"]


@dataclass(frozen=True)
class Limit:
    """`size`: entries of all owners together, and as many items. The rest is for each owner. None: no limit."""

    size: int | None = 10_000
    eviction: Eviction = "reject"
    owner_entries: int | None = None
    owner_bytes: int = 64 * 1024 * 1024

    def make_room(self, table: Table, name: Name, content: Content, replaced: Entry | None, now_ms: int) -> None:
        """A write that does not grow always fits. Raises Full, with nothing removed."""
        if replaced is not None and size_of(name, content) <= replaced.size:
            return
        demand = _Demand(self, table, name, content, replaced)
        if not (lacking := demand.lacking()):
            return
        victims: dict[Name, Entry] = {}
        for each in self._giving_way(table, name, now_ms):
            if each.name != name and each.name not in victims:
                victims[each.name] = each
                demand.give(each)
                if not (lacking := demand.lacking()):
                    break
        if lacking:
            raise Full(lacking)
        for each in victims.values():
            table.remove(each)

    def _giving_way(self, table: Table, name: Name, now_ms: int) -> Iterator[Entry]:
        yield from table.due(name.owner, now_ms)
        if self.eviction == "removeOldest":
            yield from table.oldest(name.owner)


class _Demand:
    """What would be used with the write done, less what has given way."""

    def __init__(self, limit: Limit, table: Table, name: Name, content: Content, replaced: Entry | None) -> None:
        used = table.usage(name.owner)
        self._limit = limit
        self._owner = name.owner
        self._item = name.map is not None
        self._more = replaced is None
        self._count = _count(used, item=self._item) + self._more
        self._total = 0 if limit.size is None else table.total(items=self._item) + self._more
        self._bytes = used.bytes + size_of(name, content) - (replaced.size if replaced else 0)

    def give(self, entry: Entry) -> None:
        self._bytes -= entry.size
        if (entry.name.map is not None) == self._item:
            self._count -= 1
            self._total -= 1

    def lacking(self) -> str:
        """What there is no room for, in a sentence; empty when it fits."""
        limit, what = self._limit, "items of lists" if self._item else "entries"
        if self._more and limit.size is not None and self._total > limit.size:
            return f"The storage holds all {limit.size} {what} it may (storage.size)"
        if self._more and limit.owner_entries is not None and self._count > limit.owner_entries:
            return f"Service {self._owner!r} has all {limit.owner_entries} {what} it may (storage.quotaEntries)"
        if self._bytes > limit.owner_bytes:
            return f"Service {self._owner!r} may use {limit.owner_bytes} bytes (storage.quotaBytes)"
        return ""


def _count(used: Usage, *, item: bool) -> int:
    return used.items if item else used.entries
