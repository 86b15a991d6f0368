"""Who answers what comes the short way (`shared.express`): /v1's quick operations, and all of Eureka's.

Not here: the answers (`discovery.api`, `discovery.eureka.api`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import lru_cache

from discovery.access import caller_of
from discovery.api import Api
from discovery.eureka.api import EurekaApi
from discovery.eureka.call import Manner, call_of, manner_of
from shared.answer import Answer
from shared.express import KEPT_BLOCKS, Handler, Head, fields_of
from shared.identity import Access

PREFIXES = (b"/eureka/", b"/v2/")


class Desk:
    def __init__(self, api: Api, eureka: EurekaApi, access: Access | None = None) -> None:
        self.body_bytes = api.body_bytes
        self.enter = api.enter
        self.leave = api.leave
        self._quick = api.quick
        self._eureka = eureka
        self._access = access or Access()

    @property
    def beginnings(self) -> list[bytes]:
        """What a connection that comes here begins with."""
        ours = [b"%b %b" % (method, prefix) for method in (b"GET", b"PUT", b"POST", b"DELETE") for prefix in PREFIXES]
        return [*ours, *(b"POST " + path for path in self._quick)]

    def find(self, head: Head, transport: asyncio.BaseTransport) -> Handler | None:
        if head.method == b"POST" and head.target in self._quick:
            quick, caller = self._quick[head.target], caller_of(transport, self._access)
            return lambda body: quick(body, caller)
        if not head.target.startswith(PREFIXES):
            return None
        path, _, query = head.target.decode().partition("?")
        caller = caller_of(transport, self._access)
        call = call_of(head.method.decode(), path, query, _manner(head.block), caller)

        def answer(body: bytes) -> Answer | Awaitable[Answer]:
            return self._eureka.answer(call, body)

        return answer


@lru_cache(maxsize=KEPT_BLOCKS)
def _manner(block: bytes) -> Manner:
    fields = fields_of(block) or {}
    return manner_of(lambda name: fields.get(name.lower().encode(), b"").decode())
