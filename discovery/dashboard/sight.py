"""Asks the other nodes how they see the mesh (GET /v1/peers), while somebody looks at the page.

At most once in two seconds, each for half a second at most, and the page does not wait for it but the first time: a
node that hangs must not slow down the picture of all the others.

Not here: what becomes of the answers (`discovery.dashboard.matrix`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import aiohttp
import msgspec

from discovery import clock
from discovery.dashboard.matrix import Sighting
from shared import net
from shared.config import ServiceConfig

EVERY_S = 2.0
FRESH_S = 6.0
"""What is older is of the last time somebody looked."""

TIMEOUT: Final = aiohttp.ClientTimeout(total=0.5)
ANSWER_BYTES = 1 << 20

Sightings = dict[str, Sighting | None]
"""By address; None: it did not answer."""

_sighting = msgspec.json.Decoder(Sighting)


class Sight:
    def __init__(self, config: ServiceConfig) -> None:
        self._session = aiohttp.ClientSession(connector=net.to_ours(config), timeout=TIMEOUT)
        self._look: asyncio.Task[None] | None = None
        self._asked_at = self._seen_at = float("-inf")
        self._seen: Sightings = {}

    async def of(self, addresses: Sequence[str]) -> Sightings:
        """What is known of those nodes' sights."""
        now = clock.now()
        if (self._look is None or self._look.done()) and now - self._asked_at >= EVERY_S:
            self._asked_at = now
            self._look = asyncio.get_running_loop().create_task(self._look_around(addresses))
        if self._look is not None and now - self._seen_at > FRESH_S:
            await asyncio.wait([self._look])
        return {address: self._seen[address] for address in addresses if address in self._seen}

    async def close(self) -> None:
        if self._look is not None:
            self._look.cancel()
            await asyncio.wait([self._look])
        await self._session.close()

    async def _look_around(self, addresses: Sequence[str]) -> None:
        answers = await asyncio.gather(*(self._ask(address) for address in addresses))
        self._seen = dict(zip(addresses, answers, strict=True))
        self._seen_at = clock.now()

    async def _ask(self, address: str) -> Sighting | None:
        try:
            async with self._session.get(f"{address}/v1/peers", allow_redirects=False) as answer:
                length = answer.content_length
                if answer.status != 200 or length is None or length > ANSWER_BYTES:
                    return None
                return _sighting.decode(await answer.read())
        except (aiohttp.ClientError, OSError, msgspec.DecodeError, ValueError):
            return None
