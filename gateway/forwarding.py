"""The bytes that are sent on: heads rebuilt from checked parts, in both directions.

Towards the instance: its own Host, the outgoing path, `X-Forwarded-*`, `Forwarded` (RFC 7239) and `Via` as this gateway
knows them, a request id. Towards the client: the answer's fields, the length as told or chunked, `X-Plexmesh-Path`, and
`Connection` where it differs from what the client's version assumes.
"""

from __future__ import annotations

from gateway.answer_heads import AnswerHead
from gateway.heads import RequestHead
from gateway.reader import CHUNKED, NONE, UNTIL_CLOSE

VIA = b"Via: 1.1 plexmesh-gateway\r\n"

BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))
"""Methods whose requests say a length also when it is 0."""


def forwarded(client_ip: bytes, host: bytes, port: int) -> bytes:
    """The lines that say who asked, and for which host; the same for all requests of a connection to one host."""
    name_port = _port_in(host) or b"%d" % port
    node = b'"[%b]"' % client_ip if b":" in client_ip else client_ip
    for_host = b';host="%b"' % host if host else b""
    lines = (
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: %b\r\n"
        b"Forwarded: for=%b%b;proto=http\r\n" % (client_ip, name_port, node, for_host)
    )
    return lines + (b"X-Forwarded-Host: %b\r\n" % host if host else b"") + VIA


def _port_in(host: bytes) -> bytes:
    _, found, port = host.rpartition(b":")
    return port if found and port.isdigit() else b""


def request_head(
    head: RequestHead, path: bytes, authority: bytes, cut: bytes, who_asked: bytes, request_id: bytes
) -> bytes:
    """The head an instance gets. `cut` goes out as X-Forwarded-Prefix unless empty."""
    fields = head.fields
    start = (head.method, b" ", path, head.query, b" HTTP/1.1\r\nHost: ", authority, b"\r\n", fields.lines, who_asked)
    end = (b"X-Forwarded-Prefix: ", cut, b"\r\nX-Request-Id: ", request_id, b"\r\n\r\n")
    if head.safe and cut and fields.length == NONE and not fields.upgrade and not fields.expects_continue:
        return b"".join(start + end)
    return b"".join((*start, _framing(head), *(end if cut else (b"X-Request-Id: ", request_id, b"\r\n\r\n"))))


def _framing(head: RequestHead) -> bytes:
    fields = head.fields
    lines = b""
    if fields.length == CHUNKED:
        lines = b"Transfer-Encoding: chunked\r\n"
    elif fields.length != NONE or head.method in BODY_EXPECTED:
        lines = b"Content-Length: %d\r\n" % fields.length
    if fields.upgrade:
        lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % fields.upgrade
    if fields.expects_continue:
        lines += b"Expect: 100-continue\r\n"
    return lines


def answer_head(head: AnswerHead, *, way: bytes, location: bytes, minor: int, keep_alive: bool) -> bytes:
    """The head the client gets; `way` is a whole X-Plexmesh-Path line or empty, `minor` the client's version."""
    if keep_alive and minor == 1 and head.length >= 0 and not head.location:
        return b"".join((head.lines, way, b"\r\n"))
    parts = [head.lines]
    if head.length in (CHUNKED, UNTIL_CLOSE) and minor == 1:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if location:
        parts += (b"Location: ", location, b"\r\n")
    if not keep_alive:
        parts.append(b"Connection: close\r\n")
    elif minor == 0:
        parts.append(b"Connection: keep-alive\r\n")
    parts += (way, b"\r\n")
    return b"".join(parts)


def switching_head(head: AnswerHead, way: bytes) -> bytes:
    """101, and to what."""
    return b"%bConnection: Upgrade\r\nUpgrade: %b\r\n%b\r\n" % (head.lines, head.upgrade, way)


def interim_head(head: AnswerHead) -> bytes:
    """A 1xx answer, passed on as it came."""
    return head.lines + b"\r\n"


def chunks(pieces: list[bytes]) -> bytes:
    return b"".join([part for piece in pieces for part in (b"%x\r\n" % len(piece), piece, b"\r\n")])
