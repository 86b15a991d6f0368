"""The state changes of another process, as they happen: its /application/events (SSE) as an iterator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import msgspec

from shared.events import Event

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=1.0, sock_read=60.0)
"""A living process sends at least a comment every 15 s."""


async def follow(session: aiohttp.ClientSession, url: str, after: int) -> AsyncIterator[Event]:
    """Events with `seq > after`, until the other side ends the stream. Raises aiohttp.ClientError, TimeoutError."""
    headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
    async with session.get(f"{url}/application/events", headers=headers, timeout=TIMEOUT) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data:"):
                yield msgspec.json.decode(line[5:], type=Event)
