"""The watch stream over HTTP (`discovery.watch` says what is in it)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from discovery import token
from discovery.limits import MAX_SERVICES, Busy
from discovery.node import Node
from discovery.tally import Services
from discovery.v1 import decode
from discovery.v1.answers import Answers
from discovery.watch import Watch
from shared.errors import BadInput


class Streams:
    def __init__(self, node: Node, watch: Watch, answers: Answers, stalled_s: float) -> None:
        """A watcher that takes nothing for `stalled_s` is cut."""
        self._stalled_s = stalled_s
        self._node = node
        self._watch = watch
        self._answers = answers

    async def watch(self, request: web.Request) -> web.StreamResponse:
        if not self._node.covered:
            raise Busy("this node is still joining its peers")
        services = _services(request.query.get("services"))
        since = request.headers.get("Last-Event-ID") or request.query.get("since")
        given = token.parsed(since) if since else None
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", **self._answers.headers()}
        answer = web.StreamResponse(headers=headers)
        with self._watch.admitted():
            await answer.prepare(request)
            async with contextlib.aclosing(self._watch.stream(services, given)) as told:
                await self._write(request, answer, told)
        return answer

    async def _write(self, request: web.Request, answer: web.StreamResponse, told: AsyncIterator[bytes]) -> None:
        """Until either side ends it."""
        try:
            async for data in told:
                async with asyncio.timeout(self._stalled_s):
                    await answer.write(data)
        except ConnectionError:
            pass
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()


def _services(text: str | None) -> Services:
    """Raises BadInput."""
    if text is None:
        return None
    names = text.lower().split(",")
    if len(names) > MAX_SERVICES or not all(names):
        raise BadInput(f"services: {decode.shown(text)}, expected 1 to {MAX_SERVICES} names, separated by commas")
    return frozenset(names)
