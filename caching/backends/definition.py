"""What a data set is defined with: the tables of its file, and the attributes another opener must want too.

    attributes   name and value
    records      key, rev, record (`ksds`), expires (ms; NULL: never)
    owners       what each owner uses: entries, items, bytes
    counters     one row: entries, items, rev of the last write; so a limit costs no scan

A data set of an older format is brought to ours when it is opened; records are read in every format there ever was, and
written anew in ours as they change. Call everything here under the lock.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from caching.backends import ksds
from caching.backends.ksds import Attributes, Share
from caching.limits import Eviction
from caching.refusals import Corrupt
from shared.errors import ConfigError

APPLICATION = 0x504C584B  # "PLXK", in the file's header

OWNERS = """CREATE TABLE owners (
    space BLOB NOT NULL PRIMARY KEY, entries INTEGER NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL
) WITHOUT ROWID"""
DUE = "CREATE INDEX due ON records (expires) WHERE expires IS NOT NULL"
SCHEMA = (
    f"PRAGMA application_id = {APPLICATION}",
    "CREATE TABLE attributes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE records (key BLOB NOT NULL PRIMARY KEY, rev INTEGER NOT NULL, record BLOB NOT NULL, expires INTEGER)",
    DUE,
    OWNERS,
    "CREATE TABLE counters (entries INTEGER NOT NULL, items INTEGER NOT NULL, rev INTEGER NOT NULL)",
    "INSERT INTO counters VALUES (0, 0, 0)",
)
OLDEST = (
    "DROP INDEX IF EXISTS oldest",  # of format 1, over all owners
    f"CREATE INDEX IF NOT EXISTS oldest_of_owner ON records (substr(key, 1, {ksds.SPACE}), rev) WHERE key < X'4C'",
)


def define(
    connection: sqlite3.Connection, path: Path, sysplex: str, attributes: Attributes, eviction: Eviction
) -> None:
    """Raises ConfigError when the file is something else, or was defined otherwise."""
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if not empty and connection.execute("PRAGMA application_id").fetchone() != (APPLICATION,):
        raise ConfigError(f"{path}: this is an SQLite file of something else, not a data set")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise ConfigError(f"{path}: this volume does not carry a write-ahead log")
    wanted = _wanted(sysplex, attributes)
    if empty:
        _write(connection, wanted)
    found = defined(connection)
    _compare(path, found | {"format": wanted["format"]} if found.get("format") == "1" else found, wanted)
    if found.get("format") == "1":
        _upgrade(connection)
    if eviction == "removeOldest":
        for statement in OLDEST:
            connection.execute(statement)


def defined(connection: sqlite3.Connection) -> dict[str, str]:
    """What the data set was defined with; older ones are shared record by record. Raises sqlite3.Error."""
    return {"share": "rls"} | dict(connection.execute("SELECT name, value FROM attributes"))


def attributes_of(found: Mapping[str, str]) -> Attributes:
    share: Share = "nonrls" if found["share"] == "nonrls" else "rls"
    return Attributes(int(found["keyLength"]), int(found["recordLength"]), share)


def _wanted(sysplex: str, attributes: Attributes) -> dict[str, str]:
    return {
        "format": str(ksds.FORMAT),
        "sysplex": sysplex,
        "keyLength": str(attributes.key_length),
        "recordLength": str(attributes.record_length),
        "share": attributes.share,
    }


def _write(connection: sqlite3.Connection, wanted: dict[str, str]) -> None:
    with whole(connection):
        for statement in SCHEMA:
            connection.execute(statement)
        connection.executemany("INSERT INTO attributes VALUES (?, ?)", wanted.items())


def _compare(path: Path, found: dict[str, str], wanted: dict[str, str]) -> None:
    for name, value in wanted.items():
        if found.get(name) != value:
            raise ConfigError(
                f"{path}: the data set was defined with {name} {found.get(name)}, the configuration says {value}; use "
                "its value, or another name"
            )


def _upgrade(connection: sqlite3.Connection) -> None:
    """From format 1, which had no expiry and counted over all owners only."""
    with whole(connection):
        connection.execute("ALTER TABLE records ADD COLUMN expires INTEGER")
        connection.execute(DUE)
        connection.execute(OWNERS)
        used: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0, 0])
        for key, record in connection.execute("SELECT key, record FROM records"):
            counted = used[ksds.ENTRY + key[1 : ksds.SPACE]]
            counted[1 if key.startswith(ksds.ITEM) else 0] += 1
            with contextlib.suppress(Corrupt):
                counted[2] += ksds.decode(record).size
        rows = [(space, *counted) for space, counted in used.items()]
        connection.executemany("INSERT INTO owners VALUES (?, ?, ?, ?)", rows)
        connection.execute("UPDATE attributes SET value = ? WHERE name = 'format'", (str(ksds.FORMAT),))


@contextlib.contextmanager
def whole(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
