"""plexmesh.yaml: what is accepted, what is refused and in which words, and how an LPAR sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import plexfile
from shared.errors import ConfigError

PATH = Path("plexmesh.yaml")

WHOLE = """
zowe:
  externalDomains: [plex.example.test, other.example.test]
  externalPort: 7443
  environments: {TZ: UTC, LEVEL: 3}
  cookieIdentifier: "1"
  launcher: {restartIntervals: [1, 2.5], minUptime: 30, shareAs: "yes"}
components:
  discovery: {enabled: true, port: 7553}
  gateway:
    port: 7554
    limits: {pool: 64, queue: 8}
    hosts: [a, b]
  sample: {enabled: false}
  api-catalog: {enabled: true}
haInstances:
  lpar1: {hostname: 127.0.1.1, sysname: SYS1}
  lpar2:
    hostname: 127.0.2.1
    components:
      sample: {enabled: true}
      discovery: {port: 17553}
      gateway: {limits: {queue: 9}, hosts: [c], launcher: {minUptime: 5}}
plexmesh: {sysplex: PLEXA, address: "127.0.0.1:7777"}
"""


def parsed(text: str, tmp_path: Path) -> plexfile.Plexfile:
    path = tmp_path / "plexmesh.yaml"
    path.write_text(text)
    return plexfile.read(path)


@pytest.fixture
def whole(tmp_path: Path) -> plexfile.Plexfile:
    return parsed(WHOLE, tmp_path)


def test_a_whole_file(whole: plexfile.Plexfile) -> None:
    assert whole.sysplex == "PLEXA"
    assert whole.address == "127.0.0.1:7777"
    assert whole.vipa == "plex.example.test:7443"
    assert whole.lpars["LPAR1"].environments == {"TZ": "UTC", "LEVEL": "3"}
    assert whole.lpars["LPAR1"].restart_intervals_s == (1, 2.5)
    assert whole.lpars["LPAR1"].min_uptime_s == 30
    assert list(whole.lpars) == ["LPAR1", "LPAR2"]
    assert whole.lpars["LPAR2"].hostname == "127.0.2.1"


def test_keys_of_zowe_that_do_not_apply_are_collected(whole: plexfile.Plexfile) -> None:
    assert set(whole.ignored) == {"zowe.cookieIdentifier", "zowe.launcher.shareAs", "components.api-catalog"}


def test_an_empty_file_is_two_lpars_with_zowes_rules() -> None:
    file = plexfile.parse(None, PATH)
    assert [(each.id, each.hostname) for each in file.lpars.values()] == [
        ("LPAR1", "127.0.1.1"),
        ("LPAR2", "127.0.2.1"),
    ]
    assert file.lpars["LPAR1"].restart_intervals_s == (1, 1, 1, 5, 5, 10, 20, 60, 120, 240)
    assert file.lpars["LPAR1"].min_uptime_s == 10
    assert file.vipa == "127.0.0.1:7554"
    assert file.enabled("LPAR1") == ()


def test_an_lpars_section_is_merged_maps_deeply_and_lists_whole(whole: plexfile.Plexfile) -> None:
    assert whole.component("gateway", "lpar2") == {
        "port": 7554,
        "limits": {"pool": 64, "queue": 9},
        "hosts": ["c"],
        "launcher": {"minUptime": 5},
    }
    assert whole.component("gateway", "LPAR1")["limits"] == {"pool": 64, "queue": 8}
    assert whole.component("gateway", "LPAR1")["hosts"] == ["a", "b"]


def test_enabled_is_the_lpars_own_view_in_start_order(whole: plexfile.Plexfile) -> None:
    assert whole.enabled("LPAR1") == ("discovery", "gateway")
    assert whole.enabled("LPAR2") == ("discovery", "gateway", "sample")


def test_ports_are_the_lpars_own_or_zowes(whole: plexfile.Plexfile) -> None:
    assert whole.port("discovery", "LPAR1") == 7553
    assert whole.port("discovery", "LPAR2") == 17553
    assert whole.port("sample", "LPAR1") == 7560
    assert whole.port("launcher", "LPAR1") == 7550


def test_discovery_urls_begin_with_the_own_one(whole: plexfile.Plexfile) -> None:
    assert whole.discovery_urls("LPAR1") == ("http://127.0.1.1:7553", "http://127.0.2.1:17553")
    assert whole.discovery_urls("LPAR2") == ("http://127.0.2.1:17553", "http://127.0.1.1:7553")


def test_with_lpars_takes_the_first_and_adds_what_is_missing(whole: plexfile.Plexfile) -> None:
    assert list(whole.with_lpars(1).lpars) == ["LPAR1"]
    three = whole.with_lpars(3)
    assert [(each.id, each.hostname) for each in three.lpars.values()] == [
        ("LPAR1", "127.0.1.1"), ("LPAR2", "127.0.2.1"), ("LPAR3", "127.0.3.1"),
    ]  # fmt: skip
    assert three.enabled("LPAR3") == ("discovery", "gateway")
    assert len(three.discovery_urls("LPAR3")) == 3
    assert list(whole.lpars) == ["LPAR1", "LPAR2"]


def test_with_lpars_never_gives_two_lpars_one_name(tmp_path: Path) -> None:
    file = parsed("haInstances: {LPAR2: {hostname: 127.0.2.1}}", tmp_path).with_lpars(2)
    assert len(file.lpars) == 2
    assert len({each.hostname for each in file.lpars.values()}) == 2


USERS = """
components:
  orders: {command: "run --host {host} --port {port}", port: 9000, routes: {api/v1: /}}
  discovery: {}
  mails: {command: "run {port}", port: 9010}
