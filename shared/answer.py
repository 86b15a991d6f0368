"""An answer that is known as a whole, before it takes the form of either way out (aiohttp's, `shared.express`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web


class Answer(NamedTuple):
    """`headers` beside Content-Type, which is `media` (empty: none), and Content-Length."""

    status: int
    body: bytes
    media: str
    headers: Mapping[str, str] = {}


def response(answer: Answer) -> web.Response:
    body, media = answer.body or None, answer.media or None
    return web.Response(status=answer.status, body=body, content_type=media, headers=answer.headers or None)
