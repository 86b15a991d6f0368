"""`plexmesh config show` of a real zowe.yaml, as a golden file; what an LPAR may change; what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher import configuration
from shared import plexfile
from shared.errors import ConfigError, NotFound

GOLDEN = Path(__file__).parents[1] / "golden"
PATH = Path("plexmesh.yaml")


def shown(lpar: str) -> str:
    """Without the components' own settings, which come from processes; the command is tried in the README's tests."""
    file = plexfile.read(GOLDEN / "zowe.yaml")
    found = [
        *configuration._sysplex(file, lpar, Path("/data"), {}),
        *configuration._launcher(file, lpar),
        *configuration._component_keys(file, lpar),
    ]
    return configuration.as_text(found) + "\n"


@pytest.mark.parametrize("lpar", ["LPAR1", "LPAR2"])
def test_a_real_zowe_yaml_as_an_lpar_sees_it(lpar: str) -> None:
    """Written anew with: python -P -m tests.unit.test_launcher_configuration"""
    assert shown(lpar) == (GOLDEN / f"zowe-{lpar.lower()}.txt").read_text()


def test_what_does_not_apply_is_listed_once() -> None:
    ignored = plexfile.read(GOLDEN / "zowe.yaml").ignored
    assert len(ignored) == len(set(ignored))
    assert {"zowe.setup", "java", "zOSMF", "components.zss", "components.gateway.debug"} <= set(ignored)
    assert "components.gateway.apiml.security.x509" in ignored
    assert not any(each.startswith("components.gateway.apiml.security.auth") for each in ignored)
    assert "haInstances.lpar2.zowe.externalPort" in ignored


def test_an_lpar_that_is_not_there() -> None:
    file = plexfile.read(GOLDEN / "zowe.yaml")
    with pytest.raises(NotFound, match=r"there is no LPAR LPAR3"):
        configuration.values(file, Path("/data"), {}, "lpar3")


def test_an_lpar_changes_its_launchers_rules_and_environment() -> None:
    tree = {
        "zowe": {"environments": {"A": "1", "B": "2"}, "launcher": {"minUptime": 30}},
        "components": {"sample": {}},
        "haInstances": {
            "L1": {"hostname": "127.0.1.1"},
            "L2": {"hostname": "127.0.2.1", "zowe": {"environments": {"B": "3"}, "launcher": {"minUptime": 5}}},
        },
    }
    one, two = plexfile.parse(tree, PATH).lpars.values()
    assert (one.min_uptime_s, two.min_uptime_s) == (30, 5)
    assert (one.environments, two.environments) == ({"A": "1", "B": "2"}, {"A": "1", "B": "3"})


def test_a_template_asks_about_the_lpar() -> None:
    tree = {
        "components": {
            "orders": {"command": "serve ${{ haInstance.hostname }}", "port": "${{ components.sample.port }}"},
            "sample": {"port": 9100},
        },
        "haInstances": {
            "L1": {"hostname": "127.0.1.1"},
            "L2": {"hostname": "127.0.2.1", "components": {"sample": {"port": 9200}}},
        },
    }
    file = plexfile.parse(tree, PATH)
    assert [file.component("orders", each)["command"] for each in file.lpars] == ["serve 127.0.1.1", "serve 127.0.2.1"]
    assert [file.component("orders", each)["port"] for each in file.lpars] == [9100, 9200]
    three = file.with_lpars(3)
    assert three.component("orders", "LPAR1")["command"] == "serve 127.0.1.1"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (
            {"haInstances": {"L1": {"hostname": "h", "zowe": {"lancher": {}}}}},
            "haInstances.L1.zowe.lancher: unknown key",
        ),
        ({"components": {"sample": {"port": "${{ haInstance.port }}"}}}, "there is no haInstance.port"),
        ({"components": {"sample": {"port": "${{ haInstance.id }}"}}}, "expected a port from 1 to 65535, got 'LPAR1'"),
        ({"plexmesh": {"behaviour": "zowi"}}, "plexmesh.behaviour: expected plexmesh or zowe, got 'zowi'"),
        ({"plexmesh": {"speed": 10}}, "plexmesh.speed: only the timers of behaviour: zowe"),
        ({"plexmesh": {"behaviour": "zowe", "speed": 0}}, "plexmesh.speed: expected a number from 1 to 100, got 0"),
        ({"plexmesh": {"distributor": "hot"}}, "plexmesh.distributor: expected distribute or hot-standby"),
    ],
)
def test_what_is_wrong_is_said(tree: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plexfile.parse(tree, PATH)


@pytest.mark.parametrize("text", ["a: " + "[" * 5000, "a: " + "{b: " * 5000])
def test_deep_nesting_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plexmesh.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="line 1: nested deeper than 50 levels"):
        plexfile.read(path)


if __name__ == "__main__":
    for name in ("LPAR1", "LPAR2"):
        (GOLDEN / f"zowe-{name.lower()}.txt").write_text(shown(name))
