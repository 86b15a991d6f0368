"""Asking a process whether it is ready, as anybody could: GET /application/ready, or does its port answer?

Asked often while it starts, seldom once it has been ready: an idle sysplex has no timer faster than a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import aiohttp
import msgspec

STARTING_S = 0.1
STARTING_FOR_S = 10.0
"""A component that takes longer is asked once a second: it is not about to be ready."""

SILENT = "does not answer /application/ready"

TIMEOUT = aiohttp.ClientTimeout(total=1.0)
PORT_TIMEOUT_S = 1.0


class Answer(msgspec.Struct):
    """The body of /application/ready."""

    ready: bool
    why: list[str] = []


async def why_not(session: aiohttp.ClientSession, url: str) -> list[str]:
    """The reasons for not being ready; none when it is."""
    try:
        async with session.get(f"{url}/application/ready", timeout=TIMEOUT) as response:
            if response.status == 200:
                return []
            return _reasons(await response.content.read(10_000)) or [f"/application/ready answers {response.status}"]
    except TimeoutError:
        return [SILENT]
    except (aiohttp.ClientError, OSError):
        return ["nothing listens yet"]


async def lives(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether it gives a sign of life: an answer of any kind within a second. A refused connection is no hang."""
    try:
        async with session.get(url, timeout=TIMEOUT, allow_redirects=False):
            return True
    except TimeoutError:  # before ClientError: some of aiohttp's are both
        return False
    except (aiohttp.ClientError, OSError):
        return True


async def found(hosts: Sequence[str], port: int) -> str | None:
    """The first of the addresses where something listens on that port."""
    for host in hosts:
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(PORT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return host
    return None


def pause_s(ready: bool, running_s: float, idle_s: float) -> float:
    """Seconds until the next question."""
    if ready:
        return idle_s
    return STARTING_S if running_s < STARTING_FOR_S else 1.0


def _reasons(body: bytes) -> list[str]:
    try:
        return msgspec.json.decode(body, type=Answer).why
    except msgspec.DecodeError:
        return []
