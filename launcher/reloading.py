"""Telling a component to go on with new processes and its configuration as it is now, without losing a call.

Only the gateway can: it has workers, and replaces them one by one (PUT /gateway/v1/reload). It answers when the new
ones serve, or why nothing has changed.
"""

from __future__ import annotations

import html

import aiohttp
import msgspec

from shared.errors import Conflict, Unavailable

PATHS = {"gateway": "/gateway/v1/reload"}
"""Components that can be reloaded."""

TIMEOUT = aiohttp.ClientTimeout(total=55.0)


class Message(msgspec.Struct, rename="camel"):
    message_content: str


class Refusal(msgspec.Struct):
    """An error answer in Zowe's form."""

    messages: list[Message]


async def reload(session: aiohttp.ClientSession, name: str, url: str) -> None:
    """Raises Conflict with the component's own reason, Unavailable when it does not answer."""
    if name not in PATHS:
        raise Conflict(f"only {', '.join(PATHS)} can be reloaded; kill it instead, and it starts anew")
    try:
        async with session.put(url + PATHS[name], json={}, timeout=TIMEOUT) as answer:
            if answer.status != 200:
                raise Conflict(_reason(await answer.read()) or f"it answers {answer.status}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"{url} does not answer: {error or 'nothing in time'}") from error


def _reason(body: bytes) -> str:
    try:
        return html.unescape(msgspec.json.decode(body, type=Refusal).messages[0].message_content)
    except (msgspec.DecodeError, IndexError):
        return ""
