"""A session of TLS that is taken up again belongs to who began it: by ticket in 1.2, by a key shared before in 1.3.

That gateways resume their own sessions and not one another's is in test_sslyze.
"""

from __future__ import annotations

import socket
import ssl

import pytest

from tests.integration.launcher_rig import Rig
from tests.integration.security.callers import SERVERS, Server

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]

both_versions = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])


def asked(
    context: ssl.SSLContext, server: Server, path: str, session: ssl.SSLSession | None
) -> tuple[bool, bytes, ssl.SSLSession | None]:
    """Whether that session was taken up, the answer's first line, and the session now. Tickets of 1.3 come after."""
    with (
        socket.create_connection((server.host, server.port), timeout=15) as plain,
        context.wrap_socket(plain, server_hostname=server.host, session=session) as sock,
    ):
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        found = b""
        while b"\r\n" not in found and (got := sock.recv(65_536)):
            found += got
        return bool(sock.session_reused), found.partition(b"\r\n")[0], sock.session


def of_version(version: ssl.TLSVersion, sysplex: Rig, name: str = "") -> ssl.SSLContext:
    folder = sysplex.data / "volume" / "certificates"
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.minimum_version = context.maximum_version = version
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


@both_versions
def test_who_the_caller_is_stays_with_the_session(version: ssl.TLSVersion, sysplex: Rig, everybody: object) -> None:
    """The registry is for holders of a certificate."""
    for name, status in (("service", b"200"), ("", b"403")):
        context = of_version(version, sysplex, name)
        *_, session = asked(context, SERVERS["discovery"], "/eureka/apps", None)
        resumed, line, _ = asked(context, SERVERS["discovery"], "/eureka/apps", session)
        assert (resumed, line.split()[1]) == (True, status)
