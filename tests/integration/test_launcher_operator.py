"""One LPAR's launcher and its operator: commands in Zowe's words, the job log, what hangs, order, and what is used."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.launcher_rig import Rig, poll, request
from tests.integration.test_launcher_run import URL, run

JSON = {"Content_Type": "application/json"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def component(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(request(f"{URL}/v1/lpar")[1])["components"]
    return next(each for each in found if each["name"] == name)


def command(text: str) -> list[str]:
    asked = urllib.request.Request(
        f"{URL}/v1/command", json.dumps({"command": text}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
        messages: list[str] = json.loads(answer.read())["messages"]
        return messages


def logged(rig: Rig) -> str:
    """Empty as long as there is none."""
    return rig.logged("LPAR1", "plexmesh") if (rig.data / "LPAR1" / "logs" / "plexmesh.log").exists() else ""


def ids(rig: Rig) -> list[str]:
    """Of the launcher's own messages."""
    return re.findall(r"^\d{4}-\d\d-\d\d [\d:.]{12} <ZWELNCH:\d+> \S+ [A-Z]+ (\S+) ", logged(rig), re.MULTILINE)


def test_commands_and_the_job_log(rig: Rig) -> None:
    launcher = run(rig)
    pids = {name: component(name)["pid"] for name in ("discovery", "gateway", "sample")}
    assert rig.ok("modify", "lpar1", "DISP").splitlines() == [
        "ZWEL0013I command received: DISP",
        "ZWEL0010I components of LPAR1: 3",
        *(f"ZWEL0011I {name}: pid {pid}, ready" for name, pid in pids.items()),
    ]
    assert command("APPL=STOP(Sample)")[1:] == [f"ZWEL0002I sample({pids['sample']}) stopped"]
    assert command("DISP")[-1] == "ZWEL0011I sample: pid -1, stopped"
    assert command("STOP(sample)")[-1].startswith("PLXL014W cannot stop LPAR1 sample: it is not running")
    assert re.fullmatch(r"ZWEL0001I sample\(\d+\) started", command("START(sample)")[-1])
    assert command("START(sample)")[-1] == "ZWEL0039E sample is already running"
    assert "did you mean 'gateway'" in command("START(gatewy)")[-1]
    failed = rig.call("modify", "LPAR1", "RESTART(sample)")
    assert failed.returncode == 1
    assert failed.stdout.splitlines()[-1].startswith("ZWEL0042E unknown command: 'RESTART(sample)'")
    assert rig.call("modify", "LPAR8", "DISP").returncode == 2
    assert request(f"{URL}/v1/command", "POST", **JSON)[0] == 400
    assert request(f"{URL}/v1/command", "POST", Content_Type="text/plain")[0] == 415
    assert "stand-in listens on" in logged(rig), "the components' lines are passed through"
    assert ids(rig)[:6] == ["ZWEL0021I", "ZWEL0023I", "ZWEL0024I", "ZWEL0069I", "ZWEL0018I", "ZWEL0016I"]
    assert command("STOP")[-1] == "ZWEL0014I stop received from the operator"
    assert launcher.wait(10) == 0
    assert {"ZWEL0003I", "ZWEL0025I", "ZWEL0006I", "ZWEL0001I", "ZWEL0007I", "ZWEL0008I"} < set(ids(rig))
    assert ids(rig)[-2:] == ["ZWEL0009I", "ZWEL0022I"]
    assert "ZWEL0019I" not in ids(rig), "that is for a signal"
    assert rig.processes() == {}


def test_what_hangs_is_replaced_and_what_is_paused_is_not(rig: Rig) -> None:
    rig.tree["zowe"]["launcher"]["hungAfter"] = 1
    run(rig, "--probe-s", "0.2")
    paused, hung = component("discovery")["pid"], component("sample")["pid"]
    assert request(f"{URL}/v1/components/discovery/pause", "POST", **JSON)[0] == 200
    os.kill(hung, signal.SIGSTOP)
    poll("it is killed", lambda: not psutil.pid_exists(hung), 10)
    poll("another one serves", lambda: component("sample")["state"] == "ready")
    assert f"PLXL008E sample({hung}) hung, silent 1 times in a row: killed" in logged(rig)
    assert f"ZWEL0004I sample({hung}) ended: killed by SIGKILL" in logged(rig)
    assert component("sample")["restarts"] == 1
    assert (component("discovery")["pid"], component("discovery")["state"]) == (paused, "paused")


