"""Bytes of an answer on their way to the client: framed as the client's version can read them, written in few pieces.

The head is held until the first bytes of its body come, or until it is clear that they come later (`flush`), so that a
small answer is one write. An answer without a length is chunked for HTTP/1.1, and ends with the connection for 1.0.

Not here: what is in the head (`forwarding`), the transport (`downstream`).
"""

from __future__ import annotations

from collections.abc import Callable

from gateway import forwarding

JOIN_BYTES = 16_384
"""Up to this size a head and the first bytes of its body are written as one."""


class Relay:
    __slots__ = ("_chunking", "_held", "_write", "moved_bytes")

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._held = b""
        self._chunking = False
        self.moved_bytes = 0
        """Of bodies and tunnels; only grows."""

    def head(self, head: bytes, *, chunking: bool) -> None:
        self._held = head
        self._chunking = chunking

    def whole(self, head: tuple[bytes, ...], body: bytes) -> None:
        """Head and body at once."""
        self.moved_bytes += len(body)
        if len(body) > JOIN_BYTES:
            self._write(b"".join(head))
            self._write(body)
        else:
            self._write(b"".join((*head, body)))

    def data(self, data: bytes) -> None:
        self._send(forwarding.chunks([data]) if self._chunking else data)

    def pieces(self, pieces: list[bytes]) -> None:
        if pieces:
            self._send(forwarding.chunks(pieces) if self._chunking else b"".join(pieces))

    def end(self, trailers: bytes) -> None:
        """The body is whole."""
        if self._chunking:
            self._send(b"0\r\n%b\r\n" % trailers)
            self._chunking = False
        else:
            self.flush()

    def drop(self) -> None:
        """What is held is not sent any more, and no end is made up."""
        self._held = b""
        self._chunking = False

    def flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._write(held)

    def _send(self, data: bytes) -> None:
        self.moved_bytes += len(data)
        if self._held:
            if len(data) > JOIN_BYTES:
                self.flush()
            else:
                data, self._held = self._held + data, b""
        self._write(data)
