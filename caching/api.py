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

Lists are on every backend. A trailing slash is accepted everywhere. Every error is a message in Zowe's form.

This is the way through aiohttp, which takes everything; the short one is `caching.desk`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from caching import answers, caller
from caching.calls import Call, Calls
from caching.refusals import ValueTooLong
from caching.requests import Request
from shared.answer import response
from shared.errors import PlexmeshError

BASE = "/cachingservice/api/v1"
KEY = "{key:[^/]+}"
MAP = "{map:[^/]+}"


class CachingApi:
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[web.RouteDef]:
        # The calls made most often come first: a router tries one path after the other, methods of one path together.
        calls = self._calls
        served: list[tuple[str, str, str, Call]] = [
            ("GET", f"/cache/{KEY}", "read", calls.read),
            ("PUT", f"/cache/{KEY}", "put", calls.put),
            ("DELETE", f"/cache/{KEY}", "delete", calls.delete),
            ("PUT", "/cache", "replace", calls.replace),
            ("POST", "/cache", "create", calls.create),
            ("GET", "/cache", "list", calls.list),
            ("DELETE", "/cache", "clear", calls.clear),
            ("GET", f"/cache-list/{MAP}", "read_list", calls.read_list),
            ("POST", f"/cache-list/{MAP}", "put_item", calls.put_item),
            ("GET", "/cache-list", "read_lists", calls.read_lists),
            ("DELETE", f"/cache-list/evict/{{rule:tokens|rules}}/{MAP}", "evict", calls.evict),
        ]
        return [
            web.route(method, f"{BASE}{path}{slash}", self._handler(kind, call))
            for slash in ("", "/")
            for method, path, kind, call in served
        ]

    def _handler(self, kind: str, call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            started = time.perf_counter()
            try:
                asked = await _read(request)
            except PlexmeshError as error:
                return response(self._calls.refused(kind, error, started))
            return response(await self._calls.answer(kind, call, asked))

        return handle


async def _read(request: web.Request) -> Request:
    headers = request.headers
    owner = caller.owner(headers.getall(caller.HEADER, ()), forwarded=caller.FORWARDED in headers)
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise ValueTooLong(f"The body is longer than {request.client_max_size} bytes") from error
    fields = {name.lower(): ", ".join(headers.getall(name)) for name in headers}
    return Request(owner, fields, request.query, request.match_info, body, request.rel_url.raw_path)


def render(status: int, detail: str) -> web.StreamResponse:
    return response(answers.other_refusal(status, detail))
