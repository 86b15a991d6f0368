"""TLS contexts: who gets in, with what, and what happens when the files are exchanged."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ConfigError
from shared.tls import Files, Tls, of, subject
from tests.certificates import LONG_AGO, Drawer, a_drawer

HERE = "127.0.0.1"


@pytest.fixture
def drawer(tmp_path: Path) -> Drawer:
    return a_drawer(tmp_path / "own")


def shaken(client: ssl.SSLContext, server: ssl.SSLContext, name: str = HERE) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after their handshake, in memory. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=name)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    ends: list[Any] = [one, other]
    for _ in range(10):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue
        if not ends:
            return one, other
    raise AssertionError("the handshake has no end")


def bare(drawer: Drawer) -> ssl.SSLContext:
    """Of a caller without a certificate who believes the authority."""
    context = ssl.create_default_context(cafile=drawer.folder / "ca.pem")
    context.set_alpn_protocols(["http/1.1"])
    return context


def test_both_know_each_other(drawer: Drawer) -> None:
    one, other = drawer.tls("LPAR1", HERE), drawer.tls("LPAR2", HERE)
    client, server = shaken(one.client, other.server)
    assert (client.version(), client.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    assert subject(client.getpeercert()) == "LPAR2"
    assert subject(server.getpeercert()) == "LPAR1"


def test_a_caller_without_a_certificate_gets_in_and_is_nobody(drawer: Drawer) -> None:
    _, server = shaken(bare(drawer), drawer.tls("LPAR1", HERE).server)
    assert subject(server.getpeercert()) == ""
    assert subject(None) == ""


def test_who_has_a_strangers_or_an_expired_certificate_does_not_get_in(drawer: Drawer, tmp_path: Path) -> None:
    server = drawer.tls("LPAR1", HERE).server
    stranger = bare(drawer)
    theirs = a_drawer(tmp_path / "theirs").client("eve")
    stranger.load_cert_chain(theirs.certificate, theirs.key)
    with pytest.raises(ssl.SSLError):
        shaken(stranger, server)
    old = bare(drawer)
    worn = drawer.lpar("LPAR9", HERE, now=LONG_AGO)
    old.load_cert_chain(worn.certificate, worn.key)
    with pytest.raises(ssl.SSLError):
        shaken(old, server)


def test_names_and_authorities_are_checked_as_strictly_as_asked(drawer: Drawer, tmp_path: Path) -> None:
    elsewhere = drawer.tls("LPAR2", "127.0.9.9").server
    unknown = a_drawer(tmp_path / "theirs").tls("LPAR2", HERE).server
    strict, lax, blind = (drawer.tls("LPAR1", HERE, verify=each) for each in ("STRICT", "NONSTRICT", "DISABLED"))
    shaken(strict.client, elsewhere, "127.0.9.9")
    for client, server in ((strict, elsewhere), (strict, unknown), (lax, unknown)):
        with pytest.raises(ssl.SSLCertVerificationError):
            shaken(client.client, server)
    shaken(lax.client, elsewhere)
    shaken(blind.client, a_drawer(tmp_path / "blind").tls("LPAR2", HERE, verify="DISABLED").server)


def test_old_versions_are_refused(drawer: Drawer) -> None:
    old = bare(drawer)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    client, _ = shaken(old, drawer.tls("LPAR1", HERE).server)
    assert client.version() == "TLSv1.2"
    name, _, _ = client.cipher() or ("", "", 0)
    assert name.startswith("ECDHE-ECDSA-")
    old.set_ciphers("AES128-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shaken(old, drawer.tls("LPAR1", HERE).server)


def test_files_that_were_exchanged_hold_for_new_handshakes(drawer: Drawer) -> None:
    tls = drawer.tls("LPAR1", HERE)
    server, client = tls.server, tls.client
    first, _ = shaken(bare(drawer), server)
    assert not tls.renew()
    drawer.lpar("LPAR1", HERE, "new.test")
    assert tls.renew()
    assert not tls.renew()
    second, _ = shaken(bare(drawer), server, "new.test")
    assert first.getpeercert(binary_form=True) != second.getpeercert(binary_form=True)
    _, other = shaken(client, drawer.tls("LPAR2", HERE).server)
    assert other.getpeercert(binary_form=True) == second.getpeercert(binary_form=True)


def test_who_is_taken_out_of_the_authorities_is_believed_no_more(drawer: Drawer, tmp_path: Path) -> None:
    other = a_drawer(tmp_path / "other")
    authorities = drawer.folder / "ca.pem"
    ours = authorities.read_bytes()
    authorities.write_bytes(ours + other.authority.pem)
    tls = drawer.tls("LPAR1", HERE)
    kept, theirs = tls.client, other.tls("LPAR2", HERE, verify="DISABLED").server
    shaken(kept, theirs)
    authorities.write_bytes(ours)
    assert tls.renew()
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(kept, theirs)
    shaken(kept, drawer.tls("LPAR3", HERE).server)


def test_a_pair_that_does_not_fit_changes_nothing(drawer: Drawer) -> None:
    tls = drawer.tls("LPAR1", HERE)
    before, _ = shaken(bare(drawer), tls.server)
    tls.files.key.write_bytes(drawer.lpar("LPAR2", HERE).key.read_bytes())
    with pytest.raises(ConfigError, match=r"LPAR1\.pem with .*LPAR1\.key: cannot be used: key values mismatch"):
        tls.renew()
    after, _ = shaken(bare(drawer), tls.server)
    assert before.getpeercert(binary_form=True) == after.getpeercert(binary_form=True)
    shaken(tls.client, drawer.tls("LPAR2", HERE).server)


def test_files_that_are_missing_or_no_certificates_are_named(drawer: Drawer) -> None:
    files = drawer.lpar("LPAR1", HERE)
    with pytest.raises(ConfigError, match=r"nothing\.pem: No such file or directory; make .*plexmesh certs init"):
        of(Files(drawer.folder / "nothing.pem", files.key, files.authorities), "STRICT")
    files.certificate.write_text("not a certificate")
    with pytest.raises(ConfigError, match=r"LPAR1\.pem with .*: cannot be used: .*expected a certificate"):
        Tls(files)
