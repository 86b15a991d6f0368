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
    GET    /openapi.json                            200   all of this (`caching.operations`)

Lists are on every backend. A trailing slash is accepted everywhere. Every error is a message in Zowe's form.

This is the way through aiohttp, which takes everything; the short one is `caching.desk`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from urllib.parse import unquote

from aiohttp import web

from caching import answers, caller
from caching.caller import Said
from caching.calls import Call, Calls
from caching.openapi import document
from caching.operations import OPERATIONS, Operation
from caching.refusals import ValueTooLong
from caching.requests import Request, known_only
from shared.answer import Answer, response
from shared.errors import BadInput, PlexmeshError
from shared.identity import Identity

BASE = "/cachingservice/api/v1"

Identify = Callable[[asyncio.BaseTransport | None], Identity | None]
"""Who is at the other end of a connection; None: in plain."""


class CachingApi:
    def __init__(self, calls: Calls, identify: Identify) -> None:
        self._calls = calls
        self._identify = identify
        self._document = answers.json(document(OPERATIONS, version("plexmesh-sysplex"), BASE))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route(each.method, f"{BASE}{each.route}{slash}", self._handler(each))
            for slash in ("", "/")
            for each in OPERATIONS
        ]

    def _handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        kind = operation.name
        call: Call = self.openapi if operation.public else getattr(self._calls, kind)

        async def handle(request: web.Request) -> web.Response:
            started = time.perf_counter()
            try:
                asked = await self._read(request, operation)
            except PlexmeshError as error:
                return response(self._calls.refused(kind, error, started))
            return response(await self._calls.answer(kind, call, asked))

        return handle

    async def openapi(self, _: Request) -> Answer:
        return self._document

    async def _read(self, request: web.Request, operation: Operation) -> Request:
        headers = request.headers
        owner = "" if operation.public else self._owner(request)
        _check_target(request)
        known_only((name for name, _ in request.query.items()), operation.query)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise ValueTooLong(f"The body is longer than {request.client_max_size} bytes") from error
        except web.RequestPayloadError as error:
            raise BadInput("The body is not as the head says: its chunks, or its encoding") from error
        fields = {name.lower(): ", ".join(headers.getall(name)) for name in headers}
        return Request(owner, fields, request.query, request.match_info, body, request.rel_url.raw_path)

    def _owner(self, request: web.Request) -> str:
        said = Said.by(lambda name: request.headers.getall(name, ()))
        return caller.owner(said, self._identify(request.transport))


def _check_target(request: web.Request) -> None:
    """What is no UTF-8 would be taken for the text that it is spelled with."""
    try:
        unquote(request.raw_path, errors="strict").encode()
    except UnicodeError as error:
        raise BadInput("The path or the query is not UTF-8") from error


def render(status: int, detail: str) -> web.StreamResponse:
    return response(answers.other_refusal(status, detail))
