"""An open-loop load of calls of every method, each of them one try: nothing is repeated, so nothing is hidden.

Half of the calls are made on new connections, half on kept ones. Cache writes are remembered, to be read back.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field

from launcher.drill.client import Answer, Client, Cut

TIMEOUT_S = 5.0
CACHE = "/cachingservice/api/v1/cache"


@dataclass(frozen=True)
class Outcome:
    at_s: float
    took_s: float
    what: str
    kept: str
    """Of a kept connection: how many calls it had carried, and how long it had rested; else empty."""
    status: int
    """0: it was cut."""
    why: str
    gateway: str
    """The LPAR of the gateway that answered."""


@dataclass
class MixedLoad:
    host: str
    rate: float
    cache: bool = True
    outcomes: list[Outcome] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    """Acknowledged."""

    def __post_init__(self) -> None:
        self._client = Client(self.host, 7554)
        self._stop = asyncio.Event()
        self._zero = time.monotonic()

    async def run(self) -> None:
        kinds = ["GET", "POST", "GET", "PUT", "GET", "CACHE" if self.cache else "POST", "GET", "DELETE"]
        async with asyncio.TaskGroup() as calls:
            for number, kind in enumerate(itertools.cycle(kinds)):
                if self._stop.is_set():
                    break
                calls.create_task(self._call(number, kind, new=number // len(kinds) % 2 == 0))
                await asyncio.sleep(max(self._zero + (number + 1) / self.rate - time.monotonic(), 0))
        self._client.close()
        await asyncio.sleep(0.05)  # the loop ends its connections

    def stop(self) -> None:
        self._stop.set()

    @property
    def failed(self) -> list[Outcome]:
        return [each for each in self.outcomes if not 200 <= each.status < 300]

    async def _call(self, number: int, kind: str, *, new: bool) -> None:
        key, value = f"k{self._zero:.0f}-{number}", f"v{number}"
        method, path, body = kind, "/sample/api/v1/status/200", f"call {number}" if kind != "GET" else ""
        if kind == "CACHE":
            method, path, body = "POST", CACHE, f'{{"key":"{key}","value":"{value}"}}'
        began, kept, answer, why = time.monotonic(), "", Answer(), ""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                connection = None if new else self._client.kept()
                if connection is not None:
                    kept = f"carried {connection.carried}, rested {began - connection.used:.3f} s"
                connection = connection or await self._client.connect()
                try:
                    answer = await connection.call(_head(method, path, body, new), body.encode())
                except BaseException:
                    connection.close()
                    raise
                self._client.give_back(connection, answer)
        except (Cut, TimeoutError) as error:
            answer, why = Answer(), str(error) or "no answer in time"
        if kind == "CACHE" and answer.status == 201:
            self.written[key] = value
        why = why or ("" if answer.status < 300 else answer.body.decode("utf-8", "replace")[:200])
        now = time.monotonic()
        gateway = answer.path.partition("/")[0]
        self.outcomes.append(
            Outcome(began - self._zero, now - began, f"{method} {path}", kept, answer.status, why, gateway)
        )


def _head(method: str, path: str, body: str, new: bool) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: plex", "X-CS-Service-ID: load", f"Content-Length: {len(body)}"]
    if path == CACHE:
        lines.append("Content-Type: application/json")
    if new:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode()
