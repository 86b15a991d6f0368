"""The real gateway and the played one beside each other: what is done to one is done to the other.

Both are given the same random numbers, clock and snapshot, and transports that are stand-ins. `Pair.differences`
compares all that the core knows afterwards, and where each call is. That they have drawn the same random numbers shows
that pickers, ejections and ramps were asked as often, in the same order.
"""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.downstream import Downstream
from gateway.exchange import State
from gateway.standing import Standing
from tests.sim.gateway.call import Call
from tests.sim.gateway.gateway import Gateway
from tests.sim.gateway.server import Connection
from tests.sim.gateway.world import World
from tests.unit.test_gateway_exchange import GET, POST, Wire, rig

ANSWER = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n"
PICKERS = ("leastRequests", "peakEwma", "random", "random")
NAMES = {State.READY: "ready", State.CONNECTING: "connecting", State.WAITING: "waiting"}


class Clients(dict[Downstream, None]):
    """A set that keeps its order, as the played gateway does: which waiting call goes elsewhere first."""

    def add(self, client: Downstream) -> None:
        self[client] = None

    def discard(self, client: Downstream) -> None:
        self.pop(client, None)


class Silent:
    """In place of a server: notes who is to be told."""

    def __init__(self) -> None:
        self.connections: dict[Connection, None] = {}
        self.opening: list[tuple[partial[None], partial[None]]] = []

    def connect(self, timeout_s: float, done: partial[None], failed: partial[None]) -> None:
        self.opening.append((done, failed))

    def send(self, connection: Connection) -> None: ...

    def probe(self, timeout_s: float, told: Any) -> None: ...


class Pair:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int, instances: int, picker: str) -> None:
        self.now = 1000.0
        for module in ("datapath", "downstream", "upstream", "pool"):
            monkeypatch.setattr(f"gateway.{module}.time", SimpleNamespace(monotonic=lambda: self.now))
        for module in ("exchange", "entrance"):
            monkeypatch.setattr(f"gateway.{module}.monotonic", lambda: self.now)
        self._rig = rig(instances, **{"plexmesh.picker": picker})
        self.path = self._rig.path
        self.path.clients = Clients()  # type: ignore[assignment]
        self.real: list[Downstream] = []

        world = World(seed)
        world.now = self.now
        self.keys = list(self.path.snapshot.endpoints)
        self._servers: dict[str, Any] = {key: Silent() for key in self.keys}
        self.played = Gateway(world, "127.0.0.1:7554", "LPAR1", self._servers)
        self.played.adopt(self.path.snapshot)
        self.calls: list[Call] = []
        self.path._random.seed(seed)
        self.played.random.seed(seed)

    # --- what is done to both

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.played.world.now = self.now

    def begin(self, method: str) -> None:
        wire = Wire()
        down = Downstream(self.path, wire, "127.0.0.1", 7554)  # type: ignore[arg-type]
        down.connection_made(wire)  # type: ignore[arg-type]
        self.real.append(down)
        down.data_received(GET if method == "GET" else POST)
        self.calls.append(Call(self.played, method, lambda _: None))
        self.calls[-1].begin()

    def connect(self, number: int, *, failed: bool) -> None:
        exchange, (done, fail) = self.real[number].exchange, self._opened(number)
        if failed:
            exchange.connect_failed(exchange.attempt, "connect", "refused")
            fail("refused")
        else:
            made, _ = self._rig.connection(self.keys.index(exchange.endpoint.key))
            assert exchange.connected(exchange.attempt, made)
            done(Connection(self._servers[self.calls[number].standing.key]))

    def _opened(self, number: int) -> tuple[partial[None], partial[None]]:
        """Who is told of the connect that was begun for it last."""
        call = self.calls[number]
        opening: list[tuple[partial[None], partial[None]]] = self._servers[call.standing.key].opening
        return next(pair for pair in reversed(opening) if getattr(pair[0].func, "__self__", None) is call)

    def answer(self, number: int, status: int) -> None:
        self._real_connection(number).data_received(ANSWER % status)
        self._connection(number).told(status)

    def die(self, number: int) -> None:
        self._real_connection(number).connection_lost(None)
        self._connection(number).told(0)

    def expire(self, number: int) -> None:
        self.real[number].expire(self.now)
        self.calls[number].expire()

    def look(self) -> None:
        self.path.look()
        self.played.look()

    def tick(self) -> None:
        self.path.perform(self.path.health.tick(self.now))
        self.played.perform(self.played.health.tick(self.now))

    def probed(self, key: str, why: str) -> None:
        endpoint = self.path.snapshot.endpoints[key]
        self.path.perform(self.path.health.probed(endpoint, why, self.now))
        self.played.perform(self.played.health.probed(endpoint, why, self.now))

    def _real_connection(self, number: int) -> Any:
        return self.real[number].exchange._connection

    def _connection(self, number: int) -> Connection:
        found = self.calls[number]._connection
        assert found is not None
        return found

    def close(self) -> None:
        self.path.close()

    # --- what there is to see

    def at(self, state: State) -> list[int]:
        return [number for number, each in enumerate(self.real) if each.exchange.state is state]

    def differences(self) -> list[str]:
        self.path.outbox.flush()
        found = []
        for number, (down, call) in enumerate(zip(self.real, self.calls, strict=True)):
            exchange = down.exchange
            real = (NAMES[exchange.state], exchange.standing.key, exchange.tries)
            played = (call._state, call.standing.key, call.tries)
            if exchange.state is State.WAITING:
                real, played = (*real, down.deadline), (*played, call.deadline)  # type: ignore[assignment]
            if real != played:
                found.append(f"call {number}: {real}, {played} here")
        for key in self.keys:
            if _seen(self.path.standings[key]) != _seen(self.played.standings[key]):
                found.append(f"{key}: {_seen(self.path.standings[key])}, {_seen(self.played.standings[key])} here")
            idle = (self.path.pools[key].idle_count, len(self.played.pool(self.played.snapshot.endpoints[key])._idle))
            if idle[0] != idle[1]:
                found.append(f"{key}: {idle[0]} connections at rest, {idle[1]} here")
        if self.path.health.records != self.played.health.records:
            found.append(f"{self.path.health.records}, {self.played.health.records} here")
        if self.path._random.getstate() != self.played.random.getstate():
            found.append("other random numbers were drawn")
        return found


