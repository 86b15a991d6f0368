"""The writes, and what each decides; one text for every backend.

    Put      creates or replaces what its condition allows; refused when the limit leaves no room (`caching.limits`)
    Delete   removes what its condition allows; Missing if there is none
    Clear    removes every entry of one owner; its lists stay
    Evict    drops the items of a list that are past (`caching.expiry`)

A write refuses before it changes anything, so the others of its commit are not touched by a refusal. What has expired
is not there, for every condition.

A Put whose id is that of the entry in place has been applied already: it is answered as it was the first time, and
nothing changes. So a caller who does not know the outcome repeats it with the same id.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from caching.conditions import ANY, PRESENT, Condition
from caching.entries import Content, Entry, Name, Table
from caching.expiry import Rule, past
from caching.limits import Limit
from caching.refusals import missing

T_co = TypeVar("T_co", covariant=True)


class Write(Protocol[T_co]):
    def apply(self, table: Table, limit: Limit, now_ms: int) -> T_co:
        """What the caller is answered. Raises what refuses it, having changed nothing."""


class Put(msgspec.Struct, frozen=True):
    name: Name
    content: Content
    write_id: str
    condition: Condition = ANY
    ttl_ms: int | None = None
    """None: it stays."""

    def apply(self, table: Table, limit: Limit, now_ms: int) -> Entry:
        """Raises Exists, Missing, Changed, ValueTooLong, Full."""
        found = table.find(self.name)
        live = None if found is None or found.expired(now_ms) else found
        if live is not None and live.write_id == self.write_id:
            return live
        self.condition.check(self.name, live)
        table.check_size(self.name, self.content)
        limit.make_room(table, self.name, self.content, found, now_ms)
        return table.store(self.entry(now_ms, first=live is None), found)

    def entry(self, now_ms: int, *, first: bool) -> Entry:
        """What is to be stored; its number is the store's to give."""
        expires_ms = None if self.ttl_ms is None else now_ms + self.ttl_ms
        return Entry(self.name, self.content, now_ms, 0, self.write_id, expires_ms, first)


class Delete(msgspec.Struct, frozen=True):
    name: Name
    condition: Condition = PRESENT

    def apply(self, table: Table, limit: Limit, now_ms: int) -> None:
        """Raises Missing, Changed."""
        found = table.find(self.name)
        live = None if found is None or found.expired(now_ms) else found
        self.condition.check(self.name, live)
        if live is None:
            raise missing(self.name)
        table.remove(live)


class Clear(msgspec.Struct, frozen=True):
    owner: str

    def apply(self, table: Table, limit: Limit, now_ms: int) -> int:
        """How many there were, with those that had expired."""
        return table.remove_all(self.owner)


class Evict(msgspec.Struct, frozen=True):
    owner: str
    map: str
    rule: Rule

    def apply(self, table: Table, limit: Limit, now_ms: int) -> int:
        """How many were dropped."""
        gone = [item for item in table.items(self.owner, self.map) if past(self.rule, item.value, now_ms)]
        for item in gone:
            table.remove(item)
        return len(gone)
