"""Zowe's REST contract of the Caching Service, and what is beyond it, below /cachingservice/api/v1.

    POST   /cache {"key","value"}             201   create; 409 when it is there
    PUT    /cache {"key","value"}             204   replace; 404 when it is not there
    GET    /cache/{key}                       200   {"key","value","created"}, empty fields left out
    DELETE /cache/{key}                       204
    GET    /cache                             200   {key: {"key","value","created"}}
    DELETE /cache                             200   every entry of the caller
    POST   /cache-list/{map} {"key","value"}  201   an item; overwrites
    GET    /cache-list/{map}                  200   {key: value}
    GET    /cache-list                        200   {map: {key: value}}
    DELETE /cache-list/evict/{tokens|rules}/{map}   204   drop the items that are past

    PUT    /cache/{key} with any body and type      201 created, 204 replaced; comes back as it came
    GET    /cache?prefix=&limit=&after=             200   a page, and a Link to the next

Conditions (If-Match, If-None-Match), times to live and Idempotency-Key: `caching.requests`; answers: `caching.answers`.
Lists are on every backend. A trailing slash is accepted everywhere. Every error is a message in Zowe's form.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator

from aiohttp import web

from caching import answers, caller, requests
from caching.conditions import ABSENT, ANY, PRESENT, Condition
from caching.entries import Content, Entry, Name
from caching.expiry import Rule
from caching.metrics import CachingMetrics
from caching.refusals import Changed, Exists, Missing
from caching.storage import Storage
from caching.writes import Clear, Delete, Evict, Put
from shared.errors import PlexmeshError, TooLarge

BASE = "/cachingservice/api/v1"
KEY = "{key:[^/]+}"
MAP = "{map:[^/]+}"

WHOLE_ENTRIES = 5_000
WHOLE_BYTES = 8 * 1024 * 1024
"""A whole map has at most so many; more are read in pages."""

Entries = list[Entry]
Work = Callable[[web.Request, str], Awaitable[web.Response]]


class CachingApi:
    def __init__(self, storage: Storage, metrics: CachingMetrics, *, oversize_status: int = 413) -> None:
        self._storage = storage
        self._metrics = metrics
        self._oversize_status = oversize_status

    def routes(self) -> list[web.RouteDef]:
        # The calls made most often come first: a router tries one path after the other, methods of one path together.
        served: list[tuple[str, str, str, Work]] = [
            ("GET", f"/cache/{KEY}", "read", self.read),
            ("PUT", f"/cache/{KEY}", "put", self.put),
            ("DELETE", f"/cache/{KEY}", "delete", self.delete),
            ("PUT", "/cache", "replace", self.replace),
            ("POST", "/cache", "create", self.create),
            ("GET", "/cache", "list", self.list),
            ("DELETE", "/cache", "clear", self.clear),
            ("GET", f"/cache-list/{MAP}", "read_list", self.read_list),
            ("POST", f"/cache-list/{MAP}", "put_item", self.put_item),
            ("GET", "/cache-list", "read_lists", self.read_lists),
            ("DELETE", f"/cache-list/evict/{{rule:tokens|rules}}/{MAP}", "evict", self.evict),
        ]
        return [
            web.route(method, f"{BASE}{path}{slash}", self._measured(kind, work))
            for slash in ("", "/")
            for method, path, kind, work in served
        ]

    # --- the calls

    async def create(self, request: web.Request, owner: str) -> web.Response:
        given = await requests.pair(request)
        return answers.written(await self._put(request, Name(owner, given.key), given.content, given.ttl_ms, ABSENT))

    async def replace(self, request: web.Request, owner: str) -> web.Response:
        given = await requests.pair(request)
        name, condition = Name(owner, given.key), requests.condition(request)
        with told_as(condition, name):
            stored = await self._put(request, name, given.content, given.ttl_ms, condition or PRESENT)
        return answers.written(stored)

    async def put(self, request: web.Request, owner: str) -> web.Response:
        requests.known_only(request.query, ("ttlSeconds",))
        name, condition = Name(owner, requests.name(request, "key")), requests.condition(request)
        ttl_ms, kind = requests.ttl_ms(request), requests.content_type(request)
        content = Content(await requests.raw(request), kind)
        with told_as(condition, name):
            return answers.written(await self._put(request, name, content, ttl_ms, condition or ANY))

    async def read(self, request: web.Request, owner: str) -> web.Response:
        found = await self._storage.get(Name(owner, requests.name(request, "key")))
        return answers.unchanged(found) if requests.unchanged(request, found.etag) else answers.entry(found)

    async def delete(self, request: web.Request, owner: str) -> web.Response:
        name, condition = Name(owner, requests.name(request, "key")), requests.condition(request)
        with told_as(condition, name):
            await self._storage.write(Delete(name, condition or PRESENT))
        return web.Response(status=204)

    async def list(self, request: web.Request, owner: str) -> web.Response:
        asked = requests.page(request)
        if asked is None:
            return answers.views(await self._whole(owner))
        found = await self._storage.page(owner, prefix=asked.prefix, after=asked.after, limit=asked.limit)
        answer = answers.views(found)
        return answers.next_page(answer, request.rel_url, found[-1].name.key) if len(found) == asked.limit else answer

    async def clear(self, request: web.Request, owner: str) -> web.Response:
        requests.known_only(request.query, ())
        await self._storage.write(Clear(owner))
        return web.Response(status=200)

    async def put_item(self, request: web.Request, owner: str) -> web.Response:
        given = await requests.pair(request)
        name = Name(owner, given.key, requests.name(request, "map"))
        await self._put(request, name, given.content, given.ttl_ms, ANY)
        return web.Response(status=201)

    async def read_list(self, request: web.Request, owner: str) -> web.Response:
        return answers.json(answers.texts(await self._whole(owner, requests.name(request, "map"))))

    async def read_lists(self, _: web.Request, owner: str) -> web.Response:
        maps = await self._storage.maps(owner)
        found = {map: answers.texts(await self._whole(owner, map)) for map in maps}
        return answers.json({map: items for map, items in found.items() if items})

    async def evict(self, request: web.Request, owner: str) -> web.Response:
        rule: Rule = "tokens" if request.match_info["rule"] == "tokens" else "rules"
        await self._storage.write(Evict(owner, requests.name(request, "map"), rule))
        return web.Response(status=204)

    # --- what several of them do

    async def _put(
        self, request: web.Request, name: Name, content: Content, ttl_ms: int | None, condition: Condition
    ) -> Entry:
        request["write_id"] = write_id = requests.write_id(request)
        return await self._storage.write(Put(name, content, write_id, condition, ttl_ms))

    async def _whole(self, owner: str, map: str | None = None) -> Entries:
        """Of an owner's entries, or of a list: all, unless they are too many for one answer."""
        found: Entries = []
        after, size = None, 0
        while page := await self._storage.page(owner, map=map, after=after, limit=requests.PAGE):
            found += page
            after, size = page[-1].name.key, size + sum(each.size for each in page)
            if len(found) > WHOLE_ENTRIES or size > WHOLE_BYTES:
                raise TooLarge(
                    f"These are more than {WHOLE_ENTRIES} entries or {WHOLE_BYTES} bytes; read them in pages, "
                    "with ?limit=1000 and the Link of each answer"
                )
            if len(page) < requests.PAGE:
                break
        return found

    # --- around each of them

    def _measured(self, kind: str, work: Work) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            started = time.perf_counter()
            try:
                answer, failed = await work(request, _owner(request)), None
            except PlexmeshError as error:
                answer = answers.refusal(error, request.get("write_id"), self._oversize_status)
                failed = error.status
            self._metrics.operation(kind, failed, time.perf_counter() - started)
            return answer

        return handle


def _owner(request: web.Request) -> str:
    headers = request.headers
    return caller.owner(headers.getall(caller.HEADER, ()), forwarded=caller.FORWARDED in headers)


@contextlib.contextmanager
def told_as(condition: Condition | None, name: Name) -> Iterator[None]:
    """Whoever gave a condition is told that it does not hold (412), and not which of Zowe's calls it is like."""
    try:
        yield
    except (Exists, Missing) as error:
        if condition is None:
            raise
        raise Changed(name, error.etag if isinstance(error, Exists) else None) from error
