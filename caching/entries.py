"""An entry, its name, and the table it stands in while a write decides.

A name is (owner, key) for an entry of the cache and (owner, map, key) for an item of a list. Its parts are kept apart
everywhere: owner "a" with key "bc" and owner "ab" with key "c" have nothing in common.

`rev` numbers the writes of a store from 1, so the entry with the least one is the one written longest ago, whatever the
clocks of the LPARs say.
"""

from __future__ import annotations

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


class Entry(msgspec.Struct, frozen=True):
    """`created_ms` is the wall clock of the last write, in ms since 1970, as Zowe has it."""

    name: Name
    value: bytes
    created_ms: int
    rev: int


class Table(Protocol):
    """All entries and items of a store, held still for one write after the other.

    The changing methods do as they are told: what is allowed is decided before (`caching.writes`).
    """

    def find(self, name: Name) -> Entry | None:
        """Raises Corrupt when what is there cannot be read."""

    def check_size(self, name: Name, value: bytes) -> None:
        """Raises ValueTooLong."""

    def add(self, name: Name, value: bytes, now_ms: int) -> Entry: ...

    def change(self, name: Name, value: bytes, now_ms: int) -> Entry: ...

    def remove(self, name: Name) -> None: ...

    def remove_all(self, owner: str) -> int:
        """Every entry of the cache of that owner, damaged ones too; no items."""

    def remove_oldest(self) -> None:
        """The entry of the cache written longest ago, whoever owns it."""

    def items(self, owner: str, map: str) -> list[Entry]: ...

    def count(self, *, items: bool) -> int:
        """Of all owners: items of lists, or entries of the cache."""
