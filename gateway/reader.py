"""One direction of one connection, cut into messages: a head, then its body.

A head ends at its first empty line. Its first line is checked by its grammar (RFC 9112, sections 3 and 4): exactly one
space between its parts, version 1.0 or 1.1, and nothing before it; the fields follow as one block of bytes, which
`fields` and whoever knows their meaning check. Bodies of known length are counted, not parsed, and are handed on as
they came; chunked ones have a reader of their own.

A target that is already in its one spelling (`paths`) is split here; the rest is left to `heads`.

Invariant: whatever the sizes of the pieces fed, heads and the rest come out the same.

Not here: what a head means and whether its fields agree (`heads`, `answer_heads`), chunked bodies (`chunked`).
"""

from __future__ import annotations

import re

from gateway.fields import TOKEN, Malformed

NONE, CHUNKED, UNTIL_CLOSE = 0, -1, -2
"""Lengths of a body that are not a number of bytes."""

PLAIN_LINE = re.compile(rb"([A-Z]+) (/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)((?:\?[\x21\x22\x24-\x7e]*)?) HTTP/1\.([01])\r\n")
"""A path without a percent sign, and a query. (That no segment begins with a dot is looked at besides.)"""
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])\r\n")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n")
OTHER_VERSION = re.compile(TOKEN + rb" [\x21-\x7e]+ HTTP/[0-9]\.[0-9]\r\n")
BARE_LF = re.compile(rb"(?<!\r)\n")
NOT_A_LINE = re.compile(rb"[^\x20-\x7e\r\n]")


class Reader:
    """Reads heads. `block` is the last head's fields: the lines between its first and its empty one."""

    def __init__(self, max_head_bytes: int) -> None:
        self.max_head_bytes = max_head_bytes
        self.minor = 1
        """Of the version, HTTP/1.x."""
        self.block = b""
        self._held = bytearray()

    def read_head(self, data: bytes) -> bytes | None:
        """Take bytes of a head. None: it is not whole yet; otherwise the bytes that follow it. Raises Malformed."""
        if self._held:
            return self._read_held(data)
        end = data.find(b"\r\n\r\n") + 4
        if end == 3:
            self._hold(data)
            return None
        if end > self.max_head_bytes:
            raise Malformed(431, "the head is too large")
        self._read(data, end)
        return data[end:] if end < len(data) else b""

    def _read_held(self, data: bytes) -> bytes | None:
        seen = max(0, len(self._held) - 3)
        self._held += data
        end = self._held.find(b"\r\n\r\n", seen) + 4
        if end == 3:
            self._check_held(seen)
            return None
        if end > self.max_head_bytes:
            raise Malformed(431, "the head is too large")
        whole = bytes(self._held)
        self._held.clear()
        self._read(whole, end)
        return whole[end:]

    def _hold(self, data: bytes) -> None:
        self._held += data
        self._check_held(0)

    def _check_held(self, seen: int) -> None:
        self._check_first_line(seen)
        if len(self._held) > self.max_head_bytes:
            raise Malformed(431, "the head is too large")
        if BARE_LF.search(self._held, seen):
            raise Malformed(400, "a line must end with CR LF")

    @property
    def holding(self) -> bool:
        """A part of a head is here."""
        return bool(self._held)

    def _check_first_line(self, seen: int) -> None:
        """Refuse early what can never become a first line, such as a TLS handshake; `seen` bytes were looked at."""

    def _read(self, data: bytes, end: int) -> None:
        """Read the head that `data` begins with and that ends, with its empty line, at `end`."""
        raise NotImplementedError


class RequestReader(Reader):
    """Reads requests: `method` and `minor` are those of the last head; no method while a request line is no good.

    Either `path` (in its one spelling) and `query` ("?…" or empty) are told, or the whole `target`; the other is empty.
    """

    def __init__(self, max_head_bytes: int, max_line_bytes: int) -> None:
        super().__init__(max_head_bytes)
        self.max_line_bytes = max_line_bytes
        self.method = self.target = self.path = self.query = b""

    def _read(self, data: bytes, end: int) -> None:
        line = PLAIN_LINE.match(data)
        if line is not None:
            self.method, self.path, self.query, minor = line.groups()
            self.target = b"" if b"/." not in self.path else self.path + self.query
        else:
            self.method = b""
            line = REQUEST_LINE.match(data)
            if line is None:
                raise _refused_line(data[:end])
            self.method, self.target, minor = line.groups()
            self.path = self.query = b""
        start = line.end()
        if start > self.max_line_bytes:
            raise Malformed(414, "the request line is too long")
        if self.method not in METHODS:
            raise Malformed(501, "the method is not known here")
        self.minor = 1 if minor == b"1" else 0
        self.block = data[start : end - 4]

    def _check_first_line(self, seen: int) -> None:
        self.method = b""
        end = self._held.find(b"\r\n", 0, self.max_line_bytes) + 2
        if end == 1:
            if NOT_A_LINE.search(self._held, seen, self.max_line_bytes):
                raise Malformed(400, "malformed request line")
            if len(self._held) > self.max_line_bytes:
                raise Malformed(414, "the request line is too long")
        elif end > seen and not REQUEST_LINE.match(self._held):
            raise _refused_line(bytes(self._held))


class AnswerReader(Reader):
    """Reads answers: `status` and `reason` are those of the last head; `same`: it is the head before, byte for byte."""

    def __init__(self, max_head_bytes: int) -> None:
        super().__init__(max_head_bytes)
        self.status = 0
        self.reason = b""
        self.same = False
        self._head = b""

    def _read(self, data: bytes, end: int) -> None:
        head = data[:end]
        self.same = head == self._head
        if self.same:
            return
        line = STATUS_LINE.match(head)
        if line is None:
            raise Malformed(502, "not an answer of HTTP/1.0 or 1.1")
        minor, status, reason = line.groups()
        self.minor = 1 if minor == b"1" else 0
        self.status = int(status)
        self.reason = reason or b""
        self.block = head[line.end() : -4]
        self._head = head


METHODS = frozenset(
    b"GET HEAD POST PUT DELETE PATCH OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND "
    b"UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK "
    b"QUERY".split()
)
"""Registered ones that a gateway may pass on: not CONNECT, PRI, and nothing of other protocols."""


def _refused_line(head: bytes) -> Malformed:
    if OTHER_VERSION.match(head):
        return Malformed(505, "the version must be HTTP/1.0 or HTTP/1.1")
    if head.find(b"\r\n") < 0 or head.startswith(b"\r\n"):
        return Malformed(400, "malformed request line")
    return Malformed(400, "malformed request line: one method, one target and one version, with one space between")
