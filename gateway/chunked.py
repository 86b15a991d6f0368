"""A chunked body, read strictly: its pieces, its trailers, and where it ends (RFC 9112, section 7.1).

llhttp (httptools) parses it, behind a head of our own. A chunked message can only end where CR LF CR LF stands, so its
bytes are fed in pieces that end there: bytes of a following message are returned, never parsed. Framing bytes
(extensions, trailers, tiny chunks) have a bound; extensions are dropped.

Invariant: whatever the sizes of the pieces fed, body, trailers and rest come out the same.
"""

from __future__ import annotations

from typing import Any

import httptools

from gateway.fields import Malformed

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

MAX_FRAMING_BYTES = 16_384
"""Bytes of chunk framing that are free in one message; beyond, they may not exceed eight times the body they frame."""


class ChunkedReader:
    def __init__(self) -> None:
        self.trailers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._tail = b""
        """The last bytes that were fed: the end may be cut in two."""
        self._framing_bytes = 0
        self.body_bytes = 0
        self._complete = False
        self._parser: Any = httptools.HttpRequestParser(self)
        self._parser.feed_data(HEAD)
        self.trailers.clear()

    # --- called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        self.trailers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._complete = True

    # --- bytes in

    def read(self, data: bytes) -> tuple[list[bytes], bytes | None]:
        """Take bytes of the body: its pieces, and the bytes after its end (None: it goes on). Raises Malformed."""
        pieces: list[bytes] = []
        self._pieces = pieces
        fed = start = len(self._tail)
        data = self._tail + data
        size = len(data)
        while start < size and not self._complete:
            end = data.find(b"\r\n\r\n", max(0, start - 3)) + 4
            if end == 3:
                end = size
            self._feed(data[start:end])
            start = end
        self._tail = data[-3:]
        self._check_framing(start - fed, pieces)
        return pieces, data[start:] if self._complete else None

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Malformed(400, f"malformed chunked body: {error}") from error

    def _check_framing(self, size: int, pieces: list[bytes]) -> None:
        body = sum(map(len, pieces))
        self.body_bytes += body
        self._framing_bytes += size - body
        if self._framing_bytes > MAX_FRAMING_BYTES + 8 * self.body_bytes:
            raise Malformed(400, "a chunked body that is nearly all framing")
