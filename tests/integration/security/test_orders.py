"""Orders that somebody else's page gives with the certificate its reader's browser has, and those with forged names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.certificates import Drawer
from tests.integration.launcher_rig import Rig
from tests.integration.security.callers import SECRET, SERVERS, Caller, Server, context

UP, LAUNCHER, GATEWAY = SERVERS["up"], SERVERS["launcher"], SERVERS["gateway"]
JSON = {"Content-Type": "application/json"}

STOP = [
    (LAUNCHER, "POST", "/v1/command", b'{"command": "STOP(sample)"}'),
    (LAUNCHER, "POST", "/v1/components/sample/stop", b"{}"),
    (UP, "POST", "/v1/lpars/LPAR2/components/sample/stop", b"{}"),
    (UP, "POST", "/v1/lpars/LPAR2/kill", b"{}"),
    (UP, "POST", "/v1/down", b"{}"),
    (GATEWAY, "PUT", "/gateway/v1/vipa", b'{"state": "out"}'),
]
NAME = "CN=LPAR1, OU=plexmesh LPAR, O=TESTPLEX"


def still_there(everybody: dict[str, Caller]) -> bool:
    status = json.loads(everybody["none"].ask(UP, "GET", "/v1/status").body)
    active = json.loads(everybody["none"].ask(GATEWAY, "GET", "/gateway/v1/vipa").body)["state"]
    return active == "in" and all(each["state"] == "ready" for each in status["lpars"])


@pytest.mark.parametrize(("server", "method", "path", "body"), STOP, ids=lambda each: str(each)[:40])
@pytest.mark.parametrize("who", ["operator", "peer"])
def test_a_page_of_another_site_gives_no_order(
    server: Server, method: str, path: str, body: bytes, who: str, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    """A browser shows an operator's certificate to whatever page asks; only Origin and the type tell such an order.
    (By a rebound name, a page's Origin is that name, and it is refused all the same.)"""
    for origin in ("https://evil.example", "null", server.url, "https://rebound.example:7550"):
        headers = {**JSON, "Origin": origin, "Host": origin.partition("//")[2] or "x"}
        assert everybody[who].ask(server, method, path, body, headers).status == 403, origin
    if method == "POST":
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            reply = everybody[who].ask(server, method, path, body, {"Content-Type": content_type})
            assert reply.status == 415, content_type
    assert still_there(everybody)


def test_nor_with_the_cookie_of_who_has_logged_in(sysplex: Rig, everybody: dict[str, Caller]) -> None:
    token = everybody["chief"].headers["Authorization"].removeprefix("Bearer ")
    cookie = {"Cookie": f"apimlAuthenticationToken={token}"}
    nobody, here = everybody["none"], GATEWAY.url
    status = "/console/v1/instances/sample/nobody/status"
    orders = [("PUT", "/gateway/v1/vipa", b'{"state": "out"}'), ("POST", status, b'{"status": "OUT_OF_SERVICE"}')]
    for method, path, body in orders:
        for origin in ("https://evil.example", "null", here.replace("https", "http"), f"{here}0"):
            assert nobody.ask(GATEWAY, method, path, body, {**JSON, **cookie, "Origin": origin}).status == 403
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        form = {**cookie, "Content-Type": content_type, "Origin": here}
        assert nobody.ask(GATEWAY, "POST", status, b'{"status": "OUT_OF_SERVICE"}', form).status == 403
    own = nobody.ask(GATEWAY, "POST", status, b'{"status": "OUT_OF_SERVICE"}', {**JSON, **cookie, "Origin": here})
    assert own.status == 404, "the console's own page: there is no such instance"
    assert still_there(everybody)


@pytest.mark.parametrize(("server", "method", "path", "body"), STOP, ids=lambda each: str(each)[:40])
def test_no_field_makes_somebody_an_operator(
    server: Server, method: str, path: str, body: bytes, sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    names = ("X-Certificate-{}", "x-certificate-{}", "X_Certificate_{}", "X-Certificate_{}", "X-CERTIFICATE-{}")
    values = {
        "CommonName": "LPAR1", "DistinguishedName": NAME, "Public": "AAAA",
        "Role": "operator",
    }  # fmt: skip
    for who in ("none", "service"):
        for name in names:
            forged = {name.format(kind): value for kind, value in values.items()}
            forged |= {"X-Plexmesh-Role": "peer", "X-Forwarded-For": "127.0.0.1", "Client-Cert": ":AAAA:"}
            assert everybody[who].ask(server, method, path, body, {**JSON, **forged}).status == 403
    assert still_there(everybody)


def test_nor_does_an_lpars_name_on_a_clients_certificate(sysplex: Rig, tmp_path: Path) -> None:
    folder = sysplex.data / "volume" / "certificates"
    ours = Drawer(tmp_path, Drawer.of(folder).authority)
    for name in ("LPAR1", "sysplex", "boss", "LPAR1, OU=plexmesh LPAR", "x+OU=plexmesh operator"):
        files = ours.client(name)
        asking = context(folder)
        asking.load_cert_chain(files.certificate, files.key)
        caller = Caller(name, asking)
        for server, method, path, body in STOP:
            assert caller.ask(server, method, path, body, JSON).status == 403
        caller.close()


def test_nor_in_a_trailer_nor_behind_an_upgrade_nor_in_absolute_form(
    sysplex: Rig, everybody: dict[str, Caller]
) -> None:
    lies = b"X-Certificate-CommonName: LPAR1\r\nX-Certificate-DistinguishedName: %b\r\n" % NAME.encode()
    order = b'{"state": "out"}'
    chunked = b"Transfer-Encoding: chunked\r\nTrailer: X-Certificate-CommonName\r\n"
    body = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(order), order, lies)
    length = b"Content-Length: %d\r\n" % len(order)
    heads = [
        (b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: x\r\n%bConnection: close\r\n\r\n" % chunked, body),
        (b"PUT https://x/gateway/v1/vipa HTTP/1.1\r\nHost: x\r\n%b%bConnection: close\r\n\r\n" % (lies, length), order),
        (b"PUT //gateway/v1/vipa HTTP/1.1\r\nHost: x\r\n%b%bConnection: close\r\n\r\n" % (lies, length), order),
        (b"PUT /gateway/v1/%%76ipa HTTP/1.1\r\nHost: x\r\n%b%bConnection: close\r\n\r\n" % (lies, length), order),
        (
            b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: x\r\n%b%bConnection: close, X-Certificate-CommonName\r\n\r\n"
            % (lies, length),
            order,
        ),
        (
            b"GET /gateway/v1/vipa HTTP/1.1\r\nHost: x\r\n\r\n"
            b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: x\r\n%b%bConnection: close\r\n\r\n" % (lies, length),
            order,
        ),
        (
            b"GET /gateway/v1/vipa HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            b"PUT /gateway/v1/vipa HTTP/1.1\r\nHost: x\r\n%b%bConnection: close\r\n\r\n" % (lies, length),
            order,
        ),
    ]  # fmt: skip
    for head, data in heads:
        for who in ("none", "service"):
            answer = everybody[who].say(GATEWAY, head + data)
            last = answer.rpartition(b"HTTP/1.1 ")[2][:3]
            assert last in (b"400", b"403", b"404"), (who, head, answer)
    assert still_there(everybody)


def test_no_page_of_another_site_logs_in_or_out(sysplex: Rig, everybody: dict[str, Caller]) -> None:
    """Nor one in plain at the same place, which somebody on the way has made."""
    here, auth = GATEWAY.url, "/gateway/api/v1/auth"
    chief = everybody["chief"]
    said = json.dumps({"username": "chief", "password": f"chief-{SECRET}"}).encode()
    for origin in ("https://evil.example", "null", here.replace("https", "http"), f"{here}0"):
        headers = {**JSON, "Origin": origin}
        assert everybody["none"].ask(GATEWAY, "POST", f"{auth}/login", said, headers).status == 403, origin
        assert chief.ask(GATEWAY, "POST", f"{auth}/logout", b"", {"Origin": origin}).status == 403, origin
    assert everybody["none"].ask(GATEWAY, "POST", f"{auth}/login", said, {**JSON, "Origin": here}).status == 204
    assert chief.ask(GATEWAY, "GET", f"{auth}/query").status == 200, "his token is good still"


@pytest.mark.parametrize("who", ["none", "service", "operator", "peer"])
def test_the_consoles_orders_are_for_its_own_pages(who: str, sysplex: Rig, everybody: dict[str, Caller]) -> None:
    path = "/console/v1/instances/sample/nobody/status"
    here = GATEWAY.url.partition("//")[2]
    rebound = "rebound.example:7554"
    for origin, host in (
        ("https://evil.example", here), ("null", here), ("", here), (f"https://{rebound}", rebound),
        (f"http://{here}", "x"), (f"https://{GATEWAY.host}:1", here), (f"https://{GATEWAY.host}@evil.example", here),
    ):  # fmt: skip
        headers = {**JSON, "Origin": origin, "Host": host}
        reply = everybody[who].ask(GATEWAY, "POST", path, b'{"status": "OUT_OF_SERVICE"}', headers)
        assert reply.status == 403, (origin, host)
