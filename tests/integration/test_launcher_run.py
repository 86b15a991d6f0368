"""`plexmesh run --lpar`: one LPAR alone, as in a container."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.launcher_rig import HOSTS, Rig, poll, request

URL = f"http://{HOSTS['LPAR1']}:7550"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def answers() -> bool:
    try:
        return request(f"{URL}/application/ready")[0] == 200
    except OSError:
        return False


def run(rig: Rig, *args: str) -> subprocess.Popen[bytes]:
    started = rig.spawn("run", "--lpar", "lpar1", "--data", str(rig.data), *args)
    poll("ready", answers)
    return started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_passes_lines_on_and_ends_in_order(rig: Rig, number: signal.Signals) -> None:
    launcher = run(rig)
    lpar = json.loads(request(f"{URL}/v1/lpar")[1])
    assert (lpar["id"], lpar["state"]) == ("LPAR1", "ready")
    assert f"stand-in listens on {HOSTS['LPAR1']}:7553\n" in rig.output
    assert "stand-in listens" in rig.logged("LPAR1", "discovery")
    assert '"ZWEL0001I"' in rig.output
    launcher.send_signal(number)
    assert launcher.wait(10) == 0
    assert rig.processes() == {}


def test_killed_it_takes_its_components_along(rig: Rig) -> None:
    launcher = run(rig)
    assert len(rig.processes()) == 4
    launcher.kill()
    launcher.wait()
    poll("nothing left", rig.nothing_left, 5)


def test_its_own_settings_are_flags_too(rig: Rig) -> None:
    rig.environ["STAND_IN_STUBBORN"] = "yes"
    launcher = run(rig, "--stop-s", "0.3")
    launcher.terminate()
    assert launcher.wait(10) == 0
    assert "did not stop in 0.3 s: SIGKILL" in rig.output
    assert rig.processes() == {}


def test_as_a_module(rig: Rig) -> None:
    rig.write()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "launcher", "--lpar", "LPAR9"],
        cwd=rig.folder, env=rig.environ, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no LPAR LPAR9 (did you mean 'LPAR" in done.stderr
    assert done.stderr.count("\n") == 1


def test_orders_name_what_is_unknown(rig: Rig) -> None:
    run(rig)
    status, body = request(f"{URL}/v1/components/gatewai/kill", "POST", Content_Type="application/json")
    assert status == 404
    assert "did you mean 'gateway'" in json.loads(body)["detail"]
    status, body = request(f"{URL}/v1/components/gateway/start", "POST", Content_Type="application/json")
    assert status == 409
    assert json.loads(body)["detail"] == "cannot start LPAR1 gateway: it is already running (ready)"


def test_one_that_is_not_ready_says_why(rig: Rig) -> None:
    rig.environ["STAND_IN_UNREADY"] = "yes"
    rig.spawn("run", "--lpar", "LPAR1", "--data", str(rig.data))

    def why() -> list[str]:
        try:
            return json.loads(request(f"{URL}/v1/lpar")[1])["components"][2].get("why", [])  # type: ignore[no-any-return]
        except OSError:
            return []

    poll("the component's own reason", lambda: why() == ["told to be unready"])
    status, body = request(f"{URL}/application/ready")
    assert status == 503
    assert "sample is starting" in json.loads(body)["why"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--lpar", "LPAR3"], "there is no LPAR LPAR3"),
        (["--lpar", "LPAR1", "--stop-s", "soon"], "--stop-s: expected float"),
        ([], "--lpar"),
    ],
)
def test_what_it_cannot_use_is_one_line(rig: Rig, args: list[str], says: str) -> None:
    rig.write()
    done = rig.call_as_is("run", "--data", str(rig.data), *args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_its_port_in_use(rig: Rig) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((HOSTS["LPAR1"], 7550))
        other.listen()
        rig.write()
        done = rig.call_as_is("run", "--lpar", "LPAR1", "--data", str(rig.data))
    assert done.returncode == 2
    assert f"{HOSTS['LPAR1']}:7550 is in use" in done.stderr
    assert rig.processes() == {}


def test_without_up_the_launcher_fences_its_own_gateway(rig: Rig) -> None:
    """As in a container, where nobody else would."""

    def gateway() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(request(f"{URL}/v1/lpar")[1])
        return next(each for each in found["components"] if each["name"] == "gateway")

    run(rig)
    before = gateway()["pid"]
    assert request(f"{URL}/v1/components/gateway/pause", "POST", Content_Type="application/json")[0] == 200
    poll("replaced", lambda: gateway()["state"] == "ready" and gateway()["pid"] != before, 6)
    assert "PLXL017E" in (rig.data / "LPAR1" / "logs" / "plexmesh.log").read_text()
