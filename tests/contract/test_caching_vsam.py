"""What only a data set promises: shared by several openers, kept, guarded by its attributes, damage contained."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caching.backends import volume
from caching.backends.data_set import Busy, DataSet
from caching.backends.ksds import Attributes
from caching.backends.lock import LockFile
from caching.backends.vsam import VsamStorage
from caching.clock import Clock
from caching.conditions import ABSENT
from caching.entries import Content, Entry, Name, Table
from caching.limits import Limit
from caching.refusals import Corrupt, Exists, Missing, OutcomeUnknown, ValueTooLong
from caching.writes import Put, Write
from shared.errors import ConfigError, Unavailable
from shared.events import Events
from tests.contract.calls import clear, create, delete, entries, get, items, put_item, replace
from tests.contract.storages import place, vsam
from tests.contract.test_caching_storage import keys


@contextlib.asynccontextmanager
async def opened(storage: VsamStorage) -> AsyncIterator[VsamStorage]:
    try:
        await storage.open()
        yield storage
    finally:
        await storage.close()


async def refused(storage: VsamStorage) -> str:
    with pytest.raises(ConfigError) as error:
        await storage.open()
    await storage.close()
    return str(error.value)


# --- sharing


async def test_what_one_writes_the_other_reads(tmp_path: Path) -> None:
    async with opened(vsam(tmp_path)) as one, opened(vsam(tmp_path)) as other:
        await create(one, "me", "k", b"1")
        assert (await get(other, "me", "k")).value == b"1"
        await replace(other, "me", "k", b"2")
        assert (await get(one, "me", "k")).value == b"2"
        await delete(one, "me", "k")
        with pytest.raises(Missing):
            await get(other, "me", "k")


async def test_of_creates_at_several_openers_one_wins(tmp_path: Path) -> None:
    async with opened(vsam(tmp_path)) as one, opened(vsam(tmp_path)) as other:
        for n in range(20):
            creates = [create(each, "me", str(n), who) for who in (b"1", b"2") for each in (one, other)]
            results = await asyncio.gather(*creates, return_exceptions=True)
            assert sum(isinstance(each, Exists) for each in results) == 3


async def test_openers_that_write_at_once_both_get_on(tmp_path: Path) -> None:
    """Each writes until both have their share: nobody starves behind the other."""
    async with opened(vsam(tmp_path)) as one, opened(vsam(tmp_path)) as other:
        done = {one: 0, other: 0}

        async def write(storage: VsamStorage, worker: int) -> None:
            n = 0
            while min(done.values()) < 100:
                await create(storage, f"{id(storage)}-{worker}", str(n), b"v" * 100)
                n += 1
                done[storage] += 1

        async with asyncio.timeout(20):
            await asyncio.gather(*(write(each, worker) for each in (one, other) for worker in range(4)))
        assert one.details()["entries"] == sum(done.values())


async def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    async with opened(vsam(tmp_path)) as storage:
        made = await create(storage, "me", "k", b"v")
        await put_item(storage, "me", "list", "k", b"v")
    async with opened(vsam(tmp_path)) as storage:
        assert await get(storage, "me", "k") == made
        assert len(await items(storage, "me", "list")) == 1
        assert (await replace(storage, "me", "k", b"w")).rev > made.rev


async def test_the_files_are_for_nobody_else_and_the_log_is_gone_when_all_have_left(tmp_path: Path) -> None:
    async with opened(vsam(tmp_path)) as storage:
        await create(storage, "me", "k", b"v")
        assert set(modes(tmp_path).values()) == {0o600}
    assert set(modes(tmp_path)) == {"TEST.CACHE", "TEST.CACHE.lock", "TEST.CACHE.status"}


# --- refusals at opening


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"attributes": Attributes(64, 32_760)}, ["keyLength 128", "says 64"]),
        ({"attributes": Attributes(128, 4096)}, ["recordLength 32760", "says 4096"]),
        ({"sysplex": "OTHER"}, ["sysplex TESTPLEX", "says OTHER"]),
    ],
)
async def test_other_attributes_are_refused_with_both_values(
    tmp_path: Path, other: dict[str, object], says: list[str]
) -> None:
    async with opened(vsam(tmp_path)) as storage:
        await create(storage, "me", "k", b"v")
        text = await refused(vsam(tmp_path, **other))
        assert all(each in text for each in says)
        assert (await get(storage, "me", "k")).value == b"v"


async def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    async with opened(vsam(tmp_path)):
        pass
    change(tmp_path, "UPDATE attributes SET value = '3' WHERE name = 'format'")
    assert "format 3" in await refused(vsam(tmp_path))


async def test_files_of_something_else_are_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "TEST.CACHE"
    file.write_bytes(b"something else" * 1000)
    assert "not a database" in await refused(vsam(tmp_path))
    assert file.read_bytes() == b"something else" * 1000
    file.unlink()
    change(tmp_path, "CREATE TABLE other (x)")
    before = file.read_bytes()
    assert "something else" in await refused(vsam(tmp_path))
    assert file.read_bytes() == before


async def test_a_file_whose_definition_was_cut_off_is_defined_again(tmp_path: Path) -> None:
    change(tmp_path, "PRAGMA journal_mode = WAL")
    async with opened(vsam(tmp_path)) as storage:
        await create(storage, "me", "k", b"v")


async def test_an_unsafe_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mounts are the machine's; only here they are another text."""
    mounts = tmp_path / "mounts"
    mounts.write_text("22 1 0:1 / / rw - nfs4 server:/ rw\n")
    monkeypatch.setattr(volume, "MOUNTS", mounts)
    assert "nfs4" in await refused(vsam(tmp_path / "volume"))
    mounts.write_text("22 1 0:1 / / rw - overlay overlay rw\n")
    async with opened(vsam(tmp_path / "volume")) as storage:
        assert "overlay" in storage.remarks()[0]


