"""One gateway has the sysplex address, the other one stands by."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.launcher_rig import VIPA_HOST, Rig, poll
from tests.integration.mixed_load import MixedLoad


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("standby"))
    rig.tree["components"] = {"discovery": {}, "gateway": {"drain_s": 0.4}, "sample": {}}
    rig.tree["plexmesh"]["distributor"] = "hot-standby"
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def distributor(rig: Rig) -> dict[str, Any]:
    found: dict[str, Any] = rig.status()["distributor"]
    return found


def only(lpar: str) -> dict[str, Any]:
    return {"policy": "hot-standby", "active": [lpar], "quiesced": []}


def served_by(load: MixedLoad) -> set[str]:
    return {each.gateway for each in load.outcomes if each.gateway}


async def while_loaded(load: MixedLoad, rig: Rig, *order: str) -> None:
    running = asyncio.create_task(load.run())
    await asyncio.sleep(0.3)
    done = await asyncio.to_thread(rig.call, *order)
    await asyncio.sleep(0.3)
    load.stop()
    await running
    assert done.returncode == 0, done.stderr


def test_the_first_one_in_the_file_is_the_active_one(sysplex: Rig) -> None:
    poll("LPAR1 is active", lambda: distributor(sysplex) == only("LPAR1"))


async def test_a_rolling_restart_changes_over_without_a_failed_call(sysplex: Rig) -> None:
    load = MixedLoad(VIPA_HOST, 200, cache=False)
    await while_loaded(load, sysplex, "restart", "LPAR1", "gateway", "--rolling")
    assert load.failed == []
    assert served_by(load) == {"LPAR1", "LPAR2"}
    assert distributor(sysplex) == only("LPAR2")  # the one that returned does not take over


async def test_an_operator_changes_over_without_a_failed_call(sysplex: Rig) -> None:
    load = MixedLoad(VIPA_HOST, 200, cache=False)
    await while_loaded(load, sysplex, "activate", "LPAR1")
    assert load.failed == []
    assert distributor(sysplex) == only("LPAR1")


async def test_when_the_active_one_dies_the_other_one_takes_over(sysplex: Rig) -> None:
    load = MixedLoad(VIPA_HOST, 200, cache=False)
    pid = sysplex.component("LPAR1", "gateway")["pid"]
    running = asyncio.create_task(load.run())
    await asyncio.sleep(0.3)
    os.killpg(pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    load.stop()
    await running
    assert served_by(load) == {"LPAR1", "LPAR2"}
    assert len(load.failed) <= 10, load.failed
    assert load.outcomes[-1].gateway == "LPAR2"
    sysplex.wait_for("LPAR1", "gateway", "ready")
    assert distributor(sysplex) == only("LPAR2")
