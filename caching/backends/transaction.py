"""The `Table` of one transaction: rows in the data set's file, and what they are counted as.

Also how a row is found: by its key, and then by the full name in its record.

Not here: beginning, committing and failing (`data_set`).
"""

from __future__ import annotations

import contextlib
import sqlite3

from caching.backends import ksds
from caching.backends.ksds import Attributes
from caching.entries import Entry, Name
from caching.storage import Corrupt

Row = tuple[bytes, bytes]
"""Key and record."""


class Transaction:
    """What it counts is written back by `save`."""

    def __init__(self, connection: sqlite3.Connection, attributes: Attributes) -> None:
        self._connection = connection
        self._attributes = attributes
        self._read = self._counters = connection.execute("SELECT entries, items, rev FROM counters").fetchone()

    def save(self) -> None:
        if self._counters != self._read:
            self._connection.execute("UPDATE counters SET entries = ?, items = ?, rev = ?", self._counters)

    def find(self, name: Name) -> Entry | None:
        return find(self._connection, name, self._attributes)

    def check_size(self, name: Name, value: bytes) -> None:
        ksds.check_size(name, value, self._attributes)

    def add(self, name: Name, value: bytes, now_ms: int) -> Entry:
        self._count(name.map is not None, 1)
        entry = self._next(name, value, now_ms)
        row = (ksds.key_of(name, self._attributes), entry.rev, ksds.encode(entry))
        self._connection.execute("INSERT INTO records VALUES (?, ?, ?)", row)
        return entry

    def change(self, name: Name, value: bytes, now_ms: int) -> Entry:
        entry = self._next(name, value, now_ms)
        row = (entry.rev, ksds.encode(entry), ksds.key_of(name, self._attributes))
        self._connection.execute("UPDATE records SET rev = ?, record = ? WHERE key = ?", row)
        return entry

    def remove(self, name: Name) -> None:
        self._remove_key(ksds.key_of(name, self._attributes))

    def remove_all(self, owner: str) -> int:
        keys = [key for key, record in below(self._connection, ksds.space(owner)) if not _other_owner(record, owner)]
        for key in keys:
            self._remove_key(key)
        return len(keys)

    def remove_oldest(self) -> None:
        found = self._connection.execute(
            f"SELECT key FROM records WHERE key < X'{ksds.ITEM.hex()}' ORDER BY rev LIMIT 1"
        ).fetchone()
        if found is not None:
            self._remove_key(found[0])

    def items(self, owner: str, map: str) -> list[Entry]:
        found = []
        for _, record in below(self._connection, ksds.space(owner, map)):
            with contextlib.suppress(Corrupt):
                found.append(ksds.decode(record))
        return [each for each in found if (each.name.owner, each.name.map) == (owner, map)]

    def count(self, *, items: bool) -> int:
        return int(self._counters[1 if items else 0])

    def _next(self, name: Name, value: bytes, now_ms: int) -> Entry:
        entries, items, rev = self._counters
        self._counters = (entries, items, rev + 1)
        return Entry(name, value, now_ms, rev + 1)

    def _remove_key(self, key: bytes) -> None:
        self._connection.execute("DELETE FROM records WHERE key = ?", (key,))
        self._count(key.startswith(ksds.ITEM), -1)

    def _count(self, item: bool, change: int) -> None:
        entries, items, rev = self._counters
        self._counters = (entries, items + change, rev) if item else (entries + change, items, rev)


def find(connection: sqlite3.Connection, name: Name, attributes: Attributes) -> Entry | None:
    """Raises Corrupt, with the key."""
    key = ksds.key_of(name, attributes)
    found = connection.execute("SELECT record FROM records WHERE key = ?", (key,)).fetchone()
    try:
        return None if found is None else ksds.decode_as(name, found[0])
    except Corrupt as error:
        error.key = key
        raise


def below(connection: sqlite3.Connection, prefix: bytes) -> list[Row]:
    """Read whole: rows must not be removed under a running SELECT."""
    between = (prefix, ksds.after(prefix))
    rows = connection.execute("SELECT key, record FROM records WHERE key >= ? AND key < ? ORDER BY key", between)
    return rows.fetchall()


def _other_owner(record: bytes, owner: str) -> bool:
    try:
        return ksds.decode(record).name.owner != owner
    except Corrupt:
        return False  # in the owner's space by its key: clearing is how a damaged record is got rid of
