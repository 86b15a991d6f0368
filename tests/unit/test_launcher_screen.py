"""What `up` shows when everything is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.messages import told
from launcher.place import Program
from launcher.screen import Screen
from shared import plexfile, wire

PROGRAM = Program("plexmesh", Path("/data"))
LPAR = wire.Lpar(id="LPAR1", state="ready", address="127.0.1.1", components=[])


@pytest.mark.parametrize("exposed", [(), ("0.0.0.0:7554", "192.0.2.7:7560")])
def test_what_others_can_reach_in_plain_is_in_the_banner(
    exposed: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Screen(plexfile.parse({}, Path("plexmesh.yaml")), PROGRAM, exposed).summary([LPAR], 1.0)
    shown = capsys.readouterr().out
    assert ("Without TLS, others can reach 0.0.0.0:7554, 192.0.2.7:7560" in shown) == bool(exposed)
    assert ("plexmesh.allowInsecure" in shown) == bool(exposed)


@pytest.mark.parametrize("event", ["launcher.insecure", "sysplex.insecure"])
def test_and_in_the_log(event: str) -> None:
    assert "0.0.0.0:7554" in str(told(event, addresses="0.0.0.0:7554")["text"])
