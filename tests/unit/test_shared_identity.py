"""Who somebody is by his certificate, and what the configuration says about whom."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import plexfile
from shared.config import ServiceConfig, load
from shared.errors import ConfigError
from shared.identity import Access, access, distinguished_name, identity, normal, rendered

LONG = {"CN": "commonName", "OU": "organizationalUnitName", "O": "organizationName"}


def named(*parts: tuple[str, str]) -> Any:
    """As `getpeercert` has a name: the widest part first."""
    return tuple(((LONG[kind], value),) for kind, value in parts)


def shown(name: str, *units: str, by: str = "PLEX1", sysplex: str = "PLEX1", **more: Any) -> dict[str, Any]:
    subject = named(("O", sysplex), *(("OU", unit) for unit in units), ("CN", name))
    return {"subject": subject, "issuer": named(("O", by), ("CN", f"{by} authority")), **more}


@pytest.mark.parametrize(
    ("certificate", "role"),
    [
        (shown("LPAR1", "plexmesh LPAR"), "peer"),
        (shown("anna", "plexmesh operator"), "operator"),
        (shown("orders", "plexmesh client"), "service"),
        (shown("orders"), "service"),
        (shown("orders", "plexmesh client", "plexmesh LPAR"), "service"),
        (shown("LPAR1", "plexmesh LPAR", by="PLEX2"), "service"),
        (shown("LPAR1", "plexmesh LPAR", by="PLEX2", sysplex="PLEX2"), "service"),
        (shown("LPAR1", "plexmesh LPAR") | {"issuer": named(("O", "PLEX1"), ("CN", "PLEX1 Authority"))}, "service"),
        ({"subject": named(("CN", "a")), "issuer": named(("O", "PLEX1"), ("CN", "PLEX1 authority"))}, "service"),
    ],
)
def test_the_own_authoritys_word_makes_a_role_and_nobody_elses(certificate: dict[str, Any], role: str) -> None:
    found = identity(certificate, Access())
    assert found is not None
    assert (found.role, found.operates) == (role, role != "service")


def test_no_certificate_is_nobody() -> None:
    assert identity(None, Access()) is None
    assert identity({}, Access()) is None


def test_another_sysplex_authority_is_not_the_own_one() -> None:
    found = identity(shown("LPAR1", "plexmesh LPAR"), Access(sysplex="PLEX2"))
    assert found is not None
    assert found.role == "service"


def test_the_configuration_gives_certificates_of_others_a_role() -> None:
    said = access({"operators": ["CN=anna,O=Corp"], "peers": ["cn = a\\, b ; o = Corp"]}, "here")
    roles = {}
    for name in ("anna", "a, b", "other"):
        found = identity(shown(name, by="Corp", sysplex="Corp"), said)
        assert found is not None
        roles[found.common_name] = found.role
    assert roles == {"anna": "operator", "a, b": "peer", "other": "service"}


def test_names_and_addresses_in_a_certificate_have_one_spelling() -> None:
    alternatives = (("DNS", "Orders.Test"), ("IP Address", "0:0:0:0:0:0:0:1"), ("IP Address", "10.0.0.5"),
                    ("IP Address", "<invalid>"), ("email", "a@b"))  # fmt: skip
    found = identity(shown("orders", subjectAltName=alternatives), Access())
    assert found is not None
    assert found.places == {"orders.test", "::1", "10.0.0.5"}


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("CN=orders,OU=plexmesh client,O=PLEX1", "CN=orders, OU=plexmesh client, O=PLEX1"),
        (" cn =orders ;ou= plexmesh client, o=PLEX1 ", "CN=orders, OU=plexmesh client, O=PLEX1"),
        ("commonName=orders, e=a@b", "CN=orders, EMAILADDRESS=a@b"),
        ("CN=Orders", "CN=Orders"),
        ("CN=a\\, b", 'CN="a, b"'),
        ('CN="a, b"', 'CN="a, b"'),
        ("CN=Zo\\C3\\AB", "CN=Zoë"),
        ("CN=a\\ ", 'CN="a "'),
        ('CN="a\\\\2C"', 'CN="a\\\\2C"'),
        ("CN=a+UID=7,O=X", "CN=a + UID=7, O=X"),
        ("CN=", "CN="),
        ("1.2.840.113549.1.9.1=a@b,2.5.4.99=x", "EMAILADDRESS=a@b, 2.5.4.99=x"),
    ],
)
def test_a_name_has_one_spelling(text: str, spelled: str) -> None:
    assert normal(text) == spelled
    assert normal(spelled) == spelled


@pytest.mark.parametrize("text", ["", "orders", "CN=a,", "CN=a,,O=b", 'CN="a', "CN=a\\", "=a", "CN=\\FF", 'CN=a"b"'])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        normal(text)


PARTS = st.lists(st.tuples(st.sampled_from(list(LONG.values())), st.text()), min_size=1, max_size=2)


@given(st.lists(PARTS, min_size=1))
def test_what_is_written_is_read_as_the_same(name: list[list[tuple[str, str]]]) -> None:
    """So no value can look like a part of another name."""
    assert normal(rendered(name)) == rendered(name)


def test_two_parts_and_one_of_two_are_different() -> None:
    assert distinguished_name([[("commonName", "a"), ("organizationName", "b")]]) == "CN=a + O=b"
    assert distinguished_name([[("organizationName", "b")], [("commonName", "a")]]) == "CN=a, O=b"


def test_what_the_configuration_may_say() -> None:
    said = access(
        {
            "operators": ["CN=anna"],
            "services": {"CN=a,O=b": ["Orders", "billing"], "CN=a, O=b": ["more"], "CN=c": None},
            "hosts": ["Orders.Test", "*.example.org", "10.0.0.0/8", "10.1.2.3", "[::1]"],
        },
        "here",
    )
    assert said.operators == {"CN=anna"}
    assert said.services == {"CN=a, O=b": {"orders", "billing", "more"}, "CN=c": frozenset()}
    assert said.hosts == ("orders.test", "*.example.org", "10.0.0.0/8", "10.1.2.3/32", "::1/128")
    assert access(None, "here") == Access()
    assert access({"hosts": []}, "here").hosts == ()
    assert access({}, "here").hosts is None


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ([], "here: expected keys and values (the value is [])"),
        ({"operator": []}, "here.operator: unknown key (did you mean 'operators'?)"),
        ({"operators": "CN=a"}, "here.operators: expected a list of texts (the value is 'CN=a')"),
        ({"peers": ["anna"]}, "here.peers: 'anna': expected a distinguished name such as"),
        ({"services": ["CN=a"]}, "here.services: expected keys and values (the value is ['CN=a'])"),
        ({"services": {"a": ["x"]}}, "here.services: 'a': expected a distinguished name"),
        ({"services": {"CN=a": "x"}}, "here.services.CN=a: expected a list of texts (the value is 'x')"),
        ({"hosts": [1]}, "here.hosts: expected a list of texts"),
        ({"hosts": ["10.0.0.1/8"]}, "here.hosts: '10.0.0.1/8': expected a name, *.domain, an address or a network"),
        ({"hosts": ["a b"]}, "here.hosts: 'a b': expected a name"),
        ({"hosts": ["*"]}, "here.hosts: '*': expected a name"),
        ({"hosts": ["10.1"]}, "here.hosts: '10.1': expected a name"),
    ],
)
def test_what_it_may_not(said: object, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        access(said, "here")
    assert str(caught.value).startswith(complaint)


# --- how it gets to a component


def test_every_component_has_it_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text("plexmesh: {sysplex: PLEX7, access: {operators: ['CN=anna'], services: {'CN=o': [orders]}}}")
    config = load(ServiceConfig, "x", [], {"PLEXMESH_CONFIG": str(file)})
    assert config.access == plexfile.read(file).access
    said = Access(frozenset({"CN=anna"}), services={"CN=o": frozenset({"orders"})}, sysplex="PLEX7")
    assert config.access == dataclasses.replace(said, own=config.access.own)


def test_the_sysplex_own_hosts_and_zowes_list_are_known(tmp_path: Path) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text(
        "haInstances: {LPAR1: {hostname: one.test}, LPAR2: {hostname: 127.0.2.1}}\n"
        "plexmesh: {address: 'up.test:7550', access: {hosts: [10.0.0.0/8]}}\n"
        "zowe: {externalDomains: [plex.test, other.test],\n"
        "  network: {server: {}, allowedDomains: ['*.corp.test', 10.1.2.3]}}"
    )
    found = plexfile.read(file)
    assert found.access.own == {"one.test", "127.0.2.1", "up.test", "plex.test", "other.test"}
    assert found.access.hosts == ("10.0.0.0/8", "*.corp.test", "10.1.2.3/32")
    assert found.ignored == ("zowe.network.server",)
    file.write_text("zowe: {network: {allowedDomains: ['*']}}")
    with pytest.raises(ConfigError, match=r"plexmesh\.yaml: zowe\.network\.allowedDomains: '\*': expected a name"):
        plexfile.read(file)


def test_a_variable_or_a_flag_says_it_as_yaml_in_one_line() -> None:
    environ = {"PLEXMESH_ACCESS": '{"hosts": ["10.0.0.0/8"]}', "PLEXMESH_SYSPLEX": "PLEX2"}
    config = load(ServiceConfig, "x", [], environ)
    assert config.access == Access(hosts=("10.0.0.0/8",), sysplex="PLEX2")
    assert load(ServiceConfig, "x", ["--access", "operators: [CN=a]"], environ).access.operators == {"CN=a"}
    with pytest.raises(ConfigError, match=r"environment: PLEXMESH_ACCESS\.host: unknown key"):
        load(ServiceConfig, "x", [], {"PLEXMESH_ACCESS": "host: [a]"})


def test_a_fault_in_the_file_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "plexmesh.yaml"
    file.write_text("plexmesh: {access: {peers: [LPAR1]}}")
    with pytest.raises(ConfigError, match=r"plexmesh\.yaml: plexmesh\.access\.peers: 'LPAR1': expected a disting"):
        plexfile.read(file)
