"""The calls of the REST interface: from a request that was read to its answer, whichever way it came in.

    create, replace, read, delete, list, clear, put_item, read_list, read_lists, evict   Zowe's
    put                                                                                  ours: raw bodies

Conditions (If-Match, If-None-Match), times to live and Idempotency-Key: `caching.requests`; the answers:
`caching.answers`.

Not here: paths (`caching.api`), and what a write decides (`caching.writes`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator

from caching import answers, requests
from caching.conditions import ABSENT, ANY, PRESENT, Condition
from caching.entries import Entry, Name
from caching.expiry import Rule
from caching.metrics import CachingMetrics
from caching.refusals import Changed, Exists, Missing
from caching.requests import Given, Request
from caching.storage import Storage
from caching.writes import Clear, Delete, Evict, Put
from shared.answer import Answer
from shared.errors import PlexmeshError, TooLarge

log = logging.getLogger("plexmesh.caching")

WHOLE_ENTRIES = 5_000
WHOLE_BYTES = 8 * 1024 * 1024
"""A whole map has at most so many; more are read in pages."""

Call = Callable[[Request], Awaitable[Answer]]


class Calls:
    def __init__(self, storage: Storage, metrics: CachingMetrics, *, oversize_status: int = 413) -> None:
        self._storage = storage
        self._metrics = metrics
        self._oversize_status = oversize_status
        self._under_way = 0
        self._none_under_way = asyncio.Event()
        self._none_under_way.set()

    # --- Zowe's

    async def create(self, request: Request) -> Answer:
        given = requests.pair(request)
        return answers.written(await self._put(request, Name(request.owner, given.key), given, ABSENT))

    async def replace(self, request: Request) -> Answer:
        return await self._put_if(request, requests.pair(request), PRESENT)

    async def read(self, request: Request) -> Answer:
        found = await self._storage.get(Name(request.owner, request.names["key"]))
        return answers.unchanged(found) if requests.unchanged(request, found.etag) else answers.entry(found)

    async def delete(self, request: Request) -> Answer:
        name, condition = Name(request.owner, request.names["key"]), requests.condition(request)
        requests.write_id(request)  # refused where it is none, though a delete leaves nothing that could have it
        with told_as(condition, name):
            await self._storage.write(Delete(name, condition or PRESENT))
        return answers.empty(204)

    async def list(self, request: Request) -> Answer:
        asked = requests.page(request)
        if asked is None:
            return answers.views(await self._whole(request.owner))
        found = await self._storage.page(request.owner, prefix=asked.prefix, after=asked.after, limit=asked.limit)
        answer = answers.page(found)
        if len(found) < asked.limit:
            return answer
        return answers.with_next(answer, request.target, {**request.query, "after": found[-1].name.key})

    async def clear(self, request: Request) -> Answer:
        await self._storage.write(Clear(request.owner))
        return answers.empty(200)

    async def put_item(self, request: Request) -> Answer:
        given = requests.pair(request)
        await self._put(request, Name(request.owner, given.key, request.names["map"]), given, ANY)
        return answers.empty(201)

    async def read_list(self, request: Request) -> Answer:
        return answers.json(answers.texts(await self._whole(request.owner, request.names["map"])))

    async def read_lists(self, request: Request) -> Answer:
        maps = await self._storage.maps(request.owner)
        found = {map: answers.texts(await self._whole(request.owner, map)) for map in maps}
        return answers.json({map: items for map, items in found.items() if items})

    async def evict(self, request: Request) -> Answer:
        rule: Rule = "tokens" if request.names["rule"] == "tokens" else "rules"
        await self._storage.write(Evict(request.owner, request.names["map"], rule))
        return answers.empty(204)

    # --- ours

    async def put(self, request: Request) -> Answer:
        return await self._put_if(request, requests.raw(request), ANY)

    # --- what several of them do

    async def _put_if(self, request: Request, given: Given, usual: Condition) -> Answer:
        name, condition = Name(request.owner, given.key), requests.condition(request)
        with told_as(condition, name):
            return answers.written(await self._put(request, name, given, condition or usual))

    async def _put(self, request: Request, name: Name, given: Given, condition: Condition) -> Entry:
        request.write_id = requests.write_id(request)
        return await self._storage.write(Put(name, given.content, request.write_id, condition, given.ttl_ms))

    async def _whole(self, owner: str, map: str | None = None) -> Entries:
        """Of an owner's entries: all, unless they are too many for one answer. A list has no pages, and who cannot read
        revocations takes them for none: it is whole, whatever its size; the owner's quota is its limit."""
        found: Entries = []
        after, size = None, 0
        while page := await self._storage.page(owner, map=map, after=after, limit=requests.PAGE):
            found += page
            after, size = page[-1].name.key, size + sum(each.size for each in page)
            if map is None and (len(found) > WHOLE_ENTRIES or size > WHOLE_BYTES):
                raise TooLarge(
                    f"These are more than {WHOLE_ENTRIES} entries or {WHOLE_BYTES} bytes; read them in pages, "
                    "with ?limit=1000 and the Link of each answer"
                )
            if len(page) < requests.PAGE:
                break
        return found

    # --- around each of them

    async def answer(self, kind: str, call: Call, request: Request) -> Answer:
        """Never an error: what is none of ours is a defect, which the log tells."""
        started = time.perf_counter()
        self._begin()
        try:
            answer = await call(request)
        except PlexmeshError as error:
            return self.refused(kind, error, started, request.write_id)
        except Exception:
            log.exception("request.failed", extra={"fields": {"call": kind}})
            return answers.other_refusal(500, "an internal error; the log has the details")
        finally:
            self._end()
        self._metrics.operation(kind, None, time.perf_counter() - started)
        return answer

    def read_now(self, name: Name) -> Answer | None:
        """Of an unconditional read, if the storage can tell without waiting."""
        started = time.perf_counter()
        try:
            found = self._storage.get_now(name)
        except PlexmeshError as error:
            return self.refused("read", error, started)
        if found is None:
            return None
        answer = answers.entry(found)
        self._metrics.operation("read", None, time.perf_counter() - started)
        return answer

    def refused(self, kind: str, error: PlexmeshError, started: float, write_id: str = "") -> Answer:
        self._metrics.operation(kind, error.status, time.perf_counter() - started)
        return answers.refusal(error, write_id, self._oversize_status)

    def _begin(self) -> None:
        self._under_way += 1
        self._none_under_way.clear()

    def _end(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._none_under_way.set()

    async def finished(self, within_s: float) -> None:
        """Returns when no call is under way, or when the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._none_under_way.wait()


Entries = list[Entry]


@contextlib.contextmanager
def told_as(condition: Condition | None, name: Name) -> Iterator[None]:
    """Whoever gave a condition is told that it does not hold (412), and not which of Zowe's calls it is like."""
    try:
        yield
    except (Exists, Missing) as error:
        if condition is None:
            raise
        raise Changed(name, error.etag if isinstance(error, Exists) else None) from error
