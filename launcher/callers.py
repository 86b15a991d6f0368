"""A steady load of calls, and what became of each: the witness of demos and drills.

Calls start on time whether or not earlier ones have ended (an open loop), half of them on new connections and half on
kept-alive ones, because the two meet a dying gateway differently. Each ends as answered (any status), or as cut: the
connection broke or nothing came in time.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Outcome:
    started: float
    took_s: float
    status: int | None
    """None: the call was cut."""
    text: str
    """The answer's body, or how the call was cut."""


@dataclass
class Callers:
    """GETs of `url`, `rate` a second, from `run` to `stop`. Times are monotonic seconds."""

    url: str
    rate: float
    tls: ssl.SSLContext | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        timeout, secured = aiohttp.ClientTimeout(total=TIMEOUT_S), self.tls or True
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=secured)) as kept,
            aiohttp.ClientSession(
                timeout=timeout, connector=aiohttp.TCPConnector(ssl=secured, force_close=True)
            ) as fresh,
            asyncio.TaskGroup() as calls,
        ):
            begun, count = time.monotonic(), 0
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
        self.outcomes.append(Outcome(started, time.monotonic() - started, status, text))

    def between(self, begin: float, end: float) -> list[Outcome]:
        """The calls that started in that time."""
        return [each for each in self.outcomes if begin <= each.started < end]


def errors(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Error answers."""
    return [each for each in outcomes if each.status is not None and each.status >= 400]


def cut(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [each for each in outcomes if each.status is None]


def answered_by(outcomes: Sequence[Outcome], lpar: str) -> int:
    """How many name that LPAR in their answer, as the sample's `hello` does."""
    return sum(f'"{lpar}"' in each.text for each in outcomes)


def slowest_ms(outcomes: Sequence[Outcome]) -> float:
    return max((each.took_s * 1000 for each in outcomes), default=0.0)


def median_ms(outcomes: Sequence[Outcome]) -> float:
    took_s = sorted(each.took_s for each in outcomes)
    return took_s[len(took_s) // 2] * 1000 if took_s else 0.0
