"""Services: all in numbers, one by its instances, and that again once it has changed (long poll)."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict

from aiohttp import web

from discovery import token
from discovery.node import Node
from discovery.record import STATUS_OF, Status
from discovery.v1 import shapes
from discovery.v1.answers import Answers
from discovery.watch import Watch

SLICE = 2000
"""Instances counted in one step: about a millisecond."""


class Services:
    def __init__(self, node: Node, watch: Watch, answers: Answers) -> None:
        self._node = node
        self._watch = watch
        self._answers = answers

    async def services(self, _: web.Request) -> web.StreamResponse:
        counts: defaultdict[str, Counter[Status]] = defaultdict(Counter)
        for number, (_origin, record) in enumerate(list(self._node.view.all()), 1):
            counts[record.service][STATUS_OF[record.state]] += 1
            if number % SLICE == 0:
                await asyncio.sleep(0)
        ordered = {name: dict(each) for name, each in sorted(counts.items())}
        return self._answers.json(shapes.Services(ordered, self._answers.stale))

    async def poll(self, request: web.Request) -> web.StreamResponse:
        service = request.match_info["service"].lower()
        since = request.query.get("since")
        wait_s = float(request.query.get("wait", 0))
        if since is not None:
            given = token.parsed(since)
            with self._watch.admitted():
                changed = await self._watch.changes(service, given, wait_s)
            if not changed:
                now = token.formatted(self._watch.token())
                return self._answers.json(shapes.Poll(now, False, stale=self._answers.stale))
        now = token.formatted(self._watch.token())
        return await self._answers.instances(request, self._node.view.of(service), {"token": now, "changed": True})
