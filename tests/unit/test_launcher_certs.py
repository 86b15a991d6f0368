"""What is in the certificates, and how they lie in their folder."""

from __future__ import annotations

import datetime
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import ExtendedKeyUsage
from cryptography.x509.oid import ExtendedKeyUsageOID as Use

from launcher import certs
from launcher.certificate_files import Certificates
from shared import plexfile
from shared.errors import BadInput, ConfigError, Conflict

NOW = datetime.datetime(2026, 11, 26, tzinfo=datetime.UTC)

FILE = """
haInstances: {LPAR1: {hostname: 127.0.1.1}, LPAR2: {hostname: host2.test}}
zowe: {externalDomains: [plex.test]}
"""


@pytest.fixture
def file(tmp_path: Path) -> plexfile.Plexfile:
    path = tmp_path / "plexmesh.yaml"
    path.write_text(FILE)
    return plexfile.read(path)


@pytest.fixture
def made(tmp_path: Path, file: plexfile.Plexfile) -> Certificates:
    found = Certificates(tmp_path)
    found.init(file, ["extra.test"], NOW)
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_each_lpar_has_one_with_the_names_it_is_called_by(made: Certificates) -> None:
    shown = {each.file: each for each in made.show()}
    assert set(shown) == {"ca.pem", "LPAR1.pem", "LPAR2.pem", "sysplex.pem"}
    assert shown["LPAR1.pem"].subject == "CN=LPAR1,OU=plexmesh LPAR,O=PLEX1"
    assert shown["LPAR1.pem"].places == ["lpar1", "localhost", "plex.test", "extra.test", "127.0.1.1", "127.0.0.1"]
    assert "host2.test" in shown["LPAR2.pem"].places
    assert shown["ca.pem"].subject == "CN=PLEX1 authority,O=PLEX1"
    assert shown["LPAR1.pem"].until - NOW == datetime.timedelta(days=certs.DAYS)


def test_every_domain_of_the_file_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "plexmesh.yaml"
    path.write_text(FILE.replace("[plex.test]", "[plex.test, 127.0.9.1]"))
    Certificates(tmp_path).init(plexfile.read(path), [], NOW)
    lpar1 = next(each for each in Certificates(tmp_path).show() if each.file == "LPAR1.pem")
    assert {"plex.test", "127.0.9.1"} <= set(lpar1.places)


def test_lpars_that_begin_together_have_one_authority(tmp_path: Path, file: plexfile.Plexfile) -> None:
    names = [f"LPAR{n}" for n in range(1, 9)]
    with ThreadPoolExecutor(len(names)) as pool:
        for made in [pool.submit(Certificates(tmp_path).init_lpar, file, name, f"{name}.test", NOW) for name in names]:
            made.result()
    shown = {each.file: each for each in Certificates(tmp_path).show()}
    assert set(shown) == {"ca.pem", "sysplex.pem", *(f"{name}.pem" for name in names)}
    authority = (tmp_path / "volume" / "certificates" / "ca.pem").read_bytes()
    for name in names:
        certificate = x509.load_pem_x509_certificate(
            (tmp_path / "volume" / "certificates" / f"{name}.pem").read_bytes()
        )
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))


def test_the_components_of_one_lpar_add_their_names_to_its_certificate(tmp_path: Path, file: plexfile.Plexfile) -> None:
    for host in ("lpar1-gateway", "lpar1-caching"):
        Certificates(tmp_path).init_lpar(file, "LPAR1", host, NOW)
    lpar1 = next(each for each in Certificates(tmp_path).show() if each.file == "LPAR1.pem")
    assert {"127.0.1.1", "lpar1-gateway", "lpar1-caching"} <= set(lpar1.places)
    assert Certificates(tmp_path).init_lpar(file, "LPAR1", "lpar1-gateway", NOW) == []


def test_keys_are_for_their_owner_only(made: Certificates) -> None:
    assert mode(made.folder) == 0o700
    assert {mode(path) for path in made.folder.glob("*.key")} == {0o600}
    assert not list(made.folder.glob(".new-*"))


def test_what_is_there_is_kept_unless_it_is_to_be_made_anew(made: Certificates, file: plexfile.Plexfile) -> None:
    before = {path.name: path.read_bytes() for path in made.folder.iterdir()}
    assert made.init(file, [], NOW) == []
    assert {path.name for path in made.init(file, [], NOW, anew=True)} == {
        "LPAR1.key", "LPAR1.pem", "LPAR2.key", "LPAR2.pem", "sysplex.key", "sysplex.pem",
    }  # fmt: skip
    changed = {path.name for path in made.folder.iterdir() if path.read_bytes() != before[path.name]}
    assert changed == set(before) - {"ca.key", "ca.pem"}


def test_the_authority_of_another_sysplex_is_not_taken_for_this_ones(made: Certificates, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("plexmesh: {sysplex: PLEX2}")
    with pytest.raises(ConfigError, match=r"ca\.pem: it is the authority of sysplex PLEX1, and .* says PLEX2"):
        made.init(plexfile.read(other), [], NOW)


def test_an_operators_certificate_says_so(made: Certificates) -> None:
    made.issue("anna", "secret", NOW, operator=True)
    shown = {each.file: each.subject for each in made.show()}
    assert shown["anna.pem"] == "CN=anna,OU=plexmesh operator,O=PLEX1"


def test_a_clients_certificate_is_no_servers_and_comes_as_one_file_too(made: Certificates) -> None:
    names = [path.name for path in made.issue("orders", "secret", NOW)]
    assert names == ["orders.key", "orders.pem", "orders.p12"]
    key, certificate, others = pkcs12.load_key_and_certificates((made.folder / "orders.p12").read_bytes(), b"secret")
    assert key is not None
    assert certificate is not None
    assert certificate.subject.rfc4514_string() == "CN=orders,OU=plexmesh client,O=PLEX1"
    assert list(certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value) == [Use.CLIENT_AUTH]
    assert len(others) == 1
    with pytest.raises(Conflict, match=r"orders\.pem is there already"):
        made.issue("orders", "secret", NOW)


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "ca", "CA", "a b"])
def test_names_that_are_no_file_names_are_refused(made: Certificates, name: str) -> None:
    with pytest.raises((BadInput, Conflict)):
        made.issue(name, "secret", NOW)


