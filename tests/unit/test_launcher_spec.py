"""What is to be run in an LPAR, from its section of plexmesh.yaml."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from launcher.config import LauncherConfig
from launcher.spec import ComponentSpec, specs
from shared import plexfile
from shared.errors import ConfigError

CONFIG = LauncherConfig(
    sysplex="PLEXA",
    lpar="LPAR2",
    host="127.0.2.1",
    data=Path("/data"),
    vipa="127.0.0.1:7554",
    discovery=("http://127.0.2.1:7553", "http://127.0.1.1:7553"),
)


def made(components: dict[str, Any], config: LauncherConfig = CONFIG, **zowe: Any) -> list[ComponentSpec]:
    overrides = components.pop("of LPAR2", {})
    tree = {
        "zowe": zowe,
        "components": components,
        "haInstances": {"LPAR2": {"hostname": "127.0.2.1", "components": overrides}},
        "plexmesh": zowe.pop("plexmesh", {}),
    }
    return specs(plexfile.parse(tree, Path("/etc/plexmesh.yaml")), config)


def test_our_own_components_are_run_by_this_python() -> None:
    [gateway] = made({"gateway": {"port": 8000}})
    assert gateway.command == (sys.executable, "-P", "-m", "gateway")
    assert gateway.built_in
    assert gateway.url == "http://127.0.2.1:8000"


def test_a_component_is_told_its_place() -> None:
    [gateway] = made({"gateway": {}}, environments={"TZ": "UTC"})
    expected = {
        "PLEXMESH_CONFIG": "/etc/plexmesh.yaml",
        "PLEXMESH_SYSPLEX": "PLEXA",
        "PLEXMESH_LPAR": "LPAR2",
        "PLEXMESH_HOST": "127.0.2.1",
        "PLEXMESH_DISCOVERY": "http://127.0.2.1:7553,http://127.0.1.1:7553",
        "PLEXMESH_VIPA": "127.0.0.1:7554",
        "PLEXMESH_GATEWAY": "http://127.0.2.1:7554,http://127.0.0.1:7554",
        "PLEXMESH_DATA": "/data",
        "TZ": "UTC",
        "HOST": "127.0.2.1",
        "PORT": "7554",
        "PLEXMESH_COMPONENT": "/data/LPAR2/gateway",
        "ZWE_CLI_PARAMETER_CONFIG": "/etc/plexmesh.yaml",
        "ZWE_CLI_PARAMETER_HA_INSTANCE": "lpar2",
        "ZWE_CLI_PARAMETER_COMPONENT": "gateway",
    }
    assert expected.items() <= gateway.environ.items()


def test_the_launchers_own_variables_stay_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXMESH_LAUNCHER_STOP_S", "5")  # the environment is this module's input
    monkeypatch.setenv("PLEXMESH_GATEWAY_DRAIN_S", "5")
    [gateway] = made({"gateway": {}})
    assert "PLEXMESH_LAUNCHER_STOP_S" not in gateway.environ
    assert gateway.environ["PLEXMESH_GATEWAY_DRAIN_S"] == "5"


def test_a_command_of_somebody_else() -> None:
    [sample] = made({"sample": {"command": "python 'my app.py' --on {host}:{port}", "port": 9000}})
    assert sample.command == ("python", "my app.py", "--on", "127.0.2.1:9000")
    assert not sample.built_in


@pytest.mark.parametrize(
    ("components", "intervals_s", "min_uptime_s"),
    [
        ({"gateway": {}}, (7, 8), 70),
        ({"gateway": {"launcher": {"minUptime": 60}}}, (7, 8), 60),
        ({"gateway": {"launcher": {"restartIntervals": [5]}}, "of LPAR2": {}}, (5,), 70),
        ({"gateway": {"launcher": {"restartIntervals": []}}}, (), 70),
        (
            {
                "gateway": {"launcher": {"restartIntervals": [5], "minUptime": 60}},
                "of LPAR2": {"gateway": {"launcher": {"minUptime": 50}}},
            },
            (5,),
            50,
        ),
    ],
)
def test_restart_settings_come_from_the_nearest_place(
    components: dict[str, Any], intervals_s: tuple[float, ...], min_uptime_s: float
) -> None:
    [gateway] = made(components, launcher={"restartIntervals": [7, 8], "minUptime": 70})
    assert (gateway.intervals_s, gateway.min_uptime_s) == (intervals_s, min_uptime_s)


def test_discovery_comes_first_whatever_the_file_says() -> None:
    assert [spec.name for spec in made({"sample": {}, "gateway": {}, "discovery": {}})] == [
        "discovery", "gateway", "sample",
    ]  # fmt: skip


def test_nothing_to_start_is_an_error() -> None:
    with pytest.raises(ConfigError, match="none is enabled in LPAR2"):
        made({"gateway": {"enabled": False}})


@pytest.mark.parametrize("command", ["'", "  "])
def test_a_command_that_is_none(command: str) -> None:
    with pytest.raises(ConfigError, match=r"components\.sample\.command"):
        made({"sample": {"command": command}})


def test_a_component_that_is_not_told_its_address_may_listen_on_the_common_one() -> None:
    [orders] = made({"orders": {"command": "run {host} {port}", "port": 9000, "routes": {"api/v1": "/"}}})
    assert (orders.hosts, orders.routes, orders.tells_ready) == (("127.0.2.1",), {"api/v1": "/"}, False)
    [mails] = made({"mails": {"command": "run {port}", "port": 9000}})
    assert (mails.hosts, mails.routes, mails.moved) == (("127.0.2.1", "127.0.0.1"), None, True)


# --- which of them, in which order, and when one hangs


def only(*names: str) -> LauncherConfig:
    return dataclasses.replace(CONFIG, components=names)


def test_a_launcher_may_be_told_which_to_run() -> None:
    found = made({"sample": {}, "gateway": {}, "discovery": {}}, only("gateway", "discovery"))
    assert [spec.name for spec in found] == ["discovery", "gateway"]


def test_one_to_run_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"--components: LPAR2 has no component 'gatway' \(did you mean 'gateway'"):
        made({"gateway": {}}, only("gatway"))
    with pytest.raises(ConfigError, match="no component 'sample'"):
        made({"gateway": {}, "sample": {"enabled": False}}, only("sample"))


def test_it_is_said_what_is_waited_for() -> None:
    gateway = made({"discovery": {}, "gateway": {"launcher": {"after": ["discovery"]}}})[1]
    assert gateway.after == ("discovery",)


@pytest.mark.parametrize(
    ("discovery", "gateway", "says"),
    [
        ([], ["discovry"], r"gateway\.launcher\.after: there is no component 'discovry' \(did you mean 'discovery'"),
        (["gateway"], ["discovery"], "each waits for another: .* after .* after "),
        ([], ["gateway"], "gateway after gateway"),
        ([], "discovery", "expected a list of names"),
    ],
)
def test_an_order_that_cannot_be(discovery: Any, gateway: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        made({"discovery": {"launcher": {"after": discovery}}, "gateway": {"launcher": {"after": gateway}}})


def test_what_is_waited_for_may_run_elsewhere() -> None:
    [gateway] = made({"discovery": {}, "gateway": {"launcher": {"after": ["discovery"]}}}, only("gateway"))
    assert gateway.after == ("discovery",)


def test_only_who_can_show_that_it_lives_is_asked() -> None:
    program = {"command": "run {host}", "port": 9000}
    gateway, orders, mails = made({
        "gateway": {}, "orders": program, "mails": program | {"launcher": {"live": "/health", "hungAfter": 5}},
    })  # fmt: skip
    assert (gateway.live_path, gateway.hung_after) == ("/application/live", 3)
    assert orders.live_path == ""
    assert (mails.live_path, mails.hung_after) == ("/health", 5)
    [gateway] = made({"gateway": {}}, launcher={"hungAfter": 0})
    assert gateway.hung_after == 0


def test_more_than_zowes_launcher_can_run() -> None:
    program = {"command": "run {host}", "port": 9000}
    with pytest.raises(ConfigError, match="129 in LPAR2, at most 128"):
        made({f"c{n}": program for n in range(129)})


def test_as_zowe_documents_it_nothing_hangs_and_the_minimum_uptime_is_a_constant() -> None:
    launcher = {"minUptime": 7, "hungAfter": 2}
    [gateway] = made({"gateway": {}}, launcher=launcher, plexmesh={"behaviour": "zowe"})
    assert (gateway.min_uptime_s, gateway.hung_after) == (90, 0)
    [gateway] = made({"gateway": {}}, launcher=launcher, plexmesh={"behaviour": "zowe", "speed": 10})
    assert gateway.min_uptime_s == 9