# --- guards


async def test_commits_are_synced(tmp_path: Path) -> None:
    """No test can cut the power; so the guard itself is looked at."""
    data_set = DataSet(tmp_path / "D", "P", Attributes(), "reject")
    assert data_set._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert data_set._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    data_set.close()


async def test_while_another_holds_the_lock_writes_are_refused_and_reads_go_on(tmp_path: Path) -> None:
    other = LockFile(tmp_path / "TEST.CACHE.lock", "LPAR9 (process 1)")
    async with opened(vsam(tmp_path, write_deadline_s=0.3)) as storage:
        await create(storage, "me", "k", b"v")
        with other:
            with pytest.raises(Unavailable, match=r"held by LPAR9 \(process 1\)"):
                await replace(storage, "me", "k", b"new")
            assert (await get(storage, "me", "k")).value == b"v"
            assert len(await entries(storage, "me")) == 1
            assert storage.why() == []
            assert any("LPAR9" in each for each in storage.remarks())
        await until_written(storage, "after")
        assert (await get(storage, "me", "k")).value == b"v"  # what was refused was withdrawn
        assert storage.remarks() == []
    other.close()


async def test_opening_waits_for_the_lock_and_works_when_tried_again(tmp_path: Path) -> None:
    other = LockFile(tmp_path / "TEST.CACHE.lock", "LPAR9")
    storage = vsam(tmp_path, write_deadline_s=0.2)
    with other:
        with pytest.raises(Unavailable, match="LPAR9"):
            await storage.open()
        assert storage.why() != []
        with pytest.raises(Unavailable):
            await get(storage, "me", "k")
    other.close()
    async with opened(storage):
        await create(storage, "me", "k", b"v")


async def test_more_waiting_writes_than_allowed_are_refused_at_once(tmp_path: Path) -> None:
    other = LockFile(tmp_path / "TEST.CACHE.lock", "LPAR9")
    async with opened(vsam(tmp_path, Limit(5000))) as storage:
        with other:
            writes = [asyncio.ensure_future(create(storage, "me", str(n), b"v")) for n in range(1300)]
            done, waiting = await asyncio.wait(writes, timeout=0.5)
            assert len(waiting) == 1024
            assert all(isinstance(each.exception(), Unavailable) for each in done)
        await asyncio.gather(*waiting)
        assert storage.details()["entries"] == 1024
    other.close()


