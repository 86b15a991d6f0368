"""plexmesh's own API of a discovery node: the watch stream, the registry as JSON, and the peers' entrance.

GET /v1/watch       the registry as it changes (`discovery.watch`); 503 until this node is covered
GET /v1/instances   {"instances": [Instance, …]}, with ?service= only of that one
GET /v1/services    {"services": {name: {status: count}}}
GET /v1/peers       how this node sees the others
GET /v1/summary     {"node", "origin", "covered", "instances", "services", "leases"}
POST /peer/v1/…     messages of the other nodes (`discovery.messages`)
"""

from __future__ import annotations

from collections import Counter

import msgspec
from aiohttp import web

from discovery.auth import HEADER, GossipKey
from discovery.config import DiscoveryConfig
from discovery.driver import Driver
from discovery.messages import decode, encode
from discovery.peers import MSGPACK
from discovery.record import STATUS_OF
from discovery.registry import seen_by_watchers
from discovery.watch import Watch
from shared.errors import Unavailable


class Api:
    def __init__(self, config: DiscoveryConfig, driver: Driver, watch: Watch, key: GossipKey) -> None:
        self._config = config
        self._driver = driver
        self._node = driver.node
        self._watch = watch
        self._key = key

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/watch", self.watch),
            web.get("/v1/instances", self.instances),
            web.get("/v1/services", self.services),
            web.get("/v1/peers", self.peers),
            web.get("/v1/summary", self.summary),
            web.post("/peer/v1/{kind:push|sync|touch}", self.peer),
        ]

    async def watch(self, request: web.Request) -> web.StreamResponse:
        if not self._node.covered:
            raise Unavailable("this node is still joining its peers")
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        with self._watch.watcher() as watcher:
            await stream.prepare(request)
            async for frames in watcher.frames():
                await stream.write(frames)
        return stream

    async def instances(self, request: web.Request) -> web.Response:
        service = request.query.get("service")
        held = self._node.view.of(service.lower()) if service else self._node.view.all()
        return _json({"instances": [seen_by_watchers(each) for each in held]})

    async def services(self, _: web.Request) -> web.Response:
        view = self._node.view
        counts = {name: Counter(STATUS_OF[record.state] for _, record in view.of(name)) for name in view.services()}
        return _json({"services": counts})

    async def peers(self, _: web.Request) -> web.Response:
        links = [
            {"peer": link.address, "origin": link.origin, "state": link.liveness.state, "acked": link.acked}
            for link in self._node.links.values()
        ]
        return _json({"node": self._node.origin, "peers": links, "owners": self._node.owners()})

    async def summary(self, _: web.Request) -> web.Response:
        return _json(
            {
                "node": self._config.lpar,
                "origin": self._node.origin,
                "covered": self._node.covered,
                "instances": len(self._node.view),
                "services": len(self._node.view.services()),
                "leases": self._node.leases,
            }
        )

    async def peer(self, request: web.Request) -> web.Response:
        body = await request.read()
        mac = request.headers.get(HEADER, "")
        self._key.check(request.path, body, mac)
        reply = self._driver.receive(decode(self._config.sysplex, body))
        data = encode(self._config.sysplex, self._node.origin, reply)
        return web.Response(body=data, content_type=MSGPACK, headers={HEADER: self._key.sign(mac, data)})


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
