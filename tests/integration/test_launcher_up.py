"""`plexmesh up`: coming up, what it says, a second one, bad machines and files, and every way of ending."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.launcher_rig import ADDRESS, HOSTS, PROGRAM, VIPA_HOST, Rig, poll, request


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def refused(rig: Rig, *args: str, code: int = 2) -> str:
    """The one line on standard error."""
    done = rig.call_as_is(*args)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("plexmesh: ")
    assert rig.processes() == {}
    return done.stderr


def bound(sock: socket.socket, host: str, port: int) -> bool:
    try:
        sock.bind((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def test_it_shows_every_component_the_addresses_and_commands_to_copy(rig: Rig) -> None:
    rig.up()
    lines = rig.output.splitlines()
    for lpar, host in HOSTS.items():
        assert any(line.startswith(f"{lpar}  gateway    {host}:7554") and " ready " in line for line in lines)
    assert "TESTPLEX is up" in rig.output
    assert f"curl -i http://{VIPA_HOST}:7554/sample/api/v1/hello" in rig.output
    assert f"{PROGRAM} kill LPAR2 --data data" in rig.output
    assert f"{PROGRAM} status --data data" in rig.output
    assert "Simulated: an LPAR" in rig.output
    assert "stand-in listens" not in rig.output, "components' output belongs into their files"
    assert "stand-in listens" in rig.logged("LPAR1", "gateway")
    assert (rig.data / "volume").stat().st_mode & 0o777 == 0o700


def test_status_as_json_is_the_interfaces(rig: Rig) -> None:
    rig.up()
    status = rig.status()
    assert status["sysplex"] == {"url": f"http://{VIPA_HOST}:7554", "state": "ready"}
    assert [lpar["id"] for lpar in status["lpars"]] == ["LPAR1", "LPAR2"]
    first = status["lpars"][0]
    assert (first["state"], first["address"]) == ("ready", HOSTS["LPAR1"])
    assert [part["name"] for part in first["components"]] == ["discovery", "gateway", "sample"]
    gateway = first["components"][1]
    assert set(gateway) >= {"name", "state", "pid", "uptime_s", "restarts", "url"}
    assert gateway["url"] == f"http://{HOSTS['LPAR1']}:7554"
    assert os.path.exists(f"/proc/{gateway['pid']}")
    nodes = [(node["node"], node["reachable"], node["instances"]) for node in status["registry"]]
    assert nodes == [("LPAR1", True, 7), ("LPAR2", True, 7)]


def test_a_component_is_told_where_it_is(rig: Rig) -> None:
    rig.tree["zowe"]["environments"] = {"COLOUR": "blue"}
    rig.up()
    told = json.loads(request(f"http://{HOSTS['LPAR2']}:7560/environ")[1])
    ours, other = f"http://{HOSTS['LPAR2']}:7553", f"http://{HOSTS['LPAR1']}:7553"
    assert told["PLEXMESH_LPAR"] == "LPAR2"
    assert told["PLEXMESH_SYSPLEX"] == "TESTPLEX"
    assert told["PLEXMESH_HOST"] == told["HOST"] == HOSTS["LPAR2"]
    assert told["PORT"] == "7560"
    assert told["PLEXMESH_DISCOVERY"] == f"{ours},{other}"
    assert told["PLEXMESH_VIPA"] == f"{VIPA_HOST}:7554"
    assert told["PLEXMESH_DATA"] == str(rig.data)
    assert told["PLEXMESH_CONFIG"] == str(rig.file)
    assert told["COLOUR"] == "blue"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_in_order(rig: Rig, number: signal.Signals) -> None:
    up = rig.up()
    up.send_signal(number)
    assert up.wait(15) == 0
    assert rig.processes() == {}
    events = [json.loads(line)["event"] for line in rig.logged("LPAR1", "launcher").splitlines()]
    assert events[-1] == "launcher.stopped"
    assert events.count("component.stopped") == 3
    assert "component.killing" not in events


def test_down_stops_it_from_elsewhere(rig: Rig) -> None:
    up = rig.up()
    rig.ok("down")
    assert rig.processes() == {}, "down returns when nothing is left"
    assert up.wait(5) == 0
    assert rig.call("down").returncode == 3


def test_down_stops_paused_lpars_and_components_too(rig: Rig) -> None:
    rig.up()
    rig.ok("pause", "LPAR1")
    rig.ok("pause", "LPAR2", "sample")
    rig.ok("down")
    assert rig.processes() == {}


def test_a_second_interrupt_kills_at_once(rig: Rig) -> None:
    rig.environ["STAND_IN_STUBBORN"] = "yes"
    up = rig.up()
    up.send_signal(signal.SIGINT)
    poll("stopping", lambda: "stopping" in rig.output)
    assert up.poll() is None, "the stubborn ones have 20 s"
    up.send_signal(signal.SIGINT)
    up.wait(5)
    poll("nothing left", rig.nothing_left, 5)


def test_killed_it_takes_everything_along(rig: Rig) -> None:
    up = rig.up()
    assert len(rig.processes()) == 9
    up.kill()
    up.wait()
    poll("nothing left", rig.nothing_left, 5)
    assert rig.call("status").returncode == 3
    rig.up()


def test_a_reader_that_leaves_does_not_end_it(rig: Rig) -> None:
    rig.write()
    line = f"exec {PROGRAM} up --data {rig.data} | head -1"
    rig.started.append(subprocess.Popen(["sh", "-c", line], cwd=rig.folder, env=rig.environ, stdout=subprocess.DEVNULL))
    poll("ready", lambda: rig.call("status").returncode == 0)
    rig.ok("kill", "LPAR2")
    rig.ok("down")
    assert rig.processes() == {}


def test_a_second_up_shows_the_status(rig: Rig) -> None:
    rig.up()
    second = rig.call("up")
    assert second.returncode == 0
    assert f"{HOSTS['LPAR2']}:7560" in second.stdout
    assert len(rig.processes()) == 9


def test_a_port_in_use_is_named(rig: Rig) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as a gateway of somebody else would
        poll("an earlier test's listener has gone", lambda: bound(other, HOSTS["LPAR2"], 7560))
        other.listen()
        rig.write()
        assert f"{HOSTS['LPAR2']}:7560 is in use" in refused(rig, "up", "--data", str(rig.data))


def test_the_sysplex_of_another_folder_is_named(rig: Rig) -> None:
    up = rig.up()
    other = rig.call_as_is("up", "--data", str(rig.folder / "other"))
    assert other.returncode == 2
    assert other.stderr.count("\n") == 1
    assert f"sysplex TESTPLEX of {rig.data} (pid {up.pid})" in other.stderr
    assert "down --data data" in other.stderr
    assert up.poll() is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("components: {gateway", "not YAML"),
        ("componets: {}", "did you mean 'components'"),
        ('components: {sample: {command: "x \'y"}}', "components.sample.command"),
        ("components: {sample: {command: /no/such/program}}", "cannot be started: No such file"),
        ("components: {discovery: {leaseSecnds: 3}}", "components.discovery.leaseSecnds: unknown key"),
        ("haInstances: {LPAR1: {hostname: 203.0.113.7}}", ": others can reach it, and without TLS"),
    ],
)
def test_a_bad_file_is_one_line(rig: Rig, text: str, says: str) -> None:
    rig.file.write_text(
        f"{text}\nplexmesh: {{address: '{ADDRESS}'}}\n"
        + ("" if "haInst" in text else f"haInstances: {{LPAR1: {{hostname: {HOSTS['LPAR1']}}}}}\n")
        + f"zowe: {{externalDomains: ['{VIPA_HOST}']}}\n"
    )
    assert says in refused(rig, "up", "--data", str(rig.data))


def test_no_file_is_one_line(rig: Rig) -> None:
    assert "no plexmesh.yaml" in refused(rig, "up", "--data", str(rig.data))
    assert "no such file" in refused(rig, "up", "--config", "absent.yaml", "--data", str(rig.data))


def test_a_data_folder_that_cannot_be_made_is_one_line(rig: Rig) -> None:
    rig.write()
    assert "cannot be made: Not a directory" in refused(rig, "up", "--data", str(rig.file / "data"))


def test_the_file_and_the_data_folder_are_found_upwards(rig: Rig) -> None:
    below = rig.folder / "a" / "b"
    below.mkdir(parents=True)
    rig.data = rig.folder / ".plexmesh"
    rig.data.mkdir()
    rig.spawn("up", cwd=below)
    poll("ready", lambda: rig.call("status").returncode == 0)
    poll("no --data where it is not needed", lambda: "kill LPAR2\n" in rig.output)


def test_fewer_lpars_than_the_file_names(rig: Rig) -> None:
    rig.up("--lpars", "1")
    assert [lpar["id"] for lpar in rig.status()["lpars"]] == ["LPAR1"]
    told = json.loads(request(f"http://{HOSTS['LPAR1']}:7560/environ")[1])
    assert told["PLEXMESH_DISCOVERY"] == f"http://{HOSTS['LPAR1']}:7553"


@pytest.mark.parametrize(("args", "says"), [(["upp"], "up"), (["kill"], "LPAR"), (["up", "--lpars", "0"], "0")])
def test_usage(rig: Rig, args: list[str], says: str) -> None:
    assert says in refused(rig, *args)


def test_nothing_runs(rig: Rig) -> None:
    for args in (["status"], ["down"], ["kill", "LPAR1"]):
        assert "start one with" in refused(rig, *args, "--data", str(rig.data), code=3)