async def test_writing_to_a_removed_data_set_is_refused(tmp_path: Path) -> None:
    async with opened(vsam(tmp_path)) as storage:
        await create(storage, "me", "k", b"v")
        (tmp_path / "TEST.CACHE").rename(tmp_path / "AWAY")
        with pytest.raises(Unavailable, match="removed"):
            await create(storage, "me", "l", b"v")
        assert "removed" in storage.why()[0]
        (tmp_path / "AWAY").rename(tmp_path / "TEST.CACHE")
        await create(storage, "me", "l", b"v")
        assert storage.why() == []


async def test_a_value_too_long_for_the_record_is_refused_and_the_longest_fits(tmp_path: Path) -> None:
    async with opened(vsam(tmp_path, attributes=Attributes(128, 1000))) as storage:
        longest = 0
        with contextlib.suppress(ValueTooLong):
            for length in range(700, 1001):
                await put_item(storage, "me", "list", "k", b"v" * length)
                longest = length
        assert 730 < longest < 872
        assert (await items(storage, "me", "list"))[0].value == b"v" * longest
        await create(storage, "me", "k", b"v")
        with pytest.raises(ValueTooLong):
            await replace(storage, "me", "k", b"v" * 1000)
        assert (await get(storage, "me", "k")).value == b"v"


async def test_a_defect_in_a_write_fails_that_commit_and_not_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Defect(Write[None]):
        def apply(self, *_: object) -> None:
            raise ZeroDivisionError

    async with opened(vsam(tmp_path)) as storage:
        with pytest.raises(ZeroDivisionError):
            await storage.write(Defect())
        await create(storage, "me", "k", b"v")
    assert "storage.commit_failed" in caplog.messages


@pytest.mark.parametrize(
    ("name", "kind"), [("SQLITE_IOERR_FSYNC", OutcomeUnknown), ("SQLITE_IOERR_WRITE", Unavailable)]
)
async def test_a_failed_sync_is_not_called_a_failed_write(tmp_path: Path, name: str, kind: type[Exception]) -> None:
    """A disk that fails to sync cannot be had in a test; a write that fails like one can."""

    class Failing(Write[None]):
        def apply(self, *_: object) -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = name
            raise error

    async with opened(vsam(tmp_path)) as storage:
        with pytest.raises(kind):
            await storage.write(Failing())
        assert storage.remarks() != []
        await create(storage, "me", "k", b"v")
        assert storage.remarks() == []


async def test_a_commit_that_takes_too_long_has_an_unknown_outcome_and_may_come_true(tmp_path: Path) -> None:
    """A disk that syncs slowly cannot be had in a test; a commit that takes long can."""
    goes_on = threading.Event()

    class Slow(Put):
        def apply(self, table: Table, limit: Limit, now_ms: int) -> Entry:
            assert goes_on.wait(10)
            return super().apply(table, limit, now_ms)

    async with opened(vsam(tmp_path, write_deadline_s=0.2)) as storage:
        try:
            with pytest.raises(OutcomeUnknown):
                await storage.write(Slow(Name("me", "k"), Content(b"v"), "w"))
            with pytest.raises(Missing):
                await get(storage, "me", "k")
        finally:
            goes_on.set()
        await until_written(storage, "after")
        assert (await get(storage, "me", "k")).value == b"v"


