"""What a client's request must arrive as, said by the RFCs and the route alone, and what arrived unasked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.hostile.judge import Request

PUBLIC, INNER = b"/shop/api/v1", b"/in/side"
"""The route that the corpus plays through: what is below the first arrives below the second."""

ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")
AUTHORITY = re.compile(rb"[A-Za-z]+://[^/?#]*")


@dataclass(frozen=True)
class Arrival:
    """A request as an instance sees it. `mark` is what an answer must carry to be the answer to it."""

    method: bytes
    target: bytes
    body: bytes = b""

    @property
    def mark(self) -> bytes:
        return hashlib.sha256(b" ".join((self.method, self.target, self.body))).hexdigest()[:32].encode()

    def __str__(self) -> str:
        body = f" with {len(self.body)} bytes {self.body[:40]!r}" if self.body else ""
        return f"{self.method.decode('latin-1')} {self.target[:80].decode('latin-1')}{body}"


def arrived(request: Request) -> Arrival:
    return Arrival(request.method, request.target, request.body)


def arrival(request: Request) -> Arrival | None:
    """What a request of a client becomes; None when its path leads elsewhere."""
    target = inner_target(request.target)
    return None if target is None else Arrival(request.method, target, request.body)


def inner_target(target: bytes) -> bytes | None:
    """The target at the instance; None when it is not below the route."""
    if not target.startswith(b"/"):
        target = AUTHORITY.sub(b"", target, count=1)
    path, mark, query = target.partition(b"?")
    plain = _without_dots(ENCODED.sub(_plain, path))
    if plain is None or not (plain == PUBLIC or plain.startswith(PUBLIC + b"/")):
        return None
    return INNER + plain[len(PUBLIC) :] + mark + query


def _plain(found: re.Match[bytes]) -> bytes:
    character = bytes((int(found[1], 16),))
    return character if UNRESERVED.match(character) else found[0]


def _without_dots(path: bytes) -> bytes | None:
    """RFC 3986, 5.2.4; None when it climbs above the root."""
    kept: list[bytes] = []
    for segment in path.split(b"/")[1:]:
        if segment == b"..":
            if not kept:
                return None
            kept.pop()
        elif segment != b".":
            kept.append(segment)
    if path.endswith((b"/.", b"/..")):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def unasked(came: Iterable[Arrival], asked: Iterable[Arrival]) -> list[Arrival]:
    """Those that came without being asked for, in the order of asking; after the first, nothing is believed."""
    left = iter(asked)
    return [each for each in came if each not in left]
