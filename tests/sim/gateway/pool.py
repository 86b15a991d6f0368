"""Connections at rest from one gateway to one instance, last used first."""

from __future__ import annotations

from gateway.snapshot import Endpoint
from gateway.standing import Standing
from tests.sim.gateway.server import Connection, Server


class Pool:
    def __init__(self, endpoint: Endpoint, server: Server, idle_s: float) -> None:
        self.server = server
        self._endpoint = endpoint
        self._idle_s = idle_s
        self._idle: list[Connection] = []

    def leads_to(self, standing: Standing | None) -> bool:
        return standing is not None and self._endpoint.same_process(standing.endpoint)

    def take(self, now: float) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.open and connection.deadline > now:
                connection.reused = True
                return connection
            connection.close()
        return None

    def give(self, connection: Connection, now: float) -> None:
        if connection.open:
            connection.deadline = now + self._idle_s
            self._idle.append(connection)

    def close_idle(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()
