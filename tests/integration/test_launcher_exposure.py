"""What others could reach in plain is refused with one line, before anything is started; allowed, it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.launcher_rig import Rig


@pytest.mark.parametrize("command", [("up",), ("config", "check")])
@pytest.mark.parametrize(
    ("told", "plexmesh", "said"),
    [
        ({"PLEXMESH_BIND": "192.0.2.7"}, {}, "192.0.2.7:7550: others can reach it"),
        ({}, {"address": "0.0.0.0:7550"}, "0.0.0.0:7550: others can reach it"),
        ({"PLEXMESH_ALLOW_INSECURE": "ja"}, {}, "environment: PLEXMESH_ALLOW_INSECURE: expected on or off"),
    ],
)
def test_it_is_refused_in_one_line(
    command: tuple[str, ...], told: dict[str, str], plexmesh: dict[str, str], said: str, tmp_path: Path
) -> None:
    rig = Rig(tmp_path)
    rig.tree["plexmesh"] |= plexmesh
    rig.environ |= told
    rig.write()
    done = rig.call(*command)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert rig.processes() == {}


def test_so_does_an_lpar_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.tree["components"] = {"sample": {"bind": ["192.0.2.7"]}}
    rig.write()
    done = rig.call("run", "--lpar", "LPAR1", "--config", str(rig.file))
    assert done.returncode == 2, done.stderr
    assert "plexmesh: 192.0.2.7:7560: others can reach it" in done.stderr
    assert rig.processes() == {}
