"""Eureka's operations over HTTP.

    POST   apps/{app}                    register                    204
    PUT    apps/{app}/{id}               heartbeat                   200, 404: register again
    DELETE apps/{app}/{id}               deregister                  200, 404
    PUT    apps/{app}/{id}/status        override the status         200, 404
    DELETE apps/{app}/{id}/status        clear the override          200, 404
    PUT    apps/{app}/{id}/metadata      add metadata                200, 404
    GET    apps, apps/delta, apps/{app}, apps/{app}/{id}, instances/{id}

Lists wait for a joining node (at most 3 s) rather than answer 403 or 503, which clients take badly. A GET of one
instance that carries both `status` and `lastDirtyTimestamp` is how one client sends its heartbeat, and counts as one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from cachetools import LRUCache

from discovery import clock
from discovery.driver import Driver
from discovery.eureka import delta, document
from discovery.eureka.decode import decode_json
from discovery.eureka.paths import segments
from discovery.eureka.render import media_type, render
from discovery.record import STATE_OF, STATUS_OF, Status, key_of
from discovery.registry import Registry
from shared.errors import BadInput, NotFound, PlexmeshError

log = logging.getLogger("plexmesh.discovery.eureka")

FULL_VERSION = 1
OWNER_HEADER = "X-Plexmesh-Owner"

Operation = Callable[..., Awaitable[web.Response]]


class EurekaApi:
    def __init__(self, registry: Registry, driver: Driver, changes: delta.DeltaLog) -> None:
        self._registry = registry
        self._driver = driver
        self._changes = changes
        self._said_get_heartbeat: LRUCache[str, bool] = LRUCache(10_000)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/eureka{tail:.*}", self.answer),
            web.route("*", "/v2{tail:.*}", self.answer),
        ]

    async def answer(self, request: web.Request) -> web.Response:
        """Route and answer; errors in Eureka's form: a 404 is empty, all else is a line of text."""
        try:
            operation, steps = self._operation(request)
            return await operation(request, *steps)
        except NotFound:
            return _empty(request, 404)
        except PlexmeshError as error:
            return web.Response(status=error.status, text=str(error))

    def _operation(self, request: web.Request) -> tuple[Operation, list[str]]:
        """Raises NotFound, HTTPMethodNotAllowed."""
        steps = segments(request.rel_url.raw_path)
        match steps:
            case ["apps"]:
                found: dict[str, Operation] = {"GET": self.list_all}
                steps = []
            case ["apps", "delta"]:
                found, steps = {"GET": self.list_delta}, []
            case ["apps", app]:
                found, steps = {"GET": self.list_app, "POST": self.register}, [app]
            case ["apps", app, instance]:
                found = {"GET": self.show, "PUT": self.renew, "DELETE": self.cancel}
                steps = [app, instance]
            case ["apps", app, instance, "status"]:
                found, steps = {"PUT": self.override, "DELETE": self.clear_override}, [app, instance]
            case ["apps", app, instance, "metadata"]:
                found, steps = {"PUT": self.annotate}, [app, instance]
            case ["instances", instance]:
                found, steps = {"GET": self.show_any}, [instance]
            case _:
                raise NotFound(request.path)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in found:
            raise web.HTTPMethodNotAllowed(request.method, list(found))
        return found[method], steps

    # --- writing

    async def register(self, request: web.Request, app: str) -> web.Response:
        if "xml" in request.content_type:
            return web.Response(status=415, text="expected a body of type application/json")
        given = decode_json(await request.read(), app)
        self._registry.register(given, clock.now())
        self._driver.perform()
        return _empty(request, 204)

    async def renew(self, request: web.Request, app: str, instance: str) -> web.Response:
        key = key_of(app.lower(), instance)
        renewal = self._registry.renew(key, _dirty_ms(request), clock.now())
        self._driver.perform()
        if renewal == "unknown":
            raise NotFound(key)
        answer = _empty(request, 200)
        held = self._registry.node.view.get(key)
        if held is not None:
            answer.headers[OWNER_HEADER] = held[0]
        return answer

    async def cancel(self, request: web.Request, app: str, instance: str) -> web.Response:
        found = self._registry.cancel(key_of(app.lower(), instance), clock.now())
        self._driver.perform()
        return _empty(request, 200 if found else 404)

    async def override(self, request: web.Request, app: str, instance: str) -> web.Response:
        status = _status(request.query.get("value"))
        self._registry.override(key_of(app.lower(), instance), status, _dirty_ms(request), clock.now())
        self._driver.perform()
        return _empty(request, 200)

    async def clear_override(self, request: web.Request, app: str, instance: str) -> web.Response:
        self._registry.clear_override(key_of(app.lower(), instance), clock.now())
        self._driver.perform()
        return _empty(request, 200)

    async def annotate(self, request: web.Request, app: str, instance: str) -> web.Response:
        added = {name: request.query[name] for name in request.query}
        self._registry.annotate(key_of(app.lower(), instance), added, clock.now())
        self._driver.perform()
        return _empty(request, 200)

    # --- reading

    async def list_all(self, request: web.Request) -> web.Response:
        await self._driver.covered()
        documents = [document.instance(each) for each in self._registry.all()]
        return _answer(request, "applications", document.applications(documents, FULL_VERSION, self._hashcode()))

    async def list_delta(self, request: web.Request) -> web.Response:
        await self._driver.covered()
        now = clock.now()
        entries = self._changes.current(now)
        documents = delta.documents(entries, self._registry.node.wall_ms(now))
        listed = document.applications(documents, delta.version(entries), self._hashcode())
        return _answer(request, "applications", listed)

    async def list_app(self, request: web.Request, app: str) -> web.Response:
        await self._driver.covered()
        documents = [document.instance(each) for each in self._registry.of(app)]
        if not documents:
            raise NotFound(app)
        return _answer(request, "application", document.application(app.upper(), documents))

    async def show(self, request: web.Request, app: str, instance: str) -> web.Response:
        if "status" in request.query and "lastDirtyTimestamp" in request.query:
            self._say_get_heartbeat(key_of(app.lower(), instance))
            await self.renew(request, app, instance)
        found = self._registry.get(key_of(app.lower(), instance))
        return _answer(request, "instance", document.instance(found))

    async def show_any(self, request: web.Request, instance: str) -> web.Response:
        for found in self._registry.all():
            if found.instance == instance:
                return _answer(request, "instance", document.instance(found))
        raise NotFound(instance)

    def _hashcode(self) -> str:
        return document.hashcode(STATUS_OF[record.state] for _, record in self._registry.node.view.all())

    def _say_get_heartbeat(self, key: str) -> None:
        if key not in self._said_get_heartbeat:
            self._said_get_heartbeat[key] = True
            log.info("heartbeat.by_get", extra={"fields": {"instance": key}})


def _dirty_ms(request: web.Request) -> int:
    """Raises BadInput."""
    given = request.query.get("lastDirtyTimestamp") or "0"
    try:
        return int(given)
    except ValueError as error:
        raise BadInput(f"lastDirtyTimestamp: expected milliseconds, got {given!r}") from error


def _status(value: str | None) -> Status:
    """Raises BadInput."""
    if value not in STATE_OF:
        raise BadInput(f"value: expected one of {', '.join(STATE_OF)}, got {value!r}")
    return STATUS_OF[STATE_OF[value]]


def _empty(request: web.Request, status: int) -> web.Response:
    """No body; labelled all the same, since one client parses even nothing by its type. A 404 is bare."""
    if status == 404:
        return web.Response(status=404)
    return web.Response(status=status, headers={"Content-Type": media_type(request.headers.get("Accept"))})


def _answer(request: web.Request, root: str, body: document.Document) -> web.Response:
    media = media_type(request.headers.get("Accept"))
    answer = web.Response(body=render(root, body, media), content_type=media)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        answer.enable_compression(web.ContentCoding.gzip)
    return answer
