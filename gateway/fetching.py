"""What others answer, read whole, up to a bound: a stranger's answer may have no end."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp


class NotUsable(Exception):
    """An answer that cannot be made anything of; why, as the rest of a sentence."""


TROUBLE = (aiohttp.ClientError, OSError, TimeoutError, ValueError, NotUsable)
"""msgspec's errors are ValueErrors, and so are those of an address that is none."""


async def fetched(session: aiohttp.ClientSession, url: str, most: int, query: Mapping[str, str] | None = None) -> bytes:
    """What a GET there answers with 200. Raises any of `TROUBLE`."""
    async with session.get(url, params=query, allow_redirects=False) as answer:
        if answer.status != 200:
            raise NotUsable(f"answers {answer.status}")
        return await whole(answer, most)


async def whole(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """Its body. Raises NotUsable: more than `most` bytes; any other of `TROUBLE`."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > most:
            raise NotUsable(f"answers with more than {most} bytes")
    return bytes(body)
