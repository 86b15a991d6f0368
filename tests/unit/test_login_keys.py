"""Keys on a volume that several gateways share."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import stat
import time
from pathlib import Path

import pytest

from gateway.login import keys as looking
from gateway.login.key_files import KeyFiles
from gateway.login.keys import Keys
from gateway.login.ring import SigningKey
from gateway.login.tokens import Genuine, Token, check, key_id, sign
from shared.errors import ConfigError, Unavailable
from shared.events import Events

NOW = int(time.time())
TOKEN = Token("ada", NOW, NOW + 60, "x")


def a_gateway(data: Path) -> tuple[Keys, Events]:
    events = Events(logging.getLogger("test"))
    return Keys(KeyFiles(data), "ES256", events), events


def make(data: Path) -> None:
    KeyFiles(data).make_first("ES256", NOW)


def test_whoever_is_first_makes_the_only_one(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.map(make, [tmp_path] * 6)
    files = KeyFiles(tmp_path)
    assert len(files.read()[0].keys) == 1
    (path,) = files.folder.glob("*.pem")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    assert not list(files.folder.glob(".new-*"))


def test_one_that_is_added_signs_whatever_the_clock_says(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    added = [files.add("ES256", NOW - 100 * n) for n in range(3)]
    ring = files.read()[0]
    assert [each.id for each in ring.keys] == [each.id for each in added]
    files.drop(ring.keys[:2])
    assert [each.id for each in files.read()[0].keys] == [added[2].id]


def test_a_key_of_ones_own_is_as_old_as_its_file(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    files.add("ES256", NOW - 100)
    own = SigningKey.generate("RS256", 0)
    (files.folder / "mine.pem").write_bytes(own.pem)
    assert files.read()[0].newest.id == own.id


def test_what_is_no_key_is_named_and_harms_nobody(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    key = files.add("ES256", NOW)
    (files.folder / "bad.pem").write_text("nothing")
    ring, (fault,) = files.read()
    assert ring.newest.id == key.id
    assert "bad.pem: expected the private key" in fault


def test_without_a_folder_that_can_be_made_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "volume").write_text("a file in the way")
    with pytest.raises(ConfigError, match="cannot keep the keys of logins"):
        KeyFiles(tmp_path).make_first("ES256", NOW)


async def test_a_token_of_one_gateway_is_good_at_another_at_once(tmp_path: Path) -> None:
    (one, _), (other, events) = a_gateway(tmp_path), a_gateway(tmp_path)
    assert not await other.knowing("")
    text = sign(TOKEN, await one.signing())
    assert isinstance(check(text, await other.knowing(key_id(text)), NOW), Genuine)
    assert [each.event for each in events.last()] == ["login.keys"]


async def test_a_new_key_signs_soon_and_old_tokens_stay_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOK_S", 0.02)
    (one, _), (other, _) = a_gateway(tmp_path), a_gateway(tmp_path)
    before = sign(TOKEN, await one.signing())
    added = KeyFiles(tmp_path).add("RS256", NOW + 1)
    async with asyncio.timeout(5):
        while True:
            if (await one.signing()).id == added.id:
                break
            await asyncio.sleep(0.01)
    after = sign(TOKEN, await one.signing())
    for text in (before, after):
        assert isinstance(check(text, await other.knowing(key_id(text)), NOW), Genuine)


async def test_a_key_that_is_taken_away_is_soon_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOK_S", 0.02)
    one, _ = a_gateway(tmp_path)
    key = await one.signing()
    files = KeyFiles(tmp_path)
    files.add("ES256", NOW + 1)
    files.drop([key])
    async with asyncio.timeout(5):
        while True:
            if (await one.knowing("")).get(key.id) is None:
                break
            await asyncio.sleep(0.01)


async def test_while_the_volume_cannot_be_read_the_ring_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOK_S", 0.0)
    one, events = a_gateway(tmp_path)
    key = await one.signing()
    folder = KeyFiles(tmp_path).folder
    folder.rename(tmp_path / "aside")
    folder.write_text("no folder")
    for _ in range(3):
        assert (await one.knowing("")).get(key.id) is not None
    assert [each.event for each in events.last()].count("login.key_refused") == 1


async def test_a_volume_that_takes_no_key_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOK_S", 0.0)
    (tmp_path / "volume").write_text("a file in the way")
    one, events = a_gateway(tmp_path)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await one.signing()
    assert {each.event for each in events.last()} == {"login.key_refused"}
