"""`plexmesh reload`: a whole sysplex of real processes, whose gateways get new workers while calls run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from launcher import callers
from launcher.callers import Callers
from tests.integration.launcher_rig import HOSTS, VIPA_HOST, Rig, request

RATE = 100


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("sysplex"))
    rig.tree["components"] = {"discovery": {}, "gateway": {"workers": 2}, "sample": {}}
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def workers(lpar: str) -> set[int]:
    found = json.loads(request(f"http://{HOSTS[lpar]}:7554/gateway/v1/workers")[1])
    return {each["pid"] for each in found if each["state"] == "serving"}


@pytest.mark.parametrize("order", [("reload", "gateway"), ("reload", "lpar2", "Gateway")])
def test_new_workers_take_over_without_a_failed_call(sysplex: Rig, order: tuple[str, ...]) -> None:
    before = {lpar: workers(lpar) for lpar in HOSTS}
    parents = {lpar: sysplex.component(lpar, "gateway")["pid"] for lpar in HOSTS}

    async def scenario() -> tuple[str, Callers]:
        load = Callers(f"http://{VIPA_HOST}:7554/sample/api/v1/hello", RATE)
        running = asyncio.create_task(load.run())
        said = await asyncio.to_thread(sysplex.ok, *order)
        load.stop()
        await running
        return said, load

    said, load = asyncio.run(scenario())
    reloaded = ["LPAR1", "LPAR2"] if len(order) == 2 else ["LPAR2"]
    assert said.splitlines() == [f"{lpar} gateway: reloaded" for lpar in reloaded]
    assert callers.errors(load.outcomes) == []
    assert callers.cut(load.outcomes) == []
    assert len(load.outcomes) > RATE
    for lpar in HOSTS:
        now = workers(lpar)
        assert len(now) == 2
        assert not now & before[lpar] if lpar in reloaded else now == before[lpar]
        assert sysplex.component(lpar, "gateway")["pid"] == parents[lpar]
        assert sysplex.component(lpar, "gateway")["state"] == "ready"


def test_what_cannot_be_reloaded_is_said_in_one_line(sysplex: Rig) -> None:
    for order, code, words in (
        (("reload", "LPAR1", "sample"), 1, "cannot reload LPAR1 sample: only gateway can be reloaded"),
        (("reload", "LPAR9", "gateway"), 2, "there is no LPAR LPAR9"),
        (("reload", "gatewya"), 2, "did you mean 'gateway'"),
        (("reload", "LPAR1", "gateway", "now"), 2, "give an LPAR and a component"),
    ):
        done = sysplex.call(*order)
        assert (done.returncode, done.stdout) == (code, ""), order
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    address = sysplex.tree["plexmesh"]["address"]
    status, body = request(f"http://{address}/v1/lpars/LPAR1/reload", "POST", Content_Type="application/json")
    assert status == 409
    assert b"reload LPAR1 gateway" in body


def test_a_wrong_configuration_is_said_and_the_old_workers_go_on(sysplex: Rig) -> None:
    before = workers("LPAR1")
    sysplex.tree["components"]["gateway"]["drianS"] = 1
    sysplex.write()
    done = sysplex.call("reload", "gateway")
    assert done.returncode == 1
    assert "components.gateway.drianS: unknown key (did you mean 'drainS'?)" in done.stderr
    assert workers("LPAR1") == before
    del sysplex.tree["components"]["gateway"]["drianS"]
    sysplex.write()
    assert sysplex.ok("reload", "LPAR1", "gateway") == "LPAR1 gateway: reloaded\n"
    assert not workers("LPAR1") & before
