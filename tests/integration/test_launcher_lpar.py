"""Orders to LPARs and components; what is restarted, what is fenced, and that nothing outlives its parent."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.launcher_rig import ADDRESS, HOSTS, Rig, poll, request


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.up()
    yield rig
    rig.close()


def pids(rig: Rig, lpar: str) -> list[int]:
    found = next(each for each in rig.status()["lpars"] if each["id"] == lpar)
    return [part["pid"] for part in found["components"]]


def stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def failure(rig: Rig, *args: str, code: int) -> str:
    done = rig.call(*args)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1
    return done.stderr


# --- LPARs


def test_kill_and_start_an_lpar(rig: Rig) -> None:
    killed = [*pids(rig, "LPAR2"), rig.launcher_pid("LPAR2")]
    assert "LPAR2: killed" in rig.ok("kill", "lpar2")
    assert not [pid for pid in killed if pid in rig.processes()], "kill returns when all are gone"
    assert rig.call("status").returncode == 1
    status = rig.status()
    assert (status["sysplex"]["state"], status["lpars"][1]["state"]) == ("failed", "failed")
    assert status["registry"][1]["reachable"] is False
    assert [part["state"] for part in status["lpars"][0]["components"]] == ["ready"] * 3
    assert f"start LPAR2 --data {rig.data.name}" in rig.output, "it is said, with the command"
    assert "cannot kill LPAR2: it is killed" in failure(rig, "kill", "LPAR2", code=1)
    assert "LPAR2: ready" in rig.ok("start", "lpar2")
    assert rig.status()["sysplex"]["state"] == "ready"
    assert "already running" in failure(rig, "start", "LPAR2", code=1)


def test_starting_an_lpar_that_runs_starts_what_was_stopped_in_it(rig: Rig) -> None:
    rig.ok("stop", "LPAR1", "sample")
    rig.ok("stop", "LPAR1", "discovery")
    assert "LPAR1: ready" in rig.ok("start", "LPAR1")
    assert rig.component("LPAR1", "sample")["state"] == "ready"


def test_stop_an_lpar_in_order(rig: Rig) -> None:
    stopping = [*pids(rig, "LPAR2"), rig.launcher_pid("LPAR2")]
    rig.ok("stop", "LPAR2")
    assert not [pid for pid in stopping if pid in rig.processes()]
    assert rig.status()["lpars"][1]["state"] == "stopped"
    assert '"launcher.stopped"' in rig.logged("LPAR2", "launcher")
    rig.ok("start", "LPAR2")


def test_pause_and_resume_an_lpar_whose_gateway_is_fenced_meanwhile(rig: Rig) -> None:
    discovery, gateway, sample = pids(rig, "LPAR2")
    launcher = rig.launcher_pid("LPAR2")
    rig.ok("pause", "LPAR2")
    assert all(stopped(pid) for pid in (launcher, discovery, sample))
    assert rig.status()["lpars"][1]["state"] == "paused"
    poll("the gateway is fenced", lambda: gateway not in rig.processes(), 5)
    poll("it is said, and why", lambda: f"gateway({gateway}) hung, 3 probes failed: killed" in rig.output, 5)
    assert rig.component("LPAR2", "gateway")["state"] == "failed"
    assert "is paused" in failure(rig, "kill", "LPAR2", "sample", code=1)
    rig.ok("resume", "LPAR2")
    assert pids(rig, "LPAR2")[0] == discovery
    assert pids(rig, "LPAR2")[2] == sample
    assert rig.component("LPAR2", "gateway")["restarts"] == 1
    assert "is not paused" in failure(rig, "resume", "LPAR2", code=1)


def test_a_lost_lpar_leaves_nothing_and_is_said_but_not_started(rig: Rig) -> None:
    lost = pids(rig, "LPAR2")
    os.kill(rig.launcher_pid("LPAR2"), signal.SIGKILL)
    poll("its components are gone", lambda: not [pid for pid in lost if pid in rig.processes()], 5)
    poll("it is said", lambda: "lost: its launcher ended (killed by SIGKILL); start it again" in rig.output, 5)
    assert rig.status()["lpars"][1]["state"] == "failed"
    rig.ok("start", "LPAR2")


def test_unknown_names_are_told_with_the_nearest(rig: Rig) -> None:
    assert "there is no LPAR LPAR3 (did you mean 'LPAR" in failure(rig, "kill", "lpar3", code=2)
    assert "did you mean 'gateway'" in failure(rig, "kill", "LPAR1", "gatway", code=2)


# --- components


def test_a_killed_component_is_started_again_by_the_rules(rig: Rig) -> None:
    before = rig.component("LPAR1", "gateway")["pid"]
    rig.ok("kill", "lpar1", "Gateway")
    after = rig.wait_for("LPAR1", "gateway", "ready", not_pid=before)
    assert after["restarts"] == 1
    poll("said", lambda: f"gateway({after['pid']}) ready" in rig.output)
    assert f"gateway({before}) ended: killed by SIGKILL" in rig.output
    assert "gateway starts again in 0.2 s (restart 1 of 3)" in rig.output
    recorded = json.loads((rig.data / "LPAR1" / "run" / "pids.json").read_text())
    assert recorded["gateway"]["pid"] == after["pid"]


def test_one_killed_by_somebody_else_too(rig: Rig) -> None:
    before = rig.component("LPAR1", "sample")["pid"]
    os.kill(before, signal.SIGTERM)
    assert rig.wait_for("LPAR1", "sample", "ready", not_pid=before)["restarts"] == 1


def test_too_many_quick_exits_end_it_until_an_operator_starts_it(rig: Rig) -> None:
    for _ in range(4):
        rig.wait_for("LPAR1", "sample", "ready")
        rig.ok("kill", "LPAR1", "sample")
    failed = rig.wait_for("LPAR1", "sample", "failed")
    assert "given up: it ended 4 times in a row within 10 s" in failed["why"][0]
    assert rig.status()["sysplex"]["state"] == "failed"
    assert "it is failed" in failure(rig, "kill", "LPAR1", "sample", code=1)
    rig.ok("start", "LPAR1", "sample")
    rig.ok("kill", "LPAR1", "sample")
    rig.wait_for("LPAR1", "sample", "ready")


def test_stop_and_start_a_component(rig: Rig) -> None:
    before = rig.component("LPAR1", "sample")["pid"]
    assert "LPAR1 sample: stopped" in rig.ok("stop", "LPAR1", "sample")
    assert before not in rig.processes()
    assert rig.component("LPAR1", "sample")["state"] == "stopped"
    assert "it is not running" in failure(rig, "stop", "LPAR1", "sample", code=1)
    assert "LPAR1 sample: ready" in rig.ok("start", "LPAR1", "sample")
    assert rig.component("LPAR1", "sample")["restarts"] == 0
    assert "already running" in failure(rig, "start", "LPAR1", "sample", code=1)


def test_pause_and_resume_a_component(rig: Rig) -> None:
    part = rig.component("LPAR1", "sample")
    rig.ok("pause", "LPAR1", "sample")
    assert stopped(part["pid"])
    assert rig.component("LPAR1", "sample")["state"] == "paused"
    rig.ok("resume", "LPAR1", "sample")
    assert not stopped(part["pid"])
    assert rig.component("LPAR1", "sample")["pid"] == part["pid"]


def test_a_hung_gateway_is_fenced_and_replaced(rig: Rig) -> None:
    before = rig.component("LPAR1", "gateway")["pid"]
    sample = rig.component("LPAR1", "sample")["pid"]
    rig.ok("pause", "LPAR1", "sample")
    os.kill(before, signal.SIGSTOP)
    poll("fenced", lambda: before not in rig.processes(), 5)
    rig.wait_for("LPAR1", "gateway", "ready", not_pid=before)
    assert f"gateway({before}) hung, 3 probes failed" in rig.output
    assert stopped(sample), "only gateways are fenced"
    assert rig.component("LPAR1", "sample")["why"] == ["paused by an operator"]


def test_what_a_component_has_started_goes_with_it(rig: Rig, tmp_path: Path) -> None:
    rig.ok("down")
    script = tmp_path / "with_child.sh"
    program = rig.tree["components"]["sample"]["command"].format(host="$1", port="$2")
    script.write_text(f"sleep 1000 & echo child $!\nexec {program}\n")
    rig.tree["components"]["sample"]["command"] = f"sh {script} {{host}} {{port}}"
    rig.up()

    def child() -> int:
        return int(rig.logged("LPAR1", "sample").rpartition("child ")[2].split()[0])

    first = child()
    assert psutil.pid_exists(first)
    rig.ok("kill", "LPAR1", "sample")
    poll("the child is gone", lambda: first not in rig.processes(), 5)
    rig.wait_for("LPAR1", "sample", "ready")
    second = child()
    assert second != first
    rig.ok("kill", "LPAR1")
    poll("the child is gone", lambda: second not in rig.processes(), 5)


def test_a_component_that_ignores_sigterm_is_killed_after_the_grace(rig: Rig) -> None:
    rig.ok("down")
    rig.environ |= {"STAND_IN_STUBBORN": "yes", "PLEXMESH_LAUNCHER_STOP_S": "0.5"}
    up = rig.up()
    up.send_signal(signal.SIGTERM)
    assert up.wait(10) == 0
    assert rig.processes() == {}
    assert "did not stop in 0.5 s: SIGKILL" in rig.logged("LPAR1", "launcher")


# --- the API


@pytest.mark.parametrize(
    "base", [f"http://{ADDRESS}/v1/lpars/LPAR1/components", f"http://{HOSTS['LPAR1']}:7550/v1/components"]
)
def test_orders_are_taken_from_programs_only(rig: Rig, base: str) -> None:
    before = rig.component("LPAR1", "sample")["pid"]
    url = f"{base}/sample/kill"
    assert request(url, "POST", Content_Type="text/plain")[0] == 415
    assert request(url, "POST", Content_Type="application/x-www-form-urlencoded")[0] == 415
    assert request(url, "POST", Content_Type="application/json", Origin="http://127.0.0.1:7550")[0] == 403
    assert request(url)[0] == 405
    assert request(f"{base}/sample/kil", "POST", Content_Type="application/json")[0] == 404
    assert rig.component("LPAR1", "sample")["pid"] == before
    status, body = request(url, "POST", Content_Type="application/json")
    assert status == 200
    assert json.loads(body)["name"] == "sample"


def test_a_launcher_tells_what_every_process_tells(rig: Rig) -> None:
    for url in (f"http://{ADDRESS}", f"http://{HOSTS['LPAR1']}:7550"):
        for path in ("live", "ready", "health", "info", "metrics"):
            assert request(f"{url}/application/{path}")[0] == 200
    assert json.loads(request(f"http://{ADDRESS}/v1/sysplex")[1])["data"] == str(rig.data)
    assert json.loads(request(f"http://{HOSTS['LPAR1']}:7550/v1/lpar")[1])["id"] == "LPAR1"
