"""`plexmesh vsam …`: data sets defined, shown, copied, brought back and deleted, beside instances and without any."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from caching.backends import ksds
from caching.backends.ksds import Attributes
from caching.conditions import ABSENT
from caching.entries import Name, Usage
from caching.refusals import Missing
from shared.errors import ConfigError
from tests.contract.calls import create, delete, entries, get, items, put, put_item
from tests.contract.storages import SetClock, vsam
from tests.integration.caching_rig import ME, Instance, Writer, held, instances
from tests.integration.launcher_rig import PROGRAM
from tests.integration.vsam_rig import NAME, Commands, change, opened


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


# --- the command


def test_the_launchers_command_hands_on_arguments_folders_and_exit_codes(commands: Commands) -> None:
    def call(*args: str) -> tuple[int, str, str]:
        done = commands.run([PROGRAM, "vsam", *args], {})
        return done.returncode, done.stdout, done.stderr

    data = ("--data", str(commands.data))
    assert call(*data, "define", NAME, "--key-length", "64") == (0, "TEST.CACHE: defined\n", "")
    assert commands.listed()["sysplex"] == "TESTPLEX"
    assert call("define", NAME, *data) == (1, "", "plexmesh: there is a data set TEST.CACHE already\n")
    code, out, err = call("listcat", "TEST", *data)
    assert (code, out) == (2, "")
    assert err.startswith("plexmesh: there is no data set TEST in ")
    assert "listcat  Show a data set" in call("--help")[1]
    assert call("delete", NAME, "--yes", "--data", "elsewhere")[0] == 2
    assert call("bogus") == (2, "", "plexmesh: No such command 'bogus'.\n")


# --- define


async def test_a_data_set_defined_by_a_command_is_what_instances_open(commands: Commands) -> None:
    attributes = ["--key-length", "64", "--record-length", "4096", "--share", "NONRLS"]
    assert commands.ok("define", "//'test.cache'", *attributes) == "TEST.CACHE: defined\n"
    found = commands.listed()
    assert (found["sysplex"], found["keyLength"], found["recordLength"], found["share"]) == (
        "TESTPLEX", 64, 4096, "nonrls",
    )  # fmt: skip
    async with opened(commands, attributes=Attributes(64, 4096, "nonrls")) as storage:
        await create(storage, "me", "k", b"v")
    storage = vsam(commands.volume, attributes=Attributes(64, 4096))
    with pytest.raises(ConfigError, match="share nonrls, the configuration says rls"):
        await storage.open()
    await storage.close()


def test_definitions_that_cannot_be(commands: Commands) -> None:
    commands.ok("define", NAME)
    assert "there is a data set TEST.CACHE already" in commands.fails(1, "define", NAME)
    assert "keyLength: expected a whole number from 23 to 255, got 9" in commands.fails(
        2, "define", "X", "--key-length", "9"
    )
    assert "share: expected rls or nonrls" in commands.fails(2, "define", "X", "--share", "some")
    assert "expected a data set name" in commands.fails(2, "define", "../X")
    assert {each.name for each in commands.volume.iterdir() if each.name.startswith("X")} == set()


# --- listcat


async def test_listcat_shows_what_is_in_it_whose_and_who_is_at_it(commands: Commands) -> None:
    async with opened(commands) as storage:
        await create(storage, "me", "k", b"vvvv")
        await put_item(storage, "me", "list", "key", b"v")
        await create(storage, "you", "kk", b"v")
        found = commands.listed()
        assert (found["entries"], found["items"], found["bytes"]) == (2, 1, 12)
        assert found["owners"] == [
            {"owner": "me", "entries": 1, "items": 1, "bytes": 9},
            {"owner": "you", "entries": 1, "items": 0, "bytes": 3},
        ]
        assert [each["who"] for each in found["open"]] == ["LPAR1"]
        assert found["fileBytes"] == (commands.volume / NAME).stat().st_size
        assert found["logBytes"] > 0
        assert found["lock"] is None
        text = commands.ok("listcat")
        assert "2 entries, 1 items of lists, 12 bytes" in text
        assert "owner       you: 1 entries, 0 items, 3 bytes" in text
    commands.ok("define", "OTHER")
    both = json.loads(commands.ok("listcat", "--json"))
    assert [each["name"] for each in both] == ["OTHER", NAME]
    assert [each["open"] for each in both] == [[], []]


def test_listcat_of_what_is_not_there(commands: Commands) -> None:
    assert "there is no data set in" in commands.ok("listcat")
    commands.ok("define", NAME)
    assert "there is no data set TEST.CASHE" in commands.fails(2, "listcat", "TEST.CASHE")
    assert "did you mean 'TEST.CACHE'?" in commands.fails(2, "repro", "TEST.CASHE", "--to", "x")
    (commands.volume / "NOTES").write_text("something else")
    assert "not a database" in commands.fails(2, "listcat", "NOTES")
    assert NAME in commands.ok("listcat")


async def test_listcat_names_a_stopped_holder_and_a_copy_waits_for_it_in_vain(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    one = Instance(tmp_path, 1, storage=f"vsam:{NAME}")
    lock = one.volume(f"{NAME}.lock")
    with instances(one):
        one.up()
        async with aiohttp.ClientSession() as session:
            load = Writer(session, one, "load")
            await load.acknowledges(20)
            deadline = time.monotonic() + 10
            while True:
                one.freeze()
                if holds(one.pid, lock):
                    break
                one.thaw()
                assert time.monotonic() < deadline
                await asyncio.sleep(0.003)
            found = await asyncio.to_thread(commands.listed)
            assert found["lock"] == f"LPAR1 (process {one.pid})"
            assert found["open"][0]["who"] == f"LPAR1 (process {one.pid})"
            assert "is open: LPAR1" in await asyncio.to_thread(commands.fails, 1, "delete", NAME, "--yes")
            one.kill()
            await load.stop()
    assert commands.listed()["entries"] >= 20


def holds(pid: int, lock: Path) -> bool:
    inode = lock.stat().st_ino
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(each[1] == "FLOCK" and each[4] == str(pid) and each[5].endswith(f":{inode}") for each in lines)


# --- repro


async def test_a_copy_brought_back_is_what_was_copied(commands: Commands) -> None:
    clock = SetClock()
    async with opened(commands, clock) as storage:
        for n in range(50):
            await create(storage, "me", f"k{n}", bytes([n]) * n)
        await put(storage, "you", "ü" * 100, b"\xff", ABSENT, ttl_ms=3_600_000)
        await put(storage, "you", "short", b"v", ABSENT, ttl_ms=60_000)
        await put_item(storage, "you", "list", "key", b"v")
        before = [*await entries(storage, "me"), *await entries(storage, "you"), *await items(storage, "you", "list")]
        assert "53 records copied" in await asyncio.to_thread(commands.ok, "repro", NAME, "--to", "copy")
        for each in before:
            if each.name.map is None:
                await delete(storage, each.name.owner, each.name.key)
        gone = await asyncio.to_thread(commands.fails, 1, "repro", NAME, "--from", "copy")
        assert "there is a key 'key' in list 'list' of service 'you' already; give --replace" in gone
        assert await entries(storage, "me") == []  # all or nothing
        said = await asyncio.to_thread(commands.ok, "repro", NAME, "--from", "copy", "--replace")
        assert "53 records brought in, 1 of them replaced others, 0 had expired" in said
        after = [*await entries(storage, "me"), *await entries(storage, "you"), *await items(storage, "you", "list")]
        assert [as_it_is(each) for each in after] == [as_it_is(each) for each in before]
        assert [each.name for each in sorted(after, key=lambda e: e.rev)] == [
            each.name for each in sorted(before, key=lambda e: e.rev)
        ]
        assert await storage.usage("you") == Usage(2, 1, 200 + 1 + 5 + 1 + 3 + 1)
        clock.ahead_ms = 61_000
        with pytest.raises(Missing):
            await get(storage, "you", "short")
    assert (commands.folder / "copy").stat().st_mode & 0o777 == 0o600


def as_it_is(entry: Any) -> tuple[Any, ...]:
    """All but its number, which is new."""
    return entry.name, entry.content, entry.created_ms, entry.expires_ms, entry.write_id, entry.first


async def test_what_has_expired_since_is_left_out(commands: Commands) -> None:
    clock = SetClock()
    clock.ahead_ms = -100_000
    async with opened(commands, clock) as storage:
        await put(storage, "me", "short", b"v", ABSENT, ttl_ms=60_000)
        await create(storage, "me", "long", b"v")
    commands.ok("repro", NAME, "--to", "copy")
    commands.ok("delete", NAME, "--yes")
    commands.ok("define", NAME)
    assert "1 records brought in, 0 of them replaced others, 1 had expired" in commands.ok(
        "repro", NAME, "--from", "copy"
    )
    assert commands.listed()["entries"] == 1


async def test_damaged_copies_and_records_too_long_change_nothing(commands: Commands) -> None:
    async with opened(commands) as storage:
        await create(storage, "me", "k", b"v")
        await create(storage, "me", "long", b"v" * 2000)
    commands.ok("repro", NAME, "--to", "copy")
    commands.ok("define", "SMALL", "--record-length", "1000")
    copy = commands.folder / "copy"
    assert "line 3: The value of 2000 bytes" in commands.fails(1, "repro", "SMALL", "--from", "copy")
    copy.write_bytes(copy.read_bytes().replace(b'"value":"dg=="', b'"value":"dw=="'))
    assert "copy: line 2: damaged" in commands.fails(1, "repro", NAME, "--from", "copy", "--replace")
    assert commands.listed("SMALL")["entries"] == 0
    assert "cannot be read: No such file" in commands.fails(2, "repro", NAME, "--from", "nowhere")
    assert "cannot be written" in commands.fails(1, "repro", NAME, "--to", "nowhere/copy")
    assert "give either --to FILE or --from FILE" in commands.fails(2, "repro", NAME)
    assert "--replace belongs to --from" in commands.fails(2, "repro", NAME, "--to", "copy", "--replace")


async def test_damaged_records_are_named_and_left_out_of_a_copy(commands: Commands) -> None:
    async with opened(commands) as storage:
        await create(storage, "me", "k1", b"secret")
        await create(storage, "me", "k2", b"v")
    key = ksds.key_of(Name("me", "k1"), Attributes())
    change(commands.volume / NAME, "UPDATE records SET record = substr(record, 1, 30) WHERE key = ?", key)
    done = commands.call("repro", NAME, "--to", "copy")
    assert done.returncode == 1
    assert f"left out: the record with the key {key.hex()}" in done.stderr
    assert "secret" not in done.stderr
    assert "1 records copied" in done.stdout
    assert "1 records brought in" in commands.ok("repro", NAME, "--from", "copy", "--replace")


async def test_copies_while_instances_write_lose_nothing_of_either(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    commands.ok("define", "SOURCE")
    source = {"owner": "me", "value": "dg==", "created": 1}
    lines = [json.dumps(source | {"key": f"brought-{n}"}) for n in range(1000)]
    commands.ok("repro", "SOURCE", "--to", "copy")
    head = (tmp_path / "copy").read_text().splitlines()[0]
    end = json.dumps({"end": {"records": 1000, "damaged": 0}}, separators=(",", ":"))
    (tmp_path / "copy").write_text("\n".join([head, *lines, end]) + "\n")
    one = Instance(tmp_path, 1, storage=f"vsam:{NAME}", environ={"PLEXMESH_SYSPLEX": "PLEX1"})
    with instances(one):
        one.up()
        async with aiohttp.ClientSession() as session:
            load = Writer(session, one, "load", workers=2)
            await load.acknowledges(20)
            said = await asyncio.to_thread(commands.ok, "repro", NAME, "--from", "copy")
            assert "1000 records brought in" in said
            await asyncio.to_thread(commands.ok, "repro", NAME, "--to", "again")
            await load.stop()
            found = await held(session, one)
            assert {f"brought-{n}" for n in range(1000)} | set(load.acknowledged) == found.keys()
            assert load.refused == {}
            async with session.get(f"{one.url}/cache/brought-7", headers=ME) as answer:
                assert (await answer.json())["value"] == "v"
    copied = (tmp_path / "again").read_bytes().count(b"\n") - 2
    assert 1020 <= copied <= len(found)


async def test_a_nonrls_data_set_open_for_output_takes_no_copy(commands: Commands) -> None:
    commands.ok("define", NAME, "--share", "nonrls")
    async with opened(commands, attributes=Attributes(share="nonrls")) as storage:
        await create(storage, "me", "k", b"v")
        await asyncio.to_thread(commands.ok, "repro", NAME, "--to", "copy")
        why = await asyncio.to_thread(commands.fails, 1, "repro", NAME, "--from", "copy", "--replace")
        assert "NONRLS and open for output by LPAR1" in why
    commands.ok("repro", NAME, "--from", "copy", "--replace")


# --- delete


async def test_delete_is_for_good_for_those_who_mean_it_and_never_while_it_is_open(commands: Commands) -> None:
    async with opened(commands) as storage:
        await create(storage, "me", "k", b"v")
        assert "TEST.CACHE is not deleted: it is open: LPAR1" in await asyncio.to_thread(
            commands.fails, 1, "delete", NAME, "--yes"
        )
        await create(storage, "me", "l", b"v")
    assert "say --yes" in commands.fails(2, "delete", NAME)
    assert commands.listed()["entries"] == 2
    assert commands.ok("delete", NAME, "--yes") == "TEST.CACHE: deleted\n"
    assert list(commands.volume.iterdir()) == []
    assert "there is no data set" in commands.fails(2, "delete", NAME, "--yes")
    async with opened(commands) as storage:
        with pytest.raises(Missing):
            await get(storage, "me", "k")
