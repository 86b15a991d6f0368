"""What is said before there is TLS, and instead of it, at every listener.

Measured, and held: who connects and says nothing is sent away after 2 s by a gateway, after 5 s by the others; 500 such
connections at each listener keep nobody waiting.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.listener import HANDSHAKE_S
from shared import net
from tests.integration.launcher_rig import Rig
from tests.integration.security.callers import GATEWAYS, SERVERS, Caller, Server, context

LISTENERS = list({each.url: each for each in (*SERVERS.values(), *GATEWAYS)}.values())
SLOWLY_S = 10.0
"""More than is allowed, so that the machine may be busy; far less than the minute that the loop would take."""
MANY = 500
LIVE = b"GET /application/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

every_listener = pytest.mark.parametrize("listener", LISTENERS, ids=lambda each: f"{each.host}:{each.port}")


def dialled(listener: Server) -> socket.socket:
    return socket.create_connection((listener.host, listener.port), timeout=15)


def to_the_end(sock: socket.socket) -> bytes:
    """What comes until the other side ends it."""
    found = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while got := sock.recv(65_536):
            found += got
    return found


@every_listener
@pytest.mark.parametrize(
    "said",
    [
        b"GET /application/live HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /v1/down HTTP/1.0\r\n\r\n", b"\0" * 600,
        b"\x16\x03\x01\xff\xff" + b"\xff" * 600, b"\x80\x2e\x01\x00\x02" + b"\0" * 60,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
    ],
    ids=("http", "an order", "zeros", "nonsense", "SSL 2", "HTTP/2", "half a hello"),
)  # fmt: skip
def test_what_is_no_tls_ends_the_connection_and_has_no_answer(listener: Server, said: bytes, sysplex: Rig) -> None:
    with dialled(listener) as sock:
        sock.sendall(said)
        if said.endswith(b"\x03"):
            sock.shutdown(socket.SHUT_WR)
        assert b"HTTP" not in to_the_end(sock)


@every_listener
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=str)
def test_old_versions_are_refused(
    listener: Server, version: ssl.TLSVersion, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    asking = context(sysplex.data / "volume" / "certificates")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asking.minimum_version = asking.maximum_version = version
    asking.set_ciphers("ALL:@SECLEVEL=0")
    with dialled(listener) as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        asking.wrap_socket(sock, server_hostname=listener.host)


WEAK = [
    "AES128-SHA", "AES256-GCM-SHA384", "NULL-SHA256", "ECDHE-ECDSA-NULL-SHA", "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA", "AECDH-AES128-SHA", "AECDH-NULL-SHA", "ADH-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM8",
]  # fmt: skip
"""No forward secrecy, no encryption, CBC, no certificate, a short tag. (OpenSSL 3 itself has no RC4 and no 3DES.)"""


@every_listener
def test_weak_ciphers_are_refused_and_good_ones_taken(listener: Server, sysplex: Rig) -> None:
    folder = sysplex.data / "volume" / "certificates"
    for cipher in [*WEAK, "ECDHE-ECDSA-AES128-GCM-SHA256"]:
        asking = context(folder)
        asking.maximum_version = ssl.TLSVersion.TLSv1_2
        asking.set_ciphers(f"{cipher}:@SECLEVEL=0")
        taken = False
        with (
            dialled(listener) as sock,
            contextlib.suppress(ssl.SSLError, ConnectionError),
            asking.wrap_socket(sock, server_hostname=listener.host) as secured,
        ):
            taken = secured.cipher() is not None
        assert taken is (cipher not in WEAK), cipher


@every_listener
def test_a_handshake_within_a_connection_is_refused(listener: Server, sysplex: Rig) -> None:
    """Renegotiation, which only TLS 1.2 has: each one costs this side more than the other."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing: sudo apt-get install openssl")
    authority = sysplex.data / "volume" / "certificates" / "ca.pem"
    asking = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"{listener.host}:{listener.port}", "-tls1_2", "-CAfile", authority],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert asking.stdin is not None
    assert asking.stdout is not None
    with asking:
        try:
            for line in asking.stdout:
                if "Extended master secret" in line:  # the last that it says of the first handshake
                    break
            asking.stdin.write("R\n")
            asking.stdin.flush()
            rest = ""
            for line in asking.stdout:
                rest += line
                if "no renegotiation" in line or "closed" in line or "read R BLOCK" in line:
                    break
        finally:
            asking.kill()
    assert "RENEGOTIATING" in rest
    assert "no renegotiation" in rest


def test_who_says_nothing_is_sent_away(sysplex: Rig) -> None:
    """All at once, since that takes its time."""

    def held(listener: Server) -> tuple[str, bytes, float]:
        with dialled(listener) as sock:
            began = time.monotonic()
            return listener.url, to_the_end(sock), time.monotonic() - began

    assert max(HANDSHAKE_S, net.HANDSHAKE_S) < SLOWLY_S
    with ThreadPoolExecutor(len(LISTENERS)) as threads:
        for url, answer, took_s in threads.map(held, LISTENERS):
            assert (answer, took_s < SLOWLY_S) == (b"", True), url


@every_listener
def test_many_that_begin_nothing_keep_nobody_waiting(
    listener: Server, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(MANY):
            held.enter_context(dialled(listener))
        answer = everybody["none"].say(
            listener, b"GET /application/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_none_of_it_was_a_defect(sysplex: Rig) -> None:
    logs = [*sysplex.data.glob("LPAR*/logs/*.log"), sysplex.data / "up.log"]
    assert len(logs) > 8
    for each in logs:
        assert "Traceback" not in each.read_text(), each
