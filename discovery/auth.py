"""Signed requests between discovery nodes: only who holds a key of the ring is listened to, once, and in this boot.

    sender                                                     receiver
      │  POST /peer/v1/ping   Mac: key:made-up nonce:1:mac        │   no body yet: who is there?
      │ ────────────────────────────────────────────────────────▶ │   the mac is right, the nonce none of mine
      │  401   Nonce: nonce:key:mac of it and of the request      │
      │ ◀──────────────────────────────────────────────────────── │
      │  POST /peer/v1/ping   Mac: key:nonce:1:mac      (body)    │
      │ ────────────────────────────────────────────────────────▶ │   (nonce, 1) is taken for the first time: do it
      │  200   Mac: key:mac of the request, status and body       │
      │ ◀──────────────────────────────────────────────────────── │
      │  POST /peer/v1/sync   Mac: key:nonce:2:mac      (body)    │   one round trip from here on

A MAC is HMAC-SHA256 over what the message is for, then method, path, nonce, counter and body; that of an answer covers
the request's MAC, which binds it to that request. The nonce is the receiver's (`discovery.nonces`), so no clock is
needed and nothing recorded earlier is good for anything; one that came from a boot that ended, or fell out of the
table, costs one round trip: 401 and a fresh one. The 401 itself is signed and covers the request, and before it a
sender says nothing: a stranger who listens on a peer's address learns nothing either.

Without a valid MAC the answer is 403 and the same for all reasons.

Not promised: secrecy towards somebody who reads the network (that is TLS's work).

Not here: keys (`discovery.keyring`), their file (`discovery.keyfile`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from discovery.keyring import KeyRing
from discovery.nonces import MAX_COUNTER, Nonces
from shared.errors import Forbidden

MAC = "X-Plexmesh-Mac"
NONCE = "X-Plexmesh-Nonce"

NO_MAC = f"{MAC}: expected the MAC of this message under a key of the sysplex's gossip ring"


class Stale(Exception):
    """An authentic request whose nonce is not to be used (any more); `nonce` is the answer's NONCE header."""

    def __init__(self, nonce: str) -> None:
        super().__init__("the nonce is not one of this boot, or its counter was used before")
        self.nonce = nonce


class Verifier:
    """The receiver's side. `ring` gives the keys in use, `secret` is one of this boot."""

    def __init__(self, ring: Callable[[], KeyRing], secret: bytes) -> None:
        self._ring = ring
        self._nonces = Nonces(secret)

    def check(self, method: str, path: str, header: str, body: bytes) -> str:
        """The request's MAC, which its answer must cover. Raises Forbidden, Stale."""
        id, nonce, count, mac = _parts(header, 4)
        if not self._ring().accepts(id, mac, _request(method, path, nonce, count, body)):
            raise Forbidden(NO_MAC)
        counter = int(count) if count.isdecimal() and len(count) <= len(str(MAX_COUNTER)) else 0
        if self._nonces.take(nonce, counter):
            return mac
        fresh = self._nonces.issue()
        raise Stale(f"{fresh}:{':'.join(self._ring().sign(_challenge(mac, fresh)))}")

    def knows(self, header: str) -> bool:
        """Whether a request speaks under a nonce of this boot: its body is worth reading."""
        parts = header.split(":")
        return len(parts) == 4 and self._nonces.issued(parts[1])

    def seal(self, mac: str, status: int, body: bytes) -> str:
        """The answer's MAC header; `mac` is the request's."""
        return ":".join(self._ring().sign(_answer(mac, status, body)))


class Signer:
    """The sender's side towards one peer. Until it is `ready` only requests without a body are to be sent."""

    def __init__(self) -> None:
        self._nonce: str | None = None
        self._counter = 0

    @property
    def ready(self) -> bool:
        return self._nonce is not None

    def forget(self) -> None:
        """The peer may be another process by now: ask who is there before saying anything."""
        self._nonce = None

    def sign(self, ring: KeyRing, method: str, path: str, body: bytes) -> tuple[str, str]:
        """The MAC header of a request, and its MAC."""
        nonce, count = self._nonce, "1"
        if nonce is None:
            nonce = secrets.token_hex(16)
        else:
            self._counter += 1
            count = str(self._counter)
        id, mac = ring.sign(_request(method, path, nonce, count, body))
        return f"{id}:{nonce}:{count}:{mac}", mac

    def challenged(self, ring: KeyRing, mac: str, header: str) -> None:
        """Take the nonce of a 401 to the request of that MAC. Raises Forbidden: it does not come from a peer."""
        nonce, id, proof = _parts(header, 3)
        if not ring.accepts(id, proof, _challenge(mac, nonce)):
            raise Forbidden(f"{NONCE}: expected a nonce signed under a key of the sysplex's gossip ring")
        self._nonce = nonce
        self._counter = 0


def check_answer(ring: KeyRing, mac: str, status: int, header: str, body: bytes) -> None:
    """`mac` is that of the request. Raises Forbidden."""
    id, proof = _parts(header, 2)
    if not ring.accepts(id, proof, _answer(mac, status, body)):
        raise Forbidden(NO_MAC)


def _parts(header: str, count: int) -> list[str]:
    parts = header.split(":")
    if len(parts) != count:
        raise Forbidden(NO_MAC)
    return parts


def _request(method: str, path: str, nonce: str, count: str, body: bytes) -> bytes:
    return f"request\n{method}\n{path}\n{nonce}\n{count}\n".encode() + body


def _challenge(mac: str, nonce: str) -> bytes:
    return f"nonce\n{mac}\n{nonce}".encode()


def _answer(mac: str, status: int, body: bytes) -> bytes:
    return f"answer\n{mac}\n{status}\n".encode() + body
