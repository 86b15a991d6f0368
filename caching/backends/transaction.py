"""The `Table` of one transaction: rows in the data set's file, and what they are counted as.

Also how a row is found: by its key, and then by the full name in its record.

Not here: beginning, committing and failing (`data_set`).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from caching.backends import ksds
from caching.backends.ksds import Attributes
from caching.entries import Content, Entry, Name, Usage
from caching.refusals import Corrupt

DUE_AT_ONCE = 64
"""Expired records that one commit removes by itself, whoever owns them."""

PUT = """
INSERT INTO records (key, rev, record, expires) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, record = excluded.record, expires = excluded.expires
"""
DUE = "SELECT key, record FROM records WHERE expires <= ?"
OLDEST = f"SELECT key, record FROM records WHERE substr(key, 1, {ksds.SPACE}) = ? AND key < X'4C' ORDER BY rev"
USED = "SELECT entries, items, bytes FROM owners WHERE space = ?"
SAVE_USED = """
INSERT INTO owners (space, entries, items, bytes) VALUES (?, ?, ?, ?)
ON CONFLICT (space) DO UPDATE SET entries = excluded.entries, items = excluded.items, bytes = excluded.bytes
"""


class Totals(NamedTuple):
    """Over all owners; `rev` is the number of the last write."""

    entries: int
    items: int
    rev: int


class Transaction:
    """What it counts is written back by `save`."""

    def __init__(self, connection: sqlite3.Connection, attributes: Attributes) -> None:
        self._connection = connection
        self._attributes = attributes
        self._totals = self._saved = Totals(*connection.execute("SELECT entries, items, rev FROM counters").fetchone())
        self._used: dict[bytes, Usage] = {}
        self._changed: set[bytes] = set()

    def save(self) -> None:
        if self._totals != self._saved:
            self._connection.execute("UPDATE counters SET entries = ?, items = ?, rev = ?", self._totals)
        for space in self._changed:
            used = self._used[space]
            self._connection.execute(SAVE_USED, (space, used.entries, used.items, used.bytes))

    # --- the table

    def find(self, name: Name) -> Entry | None:
        return find(self._connection, name, self._attributes)

    def check_size(self, name: Name, content: Content) -> None:
        ksds.check_size(name, content, self._attributes)

    def usage(self, owner: str) -> Usage:
        return self._usage(ksds.space(owner))

    def total(self, *, items: bool) -> int:
        return self._totals.items if items else self._totals.entries

    def store(self, entry: Entry, replaced: Entry | None) -> Entry:
        entry = msgspec.structs.replace(entry, rev=self._totals.rev + 1)
        self._totals = self._totals._replace(rev=entry.rev)
        key = ksds.key_of(entry.name, self._attributes)
        self._connection.execute(PUT, (key, entry.rev, ksds.encode(entry), entry.expires_ms))
        self._count(key, 0 if replaced else 1, entry.size - (replaced.size if replaced else 0))
        return entry

    def remove(self, entry: Entry) -> None:
        self._remove(ksds.key_of(entry.name, self._attributes), entry.size)

    def remove_all(self, owner: str) -> int:
        found = [(key, _read(record)) for key, record in below(self._connection, ksds.space(owner))]
        own = [(key, entry) for key, entry in found if entry is None or entry.name.owner == owner]
        for key, entry in own:  # a damaged one is in the owner's space by its key: so it is got rid of
            self._remove(key, entry.size if entry else 0)
        if len(own) == len(found) and self.usage(owner).items == 0:
            self._note(ksds.space(owner), Usage())  # what damaged records counted for was not known
        return len(own)

    def due(self, owner: str, now_ms: int) -> Iterator[Entry]:
        for _, record in self._connection.execute(DUE, (now_ms,)).fetchall():
            if (entry := _read(record)) is not None and entry.name.owner == owner:
                yield entry

    def oldest(self, owner: str) -> Iterator[Entry]:
        for _, record in self._connection.execute(OLDEST, (ksds.space(owner),)):
            if (entry := _read(record)) is not None and entry.name.owner == owner:
                yield entry

    def items(self, owner: str, map: str) -> list[Entry]:
        found = [_read(record) for _, record in below(self._connection, ksds.space(owner, map))]
        return [each for each in found if each is not None and (each.name.owner, each.name.map) == (owner, map)]

    # --- what nobody asked for

    def remove_due(self, now_ms: int) -> None:
        """Some of what has expired, so that it does not stay for ever."""
        for key, record in self._connection.execute(f"{DUE} LIMIT {DUE_AT_ONCE}", (now_ms,)).fetchall():
            entry = _read(record)
            self._remove(key, entry.size if entry else 0)

    # --- counting

    def _remove(self, key: bytes, size: int) -> None:
        self._connection.execute("DELETE FROM records WHERE key = ?", (key,))
        self._count(key, -1, -size)

    def _count(self, key: bytes, number: int, size: int) -> None:
        space = ksds.ENTRY + key[1 : ksds.SPACE]
        entries, items = (0, number) if key.startswith(ksds.ITEM) else (number, 0)
        used = self._usage(space)
        self._note(space, Usage(used.entries + entries, used.items + items, max(used.bytes + size, 0)))
        if number:
            totals = self._totals
            self._totals = totals._replace(entries=totals.entries + entries, items=totals.items + items)

    def _usage(self, space: bytes) -> Usage:
        if (used := self._used.get(space)) is None:
            used = self._used[space] = used_of(self._connection, space)
        return used

    def _note(self, space: bytes, used: Usage) -> None:
        self._used[space] = used
        self._changed.add(space)


def used_of(connection: sqlite3.Connection, space: bytes) -> Usage:
    found = connection.execute(USED, (space,)).fetchone()
    return Usage(*found) if found else Usage()


def find(connection: sqlite3.Connection, name: Name, attributes: Attributes) -> Entry | None:
    """Raises Corrupt, with the key."""
    key = ksds.key_of(name, attributes)
    found = connection.execute("SELECT record FROM records WHERE key = ?", (key,)).fetchone()
    try:
        return None if found is None else ksds.decode_as(name, found[0])
    except Corrupt as error:
        error.key = key
        raise


def below(connection: sqlite3.Connection, prefix: bytes) -> list[tuple[bytes, bytes]]:
    """Keys and records, read whole: rows must not be removed under a running SELECT."""
    between = (prefix, ksds.after(prefix))
    rows = connection.execute("SELECT key, record FROM records WHERE key >= ? AND key < ? ORDER BY key", between)
    return rows.fetchall()


def _read(record: bytes) -> Entry | None:
    with contextlib.suppress(Corrupt):
        return ksds.decode(record)
    return None
