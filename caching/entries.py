"""An entry, its name, and the table it stands in while a write decides.

A name is (owner, key) for an entry of the cache and (owner, map, key) for an item of a list. Its parts are kept apart
everywhere: owner "a" with key "bc" and owner "ab" with key "c" have nothing in common.

`rev` numbers the writes of a store, so the entry with the least one is the one written longest ago, whatever the clocks
of the LPARs say. A store that loses writes can give a number twice; so an ETag holds the write's own id as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec


class Name(NamedTuple):
    owner: str
    key: str
    map: str | None = None
    """The list an item belongs to; None: an entry of the cache."""

    def __str__(self) -> str:
        place = f"list {self.map!r}" if self.map is not None else "the cache"
        return f"key {self.key!r} in {place} of service {self.owner!r}"


class Content(msgspec.Struct, frozen=True):
    """What a caller gives: the value, and what type it is of; without a type it is a text of Zowe's JSON form."""

    value: bytes
    type: str = ""


class Entry(msgspec.Struct, frozen=True):
    """`created_ms` is the wall clock of the last write, in ms since 1970, as Zowe has it; `expires_ms` likewise."""

    name: Name
    content: Content
    created_ms: int
    rev: int
    write_id: str = ""
    """Given by the caller, or made for it: who repeats a write is known by it. Empty in old records."""
    expires_ms: int | None = None
    first: bool = True
    """That write created the entry: there was none before."""

    @property
    def value(self) -> bytes:
        return self.content.value

    @property
    def etag(self) -> str:
        """Without its quotes."""
        return f"{self.rev}.{self.write_id}"

    @property
    def size(self) -> int:
        """What it counts for in a quota: the bytes of key and value."""
        return size_of(self.name, self.content)

    def expired(self, now_ms: int) -> bool:
        return self.expires_ms is not None and self.expires_ms <= now_ms


def size_of(name: Name, content: Content) -> int:
    return len(name.key.encode()) + len(content.value)


class Usage(msgspec.Struct, frozen=True):
    """What one owner has: entries of the cache, items of its lists, and the bytes (`Entry.size`) of both.

    What has expired counts until it is removed.
    """

    entries: int = 0
    items: int = 0
    bytes: int = 0


class Table(Protocol):
    """All entries and items of a store, held still for one write after the other; expired ones are there still.

    The changing methods do as they are told: what is allowed is decided before (`caching.writes`).
    """

    def find(self, name: Name) -> Entry | None:
        """Raises Corrupt when what is there cannot be read."""

    def check_size(self, name: Name, content: Content) -> None:
        """Raises ValueTooLong."""

    def usage(self, owner: str) -> Usage: ...

    def total(self, *, items: bool) -> int:
        """Of all owners: items of lists, or entries of the cache."""

    def store(self, entry: Entry, replaced: Entry | None) -> Entry:
        """As given, with the next `rev`. `replaced` is what `find` found."""

    def remove(self, entry: Entry) -> None: ...

    def remove_all(self, owner: str) -> int:
        """Every entry of the cache of that owner, damaged ones too; no items."""

    def due(self, owner: str, now_ms: int) -> Iterable[Entry]:
        """The owner's entries and items that have expired."""

    def oldest(self, owner: str) -> Iterable[Entry]:
        """The owner's entries of the cache, the one written longest ago first; read only as far as is looked at."""

    def items(self, owner: str, map: str) -> list[Entry]:
        """Those that can be read."""
