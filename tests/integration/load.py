"""A steady load of GETs, half of them on new connections and half on kept-alive ones, and what became of each."""

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp

RATE = 200
TIMEOUT_S = 5.0


@dataclass
class Outcome:
    started: float
    status: int | None
    """None: the call was cut."""
    text: str
    took_s: float


@dataclass
class Load:
    url: str
    rate: float = RATE
    outcomes: list[Outcome] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Calls at `rate` a second, each on time whether or not earlier ones have ended, until `stop`."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as kept,
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)) as fresh,
            asyncio.TaskGroup() as calls,
        ):
            begun = time.monotonic()
            count = 0
            while not self._stop.is_set():
                calls.create_task(self._call(fresh if count % 2 else kept))
                count += 1
                await asyncio.sleep(max(begun + count / self.rate - time.monotonic(), 0))

    def stop(self) -> None:
        self._stop.set()

    async def _call(self, session: aiohttp.ClientSession) -> None:
        started = time.monotonic()
        try:
            async with session.get(self.url) as answer:
                status, text = answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            status, text = None, repr(error)
        self.outcomes.append(Outcome(started, status, text, time.monotonic() - started))

    @property
    def errors(self) -> list[Outcome]:
        return [each for each in self.outcomes if each.status not in (None, 200)]

    @property
    def cut(self) -> list[Outcome]:
        return [each for each in self.outcomes if each.status is None]

    def answered_by(self, lpar: str, since: float = 0.0) -> int:
        return sum(f'"{lpar}"' in each.text for each in self.outcomes if each.started >= since)
