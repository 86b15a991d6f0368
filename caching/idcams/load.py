"""The write that brings a copy back: all of its entries, or none.

Each keeps the instant at which it expires, and gets a new number in the order of the old ones, so that the oldest stays
the oldest. One that has expired meanwhile is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from caching.entries import Entry, Table
from caching.limits import Limit
from shared.errors import BadInput, Conflict, PlexmeshError


class Loaded(msgspec.Struct, frozen=True):
    records: int
    replaced: int
    expired: int


class Load(msgspec.Struct, frozen=True):
    entries: Sequence[tuple[int, Entry]]
    """With their lines."""
    replace: bool

    def apply(self, table: Table, limit: Limit, now_ms: int) -> Loaded:
        """Raises Conflict, BadInput, with the line."""
        alive = [(line, entry) for line, entry in self.entries if not entry.expired(now_ms)]
        todo = [(entry, self._checked(table, line, entry, now_ms)) for line, entry in alive]
        for entry, found in sorted(todo, key=lambda each: each[0].rev):
            table.store(entry, found)
        replaced = sum(found is not None for _, found in todo)
        return Loaded(len(todo), replaced, len(self.entries) - len(alive))

    def _checked(self, table: Table, line: int, entry: Entry, now_ms: int) -> Entry | None:
        """What it replaces."""
        try:
            found = table.find(entry.name)
            table.check_size(entry.name, entry.content)
        except PlexmeshError as error:
            raise BadInput(f"line {line}: {error}") from error
        if found is not None and not found.expired(now_ms) and not self.replace:
            raise Conflict(f"line {line}: there is a {entry.name} already; give --replace to replace what is there")
        return found
