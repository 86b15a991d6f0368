"""Eureka's REST operations as a client speaks them, over several discovery nodes tried in turn.

A call goes to the node that answered last; when that fails (refused, silent for `TIMEOUT_S`, 5xx) the others follow in
order. Every `RETURN_S` the first node is tried first again, so that a program comes home to its own LPAR's discovery.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import aiohttp

from plexmesh import tls

TIMEOUT_S = 2.0
RETURN_S = 30.0


class RegistryUnreachable(Exception):
    """No discovery node answered; the text has each one's reason."""


class Registry:
    def __init__(self, urls: Sequence[str], context: ssl.SSLContext | None = None) -> None:
        """`context`: for calls with https; None: as the surroundings say."""
        self.urls = list(urls)
        self._context = context
        self._current = 0
        self._left_home_at = 0.0
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        # Names are remembered: a thread that deregisters while the interpreter ends cannot look them up any more.
        context = self._context or tls.context()
        connector = aiohttp.TCPConnector(keepalive_timeout=15, ttl_dns_cache=300, ssl=context)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def register(self, app: str, document: dict[str, Any]) -> None:
        status, text = await self._call("POST", f"/apps/{quote(app)}", json=document)
        if status >= 300:
            raise RegistryUnreachable(f"registration refused with {status}: {text[:200]}")

    async def renew(self, app: str, instance_id: str, status: str, dirty_ms: int) -> bool:
        """False: the registry does not know this instance (any more); register again."""
        query = {"status": status, "lastDirtyTimestamp": str(dirty_ms)}
        answer, _ = await self._call("PUT", self._path(app, instance_id), params=query)
        return answer < 300

    async def cancel(self, app: str, instance_id: str) -> None:
        await self._call("DELETE", self._path(app, instance_id))

    def _path(self, app: str, instance_id: str) -> str:
        return f"/apps/{quote(app)}/{quote(instance_id, safe=':')}"

    async def _call(self, method: str, path: str, **how: Any) -> tuple[int, str]:
        assert self._session is not None, "the registry is not open"
        if self._current and time.monotonic() - self._left_home_at > RETURN_S:
            self._current = 0
        reasons = []
        for step in range(len(self.urls)):
            index = (self._current + step) % len(self.urls)
            url = f"{self.urls[index]}/eureka{path}"
            try:
                async with self._session.request(method, url, **how) as answer:
                    text = await answer.text() or answer.headers.get("X-Plexmesh-Why", "")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                reasons.append(f"{self.urls[index]}: {error or type(error).__name__}")
                continue
            if answer.status < 500:
                self._settle(index)
                return answer.status, text
            reasons.append(f"{self.urls[index]}: {answer.status}")
        raise RegistryUnreachable("; ".join(reasons))

    def _settle(self, index: int) -> None:
        if index != self._current:
            self._left_home_at = time.monotonic()
        self._current = index
