"""Many registrations at once: instances of the drill's own, registered as any Eureka client does it.

Source: Eureka's REST operations (POST and DELETE below /eureka/apps).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import aiohttp

from launcher.drill.evidence import Member
from shared.errors import Unavailable

SERVICES = 10
"""The instances are of so many services."""

AT_ONCE = 50
LEASE_S = 90
TIMEOUT = aiohttp.ClientTimeout(total=10.0)


class Storm:
    def __init__(self, connector: Callable[[], aiohttp.TCPConnector]) -> None:
        self._connector = connector
        self._registered: list[tuple[str, str, str]] = []
        """Node, service, instance."""

    async def begin(self, nodes: Sequence[str], count: int) -> set[Member]:
        """Register so many, spread over the discovery nodes. Raises Unavailable: one was not taken."""
        if not nodes:
            raise Unavailable("no discovery node can be reached")
        places = [(nodes[n % len(nodes)], *_name(n)) for n in range(count)]
        await self._all([self._post(*place, port=10_000 + n) for n, place in enumerate(places)])
        self._registered = places
        return {Member(service, instance, "") for _, service, instance in places}

    async def end(self) -> None:
        places, self._registered = self._registered, []
        await self._all([self._delete(*place) for place in places])

    async def _all(self, calls: list[_Asked]) -> None:
        if not calls:
            return
        gate = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession(connector=self._connector(), timeout=TIMEOUT) as session:

            async def ask(call: _Asked) -> None:
                async with gate, session.request(call.method, call.url, json=call.body) as answer:
                    if answer.status >= 400:
                        raise Unavailable(f"{call.method} {call.url} answers {answer.status}")

            try:
                await asyncio.gather(*(ask(call) for call in calls))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise Unavailable(f"a discovery node does not answer: {error}") from error

    def _post(self, node: str, service: str, instance: str, port: int) -> _Asked:
        body = {
            "instance": {
                "instanceId": instance,
                "app": service.upper(),
                "hostName": "127.0.0.1",
                "ipAddr": "127.0.0.1",
                "vipAddress": service,
                "status": "UP",
                "port": {"$": port, "@enabled": "true"},
                "securePort": {"$": 443, "@enabled": "false"},
                "dataCenterInfo": {
                    "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                    "name": "MyOwn",
                },
                "leaseInfo": {"renewalIntervalInSecs": LEASE_S // 3, "durationInSecs": LEASE_S},
                "metadata": {"apiml.service.title": service},
            }
        }
        return _Asked("POST", f"{node}/eureka/apps/{service.upper()}", body)

    def _delete(self, node: str, service: str, instance: str) -> _Asked:
        return _Asked("DELETE", f"{node}/eureka/apps/{service.upper()}/{instance}", None)


def _name(n: int) -> tuple[str, str]:
    """Service and instance id of the n-th."""
    service = f"drill{n % SERVICES}"
    return service, f"drill-host:{service}:{n}"


class _Asked:
    def __init__(self, method: str, url: str, body: object) -> None:
        self.method, self.url, self.body = method, url, body