def test_without_the_authoritys_key_nothing_is_issued(made: Certificates, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ca\.pem: not there; .*plexmesh certs init"):
        Certificates(tmp_path / "elsewhere").issue("x", "secret", NOW)
    (made.folder / "ca.key").write_bytes((made.folder / "LPAR1.key").read_bytes())
    with pytest.raises(ConfigError, match="its key is another one's"):
        made.issue("x", "secret", NOW)


@pytest.mark.parametrize("name", ["LPAR1", "sysplex"])
def test_those_of_the_sysplex_itself_are_not_replaced_by_a_clients(made: Certificates, name: str) -> None:
    before = (made.folder / f"{name}.pem").read_bytes()
    with pytest.raises(Conflict, match="sysplex' own"):
        made.issue(name, "secret", NOW, anew=True)
    assert (made.folder / f"{name}.pem").read_bytes() == before


def test_no_new_authority_for_certificates_of_the_old_one(made: Certificates, file: plexfile.Plexfile) -> None:
    (made.folder / "ca.pem").unlink()
    with pytest.raises(ConfigError, match=r"ca\.pem: not there, but ca\.key, LPAR1\.pem.*--force"):
        made.init(file, [], NOW)
    (made.folder / "ca.key").unlink()
    with pytest.raises(ConfigError, match=r"ca\.pem: not there, but LPAR1\.pem.*--force"):
        made.init(file, [], NOW)
    assert not list(made.folder.glob("ca.*"))
    assert len(made.init(file, [], NOW, anew=True)) == 8


def test_a_changed_host_name_comes_into_the_certificate(
    made: Certificates, file: plexfile.Plexfile, tmp_path: Path
) -> None:
    path = tmp_path / "plexmesh.yaml"
    path.write_text(FILE.replace("host2.test", "host9.test"))
    assert [each.name for each in made.init(plexfile.read(path), [], NOW)] == ["LPAR2.key", "LPAR2.pem"]
    (lpar2,) = [each for each in made.show() if each.file == "LPAR2.pem"]
    assert {"host9.test", "extra.test"} <= set(lpar2.places)


def test_half_a_pair_is_made_anew(made: Certificates, file: plexfile.Plexfile) -> None:
    (made.folder / "LPAR1.key").unlink()
    assert [each.name for each in made.init(file, [], NOW)] == ["LPAR1.key", "LPAR1.pem"]


def test_certificates_of_another_authority_are_as_their_owner_wants_them(
    made: Certificates, file: plexfile.Plexfile
) -> None:
    other = certs.new_authority("OTHER", NOW)
    pair = certs.client_certificate(other, "LPAR1", NOW, ["elsewhere.test"])
    (made.folder / "LPAR1.pem").write_bytes(pair.pem)
    (made.folder / "LPAR1.key").write_bytes(pair.key_pem)
    assert made.init(file, [], NOW) == []
    (made.folder / "ca.key").unlink()
    assert made.init(file, ["further.test"], NOW) == []


@pytest.mark.parametrize("place", ["", "größe.test", "a b"])
def test_places_that_no_certificate_can_hold_are_refused(
    made: Certificates, file: plexfile.Plexfile, place: str
) -> None:
    with pytest.raises(BadInput, match="expected a host name"):
        made.issue("orders", "secret", NOW, places=[place])
    with pytest.raises(BadInput, match="expected a host name"):
        made.init(file, [place], NOW)
    with pytest.raises(BadInput, match="64"):
        made.issue("x" * 65, "secret", NOW)
    assert not list(made.folder.glob("orders*"))


def test_an_authority_that_is_over_issues_nothing(made: Certificates) -> None:
    with pytest.raises(ConfigError, match="nothing can be issued"):
        made.issue("x", "secret", NOW + datetime.timedelta(days=certs.AUTHORITY_DAYS))


def test_one_does_not_outlive_its_authority() -> None:
    authority = certs.new_authority("PLEX1", NOW - datetime.timedelta(days=certs.AUTHORITY_DAYS - 10))
    assert (certs.client_certificate(authority, "x", NOW).certificate.not_valid_after_utc - NOW).days <= 10


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
@pytest.mark.parametrize(("name", "purpose"), [("LPAR1", "sslserver"), ("LPAR1", "sslclient"), ("orders", "sslclient")])
def test_openssl_agrees(made: Certificates, name: str, purpose: str) -> None:
    made.issue("orders", "secret", NOW)
    at = int(NOW.timestamp())
    order = [
        "openssl",
        "verify",
        "-x509_strict",
        "-attime",
        str(at),
        "-purpose",
        purpose,
        "-CAfile",
        "ca.pem",
        f"{name}.pem",
    ]
    done = subprocess.run(order, cwd=made.folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{name}.pem: OK\n"), done.stderr
