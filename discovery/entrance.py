"""The peers' entrance: POST /peer/v1/{kind}, for those who hold a key of the ring (`discovery.auth`).

A stranger gets 403 whatever is asked. What an authentic peer says and this node cannot take (another sysplex, another
protocol version, nonsense) is answered 400 with a line that says why, signed, so that the peer believes it.

Not here: the bytes of HTTP (`discovery.peer_stream`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from discovery.auth import MAC, NONCE, Stale, Verifier
from discovery.messages import Envelope, Reply, Sender, decode, encode
from discovery.peers import PATH
from discovery.traffic import Traffic
from shared.errors import BadInput, Forbidden

UNPROVEN_BYTES = 65_536
"""The largest body read from somebody who has not been given a nonce of this boot."""

Receive = Callable[[Envelope], tuple[Sender, Reply]]
"""This node's answer to a message, and under what name it answers. Raises BadInput."""


class Outcome(NamedTuple):
    """An answer; `proof` is the value of the header named `header`."""

    status: int
    header: str
    proof: str
    body: bytes


class Entrance:
    def __init__(
        self, sysplex: str, receive: Receive, verifier: Verifier, traffic: Traffic, max_body_bytes: int
    ) -> None:
        self._sysplex = sysplex
        self._receive = receive
        self._verifier = verifier
        self._traffic = traffic
        self._max_body_bytes = max_body_bytes

    def body_limit(self, mac: str) -> int:
        """In bytes, for a request of that MAC header, which is all that is known of it."""
        return self._max_body_bytes if self._verifier.knows(mac) else UNPROVEN_BYTES

    def answer(self, path: str, header: str, body: bytes) -> Outcome:
        try:
            mac = self._verifier.check("POST", path, header, body)
        except Forbidden as error:
            self._traffic.denied["stranger"] += 1
            return Outcome(error.status, "Cache-Control", "no-store", b"")
        except Stale as stale:
            self._traffic.denied["stale"] += 1
            return Outcome(401, NONCE, stale.nonce, b"")
        try:
            sender, reply = self._receive(decode(self._sysplex, body))
        except BadInput as error:
            self._traffic.unreadable += 1
            return self._sealed(mac, 400, str(error).encode())
        data = encode(self._sysplex, sender, reply)
        self._traffic.answered(path.removeprefix(PATH), len(data), len(body))
        return self._sealed(mac, 200, data)

    def _sealed(self, mac: str, status: int, body: bytes) -> Outcome:
        return Outcome(status, MAC, self._verifier.seal(mac, status, body), body)
