"""Restarting a sysplex while it serves: no call of any method fails; and what is refused, or ends half-way."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator

import pytest

from tests.integration.launcher_rig import STAND_IN, VIPA_HOST, Rig, poll, request
from tests.integration.mixed_load import CACHE, MixedLoad

RATE = 200
DRAIN = {"drain_s": 0.4}
FRAGILE = f"sh -c 'test ! -e {{mark}} && exec {sys.executable} -P {STAND_IN} --host $HOST --port $PORT'"


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("rolling"))
    rig.tree["components"] = {
        "discovery": {},
        "gateway": DRAIN,
        "caching": DRAIN,
        "sample": DRAIN,
        "fragile": {"command": FRAGILE.format(mark=rig.folder / "broken"), "port": 9611},
    }
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def pids(rig: Rig) -> dict[tuple[str, str], int]:
    return {(lpar["id"], part["name"]): part["pid"] for lpar in rig.status()["lpars"] for part in lpar["components"]}


def read_back(written: dict[str, str]) -> dict[str, str]:
    found = {}
    for key in written:
        status, body = request(f"http://{VIPA_HOST}:7554{CACHE}/{key}", X_CS_Service_ID="load")
        found[key] = json.loads(body)["value"] if status == 200 else str(status)
    return found


@pytest.mark.parametrize("order", [("LPAR1", "gateway"), ("LPAR2", "caching"), ("sample",)], ids=" ".join)
async def test_no_call_of_any_method_fails(sysplex: Rig, order: tuple[str, ...]) -> None:
    before = pids(sysplex)
    load = MixedLoad(VIPA_HOST, RATE)
    running = asyncio.create_task(load.run())
    done = await asyncio.to_thread(sysplex.call, "restart", *order, "--rolling")
    await asyncio.sleep(0.3)
    load.stop()
    await running
    assert done.returncode == 0, done.stdout + done.stderr
    assert load.failed == []
    assert len(load.outcomes) > RATE
    changed = {key for key, pid in pids(sysplex).items() if pid != before[key]}
    assert changed == {key for key in before if set(order) <= set(key)}
    assert load.written
    some = dict(list(load.written.items())[-10:])
    assert read_back(some) == some


def test_what_nobody_can_stand_in_for_is_refused_before_anything_is_touched(sysplex: Rig) -> None:
    sysplex.ok("stop", "LPAR2", "sample")
    before = pids(sysplex)
    done = sysplex.call("restart", "--rolling")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "plexmesh: calls would fail: nobody else is ready to stand in for LPAR1 sample; restart it with --force\n"
    )
    assert pids(sysplex) == before
    sysplex.ok("start", "LPAR2", "sample")


def test_one_that_does_not_come_back_ends_it_there_and_says_how_to_go_on(sysplex: Rig) -> None:
    before = pids(sysplex)
    (sysplex.folder / "broken").touch()
    done = sysplex.call("restart", "fragile", "--rolling")
    assert done.returncode == 1
    assert done.stderr.startswith("plexmesh: stopped at LPAR1 fragile: it is ")
    assert "(0 of 2 restarted); when it is mended: " in done.stderr
    assert "start LPAR1 fragile" in done.stderr
    assert pids(sysplex)["LPAR2", "fragile"] == before["LPAR2", "fragile"]
    (sysplex.folder / "broken").unlink()
    sysplex.ok("start", "LPAR1", "fragile")


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (("LPAR3", "sample"), "there is no LPAR LPAR3"),
        (("gatway",), "no LPAR has a component 'gatway' (did you mean 'gateway'?)"),
    ],
)
def test_what_is_not_there_is_said(sysplex: Rig, order: tuple[str, ...], why: str) -> None:
    done = sysplex.call("restart", *order, "--rolling")
    assert (done.returncode, done.stderr.startswith(f"plexmesh: {why}")) == (2, True), done.stderr


def test_a_quiesced_lpar_has_no_calls_and_a_new_gateway_of_it_none_either(sysplex: Rig) -> None:
    vipa = "http://{}:7554/gateway/v1/vipa".format(sysplex.tree["haInstances"]["LPAR2"]["hostname"])
    sysplex.ok("quiesce", "LPAR2")
    assert b'"out"' in request(vipa)[1]
    sysplex.ok("kill", "LPAR2", "gateway")
    sysplex.wait_for("LPAR2", "gateway", "ready")
    assert b'"out"' in request(vipa)[1]
    assert sysplex.status()["distributor"] == {"policy": "distribute", "active": ["LPAR1"], "quiesced": ["LPAR2"]}
    said = sysplex.logged("LPAR2", "gateway").rpartition("gateway.started")[2]  # by the new process
    assert said
    assert "vipa.in" not in said
    sysplex.ok("activate", "LPAR2")
    assert b'"in"' in request(vipa)[1]
    poll("it is shown", lambda: sysplex.status()["distributor"]["active"] == ["LPAR1", "LPAR2"])
