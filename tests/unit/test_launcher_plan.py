"""Where everything that `up` is going to start will listen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from launcher.place import Program
from launcher.plan import Plan
from shared import exposure, plexfile
from shared.errors import ConfigError


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXMESH_BIND", raising=False)  # what is told reaches a plan through the environment only


def addresses(components: dict[str, Any], **environments: str) -> set[str]:
    tree = {
        "zowe": {"environments": environments},
        "components": components,
        "haInstances": {"LPAR1": {"hostname": "127.0.1.1"}},
    }
    plan = Plan(plexfile.parse(tree, Path("plexmesh.yaml")), Path("/data"), Program("plexmesh", Path("/data")))
    return {f"{host}:{port}" for host, port in plan.addresses(["LPAR1"])}


LAUNCHER = "127.0.1.1:7550"


def test_on_the_lpars_address() -> None:
    assert addresses({"gateway": {}}) == {LAUNCHER, "127.0.1.1:7554"}


def test_a_component_on_those_of_its_section() -> None:
    assert addresses({"gateway": {"bind": ["127.0.1.1", "127.0.9.1"]}, "sample": {}}) == {
        LAUNCHER, "127.0.1.1:7554", "127.0.9.1:7554", "127.0.1.1:7560",
    }  # fmt: skip


def test_components_that_are_told_otherwise() -> None:
    assert addresses({"gateway": {"bind": "127.0.9.1"}}, PLEXMESH_BIND="127.0.9.2") == {LAUNCHER, "127.0.9.2:7554"}


def test_all_that_are_ours_where_up_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXMESH_BIND", "127.0.9.3")
    mine = {"command": "serve {host}", "port": 9000}
    assert addresses({"gateway": {}, "mine": mine}) == {"127.0.9.3:7550", "127.0.9.3:7554", "127.0.1.1:9000"}


@pytest.mark.parametrize(
    ("tree", "address"),
    [
        ({"haInstances": {"LPAR1": {"hostname": "192.0.2.1"}}}, "192.0.2.1:7550"),
        ({"components": {"gateway": {"bind": ["127.0.1.1", "192.0.2.2"]}}}, "192.0.2.2:7554"),
        ({"zowe": {"externalDomains": ["192.0.2.3"], "externalPort": 80}}, "192.0.2.3:80"),
        ({"plexmesh": {"address": "192.0.2.4:7550"}}, "192.0.2.4:7550"),
        ({"zowe": {"environments": {"PLEXMESH_BIND": "0.0.0.0"}}, "components": {"sample": {}}}, "0.0.0.0:7560"),
    ],
)
def test_what_others_can_reach_in_plain_is_refused_unless_it_is_allowed(tree: dict[str, Any], address: str) -> None:
    def exposed(**plexmesh: bool) -> list[str]:
        told = {**tree, "plexmesh": {**tree.get("plexmesh", {}), **plexmesh}}
        file = plexfile.parse(told, Path("plexmesh.yaml"))
        return Plan(file, Path("/data"), Program("plexmesh", Path("/data"))).exposed()

    with pytest.raises(ConfigError, match=rf"^{re.escape(address)}: others can reach it"):
        exposed()
    assert address in exposed(allowInsecure=True)
    assert exposed(tls=True) == []


def test_the_loopback_is_nobody_elses() -> None:
    assert [exposure.exposed(host) for host in ("127.0.9.9", "::1", "[::1]", "localhost", "::ffff:127.0.0.1")] == [
        False
    ] * 5
    assert [exposure.exposed(host) for host in ("0.0.0.0", "::", "10.0.0.1", "lpar1", "::ffff:10.0.0.1")] == [True] * 5
