"""A request's body, as a whole and of a bounded length."""

from __future__ import annotations

from aiohttp import web

from shared.errors import TooLarge


async def read(request: web.Request, limit_bytes: int) -> bytes:
    """The whole body. Raises TooLarge, as soon as it is seen."""
    if (request.content_length or 0) <= limit_bytes:
        if request.content_length is not None:
            return await request.read()
        data = bytearray()
        async for chunk in request.content.iter_any():
            data += chunk
            if len(data) > limit_bytes:
                break
        else:
            return bytes(data)
    given = request.content_length or f"more than {limit_bytes}"
    raise TooLarge(f"body: {given} bytes, expected at most {limit_bytes}")
