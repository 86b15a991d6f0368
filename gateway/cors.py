"""Pages of other origins: who may call what, and what their browsers are told.

    no Origin, or the gateway's own            as any call
    another origin, not allowed                403
    another origin, allowed                    called, and the answer says so
    its preflight (OPTIONS that asks)          answered here, never sent on

Off unless the gateway's configuration switches it on; then its own paths are open to all origins, and a service is when
its registration says so (`apiml.corsEnabled`). What an instance says about origins itself is replaced.

Sources: the Fetch standard (CORS protocol); Zowe API Mediation Layer's rules for it.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from gateway.policy import Policy

OWN_METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "PATCH")
MAX_AGE_S = 600

SAID = re.compile(rb"(?:(?<=\n)|\A)access-control-(?:allow|expose)-[^\n]*\n", re.IGNORECASE)
"""Lines of an answer."""

ORIGIN = re.compile(rb"(https?)://([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?\Z")
PORTS = {b"http": b"80", b"https": b"443"}

Verdict = Literal["own", "refused", "allowed", "preflight"]


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What the head says of it; fields are empty where it says nothing."""

    origin: bytes
    method: bytes
    """Access-Control-Request-Method."""
    headers: bytes


def is_own(origin: bytes, host: bytes) -> bool:
    """The origin is the host that was called, whichever scheme a proxy in front has."""
    found = ORIGIN.match(origin)
    if found is None:
        return False
    scheme, name, port = found.groups()
    named, _, called = host.rpartition(b":") if re.search(rb":[0-9]*\Z", host) else (host, b"", b"")
    return (name.lower(), port or PORTS[scheme]) == (named.lower(), called or PORTS[scheme])


def verdict(asked: Asked, method: bytes, host: bytes, policy: Policy | None, *, on: bool) -> Verdict:
    """`policy` None: the gateway's own paths."""
    if is_own(asked.origin, host):
        return "own"
    if not on or not _allows(asked, asked.method or method, policy):
        return "refused"
    return "preflight" if method == b"OPTIONS" and asked.method else "allowed"


def _allows(asked: Asked, method: bytes, policy: Policy | None) -> bool:
    if policy is None:
        return True
    origin = asked.origin.decode("latin-1")
    if not policy.cors or (policy.cors_origins and not {"*", origin} & set(policy.cors_origins)):
        return False
    return not policy.cors_methods or method.decode("latin-1") in policy.cors_methods


def told(asked: Asked, policy: Policy | None) -> bytes:
    """The lines of an answer to an allowed call."""
    credentials = policy is None or policy.cors_credentials
    lines = b"Access-Control-Allow-Origin: %b\r\nVary: Origin\r\n" % asked.origin
    return lines + b"Access-Control-Allow-Credentials: true\r\n" if credentials else lines


def preflight(asked: Asked, policy: Policy | None) -> bytes:
    """The whole answer to one that is allowed, but for the empty line at its end."""
    methods = policy.cors_methods if policy is not None and policy.cors_methods else OWN_METHODS
    headers = ", ".join(policy.cors_headers).encode() if policy is not None and policy.cors_headers else asked.headers
    return b"".join((
        b"HTTP/1.1 204 No Content\r\n",
        told(asked, policy),
        b"Access-Control-Allow-Methods: %b\r\n" % ", ".join(methods).encode(),
        b"Access-Control-Allow-Headers: %b\r\n" % headers if headers else b"",
        b"Access-Control-Max-Age: %d\r\n" % MAX_AGE_S,
    ))  # fmt: skip


def without_said(lines: bytes) -> bytes:
    return SAID.sub(b"", lines)
