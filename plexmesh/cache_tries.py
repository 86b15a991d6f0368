"""One call to the caching service: tried at one address after the other until it is answered.

    what a try came to                                    again?
    connection refused, 503 "nothing was changed",
      503 "no instance"                                   yes: it was certainly not applied
    cut, timed out, 502, 504, 503 "outcome unknown"       yes: reads, and writes with the same id, can be repeated
    anything else                                         no: that is the answer

A write has one id for all its tries (`Idempotency-Key`): the service answers a write it has applied already as it did
the first time. When the time is
over, one try that was not certain makes the outcome unknown.

Source: RFC 9110, 9.2.2; the caching service's statuses, and those of a gateway in front of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential
from yarl import URL

from plexmesh import tls
from plexmesh.cache_errors import OutcomeUnknown, Unavailable

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.5

NOT_APPLIED = ("ZWECS152E", "ZWEAG510E")
"""Numbers of messages that come with a 503: the caching service's own; a gateway's when no instance can be called."""

Urls = Callable[[], Sequence[str]]


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    doubtful: bool
    """An earlier try of this call may have been applied."""

    @property
    def etag(self) -> str | None:
        given = self.headers.get("ETag")
        return given.strip('"') if given else None

    def why(self) -> str:
        return _message(self.body)[1]


class _Again(Exception):
    """This try is not the answer; `doubtful`: it may have been applied."""

    def __init__(self, why: str, doubtful: bool) -> None:
        super().__init__(why)
        self.doubtful = doubtful


class _Sent:
    """How often one request went out. aiohttp sends an idempotent one again by itself when a connection breaks."""

    def __init__(self) -> None:
        self.times = 0


class Tries:
    def __init__(self, urls: Urls, name: str, *, try_s: float, deadline_s: float) -> None:
        """`urls` are bases of the caching service; `try_s` is what one try may take."""
        self._urls = urls
        self._name = name
        self._try_s = try_s
        self._deadline_s = deadline_s
        self._turn = 0
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        counting = aiohttp.TraceConfig()
        counting.on_request_headers_sent.append(_count)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(  # servers may close after 5 s
                keepalive_timeout=4, ttl_dns_cache=300, ssl=tls.context()
            ),
            headers={"X-CS-Service-ID": self._name},
            auto_decompress=False,
            trace_configs=[counting],
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, path: str, write_id: str = "", **how: Any) -> Answer:
        """`path` is below the base, and spelled as it goes over the wire. Raises Unavailable, OutcomeUnknown."""
        ends_at = time.monotonic() + self._deadline_s
        doubtful = False
        if write_id:
            how["headers"] = {**how.get("headers", {}), "Idempotency-Key": write_id}
        tries = AsyncRetrying(
            retry=retry_if_exception_type(_Again),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
            stop=stop_after_delay(self._deadline_s),
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    try:
                        found = await self._try(method, path, ends_at, how)
                    except _Again as again:
                        doubtful |= again.doubtful
                        raise
                    return found._replace(doubtful=found.doubtful or doubtful)
        except _Again as again:
            if doubtful and write_id:
                raise OutcomeUnknown(write_id, str(again)) from again
            raise Unavailable(f"the cache does not answer: {again}") from again
        raise AssertionError("unreachable")

    async def _try(self, method: str, path: str, ends_at: float, how: dict[str, Any]) -> Answer:
        """Raises _Again; the next try goes to the next address then."""
        assert self._session is not None, "the cache is not open"
        urls, sent = self._urls(), _Sent()
        if not urls:
            raise _Again("no instance of the caching service is known", doubtful=False)
        url = URL(urls[self._turn % len(urls)] + path, encoded=True)
        timeout = aiohttp.ClientTimeout(total=max(min(self._try_s, ends_at - time.monotonic()), 0.05))
        try:
            async with self._session.request(method, url, timeout=timeout, trace_request_ctx=sent, **how) as answer:
                found = Answer(answer.status, answer.headers, await answer.read(), sent.times > 1)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._turn += 1
            raise _Again(str(error) or "no answer in time", doubtful=sent.times > 0) from error
        verdict = judged(found)
        if verdict != "answered":
            self._turn += 1
            raise _Again(f"{found.status}: {found.why()}", doubtful=found.doubtful or verdict == "unknown")
        return found


async def _count(_: aiohttp.ClientSession, context: Any, __: aiohttp.TraceRequestHeadersSentParams) -> None:
    context.trace_request_ctx.times += 1


def judged(answer: Answer) -> str:
    """answered, unknown, or not applied."""
    if answer.status not in (502, 503, 504):
        return "answered"
    number, content = _message(answer.body)
    if answer.status == 503 and number in NOT_APPLIED and "outcome unknown" not in content:
        return "not applied"
    return "unknown"


def _message(body: bytes) -> tuple[str, str]:
    """Number and content of an error in Zowe's form; of anything else, what it begins with."""
    try:
        first = json.loads(body)["messages"][0]
        return str(first["messageNumber"]), str(first["messageContent"])
    except (ValueError, LookupError, TypeError):
        return "", body[:200].decode(errors="replace")
