"""What others say of a service: each discovery node that is configured, and each other gateway that is registered.

All are asked at once, and have a second; one that does not answer is told of, like one that answers nonsense. They are
asked for what they tell anybody: a node for its list, a gateway for what it sees.

Not here: what is made of it (`explain`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

import aiohttp
import msgspec

from gateway.config import GatewayConfig
from gateway.explanation import NOTHING, GatewayWord, Heard, NodeWord, View
from gateway.fetching import TROUBLE, NotUsable, fetched
from gateway.snapshot import Snapshot
from gateway.views import instances_of
from shared.errors import Unavailable
from shared.net import to_ours
from shared.wire import Instance

WITHIN_S = 1.0
AT_ONCE = 8
"""Inquiries under way; more are refused, because each is many requests."""

MAX_GATEWAYS = 16
"""As many as there may be LPARs."""

MAX_BYTES = 16 * 1024 * 1024
"""Of an answer: far above that of a gateway with 2000 services."""


class _Held(msgspec.Struct):
    instance: str
    status: str


class _List(msgspec.Struct):
    instances: list[_Held]
    stale: bool = False


class _Seen(View, frozen=True, kw_only=True):
    instance: str


class _Upstream(msgspec.Struct):
    service: str
    instances: list[_Seen]


class _Upstreams(msgspec.Struct):
    upstreams: list[_Upstream]


class Inquiry:
    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._under_way = 0

    async def ask(self, service: str, snapshot: Snapshot) -> Heard:
        """About a service by its id; nobody is asked about none. Raises Unavailable."""
        if not service:
            return NOTHING
        if self._under_way >= AT_ONCE:
            raise Unavailable(f"{AT_ONCE} calls are being explained already; try again in a second")
        self._under_way += 1
        try:
            return await self._ask(service, self._others(instances_of(snapshot, "gateway")))
        finally:
            self._under_way -= 1

    async def _ask(self, service: str, gateways: list[Instance]) -> Heard:
        timeout = aiohttp.ClientTimeout(total=WITHIN_S)
        calls = to_ours(self._config)
        async with aiohttp.ClientSession(connector=calls, timeout=timeout) as session:
            nodes, others = await asyncio.gather(
                asyncio.gather(*(_node(session, url, service) for url in self._config.discovery)),
                asyncio.gather(*(_gateway(session, each, service) for each in gateways)),
            )
        return Heard(nodes, others)

    def _others(self, gateways: Iterable[Instance]) -> list[Instance]:
        own = self._config
        found = [each for each in gateways if each.port != own.port or own.host not in (each.host, each.ip)]
        return found[:MAX_GATEWAYS]


async def _node(session: aiohttp.ClientSession, url: str, service: str) -> NodeWord:
    try:
        body = await fetched(session, f"{url}/v1/instances", MAX_BYTES, {"service": service})
        listed = msgspec.json.decode(body, type=_List)
    except TROUBLE as error:
        return NodeWord(url, trouble=_said(error))
    return NodeWord(url, instances={each.instance: each.status for each in listed.instances}, stale=listed.stale)


async def _gateway(session: aiohttp.ClientSession, gateway: Instance, service: str) -> GatewayWord:
    url, lpar = gateway.url, gateway.lpar or ""
    try:
        body = await fetched(session, f"{url}/gateway/v1/upstreams", MAX_BYTES)
        found = msgspec.json.decode(body, type=_Upstreams).upstreams
    except TROUBLE as error:
        return GatewayWord(url, lpar, trouble=_said(error))
    seen = next((each.instances for each in found if each.service == service), None)
    return GatewayWord(url, lpar, views=None if seen is None else {each.instance: each for each in seen})


def _said(error: Exception) -> str:
    """Why there is no answer, as the rest of a sentence."""
    match error:
        case TimeoutError():
            return f"is silent: no answer within {WITHIN_S:g} s"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {os.strerror(error.errno) if error.errno else error.os_error}"
        case NotUsable():
            return str(error)
        case ValueError():
            return "answers something else than expected"
    return f"breaks off: {error or type(error).__name__}"
