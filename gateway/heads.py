"""The head of a request: strict checks, and what of it may go on to an instance.

What is refused (400 unless said), because two readers could understand it differently or because the RFC says so:

    Host            none or two (9112, 3.2); not a host with an optional port; other than an absolute target's host
    target          asterisk except with OPTIONS, a fragment, user information, another scheme than http and https
    Content-Length  two fields, not digits only, together with Transfer-Encoding (9112, 6.3)
    Transfer-Enc.   anything but exactly `chunked`; any at all in HTTP/1.0 (9112, 6.1)
    Upgrade         with a body: bytes of the body could be taken for the new protocol
    Expect          anything but 100-continue (417; 9110, 10.1.1)

What is dropped: hop-by-hop fields and those Connection names (9110, 7.6.1), every field that only a gateway may say
(X-Forwarded-*, Forwarded, Via: strangers are not believed), and X-Certificate-*, by which a gateway vouches for a
client's certificate. Everything else goes on in its order and spelling.

Not here: the bytes that are sent (`forwarding`), answers (`answer_heads`), the path (`paths`).
"""

from __future__ import annotations

import re

import msgspec

from gateway.reader import CHUNKED, NONE, Fields, Malformed

AUTHORITY = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?\Z")
DIGITS = re.compile(rb"[0-9]{1,18}\Z")
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}\Z")

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade http2-settings".split()
)
FORWARDING = frozenset(
    b"forwarded via x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-forwarded-prefix "
    b"x-forwarded-ssl x-forwarded-server x-real-ip".split()
)
VOUCHING = frozenset(b"x-certificate-public x-certificate-distinguishedname x-certificate-commonname".split())
OWN = frozenset(b"host content-length expect x-request-id".split())
"""Not copied but said anew, from what was understood."""

SPECIAL = HOP_BY_HOP | FORWARDING | VOUCHING | OWN
ONCE = frozenset(b"host content-length transfer-encoding".split())

SAFE = frozenset(b"GET HEAD OPTIONS TRACE".split())


class RequestFields(msgspec.Struct, frozen=True, gc=False):
    """The checked fields of a head, which many heads of a connection have in common. `lines` are those that go on.

    `minor` is that of the client's version, 1.0 or 1.1. `length` is a number of bytes, NONE or CHUNKED. `upgrade` is
    the protocol asked for, or empty; so is `request_id` when the client gave none that can be kept.
    """

    minor: int
    host: bytes
    lines: bytes
    length: int
    keep_alive: bool
    upgrade: bytes
    expects_continue: bool
    request_id: bytes


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """A checked head. `query` begins with "?" or is empty."""

    method: bytes
    path: bytes
    query: bytes
    safe: bool
    fields: RequestFields


def read_request(method: bytes, target: bytes, fields: RequestFields) -> RequestHead:
    """Check a request line. Raises Malformed."""
    if target[:1] != b"/":
        target = _origin_form(method, target, fields.host)
    if b"#" in target:
        raise Malformed(400, "a target must not hold a fragment")
    path, mark, query = target.partition(b"?")
    return RequestHead(method, path, mark + query, method in SAFE, fields)


def read_fields(minor: int, fields: Fields) -> RequestFields:
    """Check the fields of a head. Raises Malformed."""
    lines, special = split(fields, SPECIAL, ONCE, 400)
    host = special.get(b"host")
    if host is None or not AUTHORITY.match(host):
        host = _host(host, minor)
    length = _length(special, minor)
    keep_alive, upgrade = minor == 1, b""
    if b"connection" in special or b"upgrade" in special:
        keep_alive, upgrade, lines = _connection(special, minor, length, lines)
    expects = b"expect" in special and _expects_continue(special[b"expect"], minor)
    request_id = special.get(b"x-request-id", b"")
    if request_id and not REQUEST_ID.match(request_id):
        request_id = b""
    return RequestFields(minor, host, b"".join(lines), length, keep_alive, upgrade, expects, request_id)


