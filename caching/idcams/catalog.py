"""What LISTCAT shows of a data set: how it was defined, what is in it, whose, and who is at it.

Read beside whoever writes, and for once without the lock when that cannot be had: a holder that is stopped is just what
somebody looks for here.
"""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from caching.backends import definition, ksds
from caching.backends.data_set import opening_failed
from caching.backends.openers import HOLDS, RESTS, WANTS
from caching.idcams.opened import Presence, beside, read_definition
from caching.refusals import Corrupt
from shared.errors import Unavailable

LOCK_S = 1.0
DOES = {RESTS: "", WANTS: "waits for the lock", HOLDS: "holds the lock"}


class Use(msgspec.Struct, frozen=True):
    owner: str
    entries: int
    items: int
    bytes: int


class At(msgspec.Struct, frozen=True):
    """An opener."""

    who: str
    since: str
    lock: str
    launcher: str


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    file: str
    format: int
    sysplex: str
    key_length: int
    record_length: int
    share: str
    entries: int
    items: int
    bytes: int
    file_bytes: int
    log_bytes: int
    lock: str | None
    """Who holds it at this moment."""
    open: list[At]
    owners: list[Use]


def listing(present: Presence) -> Listing:
    """Raises ConfigError, Unavailable."""
    path = present.path
    holder = None if present.lock.take() else present.holder()
    if holder is None:
        present.lock.free()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Unavailable):
            stack.enter_context(present.locked(LOCK_S))
        found = read_definition(path)
        entries, items, uses = _content(path)
    attributes = definition.attributes_of(found)
    return Listing(
        name=path.name,
        file=str(path),
        format=int(found["format"]),
        sysplex=found["sysplex"],
        key_length=attributes.key_length,
        record_length=attributes.record_length,
        share=attributes.share,
        entries=entries,
        items=items,
        bytes=sum(each.bytes for each in uses),
        file_bytes=path.stat().st_size,
        log_bytes=_size(beside(path, "-wal")),
        lock=holder,
        open=[
            At(each.opener.who, _instant(each.opener.since_ms), DOES.get(each.lock, ""), each.opener.launcher)
            for each in present.area.others()
        ],
        owners=uses,
    )


def text(found: Listing) -> str:
    """For people."""
    rows = [
        ("sysplex", found.sysplex),
        ("attributes", f"keyLength {found.key_length}, recordLength {found.record_length}, share {found.share}"),
        ("content", f"{found.entries} entries, {found.items} items of lists, {found.bytes} bytes"),
        ("file", f"{found.file}: {found.file_bytes} bytes, log {found.log_bytes} bytes, format {found.format}"),
        ("lock", f"held by {found.lock}" if found.lock else "free"),
        *(("open", f"{each.who} since {each.since}{f', {each.lock}' if each.lock else ''}") for each in found.open),
        *(
            ("owner", f"{each.owner}: {each.entries} entries, {each.items} items, {each.bytes} bytes")
            for each in found.owners
        ),
    ]
    return "\n".join([found.name, *(f"  {label:<11} {value}" for label, value in rows)])


def _content(path: Path) -> tuple[int, int, list[Use]]:
    """Entries, items, and what each owner uses."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN")
            entries, items = connection.execute("SELECT entries, items FROM counters").fetchone()
            return entries, items, sorted(_uses(connection), key=lambda each: each.owner)
        except sqlite3.Error as error:
            raise opening_failed(path, error) from error


def _uses(connection: sqlite3.Connection) -> Iterator[Use]:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'owners'").fetchone():
        return  # format 1 knew the totals only
    for space, entries, items, size in connection.execute("SELECT space, entries, items, bytes FROM owners").fetchall():
        if entries or items:
            yield Use(_owner(connection, space), entries, items, size)


def _owner(connection: sqlite3.Connection, space: bytes) -> str:
    """By the first of its records that can be read: the space is a digest."""
    for kind in (ksds.ENTRY, ksds.ITEM):
        low = kind + space[1:]
        rows = connection.execute("SELECT record FROM records WHERE key >= ? AND key < ?", (low, ksds.after(low)))
        for (record,) in rows:
            with contextlib.suppress(Corrupt):
                return ksds.decode(record).name.owner
    return f"unknown ({space[1:].hex()})"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _instant(ms: int) -> str:
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat(timespec="seconds")
