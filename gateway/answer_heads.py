"""The head of an answer: how its body is framed, and what of it may go on to the client.

The framing (RFC 9112, section 6.3), first rule that fits: no body after HEAD, 1xx, 204 and 304; chunked; a length;
else everything until the connection closes. An answer with both lengths, two different ones, or a coding other than
chunked is garbage: its connection is never used again. Hop-by-hop fields and those Connection names are dropped.

`Location` is led back through the gateway when it points at the instance itself: the host is compared first, so a
redirect to a foreign site is never touched; a path that already is the gateway's stays as well.

Not here: the bytes that are sent (`forwarding`).
"""

from __future__ import annotations

import msgspec

from gateway.heads import DIGITS, HOP_BY_HOP, split, tokens, without
from gateway.reader import CHUNKED, NONE, UNTIL_CLOSE, Fields, Malformed
from gateway.routes import Route, within

PATH_FIELD = b"x-plexmesh-path"
SPECIAL = HOP_BY_HOP | {b"content-length", PATH_FIELD, b"location"}
ONCE = frozenset((b"content-length", b"location"))


class AnswerHead(msgspec.Struct, frozen=True, gc=False):
    """A checked head. `lines` are its status line and the fields that go on, with the length if one was told.

    `length` is a number of bytes, NONE, CHUNKED or UNTIL_CLOSE.
    """

    status: int
    lines: bytes
    length: int
    keep_alive: bool
    location: bytes
    upgrade: bytes


def read_answer(status: int, reason: bytes, minor: int, fields: Fields, method: bytes) -> AnswerHead:
    """Check a head. Raises Malformed."""
    lines, special = split(fields, SPECIAL, ONCE, 502)
    told = -1 if status < 200 or status == 204 else _told_length(special)
    length = NONE if method == b"HEAD" or status in (204, 304) or status < 200 else _length(special, told)
    keep_alive = minor == 1 and length != UNTIL_CLOSE
    if b"connection" in special:
        options = tokens(special[b"connection"])
        keep_alive = length != UNTIL_CLOSE and b"close" not in options and (minor == 1 or b"keep-alive" in options)
        lines = without(lines, options)
    if told >= 0:
        lines.append(b"Content-Length: %d\r\n" % told)
    upgrade = special.get(b"upgrade", b"") if status == 101 else b""
    lines.insert(0, b"HTTP/1.1 %d %b\r\n" % (status, reason))
    return AnswerHead(status, b"".join(lines), length, keep_alive, special.get(b"location", b""), upgrade)


def _told_length(special: dict[bytes, bytes]) -> int:
    digits = special.get(b"content-length")
    if digits is None:
        return -1
    if not DIGITS.match(digits.strip(b" \t")):
        raise Malformed(502, "Content-Length must be digits")
    return int(digits)


def _length(special: dict[bytes, bytes], told: int) -> int:
    coding = special.get(b"transfer-encoding")
    if coding is None:
        return told if told >= 0 else UNTIL_CLOSE
    if coding.lower() != b"chunked" or told >= 0:
        raise Malformed(502, "Transfer-Encoding must be chunked alone, without Content-Length")
    return CHUNKED


def relocated(location: bytes, authorities: tuple[bytes, ...], routes: tuple[Route, ...], came_by: Route) -> bytes:
    """A Location as the client must see it. `routes` are the service's; the one the request came by wins a tie."""
    path = _own_path(location, authorities)
    if path is None or any(within(path, route.prefix) for route in routes):
        return location if path is None else path
    fitting = [route for route in routes if within(path, route.target)]
    if not fitting:
        return location
    best = max(fitting, key=lambda route: (len(route.target), route is came_by))
    return best.prefix + path[len(best.target) :]


def _own_path(location: bytes, authorities: tuple[bytes, ...]) -> bytes | None:
    """The path when the Location points at the instance itself, with query and fragment; None when elsewhere."""
    if location.startswith(b"/"):
        return None if location.startswith((b"//", b"/\\")) else location
    scheme, found, rest = location.partition(b"://")
    authority, _, path = rest.partition(b"/")
    if not found or scheme.lower() not in (b"http", b"https") or authority.lower() not in authorities:
        return None
    return b"/" + path