def split(
    fields: Fields, special: frozenset[bytes], once: frozenset[bytes], status: int
) -> tuple[list[bytes], dict[bytes, bytes]]:
    """(the fields that go on, as lines; those named `special`, joined by commas). Raises Malformed with `status`."""
    lines: list[bytes] = []
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        key = name.lower()
        if key not in special:
            lines += (name, b": ", value, b"\r\n")
        elif key not in found:
            found[key] = value
        elif key in once:
            raise Malformed(status, f"more than one {key.decode()} field")
        else:
            found[key] += b", " + value
    return lines, found


def _host(host: bytes | None, minor: int) -> bytes:
    if host is None and minor == 0:
        return b""
    raise Malformed(400, "no Host field" if host is None else "the Host field is not a host with an optional port")


def _origin_form(method: bytes, target: bytes, host: bytes) -> bytes:
    """The target as a path. A whole URL is allowed (9112, 3.2.2) when it names the same host."""
    if target == b"*" and method == b"OPTIONS":
        return b"/*"
    scheme, found, rest = target.partition(b"://")
    if not found or scheme.lower() not in (b"http", b"https"):
        raise Malformed(400, "a target must be a path, or a URL with http or https")
    end = re.search(rb"[/?#]|\Z", rest)
    authority, path = (rest[: end.start()], rest[end.start() :]) if end else (rest, b"")
    if b"@" in authority or authority.lower() != host.lower():
        raise Malformed(400, "the target names another host than the Host field")
    return path if path.startswith(b"/") else b"/" + path


def _length(special: dict[bytes, bytes], minor: int) -> int:
    coding = special.get(b"transfer-encoding")
    if coding is not None:
        if minor == 0 or coding.lower() != b"chunked" or b"content-length" in special:
            raise Malformed(400, "Transfer-Encoding must be chunked alone, in HTTP/1.1, without Content-Length")
        return CHUNKED
    digits = special.get(b"content-length")
    if digits is None:
        return NONE
    if not DIGITS.match(digits.strip(b" \t")):
        raise Malformed(400, "Content-Length must be digits")
    return int(digits)


def _connection(
    special: dict[bytes, bytes], minor: int, length: int, lines: list[bytes]
) -> tuple[bool, bytes, list[bytes]]:
    options = tokens(special.get(b"connection", b""))
    keep_alive = b"close" not in options and (minor == 1 or b"keep-alive" in options)
    upgrade = b""
    if b"upgrade" in options and b"upgrade" in special:
        if length != NONE:
            raise Malformed(400, "a request for another protocol must not have a body")
        upgrade = special[b"upgrade"] if minor == 1 and not _is_h2c(special[b"upgrade"]) else b""
    return keep_alive, upgrade, without(lines, options)


def _is_h2c(upgrade: bytes) -> bool:
    """HTTP/2 through a tunnel would go past every rule of this gateway, so the wish is ignored (9110, 7.8)."""
    return any(protocol.startswith((b"h2c", b"h2", b"http/")) for protocol in tokens(upgrade))


def _expects_continue(expect: bytes, minor: int) -> bool:
    if minor == 0:
        return False
    if expect.lower() != b"100-continue":
        raise Malformed(417, "the only expectation known is 100-continue")
    return True


def tokens(value: bytes) -> frozenset[bytes]:
    """A comma list, lower case."""
    return frozenset(part.strip(b" \t").lower() for part in value.split(b",")) - {b""}


PLAIN_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"))


def without(lines: list[bytes], options: frozenset[bytes]) -> list[bytes]:
    """The lines (four pieces each: name, colon, value, end) but for the fields that Connection names."""
    if options <= PLAIN_OPTIONS:
        return lines
    kept: list[bytes] = []
    for at in range(0, len(lines), 4):
        if lines[at].lower() not in options:
            kept += lines[at : at + 4]
    return kept
