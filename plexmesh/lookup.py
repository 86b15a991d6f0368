"""Who serves a service now, and again at each change: for calls from service to service.

    the first node that answers ──/v1/watch──▶ a stream of changes (a plexmesh discovery node)
                                └─404────────▶ /eureka/apps/ORDERS every `POLL_S` (any other Eureka server)

When a node is lost the next one is asked; while none answers, the last set stands and nothing is yielded. A set is
yielded only when it differs from the one before, so moving to another node is not seen.

Source: plexmesh's watch stream (server-sent events `put`, `del`, `mark`; a stream begins with the whole set, ended by
a mark), Eureka's JSON. Not here: choosing one of the set, retrying a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp

from plexmesh import environment, tls
from plexmesh.registry import RegistryUnreachable

log = logging.getLogger("plexmesh.lookup")

CONNECT_S = 2.0
SILENCE_S = 12.0
"""A watch stream marks every 5 s; one without a byte for so long is dead."""

POLL_S = 5.0
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Between rounds over all nodes, longer as long as none answers."""

MAX_EVENT_BYTES = 1_048_576
LPAR_KEY = "zos.lpar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance of a service. `status` is UP, DOWN, STARTING, OUT_OF_SERVICE or UNKNOWN; call those that are UP."""

    id: str
    host: str
    port: int
    url: str
    lpar: str | None
    status: str
    metadata: Mapping[str, str] = field(hash=False)


class NotUsable(Exception):
    """What a node answered makes no sense here."""


TROUBLE = (aiohttp.ClientError, OSError, TimeoutError, NotUsable, KeyError, ValueError, TypeError)
"""A node that does not answer, or not in a form that is understood: the next one is asked."""


async def instances(service_id: str, *, discovery: Sequence[str] | None = None) -> AsyncGenerator[list[Instance]]:
    """The instances of a service by id: the set of now at once (empty when there are none), a new one at each change.

    Raises RegistryUnreachable when no discovery is named; a named one that cannot be reached is only waited for.
    """
    nodes = environment.discovery_urls(discovery)
    if not nodes:
        raise RegistryUnreachable("no discovery named: give `discovery`, or set PLEXMESH_DISCOVERY")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
    last: list[Instance] | None = None
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=tls.context())) as session,
        contextlib.aclosing(_sets(session, nodes, service_id.lower())) as sets,
    ):
        async for found in sets:
            if found != last:
                last = found
                yield list(found)


async def _sets(session: aiohttp.ClientSession, nodes: Sequence[str], service: str) -> AsyncGenerator[list[Instance]]:
    """What the nodes say, one after the other, for ever."""
    rounds, said = 0, False
    while True:
        reasons = []
        for node in nodes:
            try:
                async with contextlib.aclosing(_follow(session, node, service)) as sets:
                    async for found in sets:
                        rounds, said = 0, False
                        yield found
            except TROUBLE as error:
                reasons.append(f"{node}: {error or type(error).__name__}")
        if rounds >= len(PAUSES_S) and not said:
            log.warning("no registry says who serves %s, trying on: %s", service, "; ".join(reasons))
            said = True
        await asyncio.sleep(PAUSES_S[min(rounds, len(PAUSES_S) - 1)])
        rounds += 1


async def _follow(session: aiohttp.ClientSession, node: str, service: str) -> AsyncGenerator[list[Instance]]:
    async with session.get(f"{node}/v1/watch", headers={"Accept": "text/event-stream"}) as answer:
        if answer.status == 200 and answer.content_type == "text/event-stream":
            fold = Fold(service)
            async for name, data in _events(answer.content):
                if fold.apply(name, data):
                    yield fold.now()
            raise NotUsable("the stream ended")
        if answer.status not in (200, 404, 405):
            raise NotUsable(f"it answered {answer.status}")
    while True:
        yield await _asked(session, node, service)
        await asyncio.sleep(POLL_S)


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, str]]:
    """Name and data of each server-sent event."""
    held = b""
    async for chunk in content.iter_any():
        *events, held = (held + chunk).split(b"\n\n")
        if len(held) > MAX_EVENT_BYTES:
            raise NotUsable("an event of more than a megabyte")
        for event in events:
            lines = dict(line.split(": ", 1) for line in event.decode().splitlines() if ": " in line)
            yield lines.get("event", ""), lines.get("data", "")


class Fold:
    """The set of one service, folded out of the events of one stream; consistent at marks, from the first one on."""

    def __init__(self, service: str) -> None:
        self._prefix = f"{service}/"
        self._service = service
        self._held: dict[str, Instance] = {}

    def apply(self, name: str, data: str) -> bool:
        """Whether the set is consistent now."""
        if name == "put":
            for each in json.loads(data)["instances"]:
                if each["service"] == self._service:
                    self._held[f"{self._prefix}{each['instance']}"] = watched(each)
        elif name == "del":
            for key in json.loads(data)["keys"]:
                self._held.pop(key, None)
        return name == "mark"

    def now(self) -> list[Instance]:
        return sorted(self._held.values(), key=lambda each: each.id)


async def _asked(session: aiohttp.ClientSession, node: str, service: str) -> list[Instance]:
    """The set by Eureka's REST API."""
    url = f"{node}/eureka/apps/{quote(service.upper(), safe='')}"
    async with session.get(url, headers={"Accept": "application/json"}) as answer:
        if answer.status == 404:
            return []
        if answer.status != 200:
            raise NotUsable(f"it answered {answer.status}")
        listed = (await answer.json())["application"]["instance"]
    several = listed if isinstance(listed, list) else [listed]  # one alone comes without its list from some servers
    return sorted((listed_by_eureka(each) for each in several), key=lambda each: each.id)


def watched(body: Mapping[str, Any]) -> Instance:
    """An instance of the watch stream; fields at their defaults are left out there."""
    return _instance(
        body["instance"], body["host"], body["port"], body.get("secure", False), body["status"], body.get("metadata")
    )


def listed_by_eureka(body: Mapping[str, Any]) -> Instance:
    secure = str(body.get("securePort", {}).get("@enabled", "")).lower() == "true"
    port = int(body["securePort" if secure else "port"]["$"])
    host = body["hostName"]
    return _instance(body.get("instanceId", host), host, port, secure, body["status"], body.get("metadata"))


def _instance(id: str, host: str, port: int, secure: bool, status: str, metadata: Mapping[str, str] | None) -> Instance:
    data = {key: str(value) for key, value in (metadata or {}).items() if key != "@class"}
    name = f"[{host}]" if ":" in host else host
    url = f"{'https' if secure else 'http'}://{name}:{port}"
    return Instance(id=id, host=host, port=port, url=url, lpar=data.get(LPAR_KEY), status=status, metadata=data)
