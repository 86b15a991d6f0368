"""The door of a service: one port, where what comes often has a short way and everything else goes to aiohttp.

    connection ──first bytes are a known beginning──▶ the stream made for it (`shared.express` and others)
        └─────────────anything else────────────────▶ aiohttp

Who says nothing that tells what it wants is sent away after a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from shared.express import Desk, Express, Others
from shared.outbox import Outbox
from shared.stream import IDLE_S, Stream, Streams
from shared.tls import peer

Beginnings = Mapping[bytes, Callable[[Streams], Stream]]
"""Who takes a connection that begins so."""

Admits = Callable[[asyncio.BaseTransport | None, bytes], bool]
"""Whether that connection may go the short way it begins with; if not, aiohttp says why."""


def everybody(_: asyncio.BaseTransport | None, beginning: bytes) -> bool:
    return True


def holders(transport: asyncio.BaseTransport | None, beginning: bytes) -> bool:
    """Of a certificate that is believed."""
    return bool(peer(transport))


def short_ways(desk: Desk, others: Others) -> Beginnings:
    """To the desk, for connections that begin with one of its requests."""
    return {beginning: lambda streams: Express(streams, desk, others) for beginning in desk.beginnings}


class Doorway:
    """Makes the protocol of each new connection; `others` makes aiohttp's."""

    def __init__(
        self,
        others: Others,
        beginnings: Beginnings,
        idle_s: float = IDLE_S,
        *,
        certified: bool = False,
        admits: Admits | None = None,
    ) -> None:
        """`certified`: short ways are for those who have shown a certificate; aiohttp says what others may."""
        self.others = others
        self.beginnings = beginnings
        self.admits = admits or (holders if certified else everybody)
        self.streams = Streams(idle_s, Outbox(asyncio.get_running_loop()))

    def __call__(self) -> asyncio.Protocol:
        return Arrival(self)

    def close(self) -> None:
        self.streams.close()


class Arrival(Stream):
    """A connection that has not said yet what it wants; it may take one round of the timer for it, whatever comes."""

    def __init__(self, doorway: Doorway) -> None:
        super().__init__(doorway.streams)
        self._doorway = doorway
        self._said = b""

    @property
    def patience(self) -> int:
        return 0

    def data_received(self, data: bytes) -> None:
        self._said = said = self._said + data
        waiting = False
        for beginning, make in self._doorway.beginnings.items():
            if said.startswith(beginning):
                admitted = self._doorway.admits(self._transport, beginning)
                self.hand_over(make(self._streams) if admitted else self._doorway.others(), said)
                return
            waiting = waiting or beginning.startswith(said)
        if not waiting:
            self.hand_over(self._doorway.others(), said)
