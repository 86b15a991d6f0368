"""The writes, and what each decides; one text for every backend.

    Create    Exists if there; full: `reject` refuses (Full), `removeOldest` drops the entry written longest ago
    Replace   Missing if not there, and then nothing is stored
    Delete    Missing if not there
    Clear     every entry of one owner
    PutItem   creates or replaces an item of a list; full: always Full
    Evict     drops the items of a list that are past (`caching.expiry`)

A write refuses before it changes anything, so the others of its commit are not touched by a refusal.

Source: Zowe's Caching Service: `size` counts the entries of all owners together and only create looks at it;
`removeOldest` may drop another owner's. Lists have no limit there; here items are counted against the same `size` by
themselves and never dropped for room: they are revocations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import msgspec

from caching.entries import Entry, Name, Table
from caching.expiry import Rule, past
from caching.storage import Exists, Full, Missing

Eviction = Literal["reject", "removeOldest"]


T_co = TypeVar("T_co", covariant=True)


class Write(Protocol[T_co]):
    def apply(self, table: Table, limit: Limit, now_ms: int) -> T_co:
        """What the caller is answered. Raises what refuses it, having changed nothing."""


@dataclass(frozen=True)
class Limit:
    """`size` entries of all owners together, and as many items."""

    size: int = 10_000
    eviction: Eviction = "reject"

    def reached(self, table: Table, *, items: bool) -> bool:
        return table.count(items=items) >= self.size

    def refusal(self, what: str) -> Full:
        return Full(f"The storage holds all {self.size} {what} it may (storage.size)")


class Create(msgspec.Struct, frozen=True):
    name: Name
    value: bytes

    def apply(self, table: Table, limit: Limit, now_ms: int) -> Entry:
        if table.find(self.name) is not None:
            raise Exists(f"There is a {self.name}")
        table.check_size(self.name, self.value)
        if limit.reached(table, items=False):
            if limit.eviction == "reject":
                raise limit.refusal("entries")
            table.remove_oldest()
        return table.add(self.name, self.value, now_ms)


class Replace(msgspec.Struct, frozen=True):
    name: Name
    value: bytes

    def apply(self, table: Table, limit: Limit, now_ms: int) -> Entry:
        must_be_there(table, self.name)
        table.check_size(self.name, self.value)
        return table.change(self.name, self.value, now_ms)


class Delete(msgspec.Struct, frozen=True):
    name: Name

    def apply(self, table: Table, limit: Limit, now_ms: int) -> None:
        must_be_there(table, self.name)
        table.remove(self.name)


class Clear(msgspec.Struct, frozen=True):
    owner: str

    def apply(self, table: Table, limit: Limit, now_ms: int) -> int:
        return table.remove_all(self.owner)


class PutItem(msgspec.Struct, frozen=True):
    name: Name
    value: bytes

    def apply(self, table: Table, limit: Limit, now_ms: int) -> Entry:
        table.check_size(self.name, self.value)
        if table.find(self.name) is not None:
            return table.change(self.name, self.value, now_ms)
        if limit.reached(table, items=True):
            raise limit.refusal("items of lists")
        return table.add(self.name, self.value, now_ms)


class Evict(msgspec.Struct, frozen=True):
    owner: str
    map: str
    rule: Rule

    def apply(self, table: Table, limit: Limit, now_ms: int) -> int:
        gone = [item.name for item in table.items(self.owner, self.map) if past(self.rule, item.value, now_ms)]
        for name in gone:
            table.remove(name)
        return len(gone)


def must_be_there(table: Table, name: Name) -> Entry:
    found = table.find(name)
    if found is None:
        raise missing(name)
    return found


def missing(name: Name) -> Missing:
    return Missing(f"There is no {name}")
