"""plexmesh.yaml read again while the sysplex runs: a new LPAR, changed settings, a broken file."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.launcher_rig import HOSTS, PROGRAM, Rig, poll

THIRD = HOSTS["LPAR1"].replace("127.0.51.", "127.0.54.")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    try:
        yield rig
    finally:
        rig.close()


def pids(rig: Rig, lpar: str) -> list[int]:
    found = next(each for each in rig.status()["lpars"] if each["id"] == lpar)
    return [each["pid"] for each in found["components"]]


def test_sighup_starts_a_new_lpar_and_restarts_nobody(rig: Rig) -> None:
    up = rig.up()
    before = pids(rig, "LPAR1") + pids(rig, "LPAR2")
    rig.tree["haInstances"]["LPAR3"] = {"hostname": THIRD}
    rig.tree["components"]["sample"]["launcher"] = {"restartIntervals": [0.3]}
    rig.write()
    up.send_signal(signal.SIGHUP)
    poll("LPAR3", lambda: "LPAR3" in [each["id"] for each in rig.status()["lpars"]])
    poll("all ready", lambda: rig.status()["sysplex"]["state"] == "ready")
    assert pids(rig, "LPAR1") + pids(rig, "LPAR2") == before
    old = rig.component("LPAR1", "sample")["pid"]
    os.kill(old, signal.SIGKILL)
    rig.wait_for("LPAR1", "sample", "ready", not_pid=old)
    os.kill(rig.component("LPAR1", "sample")["pid"], signal.SIGKILL)
    assert rig.wait_for("LPAR1", "sample", "failed")["why"][0].startswith("given up: it ended 2 times"), "new settings"
    rig.ok("kill", "LPAR3")


def test_a_broken_file_changes_nothing_and_a_dropped_lpar_goes_on(rig: Rig) -> None:
    rig.up()
    rig.tree["haInstances"]["LPAR3"] = {"hostnam": THIRD}
    rig.write()
    refused = rig.call("reload")
    assert refused.returncode == 1
    assert "haInstances.LPAR3.hostnam: unknown key" in refused.stderr
    assert len(rig.status()["lpars"]) == 2
    del rig.tree["haInstances"]["LPAR3"], rig.tree["haInstances"]["LPAR2"]
    rig.write()
    assert "LPAR2: no longer in the file; it goes on until it is stopped" in rig.ok("reload")
    assert rig.status()["sysplex"]["state"] == "ready"
    rig.ok("stop", "LPAR2")


def test_a_terminal_that_goes_away_still_ends_everything(rig: Rig) -> None:
    """`up` in a terminal whose window is closed."""
    rig.write()
    ours, theirs = pty.openpty()
    up = subprocess.Popen(
        [PROGRAM, "up", "--data", str(rig.data), "--config", str(rig.file)],
        cwd=rig.folder,
        env=rig.environ,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs)
    rig.started.append(up)
    poll("ready", lambda: rig.call("status").returncode == 0)
    os.close(ours)
    up.send_signal(signal.SIGHUP)
    assert up.wait(15) == 0
    assert rig.processes() == {}