haInstances:
  LPAR1: {hostname: 127.0.1.1}
  LPAR2: {hostname: 127.0.2.1}
  LPAR3: {hostname: 127.0.3.1, components: {mails: {port: 7000}, orders: {enabled: false}}}
"""


def test_components_of_the_user_start_after_ours_and_in_every_lpar_that_does_not_say_otherwise(tmp_path: Path) -> None:
    file = parsed(USERS, tmp_path)
    assert file.enabled("LPAR1") == ("discovery", "orders", "mails")
    assert file.enabled("LPAR3") == ("discovery", "mails")


def test_a_component_that_is_not_told_its_address_has_another_port_in_each_lpar(tmp_path: Path) -> None:
    file = parsed(USERS, tmp_path)
    assert [file.port("orders", lpar) for lpar in file.lpars] == [9000, 9000, 9000]
    assert [file.port("mails", lpar) for lpar in file.lpars] == [9010, 9110, 7000]
    assert [file.moves("mails", lpar) for lpar in file.lpars] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("componets: {}", "componets", "did you mean 'components'"),
        ("zowe: {launchr: {}}", "zowe.launchr", "did you mean 'launcher'"),
        ("zowe: {launcher: {minUptim: 3}}", "zowe.launcher.minUptim", "did you mean 'minUptime'"),
        ("plexmesh: {adress: x}", "plexmesh.adress", "did you mean 'address'"),
        ("components: {gatway: {}}", "components.gatway", "did you mean 'gateway'"),
        ("components: {gateway: {launcher: {minUptim: 3}}}", "components.gateway.launcher.minUptim", "did you mean"),
        ("haInstances: {LPAR1: {hostnam: x}}", "haInstances.LPAR1.hostnam", "did you mean 'hostname'"),
        ("haInstances: {LPAR1: {hostname: h, components: {sampel: {}}}}", "LPAR1.components.sampel", "mean 'sample'"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(text: str, where: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(text, tmp_path)
    assert where in str(refused.value)
    assert says in str(refused.value)
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("zowe: {externalPort: 70000}", "zowe.externalPort"),
        ("zowe: {externalPort: true}", "zowe.externalPort"),
        ("zowe: {externalDomains: plex}", "zowe.externalDomains"),
        ("zowe: {environments: [a]}", "zowe.environments"),
        ("zowe: {launcher: {minUptime: soon}}", "zowe.launcher.minUptime"),
        ("zowe: {launcher: {minUptime: -1}}", "zowe.launcher.minUptime"),
        ("zowe: {launcher: {restartIntervals: 5}}", "zowe.launcher.restartIntervals"),
        ("zowe: {launcher: {restartIntervals: [1, x]}}", "zowe.launcher.restartIntervals"),
        (f"zowe: {{launcher: {{restartIntervals: {[1] * 101}}}}}", "zowe.launcher.restartIntervals"),
        ("components: {gateway: {port: '7554'}}", "components.gateway.port"),
        ("components: {gateway: {port: 0}}", "components.gateway.port"),
        ("components: {gateway: {enabled: maybe}}", "components.gateway.enabled"),
        ("components: {gateway: {launcher: {restartIntervals: [a]}}}", "components.gateway.launcher.restartIntervals"),
        ("components: [gateway]", "components"),
        ("components: {orders: {port: 9000}}", "components.orders"),
        ("components: {orders: {command: run}}", "components.orders.port"),
        ("components: {orders: {command: [run], port: 9000}}", "components.orders.command"),
        ("components: {orders: {command: run, port: 9000, routs: {}}}", "components.orders.routs"),
        ("components: {orders: {command: run, port: 9000, routes: {api/v1: 3}}}", "components.orders.routes.api/v1"),
        ("components: {Orders: {command: run, port: 9000}}", "components.Orders"),
        ("components: {console: {command: run, port: 9000}}", "components.console"),
        ("haInstances: {LPAR1: {}}", "haInstances.LPAR1.hostname"),
        ("haInstances: {LPAR-1: {hostname: h}}", "haInstances.LPAR-1"),
        ("haInstances: {lpar1: {hostname: h}, LPAR1: {hostname: i}}", "haInstances.LPAR1"),
        ("plexmesh: {address: 7550}", "plexmesh.address"),
        ("plexmesh: {address: 'host:port'}", "plexmesh.address"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(text: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=where.replace(".", r"\.")):
        parsed(text, tmp_path)


@pytest.mark.parametrize("text", ["components: {gateway", "a: b: c", "\t- x", "- a\n- b", "just words"])
def test_what_is_not_a_yaml_map_is_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(text, tmp_path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        plexfile.read(tmp_path / "nothing.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        plexfile.read(tmp_path / "bytes.yaml")


def test_variables_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text("plexmesh: {allowInsecure: true}")
    monkeypatch.delenv("PLEXMESH_ALLOW_INSECURE", raising=False)
    assert plexfile.read(file).allow_insecure
    monkeypatch.setenv("PLEXMESH_ALLOW_INSECURE", "off")
    assert not plexfile.read(file).allow_insecure


def test_merge_does_not_change_what_it_merges() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}}
    assert plexfile.merge(base, {"a": {"c": [3]}, "d": 4}) == {"a": {"b": 1, "c": [3]}, "d": 4}
    assert base == {"a": {"b": 1, "c": [1, 2]}}
