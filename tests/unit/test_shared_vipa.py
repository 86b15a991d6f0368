"""The mark that keeps an LPAR's gateway off the sysplex address until it is told to enter."""

from __future__ import annotations

from pathlib import Path

from shared import vipa

UP = {"PLEXMESH_UP": "http://127.0.0.1:7550"}


def test_it_holds_until_it_is_released(tmp_path: Path) -> None:
    assert not vipa.held(tmp_path, UP)
    vipa.hold(tmp_path)
    vipa.hold(tmp_path)
    assert vipa.held(tmp_path, UP)
    vipa.release(tmp_path)
    vipa.release(tmp_path)
    assert not vipa.held(tmp_path, UP)


def test_where_nobody_could_tell_it_to_enter_it_does_not_count(tmp_path: Path) -> None:
    vipa.hold(tmp_path)
    assert not vipa.held(tmp_path, {})
    assert not vipa.held(tmp_path, {"PLEXMESH_UP": ""})
