"""Where everything that `up` is going to start will listen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher.place import Program
from launcher.plan import Plan
from shared import plexfile


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
