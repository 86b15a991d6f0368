"""Clients that use a few keys of the cache over REST, each at an instance of its own choice, and record everything.

What a client learned (the ETag it saw last) it uses for its conditional writes. A call that is refused as "certainly
not applied" (503) is no operation; one that is cut, late or "unknown" (504) is one without a result.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.integration.caching_rig import ME
from tests.nemesis.history import ABSENT, History, Kind, Operation, Read, Refused, Result, Written

KINDS: tuple[Kind, ...] = ("read", "read", "read", "create", "put", "replace", "replace", "delete")
TRY_S = 3.0
OPEN_PER_KEY = 6
"""Unknown writes on one key after which it is left alone: more of them make a key undecidable."""


@dataclass
class Told:
    """What came of all calls: by status, 0 for none."""

    statuses: dict[int, int] = field(default_factory=dict)
    worst_gap_s: float = 0.0
    last_written_at: float = field(default_factory=time.monotonic)

    def note(self, status: int, written: bool) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if written:
            now = time.monotonic()
            self.worst_gap_s = max(self.worst_gap_s, now - self.last_written_at)
            self.last_written_at = now


class _Sent:
    """Of one request: whether its head went out."""

    def __init__(self) -> None:
        self.times = 0


class _Cut(Exception):
    """The connection broke after the request had gone out."""


def once_only() -> aiohttp.TraceConfig:
    """For a session: aiohttp sends an idempotent request a second time by itself when its connection breaks, and then
    nobody can tell what came of the first. So the second connection is refused."""

    async def sent(_: object, context: Any, __: object) -> None:
        context.trace_request_ctx.times += 1

    async def connecting(_: object, context: Any, __: object) -> None:
        if context.trace_request_ctx.times:
            raise _Cut

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(sent)
    trace.on_connection_create_start.append(connecting)
    return trace


def session() -> aiohttp.ClientSession:
    """No connection is kept, so every request makes one of its own."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(headers=ME, connector=connector, trace_configs=[once_only()])


class Clients:
    def __init__(self, urls: Sequence[str], rng: random.Random, *, clients: int = 8, keys: int = 12) -> None:
        """`urls`: of the instances' REST interfaces."""
        self.history = History()
        self.told = Told()
        self._urls = list(urls)
        self._rng = rng
        self._keys = [f"key{n}" for n in range(keys)]
        self._unknown = dict.fromkeys(self._keys, 0)
        self._clients = clients
        self._stopped = False
        self._numbers = iter(range(10**9))
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, session: aiohttp.ClientSession) -> None:
        self._tasks = [
            asyncio.create_task(self._use(session, n, random.Random(self._rng.random()))) for n in range(self._clients)
        ]

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def _use(self, session: aiohttp.ClientSession, client: int, rng: random.Random) -> None:
        seen: dict[str, str] = {}
        while not self._stopped:
            keys = [key for key in self._keys if self._unknown[key] < OPEN_PER_KEY]
            if not keys:
                return
            key, kind = rng.choice(keys), rng.choice(KINDS)
            etag = seen.get(key) if kind in ("replace", "delete") and rng.random() < 0.8 else None
            op = Operation(client, key, kind, time.monotonic(), f"v{next(self._numbers)}", etag)
            await self.perform(session, rng.choice(self._urls), op, seen)
            await asyncio.sleep(rng.uniform(0, 0.004))

    async def read_all(self, session: aiohttp.ClientSession, url: str) -> None:
        """Every key once, at the end."""
        for key in self._keys:
            while True:
                op = Operation(-1, key, "read", time.monotonic())
                status = await self.perform(session, url, op, {})
                if op.known or status == 500:  # damaged, and said so
                    break
                await asyncio.sleep(0.05)

    async def listed(self, session: aiohttp.ClientSession, url: str) -> dict[str, str]:
        async with session.get(f"{url}/cache", trace_request_ctx=_Sent()) as answer:
            assert answer.status == 200
            return {key: view["value"] for key, view in (await answer.json()).items()}

    async def perform(self, session: aiohttp.ClientSession, url: str, op: Operation, seen: dict[str, str]) -> int:
        """The status, 0 for none."""
        method = {"read": "GET", "delete": "DELETE"}.get(op.kind, "PUT")
        headers = {"create": {"If-None-Match": "*"}, "replace": {"If-Match": "*"}}.get(op.kind, {})
        if op.etag is not None:
            headers = {"If-Match": f'"{op.etag}"'}
        elif op.kind == "delete":
            headers = {"If-Match": "*"}
        data = op.value.encode() if method == "PUT" else None
        status, etag, body, sent = 0, None, b"", _Sent()
        url = f"{url}/cache/{op.key}"
        try:
            async with asyncio.timeout(TRY_S):
                async with session.request(method, url, data=data, headers=headers, trace_request_ctx=sent) as answer:
                    body = await answer.read()
                    status, etag = answer.status, answer.headers.get("ETag", "").strip('"') or None
        except (aiohttp.ClientError, OSError, TimeoutError, _Cut):
            status = 0 if sent.times else 503
        self._record(op, status, etag, body, seen)
        return status

    def _record(self, op: Operation, status: int, etag: str | None, body: bytes, seen: dict[str, str]) -> None:
        op.returned = time.monotonic()
        op.result = _result(op, status, etag, body)
        self.told.note(status, isinstance(op.result, Written))
        if status in (503, 507) or (op.kind == "read" and op.result is None):
            return  # certainly without effect
        if op.result is None:
            assert status in (0, 500, 504), f"{op} was answered {status}"
            op.returned = float("inf")
            self._unknown[op.key] += 1
        if etag is not None:
            seen[op.key] = etag
        self.history.operations.append(op)


def _result(op: Operation, status: int, etag: str | None, body: bytes) -> Result | None:
    match status:
        case 200:
            return Read(body.decode(), etag)
        case 404 if op.kind == "read":
            return ABSENT
        case 201 | 204:
            return Written(etag or "")
        case 412:
            return Refused(etag)
    return None
