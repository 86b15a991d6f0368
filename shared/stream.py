"""A connection at the door: known while it lasts, and ended when nothing comes for too long.

One timer a connection, which looks every `idle_s` seconds whether something has come since.
"""

from __future__ import annotations

import asyncio
from typing import cast

from shared.outbox import Outbox

IDLE_S = 60.0

TLS_SLACK_BYTES = 16_384


class Streams:
    """Those that are open. `idle_s`: one on which nothing comes for one to two times as long has no patience left."""

    def __init__(self, idle_s: float = IDLE_S, outbox: Outbox | None = None) -> None:
        """`outbox`: small answers go through it, else at once."""
        self.idle_s = idle_s
        self.outbox = outbox
        self.open: set[Stream] = set()

    def __len__(self) -> int:
        return len(self.open)

    def close(self) -> None:
        for stream in list(self.open):
            stream.end()


class Stream(asyncio.Protocol):
    """It is among the open ones from `connection_made` until `end` or `hand_over`."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silent = 0

    @property
    def patience(self) -> int:
        """It is ended when the timer has found it silent more often than that, without a break."""
        return 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._streams.open.add(self)
        self._wait()

    def connection_lost(self, error: Exception | None) -> None:
        self.end()

    def end(self) -> None:
        self._flush()
        self._forget()
        if self._transport is not None:
            self._transport.close()

    def hand_over(self, to: asyncio.Protocol, said: bytes) -> None:
        """The connection is another's from now on; `said` is what it begins with."""
        assert self._transport is not None
        self._flush()
        self._forget()
        self._transport.set_protocol(to)
        to.connection_made(self._transport)
        to.data_received(said)

    def _flush(self) -> None:
        if self._streams.outbox is not None:
            self._streams.outbox.flush()

    def _forget(self) -> None:
        self._streams.open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def unsent(self) -> bool:
        """What was written waits for the other end to take it. With TLS some of the handshake may wait besides."""
        assert self._transport is not None
        plain = self._transport.get_extra_info("sslcontext") is None
        return self._transport.get_write_buffer_size() > (0 if plain else TLS_SLACK_BYTES)

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._streams.idle_s, self._look)

    def _look(self) -> None:
        self._silent += 1
        if self._silent <= self.patience:
            self._wait()
            return
        if self._transport is not None and self.unsent():
            self._transport.abort()  # what was written for it will never be taken
        self.end()
