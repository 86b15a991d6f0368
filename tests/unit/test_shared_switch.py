"""on and off, in the same words wherever they are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher import probe
from shared import plexfile
from shared.config import ServiceConfig, load
from shared.errors import ConfigError
from shared.switch import WORDS, switch, told

UNKNOWN = "environment: PLEXMESH_TLS: expected on or off (the value is 'ja')"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plexmesh.yaml"
    path.write_text("plexmesh: {tls: 'Yes'}\n")
    return path


@pytest.mark.parametrize(("word", "wanted"), WORDS.items())
def test_every_word_means_the_same_everywhere(
    word: str, wanted: bool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLEXMESH_TLS", f" {word.upper()}")
    assert plexfile.read(file).tls is wanted
    assert load(ServiceConfig, "x", [], {"PLEXMESH_TLS": word.title()}).tls is wanted
    assert load(ServiceConfig, "x", ["--tls", word], {}).tls is wanted
    assert plexfile.parse({"plexmesh": {"tls": word}}, file).tls is wanted
    assert told({"X": word}, "X") is wanted


def test_what_is_said_with_an_empty_word_is_not_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXMESH_TLS", "")
    assert plexfile.read(file).tls
    assert load(ServiceConfig, "x", [], {"PLEXMESH_TLS": "", "PLEXMESH_CONFIG": str(file)}).tls
    assert told({}, "X") is None


def test_another_word_is_refused_everywhere(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXMESH_TLS", "ja")
    with pytest.raises(ConfigError) as refused:
        plexfile.read(file)
    assert str(refused.value) == UNKNOWN
    with pytest.raises(ConfigError) as refused:
        load(ServiceConfig, "x", [], {"PLEXMESH_TLS": "ja"})
    assert str(refused.value) == UNKNOWN
    assert probe.ready() == UNKNOWN
    with pytest.raises(ConfigError) as refused:
        plexfile.parse({"plexmesh": {"tls": 2}}, file)
    assert str(refused.value) == f"{file}: plexmesh.tls: expected on or off (the value is 2)"
    assert switch(True, "")
    assert not switch(0, "")
