"""What a peer's connection is: messages between discovery nodes, parsed and answered at once.

A message between nodes costs the answering side about a third of what it costs through aiohttp's server, and nodes do
little else. A stream that began with a peer's message carries nothing else: one request at a time, with a
Content-Length, answered in the same step. Everything unexpected is answered once and ends it: a body above the limit, a
head above 16 kB, a second request before the answer to the first was taken, another path, an upgrade.

Source: RFC 9112; the parser is llhttp.
"""

from __future__ import annotations

from http import HTTPStatus

import httptools

from discovery.auth import MAC
from discovery.entrance import Entrance, Outcome
from discovery.peers import MSGPACK, PATH
from shared.doorway import Beginnings
from shared.stream import Stream, Streams

MAC_NAME = MAC.lower().encode()

HEAD_BYTES = 16_384


def peers_way(entrance: Entrance) -> Beginnings:
    return {f"POST {PATH}".encode(): lambda streams: PeerStream(streams, entrance)}


class PeerStream(Stream):
    def __init__(self, streams: Streams, entrance: Entrance) -> None:
        super().__init__(streams)
        self._entrance = entrance
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def _begin(self) -> None:
        self._path = b""
        self._mac = ""
        self._in_head = True
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._refused = 0
        self._whole = False
        self._last = False

    # --- asyncio's callbacks

    def data_received(self, data: bytes) -> None:
        self._silent = 0
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refused = self._refused or 400
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refused = self._refused or 431
        if self._refused:
            self._write(Outcome(self._refused, "Connection", "close", b""))
            self.end()
        elif self._whole:
            self._answer()

    # --- httptools' callbacks

    def on_message_begin(self) -> None:
        if self._whole:
            self._refused = 400

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == MAC_NAME:
            self._mac = value.decode("latin-1")
        elif name == b"transfer-encoding":
            self._refused = self._refused or 411
        elif name == b"content-length":
            self._body_bytes = int(value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._last = not self._parser.should_keep_alive()  # the parser forgets it with the body
        if self._parser.get_method() != b"POST" or not self._path.startswith(PATH.encode()):
            self._refused = self._refused or 421
        elif self._body_bytes > self._entrance.body_limit(self._mac):
            self._refused = self._refused or 413

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        self._whole = True

    # --- inside

    def _answer(self) -> None:
        assert self._transport is not None
        if self.unsent():
            self._transport.abort()  # it asks on without taking the last answer
            return
        path, mac, body, last = self._path.decode("latin-1"), self._mac, b"".join(self._body), self._last
        self._begin()
        self._write(self._entrance.answer(path, mac, body))
        if last:
            self.end()

    def _write(self, outcome: Outcome) -> None:
        assert self._transport is not None
        status, header, proof, body = outcome
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {MSGPACK}\r\n"
            f"Content-Length: {len(body)}\r\n{header}: {proof}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
