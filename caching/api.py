"""Zowe's REST contract of the Caching Service, below /cachingservice/api/v1; a trailing slash is accepted everywhere.

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

Lists are on every backend. Answers without content have no body. Every error is a message in Zowe's form.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from caching import caller
from caching.entries import Entry
from caching.expiry import Rule
from caching.messages import DEFECT, NOT_VALID, message_of, status_of
from caching.metrics import CachingMetrics
from caching.storage import Storage, ValueTooLong
from shared import zowe
from shared.errors import BadInput, PlexmeshError, Unavailable

BASE = "/cachingservice/api/v1"
KEY = "{key:[^/]+}"
MAP = "{map:[^/]+}"

Work = Callable[[web.Request, str], Awaitable[web.Response]]


class Pair(msgspec.Struct):
    """A body. What else is in it (the original's serviceId, created) is not looked at."""

    key: str | None = None
    value: str | None = None


class View(msgspec.Struct, omit_defaults=True):
    """An entry as it is answered."""

    key: str = ""
    value: str = ""
    created: str = ""


_pair = msgspec.json.Decoder(Pair)


class CachingApi:
    def __init__(self, storage: Storage, metrics: CachingMetrics, oversize_status: int = 413) -> None:
        self._storage = storage
        self._metrics = metrics
        self._oversize_status = oversize_status

    def routes(self) -> list[web.RouteDef]:
        # The calls made most often come first: a router tries one path after the other, methods of one path together.
        served: list[tuple[str, str, str, Work]] = [
            ("GET", f"/cache/{KEY}", "read", self.read),
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
        key, value = await _body(request)
        await self._storage.create(owner, key, value)
        return web.Response(status=201)

    async def replace(self, request: web.Request, owner: str) -> web.Response:
        key, value = await _body(request)
        await self._storage.replace(owner, key, value)
        return web.Response(status=204)

    async def read(self, request: web.Request, owner: str) -> web.Response:
        return _json(_view(await self._storage.get(owner, _name(request, "key"))))

    async def delete(self, request: web.Request, owner: str) -> web.Response:
        await self._storage.delete(owner, _name(request, "key"))
        return web.Response(status=204)

    async def list(self, _: web.Request, owner: str) -> web.Response:
        return _json({entry.name.key: _view(entry) for entry in await self._storage.entries(owner)})

    async def clear(self, _: web.Request, owner: str) -> web.Response:
        await self._storage.clear(owner)
        return web.Response(status=200)

    async def put_item(self, request: web.Request, owner: str) -> web.Response:
        key, value = await _body(request)
        await self._storage.put_item(owner, _name(request, "map"), key, value)
        return web.Response(status=201)

    async def read_list(self, request: web.Request, owner: str) -> web.Response:
        return _json(_texts(await self._storage.items(owner, _name(request, "map"))))

    async def read_lists(self, _: web.Request, owner: str) -> web.Response:
        return _json({map: _texts(items) for map, items in (await self._storage.maps(owner)).items()})

    async def evict(self, request: web.Request, owner: str) -> web.Response:
        rule: Rule = "tokens" if request.match_info["rule"] == "tokens" else "rules"
        await self._storage.evict(owner, _name(request, "map"), rule)
        return web.Response(status=204)

    # --- around each of them

    def _measured(self, kind: str, work: Work) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            started = time.perf_counter()
            try:
                answer, failed = await work(request, _owner(request)), None
            except PlexmeshError as error:
                answer, failed = self._refusal(error), error.status
            self._metrics.operation(kind, failed, time.perf_counter() - started)
            return answer

        return handle

    def _refusal(self, error: PlexmeshError) -> web.Response:
        answer = _message(status_of(error, self._oversize_status), message_of(error), str(error))
        if isinstance(error, Unavailable):
            answer.headers["Retry-After"] = "1"
        return answer


def render(status: int, detail: str) -> web.StreamResponse:
    """For what no call of the contract answered: other paths and methods, defects."""
    usual = DEFECT if status >= 500 else NOT_VALID if status == 413 else zowe.COMMON[400]
    return _message(status, zowe.COMMON.get(status, usual), detail)


def _owner(request: web.Request) -> str:
    headers = request.headers
    return caller.owner(headers.getall(caller.HEADER, ()), forwarded=caller.FORWARDED in headers)


def _name(request: web.Request, part: str) -> str:
    name = request.match_info[part]
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadInput("The path is not UTF-8") from error
    return name


async def _body(request: web.Request) -> tuple[str, bytes]:
    """Key and value. The texts of errors hold no part of the body."""
    try:
        pair = _pair.decode(await request.read())
    except web.HTTPRequestEntityTooLarge as error:
        raise ValueTooLong(f"The body is longer than {request.client_max_size} bytes") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"The body is not a JSON object with key and value as text: {error}") from error
    if not pair.key:
        raise BadInput("The body names no key")
    if pair.value is None:
        raise BadInput("The body has no value")
    return pair.key, pair.value.encode()


def _view(entry: Entry) -> View:
    return View(entry.name.key, entry.value.decode(), str(entry.created_ms))


def _texts(items: list[Entry]) -> dict[str, str]:
    return {item.name.key: item.value.decode() for item in items}


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def _message(status: int, message: zowe.Message, content: str) -> web.Response:
    return web.Response(status=status, body=zowe.body(message, content), content_type="application/json")
