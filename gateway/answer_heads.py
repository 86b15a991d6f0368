"""The head of an answer: how its body is framed, and what of it may go on to the client.

The framing (RFC 9112, section 6.3), first rule that fits: no body after HEAD, 1xx, 204 and 304; chunked; a length;
else everything until the connection closes. An answer with both lengths, two different ones, or a coding other than
chunked is garbage: its connection is never used again. Hop-by-hop fields and those Connection names are dropped.

Trailers go on to a client that asked for them (`TE: trailers`), but for those that would change how a message is framed
or read (RFC 9110, section 6.5.1).

Not here: the bytes that are sent (`forwarding`), what points at the instance itself (`relocation`).
"""

from __future__ import annotations

import re

import msgspec

from gateway.fields import DROPPED, PLAIN, Field, FieldLines, Kinds, Malformed, read_field, tokens
from gateway.heads import DIGITS, FORWARDING, HOP_BY_HOP
from gateway.reader import CHUNKED, NONE, UNTIL_CLOSE

PATH_FIELD = b"x-plexmesh-path"

LENGTH, CODING, CONNECTION, UPGRADE, LOCATION, COOKIE, HARDENING, RETRY_AFTER = 2, 3, 4, 5, 6, 7, 8, 9

HARDENED = {
    b"x-content-type-options": b"X-Content-Type-Options: nosniff\r\n",
    b"x-frame-options": b"X-Frame-Options: SAMEORIGIN\r\n",
    b"x-xss-protection": b"X-XSS-Protection: 0\r\n",
    b"referrer-policy": b"Referrer-Policy: strict-origin-when-cross-origin\r\n",
}
"""Said to browsers with every answer, where the instance does not say it itself."""
TRANSPORT = b"strict-transport-security"
"""For its own host the gateway alone can say this."""
ALL_HARDENED = b"".join(HARDENED.values())

DELAY = re.compile(rb"[0-9]{1,9}\Z")
NAMES = (
    dict.fromkeys(HOP_BY_HOP | {PATH_FIELD, TRANSPORT}, DROPPED)
    | {
        b"content-length": LENGTH,
        b"transfer-encoding": CODING,
        b"connection": CONNECTION,
        b"upgrade": UPGRADE,
        b"location": LOCATION,
        b"set-cookie": COOKIE,
        b"retry-after": RETRY_AFTER,
    }
    | dict.fromkeys(HARDENED, HARDENING)
)

NO_TRAILERS = (
    HOP_BY_HOP
    | FORWARDING
    | frozenset(
        b"age authorization cache-control content-encoding content-length content-range content-type date expires host "
        b"location max-forwards pragma range retry-after set-cookie vary warning www-authenticate".split()
    )
)

LINES = FieldLines(Kinds(NAMES, {}))


class AnswerHead(msgspec.Struct, frozen=True, gc=False):
    """A checked head. `lines` are its status line and the fields that go on, with the length if one was told.

    `length` is a number of bytes, NONE, CHUNKED or UNTIL_CLOSE. `location` and `cookies` (Set-Cookie values) are not in
    the lines: they may have to be led through the gateway.
    """

    status: int
    lines: bytes
    length: int
    keep_alive: bool
    location: bytes
    upgrade: bytes
    cookies: tuple[bytes, ...]
    retry_after_s: int = -1
    """-1: it is not said, or as a date."""


def read_answer(
    status: int, reason: bytes, minor: int, block: bytes, method: bytes, max_fields: int = 200
) -> AnswerHead:
    """Check a head. Raises Malformed."""
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
    special: list[Field] = []
    hardening: list[Field] = []
    retry_after_s = -1
    split = block.split(b"\r\n") if block else []
    if len(split) > max_fields:
        raise Malformed(502, f"more than {max_fields} header fields")
    known = LINES
    for line in split:
        field = known[line]
        if field.kind == PLAIN:
            lines.append(field.line)
        elif field.kind == HARDENING:
            lines.append(field.line)
            hardening.append(field)
        elif field.kind == RETRY_AFTER:
            lines.append(field.line)
            retry_after_s = int(field.value) if DELAY.match(field.value) else -1
        elif field.kind != DROPPED:
            special.append(field)
    told, coding, options, upgrade, location, cookies = _special(special)
    if status < 200 or status == 204:
        told = -1
    length = NONE if method == b"HEAD" or status in (204, 304) or status < 200 else _length(coding, told)
    hops = options - PLAIN_OPTIONS
    if hops:
        lines[1:] = [
            each.line for each in map(known.__getitem__, split) if each.kind in GOES_ON and each.key not in hops
        ]
    keep_alive = length != UNTIL_CLOSE and b"close" not in options and (minor == 1 or b"keep-alive" in options)
    if told >= 0:
        lines.append(b"Content-Length: %d\r\n" % told)
    if status >= 200:
        lines.append(_hardened(hardening) if hardening else ALL_HARDENED)
    return AnswerHead(
        status,
        b"".join(lines),
        length,
        keep_alive,
        location,
        upgrade if status == 101 else b"",
        tuple(cookies),
        retry_after_s,
    )


def _hardened(said: list[Field]) -> bytes:
    """What the instance does not say."""
    keys = {field.key for field in said}
    return b"".join([line for key, line in HARDENED.items() if key not in keys])


def _special(fields: list[Field]) -> tuple[int, bytes, frozenset[bytes], bytes, bytes, list[bytes]]:
    """(length told or -1, transfer coding, Connection's options, Upgrade, Location, Set-Cookie values)."""
    told, coding, connection, upgrade, location = -1, b"", b"", b"", b""
    cookies: list[bytes] = []
    for kind, value in [(field.kind, field.value) for field in fields]:
        if kind == LENGTH:
            if told >= 0 or not DIGITS.match(value):
                raise Malformed(502, "Content-Length must be digits, once")
            told = int(value)
        elif kind == CODING:
            coding = coding + b", " + value if coding else value or b","
        elif kind == CONNECTION:
            connection += b"," + value
        elif kind == UPGRADE:
            upgrade = upgrade + b", " + value if upgrade else value
        elif kind == LOCATION:
            if location:
                raise Malformed(502, "more than one Location field")
            location = value
        else:
            cookies.append(value)
    return told, coding, tokens(connection) if connection else NO_OPTIONS, upgrade, location, cookies


GOES_ON = (PLAIN, HARDENING, RETRY_AFTER)
NO_KINDS = Kinds({}, {})
NO_OPTIONS: frozenset[bytes] = frozenset()
PLAIN_OPTIONS = HOP_BY_HOP | {b"close", b"keep-alive"}


def _length(coding: bytes, told: int) -> int:
    if not coding:
        return told if told >= 0 else UNTIL_CLOSE
    if coding.lower() != b"chunked" or told >= 0:
        raise Malformed(502, "Transfer-Encoding must be chunked alone, without Content-Length")
    return CHUNKED


def trailer_lines(trailers: list[tuple[bytes, bytes]]) -> bytes:
    """Those that may go on. Raises Malformed."""
    fields = [read_field(b"%b: %b" % each, NO_KINDS) for each in trailers]
    return b"".join([each.line for each in fields if each.key not in NO_TRAILERS])
