"""Nothing outlives its component, its launcher or `up`, however well it hides; and the launcher as process 1."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.launcher_rig import PROGRAM, Rig, poll
from tests.integration.test_launcher_run import answers

DAEMONS = """\
(setsid sleep 71{n} >/dev/null 2>&1 &)
(env -i setsid sleep 72{n} >/dev/null 2>&1 &)
sleep 73{n} &
(true &)
exec {program}
"""
"""In other sessions, the second one without its environment; in the same session; and one that ends at once."""

NEW_PID_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    script = tmp_path / "with_daemons.sh"
    program = rig.tree["components"]["sample"]["command"].format(host="$1", port="$2")
    script.write_text(DAEMONS.format(n=os.getpid(), program=program))
    rig.tree["components"]["sample"]["command"] = f"sh {script} {{host}} {{port}}"
    yield rig
    rig.close()
    for pid in daemons():
        os.kill(pid, signal.SIGKILL)


def daemons(*kinds: int) -> list[int]:
    """Living ones of this test run, told by how long they mean to sleep."""
    wanted = [["sleep", f"{kind}{os.getpid()}"] for kind in kinds or (71, 72, 73)]
    return [each.pid for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] in wanted]


def zombies(parent: int) -> list[psutil.Process]:
    return [each for each in psutil.Process(parent).children() if each.status() == psutil.STATUS_ZOMBIE]


def test_daemons_go_with_their_component_and_all_with_the_sysplex(rig: Rig) -> None:
    rig.up()
    launcher = rig.launcher_pid("LPAR1")
    poll("they run in both LPARs", lambda: len(daemons()) == 6)
    earlier = daemons(71, 73)
    before = rig.component("LPAR1", "sample")["pid"]
    rig.ok("kill", "LPAR1", "sample")
    rig.wait_for("LPAR1", "sample", "ready", not_pid=before)
    assert f"sample({before}) left 1 processes behind: killed" in rig.logged("LPAR1", "plexmesh")
    assert len(set(earlier) & set(daemons(71, 73))) == 2, "only those of LPAR2 have stayed"
    poll("the new one's run too", lambda: len(daemons(71, 73)) == 4)
    poll("whoever ended is reaped", lambda: not zombies(launcher))
    os.kill(launcher, signal.SIGKILL)
    poll("nothing of LPAR1 is left", lambda: len(daemons()) == 3, 5)
    rig.ok("down")
    assert daemons() == []


def test_what_a_killed_up_left_goes_when_the_lpar_is_started_again(rig: Rig) -> None:
    up = rig.up()
    poll("they run", lambda: len(daemons()) == 6)
    up.kill()
    up.wait()
    left = daemons(71, 73)
    assert len(left) == 4
    rig.up()
    assert not set(left) & set(daemons())
    assert "2 processes of an earlier launcher of this LPAR killed" in rig.logged("LPAR1", "plexmesh")


def can_make_pid_namespaces() -> bool:
    return subprocess.run([*NEW_PID_NAMESPACE, "true"], capture_output=True).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_process_1_it_reaps_everything_and_ends_in_order(rig: Rig, number: signal.Signals) -> None:
    if not can_make_pid_namespaces():
        pytest.skip("needs to be root: unshare --pid")
    rig.write()
    command = [*NEW_PID_NAMESPACE, PROGRAM, "run", "--lpar", "LPAR1", "--data", str(rig.data)]
    with (rig.folder / "up.out").open("wb") as out:
        outside = subprocess.Popen(command, cwd=rig.folder, env=rig.environ, stdout=out, stderr=out)
    rig.started.append(outside)
    poll("ready", answers)
    assert re.search(r"<ZWELNCH:1> \S+ INFO ZWEL0021I", rig.logged("LPAR1", "plexmesh"))
    [launcher] = psutil.Process(outside.pid).children()
    assert len(daemons()) == 3
    poll("whoever ended is reaped", lambda: not zombies(launcher.pid))
    [hidden] = daemons(72)
    os.kill(hidden, signal.SIGKILL)
    poll("that one too", lambda: not zombies(launcher.pid) and not daemons(72))
    launcher.send_signal(number)
    assert outside.wait(10) == 0, "process 1's own exit code"
    assert daemons() == []
    assert "ZWEL0009I all components stopped" in rig.logged("LPAR1", "plexmesh").splitlines()[-1]
