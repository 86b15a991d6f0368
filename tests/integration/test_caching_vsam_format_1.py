"""Data sets of format 1, as the first instances wrote them: read as they are, and brought up when they are opened."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from caching.backends import ksds
from caching.backends.ksds import Attributes
from caching.conditions import ABSENT
from caching.entries import Name, Usage
from caching.limits import Limit
from caching.refusals import Corrupt, Missing
from shared.errors import ConfigError
from tests.contract.calls import create, delete, get, put
from tests.contract.storages import vsam
from tests.integration.vsam_rig import NAME, Commands, change, opened


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


OLD = struct.Struct(">BQQHhHI")


def old_record(owner: str, key: str, value: bytes, rev: int, map: str | None = None) -> bytes:
    names = [owner.encode(), (map or "").encode(), key.encode()]
    lengths = (len(names[0]), -1 if map is None else len(names[1]), len(names[2]), len(value))
    body = OLD.pack(1, rev, 1000 + rev, *lengths) + b"".join(names) + value
    return body + struct.pack(">I", zlib.crc32(body))


def old_data_set(path: Path, records: list[tuple[Name, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA application_id = 1347180619",
            "CREATE TABLE attributes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE records (key BLOB NOT NULL PRIMARY KEY, rev INTEGER NOT NULL, record BLOB NOT NULL)",
            "CREATE TABLE counters (entries INTEGER NOT NULL, items INTEGER NOT NULL, rev INTEGER NOT NULL)",
            "CREATE INDEX oldest ON records (rev) WHERE key < X'4c'",
        ):
            connection.execute(statement)
        defined = {"format": "1", "sysplex": "TESTPLEX", "keyLength": "128", "recordLength": "32760"}
        connection.executemany("INSERT INTO attributes VALUES (?, ?)", defined.items())
        for rev, (name, value) in enumerate(records, 1):
            record = old_record(name.owner, name.key, value, rev, name.map)
            connection.execute("INSERT INTO records VALUES (?, ?, ?)", (ksds.key_of(name, Attributes()), rev, record))
        listed = sum(name.map is not None for name, _ in records)
        connection.execute("INSERT INTO counters VALUES (?, ?, ?)", (len(records) - listed, listed, len(records)))


OLD_RECORDS = [
    (Name("me", "a"), b"1"),
    (Name("me", "b" * 300), b"22"),
    (Name("you", "c"), b"333"),
    (Name("me", "d", "list"), b"4444"),
    (Name("only", "e", "list"), b"5"),
]


@pytest.mark.parametrize("eviction", ["reject", "removeOldest"])
async def test_a_data_set_of_format_1_is_read_counted_and_brought_up(commands: Commands, eviction: Any) -> None:
    path = commands.volume / NAME
    old_data_set(path, OLD_RECORDS)
    before = commands.listed()
    assert (before["format"], before["entries"], before["items"], before["share"]) == (1, 3, 2, "rls")
    async with opened(commands, limit=Limit(4, eviction)) as storage:
        for name, value in OLD_RECORDS:
            found = await storage.get(name)
            assert (found.value, found.write_id, found.expires_ms, found.first) == (value, "", None, True)
        assert await storage.usage("me") == Usage(2, 1, 1 + 1 + 300 + 2 + 1 + 4)
        assert await storage.usage("you") == Usage(1, 0, 4)
        assert await storage.usage("only") == Usage(0, 1, 2)
        assert (await put(storage, "me", "new", b"6", ABSENT, ttl_ms=60_000)).rev == 6
        if eviction == "removeOldest":
            await create(storage, "me", "newer", b"7")
            with pytest.raises(Missing):
                await get(storage, "me", "a")
        await delete(storage, "you", "c")
        assert await storage.usage("you") == Usage()
    after = commands.listed()
    assert (after["format"], after["entries"], after["items"]) == (2, 3, 2)
    async with opened(commands) as storage:  # again: there is nothing left to bring up
        assert (await get(storage, "me", "b" * 300)).value == b"22"


async def test_a_data_set_of_format_1_by_another_definition_is_refused_and_left_as_it_is(commands: Commands) -> None:
    path = commands.volume / NAME
    old_data_set(path, OLD_RECORDS)
    storage = vsam(commands.volume, attributes=Attributes(64))
    with pytest.raises(ConfigError, match="keyLength 128, the configuration says 64"):
        await storage.open()
    await storage.close()
    assert commands.listed()["format"] == 1


async def test_a_damaged_record_of_format_1_costs_nothing_but_itself(commands: Commands) -> None:
    path = commands.volume / NAME
    old_data_set(path, OLD_RECORDS)
    key = ksds.key_of(Name("me", "a"), Attributes())
    change(path, "UPDATE records SET record = zeroblob(40) WHERE key = ?", key)
    async with opened(commands) as storage:
        with pytest.raises(Corrupt):
            await get(storage, "me", "a")
        assert await storage.usage("me") == Usage(2, 1, 300 + 2 + 1 + 4)
        assert (await storage.get(OLD_RECORDS[3][0])).value == b"4444"
