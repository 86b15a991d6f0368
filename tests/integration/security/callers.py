"""Who comes to a door, and what it answers: each caller once, with connections that are kept.

none        shows no certificate
service     one of the sysplex' own authority, for a client (`certs issue`)
wrong name  the same, made for a place where its holder is not: a door looks at who somebody is, not where
peer        an LPAR's
operator    `certs issue --operator`
user        shows no certificate, but a token that he got by logging in at a gateway
chief       the same, of a user who is an operator
foreign     of another authority: the handshake fails
expired     of ours, and past: the handshake fails
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
from dataclasses import dataclass
from typing import NamedTuple

from tests.certificates import LONG_AGO, Drawer
from tests.integration.launcher_rig import ADDRESS, HOSTS, PROGRAM, VIPA_HOST, Rig

WITHIN_S = 15
SECRET = "a-secret-of-some-length"

LPAR = HOSTS["LPAR1"]
UP_HOST, _, UP_PORT = ADDRESS.rpartition(":")


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Server:
    """A listener."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"


SERVERS = {
    "up": Server(UP_HOST, int(UP_PORT)),
    "launcher": Server(LPAR, 7550),
    "discovery": Server(LPAR, 7553),
    "gateway": Server(LPAR, 7554),
    "caching": Server(LPAR, 7555),
    "sample": Server(LPAR, 7560),
}
GATEWAYS = [*(Server(host, 7554) for host in HOSTS.values()), Server(VIPA_HOST, 7554)]


class Caller:
    def __init__(self, name: str, context: ssl.SSLContext, headers: dict[str, str] | None = None) -> None:
        """`headers`: that he sends with every request."""
        self.name = name
        self.context = context
        self.headers = headers or {}
        self._kept: dict[tuple[str, int], http.client.HTTPSConnection] = {}

    def ask(
        self, server: Server, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """A connection that was kept may have ended meanwhile: then once more."""
        key, headers = (server.host, server.port), self.headers | (headers or {})
        kept = self._kept.pop(key, None)
        try:
            return self._asked(kept or self._connection(server), method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            if kept is None:
                raise
            return self._asked(self._connection(server), method, path, body, headers)

    def _connection(self, server: Server) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(server.host, server.port, context=self.context, timeout=WITHIN_S)

    def _asked(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> Reply:
        """Of an answer without an end only the head is read."""
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            endless = answer.headers.get_content_type() in ("text/event-stream", "application/x-ndjson")
            reply = Reply(answer.status, answer.headers, b"" if endless else answer.read())
            if endless or answer.will_close:
                answer.close()
                connection.close()
            else:
                self._kept[connection.host, connection.port] = connection
        except BaseException:
            connection.close()
            raise
        return reply

    def say(self, server: Server, data: bytes) -> bytes:
        """On a connection of its own, to its end: what is said asks for that."""
        with (
            socket.create_connection((server.host, server.port), timeout=WITHIN_S) as plain,
            self.context.wrap_socket(plain, server_hostname=server.host) as sock,
        ):
            sock.sendall(data)
            found = b""
            with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
                while got := sock.recv(65_536):
                    found += got
            return found

    def close(self) -> None:
        for each in self._kept.values():
            each.close()
        self._kept.clear()


def callers(rig: Rig, strangers: Drawer) -> dict[str, Caller]:
    """`strangers`: where those of another authority are made."""
    folder = rig.data / "volume" / "certificates"
    rig.ok("certs", "issue", "service", "--password", "x")
    rig.ok("certs", "issue", "elsewhere", "--host", "192.0.2.1", "--password", "x")
    rig.ok("certs", "issue", "boss", "--operator", "--password", "x")
    ours = Drawer.of(folder)
    ours.client("worn", now=LONG_AGO)
    strangers.client("foreign")
    named = {"service": "service", "wrong name": "elsewhere", "operator": "boss", "peer": "LPAR2", "expired": "worn"}
    found = {"none": Caller("none", context(folder))}
    found |= {who: Caller(who, context(folder, folder, name)) for who, name in named.items()}
    for user, *more in (("user",), ("chief", "--operator")):
        add_user(rig, user, *more)
        found[user] = Caller(user, context(folder), bearer(found["none"], user))
    found["foreign"] = Caller("foreign", context(folder, strangers.folder, "foreign"))
    return found


def add_user(rig: Rig, name: str, *more: str) -> None:
    command = [PROGRAM, "users", "--data", str(rig.data), "add", name, "--password-stdin", *more]
    done = subprocess.run(
        command, input=f"{name}-{SECRET}", text=True, capture_output=True, timeout=30, env=rig.environ
    )
    assert done.returncode == 0, done.stderr


def bearer(nobody: Caller, user: str) -> dict[str, str]:
    """A token of that user, as he sends it."""
    said = json.dumps({"username": user, "password": f"{user}-{SECRET}"}).encode()
    headers = {"Content-Type": "application/json"}
    reply = nobody.ask(SERVERS["gateway"], "POST", "/gateway/api/v1/auth/login", said, headers)
    assert reply.status == 204, reply.body
    return {"Authorization": f"Bearer {reply.headers['Set-Cookie'].partition('=')[2].partition(';')[0]}"}


def context(believed: object, folder: object = None, name: str = "") -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=f"{believed}/ca.pem")
    if name:
        made.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
    return made
