"""What the gateways and the discovery nodes see, as they say it themselves: before one process is stopped, all others
must know that its twin serves.

    GET /gateway/v1/sysplex   every instance: the registry's word, the gateway's own judgement, calls under way
    GET /v1/peers             how a discovery node judges the others, and how far they have its log

An instance belongs to a component if it is at its address. One that is silent or away is no reason to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import TypeVar

import aiohttp
import msgspec

ASK = aiohttp.ClientTimeout(total=1.0)

T = TypeVar("T")


class Seen(msgspec.Struct, rename="camel", frozen=True):
    """An instance in a gateway's eyes."""

    service: str
    instance: str
    url: str
    status: str
    view: str
    in_flight: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.service, self.instance

    @property
    def serves(self) -> bool:
        return self.status == "UP" and self.view == "fine"


class _Lpar(msgspec.Struct, frozen=True):
    components: list[Seen] = []
    instances: list[Seen] = []


class _Following(msgspec.Struct, frozen=True):
    node: str = ""


class Sight(msgspec.Struct, frozen=True):
    """Of one gateway."""

    lpars: list[_Lpar]
    watch: _Following
    outside: list[Seen] = []

    @property
    def instances(self) -> list[Seen]:
        return [seen for lpar in self.lpars for seen in (*lpar.components, *lpar.instances)] + self.outside


class _Peer(msgspec.Struct, frozen=True):
    address: str
    state: str | None
    lag: int


class _Peers(msgspec.Struct, frozen=True):
    peers: list[_Peer]


async def sights(session: aiohttp.ClientSession, gateways: Iterable[str]) -> dict[str, Sight | None]:
    """By the gateway's URL; None: it does not answer."""
    urls = list(gateways)
    found = await asyncio.gather(*(_ask(session, f"{url}/gateway/v1/sysplex", Sight) for url in urls))
    return dict(zip(urls, found, strict=True))


def at(sights: Iterable[Sight | None], url: str) -> set[tuple[str, str]]:
    """The keys of the instances at that address."""
    return {seen.key for sight in sights if sight for seen in sight.instances if seen.url == url}


def serving(sight: Sight) -> set[tuple[str, str]]:
    return {seen.key for seen in sight.instances if seen.serves}


def under_way(sight: Sight | None) -> list[int]:
    """Calls by instance."""
    return [seen.in_flight for seen in sight.instances] if sight else []


def busy(sights: Iterable[Sight | None], url: str) -> bool:
    """Whether calls are under way at that address, or some gateway still sends new ones there."""
    there = [seen for sight in sights if sight for seen in sight.instances if seen.url == url]
    return any(seen.in_flight or seen.serves for seen in there)


async def apart(session: aiohttp.ClientSession, nodes: Collection[str]) -> list[str]:
    """Which discovery nodes do not know each other as alive, or are behind; in words, none when all is well."""
    found = await asyncio.gather(*(_ask(session, f"{node}/v1/peers", _Peers) for node in nodes))
    trouble = []
    for node, heard in zip(nodes, found, strict=True):
        if heard is None:
            trouble.append(f"{node} does not answer")
            continue
        known = {peer.address: peer for peer in heard.peers}
        for other in nodes:
            peer = known.get(other)
            if other != node and (peer is None or peer.state != "alive" or peer.lag):
                trouble.append(f"{node} sees {other} {peer.state if peer and peer.state else 'not'} yet")
    return trouble


async def _ask(session: aiohttp.ClientSession, url: str, shape: type[T]) -> T | None:
    try:
        async with session.get(url, timeout=ASK) as answer:
            return msgspec.json.decode(await answer.read(), type=shape) if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
        return None
