"""The file of gossip keys: one key whoever comes first, changes taken up, a bad change said once and not taken."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from discovery.keyfile import KeyFile, make
from discovery.keyring import new_key, parse
from shared.errors import ConfigError
from shared.events import Events


@pytest.fixture
def events() -> Events:
    return Events(logging.getLogger("plexmesh.test"))


def said(events: Events) -> list[str]:
    return [each.event for each in events.last()]


def test_the_first_one_makes_the_key_for_all(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "volume" / "gossip.key"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, [path] * 32))
    made = path.read_text()
    make(path)  # somebody who had looked before it was there
    assert path.read_text() == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyFile(path, 5.0, events).ring.ids == parse(path.read_text()).ids
    assert [each.name for each in path.parent.iterdir()] == ["gossip.key"]


async def test_a_change_is_taken_up_and_a_bad_one_is_said_once(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "gossip.key"
    keys = KeyFile(path, 5.0, events)
    first, second = path.read_text().strip(), new_key()
    await keys.look()
    assert said(events) == []
    path.write_text(f"{second}\n{first}\n")
    await keys.look()
    await keys.look()
    assert (keys.ring.ids, said(events)) == (parse(f"{second}\n{first}").ids, ["keys.changed"])
    path.write_text("nonsense\n")
    for _ in range(3):
        await keys.look()
    path.unlink()
    for _ in range(3):
        await keys.look()
    assert said(events) == ["keys.changed", "keys.refused", "keys.refused"]
    assert keys.ring.ids == parse(f"{second}\n{first}").ids
    path.write_text(second)
    await keys.look()
    assert (keys.ring.ids, said(events)[3:]) == (parse(second).ids, ["keys.changed"])


async def test_comments_and_times_are_no_change(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "gossip.key"
    keys = KeyFile(path, 5.0, events)
    path.write_text(f"# a comment\n{path.read_text()}")
    await keys.look()
    os.utime(path, (1, 1))
    await keys.look()
    assert said(events) == []


def test_a_bad_file_at_start_is_an_error_that_names_it(tmp_path: Path, events: Events) -> None:
    path = tmp_path / "gossip.key"
    path.write_text("")
    with pytest.raises(ConfigError, match=r"gossip\.key: cannot use the gossip keys: no key"):
        KeyFile(path, 5.0, events)
