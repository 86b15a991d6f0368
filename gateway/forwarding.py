"""The bytes that are sent on: heads rebuilt from checked parts, in both directions.

Towards the instance: its own Host, the outgoing path, `X-Forwarded-*`, `Forwarded` (RFC 7239) and `Via` as this gateway
knows them, a request id, and the trace (W3C Trace Context): continued, with a step of our own, or begun. Towards the
client: the answer's fields, the length as told or chunked, `X-Plexmesh-Path`, and `Connection` where it differs from
what the client's version assumes.

What a trusted proxy says about the client is believed and added to, or passed on; a stranger's word is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.answer_heads import AnswerHead
from gateway.fields import Field
from gateway.heads import FORWARDING
from gateway.reader import CHUNKED, UNTIL_CLOSE

VIA = b"1.1 plexmesh-gateway"


def forwarded(client_ip: bytes, host: bytes, port: int, aside: Sequence[Field] = (), *, secure: bool = False) -> bytes:
    """The lines that say who asked, and for which host. `aside` is what a trusted proxy said of it already."""
    said: dict[bytes, bytes] = {}
    others = [field.line for field in aside if field.key not in FORWARDING]
    for field in aside:
        said[field.key] = said[field.key] + b", " + field.value if field.key in said else field.value
    node = b'"[%b]"' % client_ip if b":" in client_ip else client_ip
    own = b"https" if secure else b"http"
    proto = said.get(b"x-forwarded-proto", own)
    for_host = b';host="%b"' % host if host else b""
    lines = {
        b"X-Forwarded-For": _after(said, b"x-forwarded-for", client_ip),
        b"X-Forwarded-Proto": proto,
        b"X-Forwarded-Port": said.get(b"x-forwarded-port") or _port_in(host) or b"%d" % port,
        b"Forwarded": _after(said, b"forwarded", b"for=%b%b;proto=%b" % (node, for_host, own)),
        b"X-Forwarded-Host": said.get(b"x-forwarded-host", host),
        b"Via": _after(said, b"via", VIA),
    }
    return b"".join([b"%b: %b\r\n" % line for line in lines.items() if line[1]] + others)


def _after(said: dict[bytes, bytes], key: bytes, own: bytes) -> bytes:
    return said[key] + b", " + own if said.get(key) else own


def _port_in(host: bytes) -> bytes:
    _, found, port = host.rpartition(b":")
    return port if found and port.isdigit() else b""


class Ids:
    """Request ids and trace steps: a random part for each gateway process, and the number of the request."""

    def __init__(self, name: str, bits: int) -> None:
        """`bits` are 128 random ones."""
        self._prefix = f"{name}-{bits & 0xFFFFFFFFFFFF:012x}-".lower().encode()
        self._trace = b"%016x" % (bits >> 64 | 1)
        self._span = b"%08x" % (bits >> 32 & 0xFFFFFFFF | 1)

    def request_id(self, number: int) -> bytes:
        return b"%b%x" % (self._prefix, number)

    def trace_id(self, number: int) -> bytes:
        return b"%b%016x" % (self._trace, number)

    def fresh(self, number: int) -> bytes:
        """The lines of a request that brought neither, and the end of its head. It is not sampled: nothing here is."""
        return b"X-Request-Id: %b%x\r\ntraceparent: 00-%b%016x-%b%08x-00\r\n\r\n" % (
            self._prefix, number, self._trace, number, self._span, number & 0xFFFFFFFF,
        )  # fmt: skip

    def lines(self, number: int, request_id: bytes, trace: bytes) -> bytes:
        """The same, of a request that brought at least one. `trace` is a valid traceparent: a step is put under it."""
        if not trace:
            trace = b"00-%b-0000000000000000-00" % self.trace_id(number)
        return b"X-Request-Id: %b\r\ntraceparent: %b%b%08x%b\r\n\r\n" % (
            request_id or self.request_id(number), trace[:36], self._span, number & 0xFFFFFFFF, trace[52:],
        )  # fmt: skip


def answer_head(
    head: AnswerHead, *, way: bytes, location: bytes, cookies: Sequence[bytes], minor: int, keep_alive: bool
) -> bytes:
    """The head the client gets; `way` is a whole X-Plexmesh-Path line or empty, `minor` the client's version."""
    parts = [head.lines]
    if head.length in (CHUNKED, UNTIL_CLOSE) and minor == 1:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if location:
        parts += (b"Location: ", location, b"\r\n")
    for cookie in cookies:
        parts += (b"Set-Cookie: ", cookie, b"\r\n")
    if not keep_alive:
        parts.append(b"Connection: close\r\n")
    elif minor == 0:
        parts.append(b"Connection: keep-alive\r\n")
    parts += (way, b"\r\n")
    return b"".join(parts)


def switching_head(head: AnswerHead, way: bytes) -> bytes:
    """101, and to what."""
    cookies = b"".join([b"Set-Cookie: %b\r\n" % cookie for cookie in head.cookies])
    return b"%bConnection: Upgrade\r\nUpgrade: %b\r\n%b%b\r\n" % (head.lines, head.upgrade, cookies, way)


def interim_head(head: AnswerHead) -> bytes:
    """A 1xx answer, passed on as it came."""
    return head.lines + b"\r\n"


def chunks(pieces: list[bytes]) -> bytes:
    return b"".join([part for piece in pieces for part in (b"%x\r\n" % len(piece), piece, b"\r\n")])
