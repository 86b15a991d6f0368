"""Answers of /v1: JSON, long lists a slice at a time, and problems (RFC 9457)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

import msgspec
from aiohttp import web

from discovery import frames
from discovery.node import Node
from discovery.stale import STALE
from discovery.v1.shapes import Problem
from discovery.view import Held
from shared.answer import Answer, response
from shared.errors import PlexmeshError

JSON = "application/json"

WHOLE = 200
"""Longer lists are made and sent in slices, with a turn for everybody else between two."""

_encode = msgspec.json.Encoder().encode


def refusal(error: PlexmeshError) -> Answer:
    body = Problem("about:blank", HTTPStatus(error.status).phrase, error.status, str(error))
    retry_after_s = getattr(error, "retry_after_s", None)
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else {}
    return Answer(error.status, _encode(body), "application/problem+json", headers)


def problem(error: PlexmeshError) -> web.Response:
    return response(refusal(error))


class Answers:
    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def stale(self) -> bool:
        return self._node.stale

    def headers(self) -> dict[str, str]:
        return {STALE: "true"} if self._node.stale else {}

    def whole(self, body: object, status: int = 200) -> Answer:
        """`body` says by itself whether it is stale."""
        return Answer(status, _encode(body), JSON, self.headers())

    def json(self, body: object, status: int = 200) -> web.Response:
        return response(self.whole(body, status))

    async def instances(self, request: web.Request, held: list[Held], before: dict[str, object]) -> web.StreamResponse:
        """{…before, "instances": […]}."""
        if self._node.stale:
            before = before | {"stale": True}
        fields = _encode(before)[1:-1]
        head = b"{" + fields + (b"," if fields else b"") + b'"instances":['
        return await self.listed(request, head, map(frames.encoded, held), b"]}", len(held))

    async def listed(
        self, request: web.Request, head: bytes, parts: Iterable[bytes], tail: bytes, count: int
    ) -> web.StreamResponse:
        """`count` parts of JSON, joined by commas, between head and tail."""
        if count <= WHOLE:
            body = head + b",".join(parts) + tail
            return web.Response(body=body, content_type=JSON, headers=self.headers() or None)
        answer = web.StreamResponse(headers={"Content-Type": JSON, **self.headers()})
        await answer.prepare(request)
        if request.method != "HEAD":
            await answer.write(head)
            between = b""
            for batch in frames.batches(parts):
                await answer.write(between + b",".join(batch))
                between = b","
                await asyncio.sleep(0)
            await answer.write(tail)
        await answer.write_eof()
        return answer