def test_one_waits_for_another_but_not_for_ever_and_an_order_does_not_wait(rig: Rig) -> None:
    rig.environ["STAND_IN_UNREADY"] = "yes"  # sample, and everything else too
    for name, after in {"gateway": ["discovery"], "sample": ["discovery", "gateway"]}.items():
        rig.tree["components"][name]["launcher"] = {"after": after}
    rig.spawn("run", "--lpar", "LPAR1", "--data", str(rig.data), "--after-s", "1.5")
    poll("it says so", lambda: "sample is started when" in logged(rig))
    poll("it answers", answers_at_all)
    assert component("gateway").get("pid") is None
    assert command("START(gateway)")[-1].startswith("ZWEL0001I gateway(")
    assert component("sample").get("pid") is None
    poll("in the end it starts all the same", lambda: component("sample").get("pid"))
    assert "PLXL004W sample starts although discovery and gateway are not ready after 1.5 s" in logged(rig)
    assert "gateway starts although" not in logged(rig)
    poll("all are said", lambda: ids(rig)[-1] == "ZWEL0007I")


def answers_at_all() -> bool:
    try:
        return request(f"{URL}/v1/lpar")[0] == 200
    except OSError:
        return False


def test_one_that_waited_starts_when_the_other_is_ready(rig: Rig) -> None:
    rig.tree["components"]["gateway"]["launcher"] = {"after": ["discovery"]}
    run(rig)
    order = [logged(rig).index(text) for text in ("ZWEL0001I discovery", "PLXL006I discovery", "ZWEL0001I gateway")]
    assert order == sorted(order)


def test_only_the_components_it_is_told(rig: Rig) -> None:
    launcher = run(rig, "--components", "gateway,discovery")
    assert [each["name"] for each in json.loads(request(f"{URL}/v1/lpar")[1])["components"]] == ["discovery", "gateway"]
    launcher.terminate()
    assert launcher.wait(10) == 0
    done = rig.call_as_is("run", "--lpar", "LPAR1", "--data", str(rig.data), "--components", "gatway")
    assert done.returncode == 2
    assert done.stderr == "plexmesh: --components: LPAR1 has no component 'gatway' (did you mean 'gateway'?)\n"
    assert ids(rig)[-1] == "ZWEL0070E"


def test_what_a_component_uses_is_told_with_all_it_has_started(rig: Rig) -> None:
    script = rig.folder / "with_child.sh"
    program = rig.tree["components"]["sample"]["command"].format(host="$1", port="$2")
    script.write_text(f"setsid {program} &\nwait\n")
    rig.tree["components"]["sample"]["command"] = f"sh {script} {{host}} {{port}}"
    run(rig)
    alone, together = component("discovery"), component("sample")
    assert alone["rss_bytes"] > 5_000_000
    assert alone["threads"] >= 1
    assert alone["descriptors"] > 3
    assert alone["cpu_percent"] >= 0
    assert together["rss_bytes"] > psutil.Process(together["pid"]).memory_info().rss + 5_000_000
    assert together["threads"] >= 2, "the shell's, too"


def test_four_at_the_same_instant_are_all_started_again(rig: Rig) -> None:
    rig.tree["components"]["caching"] = dict(rig.tree["components"]["sample"])
    run(rig)
    names = ("discovery", "gateway", "sample", "caching")
    for name in names:
        os.kill(component(name)["pid"], signal.SIGKILL)
    poll("all are there again", lambda: all(component(name)["restarts"] == 1 for name in names))
    poll("and ready", lambda: all(component(name)["state"] == "ready" for name in names))
