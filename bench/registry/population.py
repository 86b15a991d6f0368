"""The resident instances: who they are, where each beats, and the beating itself.

An instance beats every `BEAT_S` at the node where it registered; when that node does not answer, at once at the next
one, and stays there: what Eureka's clients do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bench.registry import requests
from bench.registry.cluster import NODES, Cluster, host
from bench.registry.load import Line, Pacer, steadily

BEAT_S = 30.0
LEASE_S = 90
BATCH = 50
SERVICES = 200


@dataclass
class Client:
    """One process that beats for some instances."""

    keys: list[str]
    home: int


@dataclass
class Population:
    batched: list[Client] = field(default_factory=list)
    singly: list[Client] = field(default_factory=list)
    size: int = 0
    refused: int = 0
    forgotten: int = 0
    _turn: int = 0

    def instances(self, first: int, last: int) -> list[list[dict[str, object]]]:
        """Those with these numbers, by home node."""
        made: list[list[dict[str, object]]] = [[] for _ in range(NODES)]
        for number in range(first, last):
            made[number % NODES].append(requests.instance(f"svc{number % SERVICES:03d}", f"i{number}", LEASE_S))
        return made

    def add(self, made: list[list[dict[str, object]]]) -> None:
        for home, instances in enumerate(made):
            keys = [f"{each['service']}/{each['instance']}" for each in instances]
            self.batched += [Client(keys[at : at + BATCH], home) for at in range(0, len(keys), BATCH)]
            self.singly += [Client([key], home) for key in keys]
            self.size += len(keys)
        for clients in (self.batched, self.singly):
            random.Random(self.size).shuffle(clients)  # or all of one node would beat together

    @contextlib.asynccontextmanager
    async def beating(self, cluster: Cluster, batched: bool = True) -> AsyncIterator[None]:
        """All of them beat while the block runs."""
        lines = await cluster.lines(2)
        pacers = [Pacer(group) for group in lines]
        task = asyncio.create_task(self._beat(self.batched if batched else self.singly, pacers))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            close(lines)

    async def _beat(self, clients: list[Client], pacers: list[Pacer]) -> None:
        def step() -> None:
            self._turn += 1
            self._beat_once(clients[self._turn % len(clients)], pacers, NODES)

        if clients:
            await steadily(len(clients) / BEAT_S, step)

    def _beat_once(self, client: Client, pacers: list[Pacer], tries: int) -> None:
        def answered(status: int, body: bytes) -> None:
            if status == 0 and tries > 1:
                client.home = (client.home + 1) % NODES
                self._beat_once(client, pacers, tries - 1)
            elif status not in (200, 202):
                self.refused += 1
            elif b'"unknown":["' in body:
                self.forgotten += 1

        pacers[client.home].ask(requests.beat(host(client.home), client.keys), answered)


def close(lines: list[list[Line]]) -> None:
    for group in lines:
        for line in group:
            line.close()
