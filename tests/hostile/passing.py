"""What a gateway may pass on to an instance: grammar is not enough, because some fields are about one connection only,
and some are words that only the gateway may say.

Fields are also compared as many programs see them: CGI, WSGI and Rack hand over `X-Forwarded-For` and
`X_Forwarded_For` under one name (RFC 3875, 4.1.18), so an underscore would be a way round every rule.
"""

from __future__ import annotations

import enum
import re

from tests.hostile.judge import Head, Request


class Breach(enum.Enum):
    VERSION = "an instance is spoken to in another version than HTTP/1.1"
    FORM = "the target is a URL: an instance is asked for a path"
    DOTS = "a path climbs: it holds a dot segment, plain, encoded or with a parameter"
    NUL = "a path holds an encoded NUL"
    HOP = "a field that is about one connection has been passed on"
    UNDERSCORE = "a field is spelled with underscores like one that matters"
    SAID_TWICE = "a field of the gateway's own is there twice, or not from the gateway"
    UNSAID = "a field that the gateway must say is missing"
    VOUCHING = "a field by which a gateway vouches for a client came through"
    PROXY = "the field Proxy, which programs take for their own proxy's address (httpoxy)"
    UPGRADE = "Connection and Upgrade do not ask together for protocols by name"
    UPGRADE_BODY = "a request for another protocol has a body"
    H2 = "another version of HTTP is asked for, which would pass all checks by"
    EXPECT = "an expectation other than 100-continue"
    CODING = "the gateway's own word is chunked, in small letters"
    TRAILER = "a trailer field says what only a head may say"
    EXTENSION = "chunk extensions have been passed on"


HOP_BY_HOP = frozenset(
    b"keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer http2-settings".split()
)
OWN = frozenset(b"x-forwarded-for x-forwarded-proto x-forwarded-port x-request-id via".split())
"""Exactly once; the rest of X-Forwarded-* and Forwarded at most once."""
SELDOM = frozenset(b"x-forwarded-host x-forwarded-prefix forwarded".split())
FRAMING = frozenset(b"content-length transfer-encoding host connection upgrade expect".split())
NOT_IN_TRAILERS = (
    FRAMING
    | HOP_BY_HOP
    | OWN
    | SELDOM
    | frozenset(b"authorization cookie content-encoding content-type content-range cache-control proxy".split())
)
"""RFC 9110, 6.5.1: fields that are needed before the body, for framing, routing, authentication or its meaning."""

DOTS = re.compile(rb"(?:/|%2f|%5c|\\)(?:\.|%2e){1,2}(?:(?:;|%3b)[^/]*)?(?=/|%2f|%5c|\\|\Z)", re.IGNORECASE)
PROTOCOLS = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?\Z")
H2 = re.compile(rb"(?:h2c?|http/.*)\Z", re.IGNORECASE)


def breaches(request: Request) -> list[Breach]:
    """What of a whole request a gateway should have kept to itself."""
    found = head_breaches(request.head)
    if request.extended:
        found.append(Breach.EXTENSION)
    if any(_head_only(name.lower()) for name, _ in request.trailers):
        found.append(Breach.TRAILER)
    return found


def _head_only(name: bytes) -> bool:
    plain = name.replace(b"_", b"-")
    return plain in NOT_IN_TRAILERS or plain.startswith((b"x-forwarded-", b"x-certificate-"))


def head_breaches(head: Head) -> list[Breach]:
    checks = {
        Breach.VERSION: head.minor != 1,
        Breach.FORM: not head.target.startswith(b"/") and head.target != b"*",
        Breach.EXPECT: any(value != b"100-continue" for value in head.values(b"expect")),
        Breach.CODING: any(value != b"chunked" for value in head.values(b"transfer-encoding")),
        Breach.PROXY: bool(head.values(b"proxy")),
    }
    return [breach for breach, there in checks.items() if there] + _path(head) + _names(head) + _upgrade(head)


def _path(head: Head) -> list[Breach]:
    path = head.target.partition(b"?")[0]
    found = [Breach.DOTS] if DOTS.search(path) else []
    return [*found, Breach.NUL] if b"%00" in path else found


def _names(head: Head) -> list[Breach]:
    found = []
    names = [name.lower() for name, _ in head.fields]
    for name in names:
        plain = name.replace(b"_", b"-")
        known = plain in OWN | SELDOM | FRAMING | HOP_BY_HOP or plain.startswith((b"x-forwarded-", b"x-certificate-"))
        if plain != name and known:
            found.append(Breach.UNDERSCORE)
        elif name in HOP_BY_HOP:
            found.append(Breach.HOP)
        elif name.startswith(b"x-certificate-"):
            found.append(Breach.VOUCHING)
        elif name.startswith(b"x-forwarded-") and name not in OWN | SELDOM:
            found.append(Breach.SAID_TWICE)
    if any(names.count(name) > 1 for name in OWN | SELDOM):
        found.append(Breach.SAID_TWICE)
    if not set(names) >= OWN:
        found.append(Breach.UNSAID)
    return found


def _upgrade(head: Head) -> list[Breach]:
    connection, upgrade = head.values(b"connection"), head.values(b"upgrade")
    if not connection and not upgrade:
        return []
    found = []
    protocols = [each.strip(b" \t") for value in upgrade for each in value.split(b",")]
    asked = [value.lower() for value in connection] == [b"upgrade"] and protocols
    if not asked or not all(PROTOCOLS.match(each) for each in protocols):
        found.append(Breach.UPGRADE)
    if any(H2.match(each) for each in protocols):
        found.append(Breach.H2)
    if head.length not in (None, 0):
        found.append(Breach.UPGRADE_BODY)
    return found
