"""Calls to the other discovery nodes: one HTTP POST of msgpack per message, signed, over kept-alive connections.

Probes (ping, ask, found) have connections of their own, so that bulk data never delays them; the others share a few,
one request at a time on each: the node has at most one message of each kind under way to a peer.

A peer says nothing before the one at the other end has proved to hold a key (`discovery.auth`), and asks for that proof
again whenever a connection was ended from over there.

An authentic answer other than 200, and one that cannot be read, is final: somebody is there who is not of this mesh
(another sysplex, another protocol version). It counts as refused, and the reason names both sides' values.

Not here: what to send and when (`discovery.node`); answering peers (`discovery.entrance`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from discovery import auth
from discovery.config import DiscoveryConfig
from discovery.connection import Answer, Broken, Connection
from discovery.dialing import Dialer
from discovery.keyring import KeyRing
from discovery.messages import Ask, Found, Ping, Push, Reply, Request, Sender, Sync, Touch, decode, encode
from discovery.traffic import Traffic
from shared.errors import Forbidden, PlexmeshError
from shared.tls import client_tls, failure

MSGPACK = "application/msgpack"
PATH = "/peer/v1/"

KINDS: Final[dict[type, str]] = {Ping: "ping", Ask: "ask", Found: "found", Push: "push", Sync: "sync", Touch: "touch"}
PROBES = frozenset(("ping", "ask", "found"))

BODY_FACTOR: Final = 16
"""Messages between peers may be this many times as large as a client's."""

PEERS_MAX: Final = 64
"""Addresses remembered; a mesh has fewer, but members come back with other addresses."""

ROUND_TRIPS: Final = 4
"""At most: over a connection that was closed meanwhile, for a proof, with a nonce of an ended boot, the message."""

OWN_FAULTS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EADDRINUSE))
"""Failures to connect that say nothing about the peer."""

Ring = Callable[[], KeyRing]


class PeerFailure(Exception):
    """No usable answer; `refused`: nobody of this mesh listens there."""

    def __init__(self, reason: str, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Peers:
    def __init__(self, config: DiscoveryConfig, ring: Ring, traffic: Traffic) -> None:
        """`ring` gives the keys in use."""
        self._config = config
        self._ring = ring
        self._traffic = traffic
        self._dialer = Dialer(config.host)
        self._tls = client_tls(config)
        self._peers: dict[str, Peer] = {}
        self.lost: Callable[[str], None] = lambda address: None
        """Called when a connection to a peer ends from over there: perhaps it has died."""

    def close(self) -> None:
        for peer in self._peers.values():
            peer.close()

    async def call(self, address: str, sender: Sender, request: Request) -> tuple[Sender, Reply]:
        """Send one message; returns who answered, and the reply. Raises PeerFailure."""
        kind = KINDS[type(request)]
        peer = self._peers.get(address)
        if peer is None:
            if len(self._peers) == PEERS_MAX:
                self._peers.pop(next(iter(self._peers))).close()
            peer = self._peers[address] = Peer(
                address, self._dialer, self._tls, self._config.body_bytes * BODY_FACTOR, lambda: self.lost(address)
            )
        body = encode(self._config.sysplex, sender, request)
        timeout_s = self._timeout_s(kind)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await peer.post(self._ring(), kind, body)
            replied = self._read(answer)
        except TimeoutError as error:
            self._traffic.failed(kind, "silent")
            raise PeerFailure(f"silent for {timeout_s} s") from error
        except ssl.SSLError as error:  # somebody is there, who may be of this mesh all the same
            self._traffic.failed(kind, "unusable")
            raise PeerFailure(failure(error)) from error
        except OSError as error:
            self._traffic.failed(kind, "refused")
            text = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
            raise PeerFailure(f"nobody answers: {text}", refused=error.errno not in OWN_FAULTS) from error
        except PeerFailure:
            self._traffic.failed(kind, "unusable")
            raise
        self._traffic.called(kind, len(body), len(answer.body))
        return replied

    def _timeout_s(self, kind: str) -> float:
        if kind in PROBES:
            return self._config.ping_timeout_s
        return self._config.push_timeout_s if kind == "push" else self._config.sync_timeout_s

    def _read(self, answer: Answer) -> tuple[Sender, Reply]:
        """Raises PeerFailure."""
        if answer.status != 200:
            raise PeerFailure(f"answered {answer.status}: {_text(answer)}", refused=answer.status < 500)
        try:
            envelope = decode(self._config.sysplex, answer.body)
        except PlexmeshError as error:
            raise PeerFailure(str(error), refused=True) from error
        if isinstance(envelope.body, Request):
            raise PeerFailure("answered with a request", refused=True)
        return envelope.sender, envelope.body


class Peer:
    """One address: connections to it, and the nonce it has given."""

    def __init__(
        self,
        address: str,
        dialer: Dialer,
        tls: ssl.SSLContext | None,
        max_body_bytes: int,
        lost: Callable[[], None],
    ) -> None:
        self._place = urlsplit(address)
        self._tls = tls
        self._tell_lost = lost
        self._dialer = dialer
        self._max_body_bytes = max_body_bytes
        self._signer = auth.Signer()
        self._idle: dict[bool, list[Connection]] = {True: [], False: []}

    def close(self) -> None:
        for connection in [*self._idle[True], *self._idle[False]]:
            connection.end("this node is closing")

    async def post(self, ring: KeyRing, kind: str, body: bytes) -> Answer:
        """An authentic answer. Raises OSError, PeerFailure."""
        idle = self._idle[kind in PROBES]
        for _ in range(ROUND_TRIPS):
            connection = _pop_open(idle) or await self._connect()
            said = body if self._signer.ready else b""
            header, mac = self._signer.sign(ring, "POST", PATH + kind, said)
            kept_alive = connection.used
            try:
                answer = await connection.post(self._head(kind, header), said)
            except Broken as broken:
                if kept_alive and broken.silent:
                    continue
                raise
            if connection.open:
                idle.append(connection)
            if not self._challenged(ring, mac, answer):
                return answer
        raise PeerFailure("it takes none of the nonces it gives")

    def _challenged(self, ring: KeyRing, mac: str, answer: Answer) -> bool:
        """Whether this is not the answer yet, but the nonce to ask with. Raises PeerFailure: not from a peer."""
        try:
            if answer.status == 401:
                self._signer.challenged(ring, mac, answer.nonce)
                return True
            auth.check_answer(ring, mac, answer.status, answer.mac, answer.body)
        except Forbidden as error:
            self._signer.forget()
            raise PeerFailure(f"a stranger answers {answer.status}: {_text(answer)}") from error
        return False

    async def _connect(self) -> Connection:
        """Raises OSError."""
        name = self._place.hostname or ""
        sock = await self._dialer.dial(name, self._place.port or 80)
        connection = Connection(self._max_body_bytes, self._lost)
        await asyncio.get_running_loop().create_connection(
            lambda: connection, sock=sock, ssl=self._tls, server_hostname=name if self._tls else None
        )
        return connection

    def _lost(self) -> None:
        self._signer.forget()
        self._tell_lost()

    def _head(self, kind: str, header: str) -> bytes:
        place = self._place.netloc
        return (
            f"POST {PATH}{kind} HTTP/1.1\r\nHost: {place}\r\nContent-Type: {MSGPACK}\r\n{auth.MAC}: {header}\r\n"
        ).encode()


def _pop_open(idle: list[Connection]) -> Connection | None:
    while idle:
        connection = idle.pop()
        if connection.open:
            return connection
    return None


def _text(answer: Answer) -> str:
    return answer.body[:300].decode(errors="replace").strip() or "nothing"
