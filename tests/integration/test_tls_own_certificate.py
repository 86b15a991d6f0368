"""An LPAR with a certificate of somebody else's authority, in a PKCS12 file as zowe.yaml names it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from launcher import certs
from tests.certificates import Drawer, a_drawer
from tests.integration.launcher_rig import HOSTS, Rig, poll


def put(drawer: Drawer) -> str:
    """A new one in the key store; its serial number."""
    files = drawer.lpar("zowe", HOSTS["LPAR2"], "localhost", "127.0.0.1")
    pair = certs.read(files.certificate.read_bytes(), files.key.read_bytes())
    (drawer.folder / "keystore.p12").write_bytes(pair.pkcs12("localhost", drawer.authority.certificate, "secret"))
    return f"{pair.certificate.serial_number:X}"


def shown(context: ssl.SSLContext) -> str:
    with (
        socket.create_connection((HOSTS["LPAR2"], 7554), timeout=5) as sock,
        context.wrap_socket(sock, server_hostname=HOSTS["LPAR2"]) as secured,
    ):
        found = secured.getpeercert()
    assert found is not None
    return str(found["serialNumber"]).lstrip("0")


def test_it_is_a_part_of_the_sysplex_and_takes_up_what_is_exchanged(tmp_path: Path) -> None:
    theirs = a_drawer(tmp_path / "theirs", "OURS")
    before = put(theirs)
    rig = Rig(tmp_path)
    rig.tree["components"] = {"discovery": {}, "gateway": {}}
    keystore = {"type": "PKCS12", "file": "theirs/keystore.p12", "password": "secret", "alias": "localhost"}
    rig.tree["haInstances"]["LPAR2"]["zowe"] = {"certificate": {"keystore": keystore}}
    rig.tree.setdefault("plexmesh", {})["access"] = {"peers": ["CN=zowe, OU=plexmesh LPAR, O=OURS"]}
    try:
        rig.up("--tls", within_s=40)
        poll("ready", lambda: rig.status()["sysplex"]["state"] == "ready")
        context = ssl.create_default_context(cafile=theirs.folder / "ca.pem")
        assert shown(context) == before
        assert "CN=zowe" in rig.call("certs", "show").stdout
        after = put(theirs)
        poll("the new one is shown", lambda: shown(context) == after, within_s=30)
    finally:
        rig.close()
