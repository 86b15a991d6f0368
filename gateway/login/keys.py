"""The ring of keys that is in use, and when the files are looked at again: at once with a token whose key is not known,
otherwise some seconds after the last time. So a key that another gateway has made, or somebody has added, is known when
it is met, and one that was taken away is believed for some seconds more.

While the volume cannot be read the ring stays as it is.
"""

from __future__ import annotations

import asyncio
import time

from gateway.login.key_files import KeyFiles, Stamp
from gateway.login.ring import Algorithm, Ring, SigningKey
from shared.errors import PlexmeshError, Unavailable
from shared.events import Events

LOOK_S = 2.0


class Keys:
    def __init__(self, files: KeyFiles, algorithm: Algorithm, events: Events) -> None:
        self._files = files
        self._algorithm = algorithm
        self._events = events
        self._ring = Ring()
        self._stamp: Stamp | None = None
        self._faults: tuple[str, ...] = ()
        self._looked = float("-inf")
        self._turn = asyncio.Lock()

    async def knowing(self, id: str) -> Ring:
        """The ring, looked at anew if it does not have this key; empty, it is no reason to look."""
        async with self._turn:
            if (id and self._ring.get(id) is None) or self._old():
                await self._look()
            return self._ring

    async def signing(self) -> SigningKey:
        """The newest; the first one is made. Raises Unavailable: there can be none."""
        return (await self.present()).newest

    async def present(self) -> Ring:
        """With at least one key. Raises Unavailable."""
        async with self._turn:
            if self._old():
                await self._look()
            if not self._ring:
                await self._make()
            if not self._ring:
                raise Unavailable("there is no key to sign tokens with; the gateway's log says why")
            return self._ring

    def _old(self) -> bool:
        return time.monotonic() - self._looked >= LOOK_S

    async def _make(self) -> None:
        try:
            await asyncio.to_thread(self._files.make_first, self._algorithm, int(time.time()))
        except PlexmeshError as error:
            self._say((str(error),))
            return
        await self._look()

    async def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            stamp = await asyncio.to_thread(self._files.stamp)
            if stamp == self._stamp:
                return
            ring, faults = await asyncio.to_thread(self._files.read)
        except OSError as error:
            self._say((f"{self._files.folder}: {error.strerror}",))
            return
        self._stamp = stamp
        self._say(faults)
        before, self._ring = self._ring, ring
        if [each.id for each in before.keys] != [each.id for each in ring.keys]:
            signing = ring.newest.id if ring else ""
            self._events.emit("login.keys", signing=signing, believed=[each.id for each in ring.keys])

    def _say(self, faults: tuple[str, ...]) -> None:
        """Once."""
        for each in faults:
            if each not in self._faults:
                self._events.emit("login.key_refused", why=each)
        self._faults = faults
