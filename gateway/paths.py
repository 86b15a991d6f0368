"""The path a request is routed by: one spelling for all that mean the same (RFC 3986, section 6.2.2).

Percent-encoded unreserved characters are decoded and dot segments removed, *before* a route is looked up, so nothing
that reaches an instance can climb out of the route it was let in by. Refused with 400, because two readers could
disagree about them: climbing above the root, dot segments spelled with an encoded slash, with a backslash or with a
parameter (`..;x`), a percent sign without two hexadecimal digits, an encoded NUL, and characters that no path may hold.
An encoded slash elsewhere passes as it came.

Not here: the request line itself (`heads`), which route it is (`routes`).
"""

from __future__ import annotations

import re

from gateway.fields import Malformed

PLAIN = re.compile(rb"(?:/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)*/?\Z")
"""No percent sign and no segment that begins with a dot: nothing to normalise, nothing to refuse."""

ALLOWED = re.compile(rb"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/|{}\[\]^`\"<>-]|%[0-9A-Fa-f]{2})*\Z")
ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
PARAMETERS = re.compile(rb";|%3[Bb]")
"""Servers of Java take what follows for a parameter, and climb by what is left."""
ANY_ENCODED = re.compile(rb"[%;\\]")
ENCODED_SLASH = re.compile(rb"%2[Ff]")
"""What a service, and a gateway, may be set to refuse in a path."""
SLASHES = re.compile(rb"/|%2[Ff]|%5[Cc]")


def normalised(path: bytes) -> bytes:
    """The path in its one spelling; the same object when it already is."""
    if PLAIN.match(path):
        return path
    if not ALLOWED.match(path):
        raise Malformed(400, "the path holds a character that must be percent-encoded")
    decoded = ENCODED.sub(_decode_unreserved, path)
    plain = without_dot_segments(decoded)
    if any(PARAMETERS.split(segment, maxsplit=1)[0] in (b".", b"..") for segment in SLASHES.split(plain)):
        raise Malformed(400, "the path hides a dot segment behind an encoded slash, or before a parameter")
    return plain


def _decode_unreserved(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16)
    if code == 0:
        raise Malformed(400, "the path holds an encoded NUL")
    return bytes((code,)) if code in UNRESERVED else match[0]


def without_dot_segments(path: bytes) -> bytes:
    """RFC 3986, section 5.2.4, except that climbing above the root is refused instead of ignored."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if not kept:
                raise Malformed(400, "the path climbs above its root")
            kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)
