"""This node and how it sees the others."""

from __future__ import annotations

from aiohttp import web

from discovery import clock
from discovery.node import Node
from discovery.v1 import shapes
from discovery.v1.answers import Answers
from discovery.watch import Watch


class Nodes:
    def __init__(self, name: str, node: Node, watch: Watch, answers: Answers) -> None:
        self._name = name
        self._node = node
        self._watch = watch
        self._answers = answers

    async def peers(self, _: web.Request) -> web.StreamResponse:
        node = self._node
        body = shapes.Peers(
            node=node.origin,
            address=node.address,
            peers=[shapes.Peer.of(each) for each in node.peers()],
            owners=node.owners(),
            positions=node.positions(),
            stale=self._answers.stale,
        )
        return self._answers.json(body)

    async def guards(self, _: web.Request) -> web.StreamResponse:
        guards = [shapes.Guard(each.name, each.on, each.why, each.since_s) for each in self._node.guards(clock.now())]
        return self._answers.json(shapes.Guards(guards, self._answers.stale))

    async def summary(self, _: web.Request) -> web.StreamResponse:
        node = self._node
        body = shapes.Summary(
            node=self._name,
            origin=node.origin,
            covered=node.covered,
            instances=len(node.view),
            services=len(node.view.services()),
            leases=node.leases,
            watchers=len(self._watch),
            stale=self._answers.stale,
        )
        return self._answers.json(body)
