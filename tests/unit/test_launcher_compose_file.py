"""What a compose file says about its LPARs, and what is said of one that says nothing of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher import compose_file
from shared.errors import ConfigError

ROOT = Path(__file__).parents[2]
FILE = Path("compose.yaml")
LAUNCHER = "127.0.1.1:7550:7550"


def one(**service: object) -> compose_file.LparContainer:
    return compose_file.parse({"services": {"lpar1": service}}, FILE).lpars["LPAR1"]


def test_our_own_file_has_two_lpars_and_a_distributor() -> None:
    found = compose_file.read(ROOT / "compose.yaml")
    assert found.sysplex_url == "http://127.0.0.1:7554"
    assert [(each.lpar, each.name, each.address) for each in found.lpars.values()] == [
        ("LPAR1", "lpar1", "127.0.1.1"),
        ("LPAR2", "lpar2", "127.0.2.1"),
    ]
    lpar2 = found.lpars["LPAR2"]
    assert lpar2.networks == ("lpar2", "xcf")
    assert lpar2.launcher == "http://127.0.2.1:7550"
    assert lpar2.components["gateway"] == "http://127.0.2.1:7554"


def test_with_tls_everything_is_asked_with_https() -> None:
    found = compose_file.read(ROOT / "compose.yaml").secure()
    assert found.sysplex_url == "https://127.0.0.1:7554"
    assert found.lpars["LPAR1"].launcher == "https://127.0.1.1:7550"
    assert found.lpars["LPAR1"].components["gateway"] == "https://127.0.1.1:7554"


def test_published_ports_hang_on_the_first_network_by_name_so_every_lpars_own_comes_before_xcf() -> None:
    for lpar in compose_file.read(ROOT / "compose.yaml").lpars.values():
        assert lpar.networks == tuple(sorted(lpar.networks))
        assert lpar.networks[-1] == compose_file.XCF


def test_ports_in_their_long_form_and_without_an_address() -> None:
    long = {"target": 7550, "published": 8550, "host_ip": "127.0.9.1"}
    assert one(ports=[long]).launcher == "http://127.0.9.1:8550"
    assert one(ports=["8550:7550/tcp"]).launcher == "http://127.0.0.1:8550"
    assert one(ports=[LAUNCHER, "9999"]).published == {7550: "127.0.1.1:7550"}


def test_a_container_is_called_as_its_service_unless_it_has_a_name() -> None:
    assert one(ports=[LAUNCHER]).name == "lpar1"
    assert one(ports=[LAUNCHER], container_name="mvs1").name == "mvs1"


def test_without_a_distributor_the_first_gateway_is_the_sysplex_address() -> None:
    tree = {"services": {"lpar1": {"ports": [LAUNCHER, "127.0.1.1:7554:7554"]}}}
    assert compose_file.parse(tree, FILE).sysplex_url == "http://127.0.1.1:7554"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"services": {"web": {"ports": ["80:80"]}}}, "services: expected LPARs, each publishing its launcher's port"),
        ({"services": None}, "services: expected keys and values, got None"),
        ({"services": {"lpar1": {"ports": "7550"}}}, "services.lpar1.ports: expected a list, got '7550'"),
        (
            {"services": {"lpar1": {"ports": [LAUNCHER], "networks": 7}}},
            "services.lpar1.networks: expected names, got 7",
        ),
        ([], r"the file: expected keys and values, got \[\]"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tree: object, said: str) -> None:
    with pytest.raises(ConfigError, match=f"compose.yaml: {said}"):
        compose_file.parse(tree, FILE)


def test_a_file_that_is_not_there_or_not_yaml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read: No such file"):
        compose_file.read(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=r"bad.yaml: not YAML"):
        compose_file.read(tmp_path / "bad.yaml")
    with pytest.raises(ConfigError, match=r"there is no compose.yaml in"):
        compose_file.nearest(tmp_path)
