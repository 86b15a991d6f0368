"""What a service is told of its caller comes from a gateway, whatever the caller says of himself."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.integration.launcher_rig import HOSTS, Rig, poll
from tests.integration.security.callers import GATEWAYS, SERVERS, Caller

GATEWAY = SERVERS["gateway"]
HOST, PORT = HOSTS["LPAR1"], 9811
PATH = "/hearing/api/v1/x"
LIE = b"EVIL"
MANY = 300

NAMES = [
    b"X-Certificate-Public", b"X-Certificate-CommonName", b"X-Certificate-DistinguishedName", b"X-Certificate-Chain",
    b"Client-Cert", b"Client-Cert-Chain", b"X-Zowe-Auth-Failure", b"X-Forwarded-For", b"X-Forwarded-Proto",
    b"X-Forwarded-Host", b"X-Forwarded-Prefix", b"X-Forwarded-User", b"Forwarded", b"X-Real-IP", b"Via", b"Proxy",
]  # fmt: skip


def spellings(name: bytes) -> list[bytes]:
    first = name.replace(b"-", b"_", 1)
    return list({name, name.lower(), name.upper(), name.replace(b"-", b"_"), first, name[:-1] + name[-1:].swapcase()})


class Hearing(socketserver.StreamRequestHandler):
    """Answers every request with what it has heard: the head, and the trailer of a chunked body."""

    def handle(self) -> None:
        head = self._until_empty()
        self.server.heard.append(head + (self._chunks() if b"chunked" in head.lower() else b""))  # type: ignore[attr-defined]
        if b"\r\nupgrade: websocket" in head.lower():
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def _until_empty(self) -> bytes:
        found = b""
        while (line := self.rfile.readline()).strip():
            found += line
        return found

    def _chunks(self) -> bytes:
        while size := int(self.rfile.readline() or b"0", 16):
            self.rfile.read(size + 2)
        return self._until_empty()


class Listening(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, PORT), Hearing)
        self.heard: list[bytes] = []


@pytest.fixture(scope="module")
def service(sysplex: Rig, everybody: dict[str, Caller]) -> Iterator[Listening]:
    """It wants to know who calls (x509), and speaks in plain, as one outside may."""
    with Listening() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        metadata = {
            "apiml.routes.api-v1.gatewayUrl": "api/v1", "apiml.routes.api-v1.serviceUrl": "/",
            "apiml.authentication.scheme": "x509",
        }  # fmt: skip
        instance = {"service": "hearing", "instance": "hearing", "host": HOST, "port": PORT, "metadata": metadata}
        node, peer = SERVERS["discovery"], everybody["peer"]
        reply = peer.ask(
            node, "POST", "/v1/instances", json.dumps(instance).encode(), {"Content-Type": "application/json"}
        )
        assert reply.status == 200, reply.body
        for gateway in GATEWAYS:
            poll("it is routed", lambda gateway=gateway: peer.ask(gateway, "GET", PATH).status == 200)
        yield server
        peer.ask(node, "DELETE", "/v1/instances/hearing/hearing")
        server.shutdown()
        thread.join()


def told(service: Listening, caller: Caller, data: bytes) -> bytes:
    service.heard.clear()
    answer = caller.say(GATEWAY, data)
    assert answer[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 101"), answer
    (heard,) = service.heard
    return heard


def certificates(heard: bytes) -> list[bytes]:
    return [line for line in heard.split(b"\r\n") if line.lower().startswith((b"x-certificate", b"x-zowe-auth"))]


@pytest.mark.parametrize("who", ["none", "service", "operator", "peer"])
@pytest.mark.parametrize("name", NAMES, ids=bytes.decode)
def test_no_spelling_of_it_goes_through(
    name: bytes, who: str, service: Listening, everybody: dict[str, Caller]
) -> None:
    lies = b"".join(b"%b: %b\r\n" % (each, LIE) for each in spellings(name) for _ in range(2))
    heard = told(
        service, everybody[who], b"GET %b HTTP/1.1\r\nHost: x\r\n%bConnection: close\r\n\r\n" % (PATH.encode(), lies)
    )
    assert LIE not in heard
    if who == "none":
        assert certificates(heard) == [
            b"X-Zowe-Auth-Failure: ZWEAG167E No client certificate was provided with the request"
        ]
    else:
        assert len(certificates(heard)) == 3
        name_shown = {"service": b"service", "operator": b"boss", "peer": b"LPAR2"}[who]
        assert b"X-Certificate-CommonName: " + name_shown in certificates(heard)


@pytest.mark.parametrize("who", ["none", "service"])
def test_nor_in_a_trailer_nor_with_an_upgrade_nor_by_an_order_to_drop_what_a_gateway_says(
    who: str, service: Listening, everybody: dict[str, Caller]
) -> None:
    path = PATH.encode()
    lies = b"".join(b"%b: %b\r\n" % (name, LIE) for name in NAMES)
    names = b", ".join(NAMES)
    requests = [
        b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: %b\r\nConnection: close\r\n\r\n"
        b"3\r\nabc\r\n0\r\n%b\r\n" % (path, names, lies),
        b"GET %b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n%b\r\n" % (path, lies),
        b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close, %b\r\n%b\r\n" % (path, names, lies),
        b"GET /x HTTP/1.1\r\nHost: x\r\nX-Forward-To: hearing\r\n%bConnection: close\r\n\r\n" % lies,
        b"GET https://x%b HTTP/1.1\r\nHost: x\r\n%bConnection: close\r\n\r\n" % (path, lies),
    ]
    for request in requests:
        heard = told(service, everybody[who], request)
        assert LIE not in heard, request
        assert len(certificates(heard)) == (1 if who == "none" else 3), request


def test_nor_by_a_request_hidden_in_another(service: Listening, everybody: dict[str, Caller]) -> None:
    """What two readers could take for one request or for two is refused, so nothing is heard of it."""
    hidden = b"GET %b HTTP/1.1\r\nHost: x\r\nX-Certificate-CommonName: %b\r\n\r\n" % (PATH.encode(), LIE)
    start = b"POST %b HTTP/1.1\r\nHost: x\r\n" % PATH.encode()
    for framing in (
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(hidden),
        b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: y\nX-Certificate-CommonName: EVIL\r\n", b"X: y\rX-Certificate-CommonName: EVIL\r\n",
        b"X-Certificate-CommonName : EVIL\r\n", b" X-Certificate-CommonName: EVIL\r\n",
    ):  # fmt: skip
        service.heard.clear()
        answer = everybody["none"].say(GATEWAY, start + framing + b"\r\n" + hidden)
        assert answer.startswith(b"HTTP/1.1 400 "), framing
        assert service.heard == []


def test_a_connection_of_one_caller_tells_nothing_of_another(service: Listening, everybody: dict[str, Caller]) -> None:
    """Connections to instances are shared, and what a head says is remembered: each call has its own caller's name."""
    request = b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % PATH.encode()
    names = {"service": b"service", "operator": b"boss", "peer": b"LPAR2"}
    for who in ("service", "none", "operator", "none", "peer", "service", "none"):
        shown = [line for line in certificates(told(service, everybody[who], request)) if b"CommonName" in line]
        assert shown == ([b"X-Certificate-CommonName: " + names[who]] if who in names else [])