def _seen(standing: Standing) -> dict[str, object]:
    return {name: getattr(standing, name) for name in Standing.__slots__}


async def scripted(monkeypatch: pytest.MonkeyPatch, seed: int, steps: int = 300) -> str:
    """Do things at random; returns what differs first, with what was done before, or nothing."""
    random = Random(seed)
    pair = Pair(monkeypatch, seed, random.choice((1, 2, 2, 3, 5)), random.choice(PICKERS))
    done: list[str] = []
    try:
        for _ in range(steps):
            done.append(_step(pair, random))
            differences = pair.differences()
            if differences:
                return f"seed {seed}: {', '.join(done[-8:])}:\n" + "\n".join(differences)
            await asyncio.sleep(0)
    finally:
        pair.close()
    return ""


def _step(pair: Pair, random: Random) -> str:
    """One, and what it was. The first instance is poorly for 4 s of each 8: most calls there fail."""
    connecting, waiting = pair.at(State.CONNECTING), pair.at(State.WAITING)
    match random.choices(("begin", "connect", "end", "expire", "time", "probed"), (6, 6, 16, 1, 2, 2))[0]:
        case "begin" if len(connecting) + len(waiting) < 12:
            method = random.choice(("GET", "GET", "POST"))
            pair.begin(method)
            return method
        case "connect" if connecting:
            number, failed = random.choice(connecting), random.random() < 0.1
            pair.connect(number, failed=failed)
            return f"{number} {'not ' * failed}connected"
        case "end" if waiting:
            return _end(pair, random, random.choice(waiting))
        case "expire" if waiting:
            number = random.choice(waiting)
            pair.expire(number)
            return f"{number} expired"
        case "probed":
            due = [key for key, record in pair.path.health.records.items() if record.probing]
            if due:
                key, why = random.choice(due), random.choice(("", "refused"))
                pair.probed(key, why)
                return f"{key} probed {why}"
    pair.pass_time(random.choice((0.01, 0.3, 0.3, 0.3, 1.1)))
    pair.look()
    pair.tick()
    return "time passed"


def _end(pair: Pair, random: Random, number: int) -> str:
    poorly = pair.calls[number].standing.key == pair.keys[0] and pair.now % 8 < 4
    status = random.choice((503, 503, 502, 0, 0) if poorly else (200, 200, 200, 404, 429, 429, 503, 0))
    if status:
        pair.answer(number, status)
    else:
        pair.die(number)
    return f"{number} answered {status}"
