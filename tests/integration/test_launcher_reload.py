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
    rig.ok("kill", "LPAR2")
    refused = rig.call("start", "LPAR2", within_s=10)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert f"cannot start LPAR2: {rig.file} has it no more" in refused.stderr


def test_with_tls_a_new_lpar_gets_a_certificate_and_tls_stays_as_it_is(rig: Rig, tmp_path: Path) -> None:
    """The command finds the sysplex' certificates wherever it is typed."""
    rig.tree["components"] = {"sample": rig.tree["components"]["sample"]}
    rig.tree["plexmesh"]["tls"] = True
    rig.up()
    rig.tree["plexmesh"]["tls"] = False
    rig.write()
    refused = rig.call("reload")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "plexmesh.tls: off now, and this sysplex runs with it on; that needs a restart" in refused.stderr
    rig.tree["plexmesh"]["tls"] = True
    rig.tree["haInstances"]["LPAR3"] = {"hostname": THIRD}
    rig.write()
    assert "LPAR3: starting" in rig.ok("reload")
    assert (rig.data / "volume" / "certificates" / "LPAR3.pem").exists()
    poll("all ready", lambda: rig.call("status").returncode == 0)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    order = [PROGRAM, "modify", "LPAR3", "DISP", "--data", rig.data]
    done = subprocess.run(order, cwd=elsewhere, env=rig.environ, capture_output=True, text=True, timeout=20)
    assert (done.returncode, "components of LPAR3" in done.stdout) == (0, True), done.stderr


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
