"""Four lines of plexmesh.yaml: a program of the user's in every LPAR, started, registered, restarted, taken away."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.launcher_rig import HOSTS, VIPA_HOST, Rig, poll, request

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders.py"
WEB = f"{sys.executable} -u -m http.server {{port}}"


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("users"))
    rig.tree["components"] = {"discovery": {}, "gateway": {}}
    try:
        yield rig
    finally:
        rig.close()


def ways(path: str, calls: int = 30) -> set[str]:
    """Which instances answered, by the body each serves; an error answer is one of them."""
    found = {request(f"http://{VIPA_HOST}:7554{path}") for _ in range(calls)}
    return {body.decode() if status == 200 else str(status) for status, body in found}


def lpars(path: str) -> set[str]:
    return {body if body.isdigit() else json.loads(body)["lpar"] for body in ways(path)}


def test_a_component_in_each_lpar_is_routed_restarted_and_gone_with_its_lpar(rig: Rig) -> None:
    for host in HOSTS.values():
        (rig.folder / host).mkdir()
        (rig.folder / host / "who.txt").write_text(host)
    command = f"{WEB} --bind {{host}} --directory {rig.folder}/{{host}}"
    rig.tree["components"]["orders"] = {"command": command, "port": 9000, "routes": {"api/v1": "/"}}
    rig.up()
    path = "/orders/api/v1/who.txt"
    poll("both serve", lambda: ways(path) == set(HOSTS.values()))
    rig.ok("kill", "LPAR2", "orders")
    assert ways(path, 20) <= set(HOSTS.values())
    rig.wait_for("LPAR2", "orders", "ready")
    poll("both serve again", lambda: ways(path) == set(HOSTS.values()))
    rig.ok("kill", "LPAR2")
    assert ways(path) == {HOSTS["LPAR1"]}
    rig.ok("stop", "LPAR1", "orders")
    assert request(f"http://{VIPA_HOST}:7554{path}")[0] in (404, 503)


def test_the_readmes_example_runs_in_every_lpar(rig: Rig) -> None:
    shutil.copy(EXAMPLE, rig.folder)
    command = "python orders.py --host {host} --port {port}"  # relative to plexmesh.yaml, with plexmesh's own python
    rig.tree["components"]["orders"] = {"command": command, "port": 9000, "routes": {"api/v1": "/"}}
    rig.up()
    poll("both serve", lambda: lpars("/orders/api/v1/hello") == set(HOSTS))
    rig.ok("kill", "LPAR2")
    assert lpars("/orders/api/v1/hello") == {"LPAR1"}


def test_without_its_address_a_component_has_another_port_in_each_lpar_and_people_are_told(rig: Rig) -> None:
    rig.tree["components"]["mails"] = {"command": f"{WEB} --bind 127.0.0.1", "port": 19010, "routes": {"ui/v1": "/"}}
    rig.up()
    assert "mails: its command has no {host}" in rig.output
    urls = {rig.component(lpar, "mails")["url"] for lpar in HOSTS}
    assert urls == {"http://127.0.0.1:19010", "http://127.0.0.1:19110"}
    poll("it is routed", lambda: request(f"http://{VIPA_HOST}:7554/mails/ui/v1/")[0] == 200)


def test_a_command_that_fails_is_said_with_its_last_lines_and_backs_off_alone(rig: Rig) -> None:
    program = rig.folder / "broken.py"
    program.write_text("print('reading the ledger'); raise SystemExit('the ledger is missing')")
    rig.tree["components"]["orders"] = {"command": f"{sys.executable} {program} {{host}}", "port": 9000}
    rig.up()
    assert "TESTPLEX is not complete" in rig.output
    assert "the ledger is missing" in " ".join(rig.output.split())  # the table folds it
    failed = rig.wait_for("LPAR1", "orders", "failed")
    assert failed["restarts"] == 3  # as many as this file allows
    assert failed["why"][-2:] == ["reading the ledger", "the ledger is missing"]
    assert rig.component("LPAR1", "gateway")["state"] == "ready"


def test_a_command_that_is_not_there_is_said(rig: Rig) -> None:
    rig.tree["components"]["orders"] = {"command": "no-such-program {host}", "port": 9000}
    rig.up()
    assert "no-such-program: cannot be started: No such file or directory" in " ".join(rig.output.split())
    assert request(f"http://{VIPA_HOST}:7554/application/ready")[0] == 200
