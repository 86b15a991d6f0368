"""Every listener under sslyze, beside Mozilla's intermediate profile; and what a session of TLS is good for afterwards.

sslyze lives in a Python environment of its own (`make deps`): it needs an older `cryptography` than plexmesh.

Tolerated, each by its name:

certificate_path_validation     the authority is the sysplex' own, and no browser knows it
maximum_certificate_lifespan    397 days, as browsers take them; the profile has 366
X448, secp521r1                 groups stronger than those of the profile, which OpenSSL offers besides; Python's ssl
                                cannot name a list of groups before 3.15
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.launcher_rig import Rig
from tests.integration.security.callers import GATEWAYS, SERVERS, Server, context

SSLYZE = Path(__file__).parents[3] / ".venv-sslyze" / "bin" / "sslyze"
LISTENERS = list({each.url: each for each in (*SERVERS.values(), *GATEWAYS)}.values())
WITHIN_S = 80

pytestmark = pytest.mark.timeout(120)

OF_A_PRIVATE_AUTHORITY = {"certificate_path_validation", "maximum_certificate_lifespan"}
GROUPS = {"X25519", "secp256r1", "secp384r1"}
STRONGER_GROUPS = {"X448", "secp521r1"}

every_listener = pytest.mark.parametrize("listener", LISTENERS, ids=lambda each: f"{each.host}:{each.port}")


class Scan(NamedTuple):
    findings: Mapping[str, set[str]]
    """By listener, the names of what is against the profile."""
    results: Mapping[str, dict[str, Any]]


def place(listener: Server) -> str:
    return f"{listener.host}:{listener.port}"


@pytest.fixture(scope="module")
def scan(sysplex: Rig, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """All at once."""
    if not SSLYZE.exists():
        pytest.skip("sslyze is missing: make deps")
    found = tmp_path_factory.mktemp("sslyze") / "found.json"
    done = subprocess.run(
        [SSLYZE, "--mozilla_config=intermediate", f"--json_out={found}", *map(place, LISTENERS)],
        capture_output=True, text=True, timeout=WITHIN_S,
    )  # fmt: skip
    results = {}
    for each in json.loads(found.read_text())["server_scan_results"]:
        at = each["server_location"]
        assert each["scan_status"] == "COMPLETED", each
        results[f"{at['hostname']}:{at['port']}"] = each["scan_result"]
    return Scan(findings(done.stdout), results)


def findings(said: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in said[said.index("COMPLIANCE AGAINST") :].splitlines():
        if told := re.match(r"    (\S+:\d+): (?:FAILED - Not compliant|OK - Compliant)", line):
            at = found.setdefault(told[1], set())
        elif told := re.match(r"        \* (\w+):", line):
            at.add(told[1])
    return found


@every_listener
def test_nothing_is_against_mozillas_intermediate_profile_but_what_is_named_here(scan: Scan, listener: Server) -> None:
    found = scan.findings[place(listener)]
    assert found - OF_A_PRIVATE_AUTHORITY - {"tls_curves"} == set()
    groups = {each["name"] for each in scan.results[place(listener)]["elliptic_curves"]["result"]["supported_curves"]}
    assert groups - STRONGER_GROUPS == GROUPS


def connected(
    sysplex: Rig,
    listener: Server,
    version: ssl.TLSVersion,
    asking: ssl.SSLContext | None,
    session: ssl.SSLSession | None,
) -> tuple[ssl.SSLContext, ssl.SSLSession | None, bool]:
    """One call. Its context, its session, and whether that was resumed."""
    if asking is None:
        asking = context(sysplex.data / "volume" / "certificates")
        asking.minimum_version = asking.maximum_version = version
    with (
        socket.create_connection((listener.host, listener.port), timeout=15) as sock,
        asking.wrap_socket(sock, server_hostname=listener.host, session=session) as secured,
    ):
        secured.sendall(b"GET /application/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while secured.recv(65_536):  # a ticket of 1.3 comes after the handshake
            pass
        return asking, secured.session, bool(secured.session_reused)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda each: each.name)
def test_a_gateway_resumes_its_own_sessions_and_another_makes_a_new_one(sysplex: Rig, version: ssl.TLSVersion) -> None:
    """Each gateway has a key of its own for its tickets: the other cannot read them, and answers all the same."""
    first, second, _ = GATEWAYS
    asking, session, resumed = connected(sysplex, first, version, None, None)
    assert session is not None
    assert not resumed
    assert connected(sysplex, first, version, asking, session)[2]
    assert not connected(sysplex, second, version, asking, session)[2]
