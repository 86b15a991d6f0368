"""One direction of one connection, cut into messages: a head, then its body.

llhttp (httptools) parses heads and chunked bodies; the cutting is done here, so that the parser is never fed a byte
beyond the message it is in:

- A head ends at its first empty line and is fed whole. Bodies of known length are counted, not parsed, and are handed
  on as they came; the parser that saw such a head is thrown away, because it still waits for the body.
- A chunked message can only end where CR LF CR LF stands, so its bytes are fed in pieces that end there: bytes of a
  following message are returned, never parsed. Framing bytes (extensions, trailers, tiny chunks) have a bound.
- What llhttp lets pass and RFC 9112 does not is refused before it is fed: the request line has exactly one space
  between its parts, version 1.0 or 1.1, and nothing before it (section 3); a line ends with CR LF (section 2.2).

- On a kept connection one head is mostly like the one before, but for the request line. A block of fields that is equal
  byte for byte is not parsed again; `same` says so, and what was made of it can be used again.

Invariant: whatever the sizes of the pieces fed, heads, bodies and the rest come out the same.

Not here: what a head means and whether its fields agree (`heads`, `answer_heads`).
"""

from __future__ import annotations

import re
from typing import Any

import httptools

from shared.errors import PlexmeshError

Fields = list[tuple[bytes, bytes]]

NONE, CHUNKED, UNTIL_CLOSE = 0, -1, -2
"""Lengths of a body that are not a number of bytes."""

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])\r\n")
OTHER_VERSION = re.compile(TOKEN + rb" [\x21-\x7e]+ HTTP/[0-9]\.[0-9]\r\n")
BARE_LF = re.compile(rb"(?<!\r)\n")
NOT_A_LINE = re.compile(rb"[^\x20-\x7e\r\n]")

MAX_FRAMING_BYTES = 16_384
"""Bytes of chunk framing that are free in one message; beyond, they may not exceed the body they frame."""


MAX_SAME_BYTES = 4096
"""Larger blocks of fields are not remembered."""


