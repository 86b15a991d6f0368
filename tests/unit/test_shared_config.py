"""A service's settings: which source wins, what is refused and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from shared import plexfile
from shared.config import ServiceConfig, bind_of, camel, load, setting, snake
from shared.errors import ConfigError
from shared.tls import trust
from tests.certificates import a_drawer

FILE = """
components:
  gateway: {enabled: true, port: 7554, drainS: 2, launcher: {minUptime: 3}, command: x, routes: {api/v1: /}}
haInstances:
  LPAR1: {hostname: 127.0.1.1}
  LPAR2: {hostname: 127.0.2.1, components: {gateway: {drainS: 3}}}
plexmesh: {sysplex: PLEXA}
"""


@dataclass(frozen=True, kw_only=True)
class GatewayConfig(ServiceConfig):
    port: int = setting(7554, "port")
    drain_s: float = setting(1.0, "seconds")
    path_header: bool = setting(True, "say the way")
    names: tuple[str, ...] = setting((), "names")
    color: Literal["off", "auto"] = setting("auto", "colours")


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "plexmesh.yaml"
    file.write_text(FILE)
    return str(file)


def loaded(*argv: str, **environ: str) -> GatewayConfig:
    return load(GatewayConfig, "gateway", argv, environ)


def refusal(*argv: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as refused:
        loaded(*argv, **environ)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_defaults_when_nothing_is_said() -> None:
    assert loaded() == GatewayConfig()


def test_the_file_wins_over_defaults_and_the_lpars_section_over_the_base(path: str) -> None:
    assert loaded(PLEXMESH_CONFIG=path).drain_s == 2
    assert loaded(PLEXMESH_CONFIG=path, PLEXMESH_LPAR="LPAR2").drain_s == 3
    assert loaded("--config", path, "--lpar", "lpar2").drain_s == 3


def test_the_environment_wins_over_the_file_and_flags_over_all(path: str) -> None:
    environ = {"PLEXMESH_CONFIG": path, "PLEXMESH_GATEWAY_DRAIN_S": "4"}
    assert loaded(**environ).drain_s == 4
    assert loaded("--drain-s", "5", **environ).drain_s == 5


def test_the_place_comes_from_the_file(path: str) -> None:
    config = loaded(PLEXMESH_CONFIG=path, PLEXMESH_LPAR="lpar2")
    assert (config.lpar, config.host, config.sysplex) == ("LPAR2", "127.0.2.1", "PLEXA")
    assert config.discovery == ()


def test_the_place_in_the_environment_wins_over_the_file(path: str) -> None:
    config = loaded(
        PLEXMESH_CONFIG=path,
        PLEXMESH_LPAR="LPAR9",
        PLEXMESH_HOST="127.0.9.1",
        PLEXMESH_DISCOVERY="http://a:1, http://b:2",
        PLEXMESH_DATA="/data",
        PLEXMESH_VIPA="h:1",
        PLEXMESH_ALLOW_INSECURE="on",
    )
    assert (config.lpar, config.host, config.data, config.vipa) == ("LPAR9", "127.0.9.1", Path("/data"), "h:1")
    assert config.discovery == ("http://a:1", "http://b:2")


def test_values_are_typed_whatever_they_come_from() -> None:
    config = loaded("--names", "a, b", PLEXMESH_GATEWAY_PATH_HEADER="false", PLEXMESH_GATEWAY_PORT="8000")
    assert (config.names, config.path_header, config.port) == (("a", "b"), False, 8000)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("drainSeconds: 3", "components.gateway.drainSeconds: unknown key (did you mean 'drainS'?)"),
        ("pathHeder: true", "did you mean 'pathHeader'"),
        ("drainS: soon", "components.gateway.drainS: expected float"),
        ("pathHeader: perhaps", "components.gateway.pathHeader: expected on or off"),
        ("host: 1.2.3.4", "components.gateway.host: unknown key"),
    ],
)
def test_a_wrong_section_of_the_file_names_file_and_key(section: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text(f"components: {{gateway: {{{section}}}}}")
    text = refusal(PLEXMESH_CONFIG=str(file))
    assert text.startswith(f"{file}: ")
    assert says in text


def test_a_wrong_variable_is_named() -> None:
    assert "PLEXMESH_GATEWAY_DRAIN_S: expected float" in refusal(PLEXMESH_GATEWAY_DRAIN_S="soon")
    unknown = refusal(PLEXMESH_GATEWAY_DRAN_S="1")
    assert "PLEXMESH_GATEWAY_DRAN_S: unknown variable (did you mean 'PLEXMESH_GATEWAY_DRAIN_S'?)" in unknown


def test_other_services_variables_are_not_our_business() -> None:
    assert loaded(PLEXMESH_DISCOVERY_LEASE_S="1", PLEXMESH_SOMETHING="1") == GatewayConfig()


def test_a_wrong_flag_is_named() -> None:
    assert refusal("--drain-s", "soon").startswith("--drain-s: expected float")
    assert "unrecognized arguments: --dran-s" in refusal("--dran-s", "1")


@pytest.mark.parametrize(("key", "name"), [("minUptime", "min_uptime"), ("drainS", "drain_s"), ("port", "port")])
def test_spellings(key: str, name: str) -> None:
    assert snake(key) == name
    assert camel(name) == key
    assert snake(name.replace("_", "-")) == name


@pytest.mark.parametrize(
    ("told", "hosts"),
    [
        ("", ("127.0.1.1",)),
        ("0.0.0.0", ("0.0.0.0",)),
        ("127.0.9.2, 127.0.9.1", ("127.0.9.2", "127.0.9.1")),
        ("127.0.9.1,0:0::1,::1,127.0.9.1", ("127.0.9.1", "::1")),
        ("0.0.0.0,::", ("0.0.0.0", "::")),
    ],
)
def test_listeners_are_on_the_addresses_of_bind_each_once_or_on_the_lpars(told: str, hosts: tuple[str, ...]) -> None:
    assert loaded(PLEXMESH_BIND=told, PLEXMESH_TLS="on").listen_hosts == hosts
    assert loaded("--bind", told, PLEXMESH_BIND="127.0.9.9", PLEXMESH_TLS="on").listen_hosts == hosts


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ({"PLEXMESH_BIND": "127.0.1.1,192.0.2.7"}, "192.0.2.7:7554"),
        ({"PLEXMESH_BIND": "0.0.0.0"}, "0.0.0.0:7554"),
        ({"PLEXMESH_BIND": "::"}, "[::]:7554"),
        ({"PLEXMESH_HOST": "lpar1"}, "lpar1:7554"),
        ({"PLEXMESH_VIPA": "192.0.2.1:80"}, "192.0.2.1:80"),
    ],
)
def test_others_are_not_let_in_in_plain_unless_that_is_allowed(told: dict[str, str], address: str) -> None:
    said = refusal(**told)
    assert said.startswith(f"{address}: others can reach it")
    assert "up --tls" in said
    assert "plexmesh.allowInsecure: true" in said
    assert loaded(**told, PLEXMESH_ALLOW_INSECURE="on").allow_insecure
    assert loaded(**told, PLEXMESH_TLS="on").tls


def test_the_file_allows_others_in_plain_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text("haInstances: {LPAR1: {hostname: 192.0.2.7}}\nplexmesh: {allowInsecure: true}\n")
    assert loaded("--config", str(file)).host == "192.0.2.7"
    assert "192.0.2.7:7554" in refusal("--config", str(file), PLEXMESH_ALLOW_INSECURE="off")


def test_a_host_that_bind_replaces_and_the_sysplex_address_of_another_service_are_not_listened_on() -> None:
    assert loaded(PLEXMESH_HOST="192.0.2.7", PLEXMESH_BIND="127.0.1.1").host == "192.0.2.7"
    assert load(ServiceConfig, "sample", (), {"PLEXMESH_VIPA": "192.0.2.1:80"}).vipa == "192.0.2.1:80"


@pytest.mark.parametrize(
    ("told", "hosts"),
    [
        ("127.0.9.1", ("127.0.9.1",)),
        ("'127.0.9.1, 127.0.9.2'", ("127.0.9.1", "127.0.9.2")),
        ("[127.0.9.1, '::1']", ("127.0.9.1", "::1")),
        ("[]", ("127.0.1.1",)),
    ],
)
def test_a_components_section_may_bind(told: str, hosts: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "bind.yaml"
    file.write_text(f"components: {{gateway: {{bind: {told}}}}}")
    assert loaded("--config", str(file)).listen_hosts == hosts
    assert loaded("--config", str(file), PLEXMESH_BIND="127.0.9.9").listen_hosts == ("127.0.9.9",)


def test_what_a_process_will_bind_can_be_told_from_outside() -> None:
    file = plexfile.parse({"components": {"gateway": {"bind": "127.0.9.1"}}}, Path("p.yaml"))
    assert bind_of(file, "gateway", "LPAR1", {}) == ("127.0.9.1",)
    assert bind_of(file, "gateway", "LPAR1", {"PLEXMESH_BIND": "127.0.9.2,127.0.9.3"}) == ("127.0.9.2", "127.0.9.3")
    assert bind_of(file, "gateway", "LPAR1", {"PLEXMESH_BIND": ""}) == bind_of(file, "sample", "LPAR1", {}) == ()


@pytest.mark.parametrize("told", ["here.test", "127.0.0.1:80", "127.0.9.1,x", "[::1]", "127.0.0.0/8"])
def test_bind_is_made_of_ip_addresses(told: str) -> None:
    said = f"expected IP addresses, such as 127.0.1.1 (the value is {told!r})"
    assert refusal(PLEXMESH_BIND=told) == f"environment: PLEXMESH_BIND: {said}"
    assert refusal("--bind", told) == f"--bind: {said}"


@pytest.mark.parametrize("told", ["5", "[127.0.9.1, 5]", "{a: 127.0.9.1}", "true"])
def test_a_section_that_binds_something_else_is_named(told: str, tmp_path: Path) -> None:
    file = tmp_path / "bind.yaml"
    file.write_text(f"components: {{gateway: {{bind: {told}}}}}")
    assert refusal("--config", str(file)).startswith(f"{file}: components.gateway.bind: expected IP addresses, such as")


@pytest.mark.parametrize("told", ["0.0.0.0,127.0.9.1", "::1,::"])
def test_all_addresses_are_not_bound_beside_one_of_them(told: str) -> None:
    assert "without others: it is all of them" in refusal(PLEXMESH_BIND=told)


def test_off_is_a_word_although_yaml_reads_it_as_false(tmp_path: Path) -> None:
    file = tmp_path / "off.yaml"
    file.write_text("components: {gateway: {color: off}}\n")
    assert loaded("--config", str(file)).color == "off"


def test_a_word_that_is_none_of_the_choices_is_answered_with_them() -> None:
    assert "expected one of off, auto (the value is 'red')" in refusal(PLEXMESH_GATEWAY_COLOR="red")


def test_whose_certificates_are_believed_is_said_once_for_all(tmp_path: Path) -> None:
    drawer = a_drawer(tmp_path / "certificates")
    file = tmp_path / "plexmesh.yaml"
    believed = "plexmesh: {certificateAuthorities: [certificates/ca.pem]}"
    file.write_text(f"zowe: {{verifyCertificates: NONSTRICT}}\n{believed}\n")
    config = load(GatewayConfig, "gateway", ["--config", str(file)], {})
    assert (config.verify_certificates, config.certificate_authorities) == ("NONSTRICT", (drawer.folder / "ca.pem",))
    assert not trust(config).context.check_hostname
    environ = {"PLEXMESH_VERIFY_CERTIFICATES": "STRICT"}
    assert load(GatewayConfig, "gateway", ["--config", str(file)], environ).verify_certificates == "STRICT"


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("zowe: {verifyCertificates: ALWAYS}", "zowe.verifyCertificates: expected STRICT or NONSTRICT or DISABLED"),
        ("plexmesh: {certificateAuthorities: ca.pem}", "plexmesh.certificateAuthorities: expected a list of names"),
        ("plexmesh: {certificateAuthorities: [nothing.pem]}", "nothing.pem: No such file"),
        ("plexmesh: {certificateAuthorities: [plexmesh.yaml]}", "plexmesh.yaml: cannot be used"),
    ],
)
def test_what_is_no_authority_is_named(yaml: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text(yaml)
    with pytest.raises(ConfigError) as caught:
        trust(load(GatewayConfig, "gateway", ["--config", str(file)], {}))
    assert says in str(caught.value)


@pytest.mark.parametrize("told", ["apiml: {health: {protected: false}}", "healthProtected: false"])
def test_health_may_be_open_in_zowes_words_too(told: str, tmp_path: Path) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text(f"components: {{gateway: {{{told}}}}}\n")
    assert not load(GatewayConfig, "gateway", ["--config", str(file)], {}).health_protected
    assert load(GatewayConfig, "gateway", [], {}).health_protected
    assert not load(GatewayConfig, "gateway", [], {"PLEXMESH_HEALTH_PROTECTED": "off"}).health_protected
