"""GET /console/v1/stream: what the console shows, to a browser, as server-sent events.

    hello    {"sysplex", "lpar", "url", "address", "process"}      who tells it
    whole    the document, once
    change   {"set": {section: {key: entry}}, "drop": {section: [key, …]}}
    news     lines of the timeline: first those that are known, then new ones
    beat     {} when there was nothing for a second, so that silence means something

Who has shown no certificate, where there is TLS, is not told of what is internal (`unseen`).

Each browser is sent the difference to what it was sent last, so a slow one gets fewer and larger changes, and delays
nobody.
"""

from __future__ import annotations

import contextlib
import time

import msgspec
from aiohttp import web

from gateway import audience
from gateway.config import GatewayConfig
from gateway.console.collector import Collector
from gateway.console.document import Document, change
from gateway.console.unseen import Unseen

BEAT_S = 1.0
FIRST_S = 0.5
"""The first document is not sent before it is there, or this time is over."""

MAX_WATCHERS = 100


class Stream:
    def __init__(self, config: GatewayConfig, collector: Collector) -> None:
        self._config = config
        self._collector = collector
        self._unseen = Unseen()
        self._watchers = 0
        self._hello = {
            "sysplex": config.sysplex,
            "lpar": config.lpar,
            "url": config.url(config.port),
            "address": config.vipa,
            "process": collector.source.process,
        }

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.get("/console/v1/stream", self.answer)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self._watchers >= MAX_WATCHERS or self._collector.closed:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        self._watchers += 1
        try:
            with self._collector.watching(), contextlib.suppress(ConnectionError):
                await self._tell(response, everything=audience.sees_all(self._config, request))
        finally:
            self._watchers -= 1
        return response

    async def _tell(self, response: web.StreamResponse, *, everything: bool) -> None:
        collector, unseen = self._collector, self._unseen
        await response.write(_event("hello", self._hello))
        if not collector.document:
            await collector.changed(collector.version, FIRST_S)
        shown: Document = collector.document if everything else unseen.public(collector.document)
        await response.write(_event("whole", shown))
        came, spoke = 0, time.monotonic()
        while not collector.closed:
            said, version = b"", collector.version
            document, history = collector.document, collector.history
            document = document if everything else unseen.public(document)
            if document is not shown and (difference := change(shown, document)):
                said += _event("change", difference)
            shown = document
            if history.came > came:
                news = history.since(came)
                said += _event("news", news if everything else unseen.told(news))
                came = history.came
            if not said and time.monotonic() - spoke >= BEAT_S:
                said = _event("beat", {})
            if said:
                await response.write(said)
                spoke = time.monotonic()
            await collector.changed(version, BEAT_S)


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