class Malformed(PlexmeshError):
    """A message that must not be forwarded. `status` is what a client is answered; `str()` says what is wrong."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Reader:
    """Reads heads and chunked bodies. `fields` is that of the last head; `trailers` counts those dropped."""

    def __init__(self, max_head_bytes: int, max_fields: int) -> None:
        self.max_head_bytes = max_head_bytes
        self.max_fields = max_fields
        self.fields: Fields = []
        self._parser: Any = None
        self._held = bytearray()
        self._pieces: list[bytes] = []
        self._tail = b""
        """The last bytes of a chunked body that were fed: its end may be cut in two."""
        self._framing_bytes = 0
        self._body_bytes = 0
        self._in_body = False
        self._complete = False
        self._block = b""
        """The fields parsed last, as they came; empty when they must be parsed again."""
        self.same = False
        """`fields` are those of the head before."""

    # --- called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:
            self.fields.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._complete = True

    # --- heads

    def read_head(self, data: bytes) -> bytes | None:
        """Take bytes of a head. None: it is not whole yet; otherwise the bytes that follow it."""
        if self._held:
            return self._read_held(data)
        end = data.find(b"\r\n\r\n") + 4
        if end == 3:
            self._hold(data)
            return None
        if end == len(data):
            self._parse_head(data)
            return b""
        self._parse_head(data[:end])
        return data[end:]

    def _read_held(self, data: bytes) -> bytes | None:
        seen = max(0, len(self._held) - 3)
        self._held += data
        end = self._held.find(b"\r\n\r\n", seen) + 4
        if end == 3:
            self._check_held(seen)
            return None
        head, rest = bytes(self._held[:end]), bytes(self._held[end:])
        self._held.clear()
        self._parse_head(head)
        return rest

    def _hold(self, data: bytes) -> None:
        self._held += data
        self._check_held(0)

    def _check_held(self, seen: int) -> None:
        self._check_first_line(seen)
        if len(self._held) > self.max_head_bytes:
            raise Malformed(431, "the head is too large")
        if BARE_LF.search(self._held, seen):
            raise Malformed(400, "a line must end with CR LF")

    def _check_first_line(self, seen: int) -> None:
        """Refuse early what can never become a first line, such as a TLS handshake; `seen` bytes were looked at."""

    @property
    def holding(self) -> bool:
        """A part of a head is here."""
        return bool(self._held)

    def _parse_head(self, head: bytes) -> None:
        """Make `fields` of a whole head, and whatever its first line says."""
        raise NotImplementedError

    def _parse(self, head: bytes, block: bytes) -> None:
        if len(head) > self.max_head_bytes:
            raise Malformed(431, "the head is too large")
        self.same = False
        self._block = b""
        self.fields = []
        self._in_body = self._complete = False
        if self._parser is None:
            self._parser = self._new_parser()
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            self._parser = None
        except httptools.HttpParserError as error:
            raise Malformed(400, f"malformed head: {error}") from error
        if len(self.fields) > self.max_fields:
            raise Malformed(431, f"more than {self.max_fields} header fields")
        self._in_body = True
        if len(block) <= MAX_SAME_BYTES:
            self._block = block

    def _new_parser(self) -> Any:
        raise NotImplementedError

    def expect(self, length: int) -> None:
        """Say what body follows the last head. Only CHUNKED goes through the parser, and NONE leaves it in step.

        So a head before a chunked body must be parsed even if it is like the one before."""
        if length == CHUNKED:
            self._framing_bytes = self._body_bytes = 0
            self._tail = self._block = b""
        elif not self.same and (length != NONE or not self._complete):
            self._parser = None

    # --- chunked bodies

    def read_chunked(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """Take bytes of a chunked body: its pieces, and the bytes after its end (None: it has not ended)."""
        pieces: list[bytes] = []
        self._pieces = pieces
        fed = start = len(self._tail)
        data = self._tail + data
        size = len(data)
        while start < size and not self._complete:
            end = data.find(b"\r\n\r\n", max(0, start - 3)) + 4
            if end == 3:
                end = size
            self._feed_chunked(data[start:end])
            start = end
        self._tail = data[-3:]
        self._check_framing(start - fed, pieces)
        return pieces, data[start:] if self._complete else None

    def _feed_chunked(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._parser = None
            raise Malformed(400, f"malformed chunked body: {error}") from error

    def _check_framing(self, size: int, pieces: list[bytes]) -> None:
        body = sum(map(len, pieces))
        self._body_bytes += body
        self._framing_bytes += size - body
        if self._framing_bytes > MAX_FRAMING_BYTES + 8 * self._body_bytes:
            raise Malformed(400, "a chunked body that is nearly all framing")


class RequestReader(Reader):
    """Reads requests: `method`, `target` and `minor` (0 or 1, of HTTP/1.x) are those of the last head."""

    def __init__(self, max_head_bytes: int, max_fields: int, max_line_bytes: int) -> None:
        super().__init__(max_head_bytes, max_fields)
        self.max_line_bytes = max_line_bytes
        self.method = self.target = b""
        self.minor = 1

    def _new_parser(self) -> Any:
        return httptools.HttpRequestParser(self)

    def _parse_head(self, head: bytes) -> None:
        line = REQUEST_LINE.match(head)
        if line is None:
            raise _refused_line(head)
        if line.end() > self.max_line_bytes:
            raise Malformed(414, "the request line is too long")
        self.method, self.target, minor = line.groups()
        if self.method not in METHODS:
            raise Malformed(501, "the method is not known here")
        block = head[line.start(3) :]
        if block == self._block:
            self.same = True
        else:
            self.minor = 1 if minor == b"1" else 0
            self._parse(head, block)

    def _check_first_line(self, seen: int) -> None:
        end = self._held.find(b"\r\n", 0, self.max_line_bytes) + 2
        if end == 1:
            if NOT_A_LINE.search(self._held, seen, self.max_line_bytes):
                raise Malformed(400, "malformed request line")
            if len(self._held) > self.max_line_bytes:
                raise Malformed(414, "the request line is too long")
        elif end > seen and not REQUEST_LINE.match(self._held):
            raise _refused_line(bytes(self._held))


class AnswerReader(Reader):
    """Reads answers: `status` and `reason` are those of the last head."""

    def __init__(self, max_head_bytes: int, max_fields: int) -> None:
        super().__init__(max_head_bytes, max_fields)
        self.status = 0
        self.reason = b""
        self.minor = 1

    def on_status(self, reason: bytes) -> None:
        self.reason = reason

    def _new_parser(self) -> Any:
        return httptools.HttpResponseParser(self)

    def _parse_head(self, head: bytes) -> None:
        if head == self._block:
            self.same = True
            return
        if head[:7] != b"HTTP/1.":
            raise Malformed(502, "not an answer of HTTP/1.0 or 1.1")
        parser = self._parser
        if parser is None:
            parser = self._parser = self._new_parser()
        self.reason = b""
        self._parse(head, head)
        self.status = parser.get_status_code()
        self.minor = 0 if head[7:8] == b"0" else 1


METHODS = frozenset(
    b"GET HEAD POST PUT DELETE PATCH OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND "
    b"UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK "
    b"QUERY".split()
)
"""Those that llhttp knows and that a gateway may pass on: not CONNECT, SOURCE (Icecast) or RTSP's."""


def _refused_line(head: bytes) -> Malformed:
    if OTHER_VERSION.match(head):
        return Malformed(505, "the version must be HTTP/1.0 or HTTP/1.1")
    if head.find(b"\r\n") < 0 or head.startswith(b"\r\n"):
        return Malformed(400, "malformed request line")
    return Malformed(400, "malformed request line: one method, one target and one version, with one space between")
