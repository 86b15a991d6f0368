"""To whom one call is meant to go, beyond its service: what it says itself, or what is remembered of its caller.

    only        the instance named by X-InstanceId, and no other
    lpar        any instance in the LPAR named by X-Plexmesh-Lpar, or of the gateway's own for services of `scope: lpar`
    preferred   the instance a session belongs to; another one when that cannot be called
    key         what leads the same calls to the same instance (ring hash), and to the next one when it is gone

A session is known by its user (`sticky`), or by the cookie this gateway gave it: `plexmesh-SERVICE`, which names the
instance by a hash, so that every gateway understands it and nobody learns an address by it.

Sources: Zowe API ML's X-InstanceId; RFC 6265 for the cookie.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from gateway.balancer import Balancer
from gateway.snapshot import Endpoint, Upstream
from gateway.standing import Standing

TOKEN_BYTES = 10


@dataclass(slots=True)
class Aim:
    only: str = ""
    """An endpoint's key, as `preferred` is."""
    lpar: str = ""
    preferred: str = ""
    key: bytes = b""
    user: str = ""
    """The key of the record of a user who is new: he is led where his first answer comes from."""
    tunnel: bool = False
    """It wants to be one: where there are fewest."""
    gives_cookie: bool = False
    """An answer from any but the preferred one names its instance in a cookie."""

    def choose(
        self, balancer: Balancer, standings: Mapping[str, Standing], tried: Collection[str], now: float
    ) -> Standing | None:
        """None: there is nobody it may go to."""
        if self.only:
            return standings.get(self.only)
        if self.preferred and self.preferred not in tried and self.preferred in standings:
            return standings[self.preferred]
        if self.lpar:
            return balancer.pick_in(self.lpar, now, tried)
        if not balancer.candidates:
            return None
        if self.tunnel and not tried:
            return balancer.pick_for_tunnel(now)
        return balancer.pick_by(self.key, now, tried) if self.key else balancer.pick(now, b"", tried)

    @property
    def alone(self) -> bool:
        """There is no other instance it may go to."""
        return bool(self.only)


@lru_cache(maxsize=8192)
def token_of(key: str) -> bytes:
    """What a session's cookie calls an endpoint."""
    return blake2b(key.encode(), digest_size=TOKEN_BYTES).hexdigest().encode()


@lru_cache(maxsize=512)
def _cookie_pattern(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:^|\r\n)cookie:(?:[^\r\n]*[ \t;])?" + re.escape(name) + rb"=\"?([^;\"\r\n]*)", re.IGNORECASE)


def cookie_in(lines: bytes, name: bytes) -> bytes:
    """The value of that cookie in a request's header lines, or empty."""
    found = _cookie_pattern(name).search(lines)
    return found[1].strip() if found else b""


@lru_cache(maxsize=512)
def _header_pattern(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:^|\r\n)" + re.escape(name) + rb":[ \t]*([^\r\n]*)", re.IGNORECASE)


def header_in(lines: bytes, name: bytes) -> bytes:
    """The value of that header field, or empty."""
    found = _header_pattern(name).search(lines)
    return found[1].strip() if found else b""


def session_cookie(service: str) -> bytes:
    return b"plexmesh-" + service.encode()


def session_of(lines: bytes, upstream: Upstream) -> Endpoint | None:
    """The endpoint a session's cookie names, if it is UP or OUT_OF_SERVICE."""
    token = cookie_in(lines, session_cookie(upstream.service))
    if not token:
        return None
    return next((each for each in (*upstream.endpoints, *upstream.drained) if token_of(each.key) == token), None)


def cookie_for(upstream: Upstream, endpoint: Endpoint) -> bytes:
    """A Set-Cookie value."""
    service = upstream.service.encode()
    return b"%b=%b; Path=/%b; HttpOnly; SameSite=Lax" % (
        session_cookie(upstream.service), token_of(endpoint.key), service,
    )  # fmt: skip


def key_in(rule: str, lines: bytes, caller: bytes, path: bytes) -> bytes:
    """What a call is known by; empty when it lacks that. `rule` as in `Policy.hash_on`, or a sticky header's."""
    kind, _, name = rule.partition(":")
    match kind:
        case "header":
            return header_in(lines, name.encode())
        case "cookie":
            return cookie_in(lines, name.encode())
        case "path":
            return path
    return caller