async def test_a_read_that_finds_the_log_busy_is_tried_again(tmp_path: Path) -> None:
    """SQLite is busy for a reader only while the log is recovered, which no test can time: so it is told to us."""

    class BusyAtFirst:
        def __init__(self, data_set: DataSet, times: int) -> None:
            self.data_set = data_set
            self.times = times

        def read(self, name: Name) -> Entry | None:
            self.times -= 1
            if self.times >= 0:
                raise Busy("SQLITE_BUSY_RECOVERY")
            return self.data_set.read(name)

    async with opened(vsam(tmp_path, read_deadline_s=1.0)) as storage:
        await create(storage, "me", "k", b"v")
        real = storage._opened()
        storage._data_set = BusyAtFirst(real, 3)  # type: ignore[assignment]
        assert (await get(storage, "me", "k")).value == b"v"
        storage._data_set = BusyAtFirst(real, 10_000)  # type: ignore[assignment]
        with pytest.raises(Unavailable):
            await get(storage, "me", "k")


async def test_trouble_is_told_once_when_it_begins_and_once_when_it_ends(tmp_path: Path) -> None:
    events = Events(logging.getLogger("test"))
    async with opened(VsamStorage(place(tmp_path), events, Clock())) as storage:
        away = (tmp_path / "TEST.CACHE").rename(tmp_path / "AWAY")
        for _ in range(3):
            with pytest.raises(Unavailable):
                await create(storage, "me", "k", b"v")
        away.rename(tmp_path / "TEST.CACHE")
        for key in ("a", "b"):
            await create(storage, "me", key, b"v")
    told = [each.event for each in events.last()]
    assert told == ["storage.opened", "storage.writes_refused", "storage.writes_resumed"]


# --- damage


async def test_a_damaged_record_harms_itself_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(vsam(tmp_path)) as storage:
        for key in ("a", "b", "c"):
            await create(storage, "me", key, b"secret value")
        change(
            tmp_path,
            "UPDATE records SET record = CAST(replace(record, 'secret value', 'Secret value') AS BLOB) WHERE rev = 2",
        )
        for call in (get(storage, "me", "b"), replace(storage, "me", "b", b""), delete(storage, "me", "b")):
            with pytest.raises(Corrupt):
                await call
        assert await keys(storage, "me") == {"a", "c"}
        assert (await get(storage, "me", "c")).value == b"secret value"
        assert await clear(storage, "me") == 3
        assert storage.details()["entries"] == 0
    assert "record.damaged" in caplog.messages
    assert "secret" not in caplog.text.lower()


async def test_a_record_under_anothers_key_is_never_given_out(tmp_path: Path) -> None:
    async with opened(vsam(tmp_path)) as storage:
        await create(storage, "me", "a", b"mine")
        await create(storage, "you", "b", b"yours")
        change(tmp_path, "UPDATE records SET record = (SELECT record FROM records WHERE rev = 2) WHERE rev = 1")
        with pytest.raises(Corrupt):
            await get(storage, "me", "a")
        assert await entries(storage, "me") == []
        assert (await get(storage, "you", "b")).value == b"yours"


# --- the commit itself


def test_a_commit_is_whole_or_nothing(tmp_path: Path) -> None:
    data_set = DataSet(tmp_path / "D", "P", Attributes(), "reject")
    with pytest.raises(ZeroDivisionError):
        data_set.commit([_create("a", b"v", "1"), _Failing()], Limit(), 0)
    assert data_set.read(Name("me", "a")) is None
    outcomes = data_set.commit([_create("a", b"v", "1"), _create("a", b"w", "2")], Limit(), 0)
    assert isinstance(outcomes[1], Exists)
    assert data_set.counts() == (1, 0)
    data_set.close()


def _create(key: str, value: bytes, write_id: str) -> Put:
    return Put(Name("me", key), Content(value), write_id, ABSENT)


class _Failing(Write[None]):
    def apply(self, *_: object) -> None:
        raise ZeroDivisionError


async def until_written(storage: VsamStorage, key: str) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                await create(storage, "me", key, b"v")
                return
            except Unavailable:
                await asyncio.sleep(0.01)


def modes(folder: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


def change(folder: Path, statement: str) -> None:
    """Do something to the data set behind everybody's back."""
    with contextlib.closing(sqlite3.connect(folder / "TEST.CACHE")) as connection, connection:
        connection.execute(statement)
