"""Certificates that zowe.yaml names: PEM and PKCS12 as they are, for each LPAR by itself."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from launcher import certs
from launcher.certificate_files import Certificates
from shared import plexfile
from shared.errors import ConfigError
from shared.tls import Files, Tls
from tests.certificates import Drawer, a_drawer

NOW = datetime.datetime.now(datetime.UTC)
HOST = "127.0.1.1"
DN = "CN=LPAR1, OU=plexmesh LPAR, O=OURS"


@pytest.fixture
def theirs(tmp_path: Path) -> Drawer:
    found = a_drawer(tmp_path / "theirs", "OURS")
    found.lpar("LPAR1", HOST)
    return found


def a_store(drawer: Drawer, password: str = "secret") -> Path:
    pair = certs.read((drawer.folder / "LPAR1.pem").read_bytes(), (drawer.folder / "LPAR1.key").read_bytes())
    path = drawer.folder / "keystore.p12"
    path.write_bytes(pair.pkcs12("localhost", drawer.authority.certificate, password))
    return path


def a_truststore(drawer: Drawer) -> Path:
    path = drawer.folder / "truststore.p12"
    hidden = serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(pkcs12.serialize_key_and_certificates(None, None, None, [drawer.authority.certificate], hidden))
    return path


def read(tmp_path: Path, certificate: dict[str, Any], *, peers: list[str] | None = None, base: bool = False) -> Any:
    """`base`: for every LPAR, else for LPAR1."""
    zowe = {"certificate": certificate}
    tree = {
        "zowe": zowe if base else {},
        "haInstances": {
            "LPAR1": {"hostname": HOST, "zowe": {} if base else zowe},
            "LPAR2": {"hostname": "127.0.2.1"},
        },
        "plexmesh": {"access": {"peers": [DN] if peers is None else peers}},
    }
    path = tmp_path / "zowe.yaml"
    path.write_text(yaml.safe_dump(tree))
    return plexfile.read(path)


PEM = {
    "certificate": "theirs/LPAR1.pem", "key": "theirs/LPAR1.key",
    "certificateAuthorities": "theirs/ca.pem, theirs/ca.pem",
}  # fmt: skip
STORE = {"type": "PKCS12", "file": "theirs/keystore.p12", "password": "secret", "alias": "localhost"}
TRUST = {"type": "PKCS12", "file": "theirs/truststore.p12", "password": "secret"}


@pytest.mark.parametrize(
    "certificate", [{"pem": PEM}, {"keystore": STORE}, {"keystore": STORE, "truststore": TRUST, "pem": {"key": ""}}]
)
def test_what_is_named_is_shown_and_its_authorities_are_believed(
    certificate: dict[str, Any], theirs: Drawer, tmp_path: Path
) -> None:
    a_store(theirs)
    a_truststore(theirs)
    found = Certificates(tmp_path)
    made = found.init(read(tmp_path, certificate), [], NOW)
    shown = {each.file: each for each in found.show()}
    assert (shown["LPAR1.pem"].subject, shown["LPAR2.pem"].subject.split(",")[2]) == (
        "CN=LPAR1,OU=plexmesh LPAR,O=OURS", "O=PLEX1",
    )  # fmt: skip
    authorities = x509.load_pem_x509_certificates((found.folder / "ca.pem").read_bytes())
    assert [certs.organization(each) for each in authorities] == ["PLEX1", "OURS"]
    assert stat.S_IMODE((found.folder / "LPAR1.key").stat().st_mode) == 0o600
    assert shown["believed/LPAR1.pem"].subject == "CN=OURS authority,O=OURS"
    Tls(Files.named(found.folder, "LPAR1"))
    assert found.folder / "LPAR1.pem" in made
    assert found.init(read(tmp_path, certificate), [], NOW) == [], "nothing has changed"


def test_what_was_exchanged_is_taken_again_and_what_was_taken_out_is_forgotten(theirs: Drawer, tmp_path: Path) -> None:
    found, file = Certificates(tmp_path), read(tmp_path, {"pem": PEM})
    found.init(file, [], NOW)
    tls = Tls(Files.named(found.folder, "LPAR1"))
    theirs.lpar("LPAR1", HOST)
    other = a_drawer(tmp_path / "other", "OTHER")
    (theirs.folder / "ca.pem").write_bytes(other.authority.pem)
    assert found.take(file, "LPAR1")
    assert tls.renew()
    assert found.take(file, "LPAR1") == []
    authorities = x509.load_pem_x509_certificates((found.folder / "ca.pem").read_bytes())
    assert [certs.organization(each) for each in authorities] == ["PLEX1", "OTHER"]


def test_without_authorities_of_its_own_the_sysplex_alone_is_believed(theirs: Drawer, tmp_path: Path) -> None:
    found = Certificates(tmp_path)
    found.init(read(tmp_path, {"pem": PEM}), [], NOW)
    found.init(read(tmp_path, {"pem": PEM | {"certificateAuthorities": ""}}), [], NOW)
    (authority,) = x509.load_pem_x509_certificates((found.folder / "ca.pem").read_bytes())
    assert certs.organization(authority) == "PLEX1"


def test_the_password_may_come_from_the_surroundings(
    theirs: Drawer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_store(theirs, "hidden")
    file = read(tmp_path, {"keystore": {"file": "theirs/keystore.p12"}})
    with pytest.raises(ConfigError, match="password is another one"):
        Certificates(tmp_path).init(file, [], NOW)
    monkeypatch.setenv("PLEXMESH_KEYSTORE_PASSWORD", "hidden")
    assert Certificates(tmp_path).init(file, [], NOW)


def test_key_rings_of_zos_mean_nothing_here(tmp_path: Path) -> None:
    ring = {"type": "JCERACFKS", "file": "safkeyring://ZWESVUSR/ZoweKeyring", "password": "password"}
    file = read(tmp_path, {"keystore": ring, "truststore": ring}, base=True)
    assert file.entry("LPAR1").certificate is None
    assert "zowe.certificate.keystore (type JCERACFKS: a key ring of z/OS)" in file.ignored


@pytest.mark.parametrize(
    ("certificate", "peers", "why"),
    [
        ({"pem": PEM}, [], "of another authority, and may do nothing unless plexmesh.access.peers has it"),
        ({"pem": PEM | {"key": "theirs/nothing.key"}}, None, "nothing.key: No such file"),
        ({"pem": PEM | {"key": "theirs/ca.pem"}}, None, "ca.pem: expected a private key as PEM"),
        ({"pem": PEM | {"certificate": "theirs/LPAR1.key"}}, None, "LPAR1.key: expected certificates as PEM"),
        ({"keystore": STORE | {"password": "wrong"}}, None, "keystore.p12: no PKCS12 file, or its password"),
        ({"keystore": STORE | {"alias": "other"}}, None, "has the alias 'localhost', expected 'other'"),
        ({"keystore": TRUST}, None, "expected a certificate and its key in it"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    certificate: dict[str, Any], peers: list[str] | None, why: str, theirs: Drawer, tmp_path: Path
) -> None:
    a_store(theirs)
    a_truststore(theirs)
    with pytest.raises(ConfigError) as refused:
        Certificates(tmp_path).init(read(tmp_path, certificate, peers=peers), [], NOW)
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_certificate_of_somewhere_else_is_refused(theirs: Drawer, tmp_path: Path) -> None:
    theirs.lpar("LPAR1", "127.0.9.9")
    with pytest.raises(ConfigError, match=r"holds 127\.0\.9\.9; expected 127\.0\.1\.1, by which LPAR1 is called"):
        Certificates(tmp_path).init(read(tmp_path, {"pem": PEM}), [], NOW)


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        ({"keystore": {"type": "JKS", "file": "x"}}, "zowe.certificate.keystore.type: expected PKCS12, got 'JKS'"),
        ({"pem": {"key": "x"}}, "zowe.certificate.pem: expected both, certificate and key"),
        ({"keystor": {}}, "zowe.certificate.keystor: unknown key"),
    ],
)
def test_what_the_file_must_not_say(certificate: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, certificate, base=True)
    assert why in str(refused.value)
