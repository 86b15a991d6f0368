"""Discovery nodes, their network and their clients under virtual time: one integer decides everything that happens.

The real core runs through its real codec; only sockets, clocks and processes are played. A heap of (time, tie, what to
do) is the world. Messages are delayed, lost (the sender's time-out runs out) or cut off (a partition); nodes are killed
and come back as new boots; clients register, beat, leave, crash, and move to another node when theirs does not answer.

A `Client` knows whether it truly lives, so the world can be asked what ought to be visible.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from discovery.effects import Changed, Send
from discovery.messages import Reply, Request, decode, encode
from discovery.node import Node
from discovery.registration import Registration
from discovery.registry import Registry

SYSPLEX = "SIMPLEX"
TIMEOUT_S = 0.7
BEAT_S = 5.0
LEASE_S = 15
WALL_AT_ZERO_MS = 1_700_000_000_000


@dataclass
class Host:
    """One LPAR's discovery address: at most one boot of its node at a time."""

    name: str
    address: str
    node: Node | None = None
    registry: Registry | None = None
    tick_at: float = -1.0
    clock_skew_ms: int = 0
    changes: int = 0


@dataclass
class Client:
    """`state`: beating, left (deregistered, acknowledged) or crashed; `since` when that began."""

    key: str
    home: int
    state: str = "beating"
    since: float = 0.0
    dirty_ms: int = 0
    registered: bool = False
    last_beat: float = -1.0


@dataclass
class Sim:
    seed: int
    hosts_count: int = 2
    loss: float = 0.0
    rng: random.Random = field(init=False)
    now: float = 0.0
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._ties = itertools.count()
        self.cuts: set[frozenset[str]] = set()
        self.hosts = [Host(f"LPAR{n}", f"http://lpar{n}") for n in range(1, self.hosts_count + 1)]
        self.clients: list[Client] = []
        for host in self.hosts:
            self.at(self.rng.uniform(0, 0.5), lambda host=host: self.boot(host))

    # --- the world

    def at(self, time: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (max(time, self.now), next(self._ties), do))

    def run(self, until: float) -> None:
        while self._heap and self._heap[0][0] <= until:
            self.now, _, do = heapq.heappop(self._heap)
            do()
        self.now = until

    def note(self, text: str) -> None:
        self.log.append(f"{self.now:9.3f} {text}")

    # --- nodes

    def boot(self, host: Host) -> None:
        if host.node is not None:
            return
        self.note(f"boot {host.name}")
        wall_ms = WALL_AT_ZERO_MS + host.clock_skew_ms
        host.node = Node(
            host.name,
            host.address,
            [each.address for each in self.hosts],
            wall_ms + int(self.now * 1000),
            wall_ms,
            self.now,
        )
        host.registry = Registry(host.node)
        host.tick_at = -1.0
        self._step(host)

    def kill(self, host: Host) -> None:
        """Its next boot may find another wall clock."""
        self.note(f"kill {host.name}")
        host.clock_skew_ms = self.rng.choice((host.clock_skew_ms, 0, -7_200_000))
        host.node = host.registry = None

    def cut(self, one: Host, other: Host) -> None:
        self.note(f"cut {one.name} {other.name}")
        self.cuts.add(frozenset((one.name, other.name)))

    def heal(self) -> None:
        self.note("heal")
        self.cuts.clear()

    def _step(self, host: Host) -> None:
        """Perform what the host's node wants now, and come back at its next deadline."""
        node = host.node
        if node is None:
            return
        for effect in node.ready():
            match effect:
                case Send(address, message):
                    self._send(host, node, address, message)
                case Changed(changes):
                    host.changes += len(changes)
        due = node.next_deadline()
        if host.tick_at <= self.now or due < host.tick_at:
            host.tick_at = due
            self.at(due, lambda: self._tick(host, node))

    def _tick(self, host: Host, node: Node) -> None:
        if host.node is node and self.now >= host.tick_at:
            host.tick_at = -1.0
            node.tick(self.now)
            self._step(host)

    # --- network

    def _send(self, host: Host, node: Node, address: str, message: Request) -> None:
        target = next(each for each in self.hosts if each.address == address)
        data = encode(SYSPLEX, node.origin, message)
        there = self.now + self.rng.uniform(0.0002, 0.002)

        def fail(refused: bool) -> None:
            if host.node is node:
                node.failed(address, message, refused, self.now)
                self._step(host)

        def reply(answer: bytes) -> None:
            if host.node is node:
                envelope = decode(SYSPLEX, answer)
                assert isinstance(envelope.body, Reply)
                node.replied(address, envelope.origin, envelope.body, self.now)
                self._step(host)

        def arrive() -> None:
            if target.node is None:
                self.at(self.now, lambda: fail(refused=True))
                return
            envelope = decode(SYSPLEX, data)
            assert isinstance(envelope.body, Request)
            answered = target.node.receive(envelope.origin, envelope.body, self.now)
            answer = encode(SYSPLEX, target.node.origin, answered)
            self._step(target)
            if self._lost(host, target):
                self.at(there + TIMEOUT_S, lambda: fail(refused=False))
            else:
                self.at(self.now + self.rng.uniform(0.0002, 0.002), lambda: reply(answer))

        if self._lost(host, target):
            self.at(self.now + TIMEOUT_S, lambda: fail(refused=False))
        else:
            self.at(there, arrive)

    def _lost(self, one: Host, other: Host) -> bool:
        return frozenset((one.name, other.name)) in self.cuts or self.rng.random() < self.loss

    # --- clients

    def client(self, home: int) -> Client:
        client = Client(f"app/i{len(self.clients)}", home)
        self.clients.append(client)
        self.at(self.now, lambda: self._beat(client))
        return client

    def leave(self, client: Client) -> None:
        registry = self.hosts[client.home].registry
        if client.state == "beating" and registry is not None:
            found = registry.cancel(client.key, self.now)
            self._step(self.hosts[client.home])
            client.state = "left" if found else "crashed"
            client.since = self.now
            self.note(f"leave {client.key} at {self.hosts[client.home].name} {found}")
            late = self.rng.choice(self.hosts)
            self.at(self.now + self.rng.uniform(0, 4), lambda: self._late_heartbeat(client, late))

    def _late_heartbeat(self, client: Client, host: Host) -> None:
        """A packet of the process that has left, overtaken by its deregistration."""
        if host.registry is not None:
            renewal = host.registry.renew(client.key, client.dirty_ms, self.now)
            self.note(f"late heartbeat of {client.key} at {host.name}: {renewal}")
            self._step(host)

    def crash(self, client: Client) -> None:
        if client.state == "beating":
            client.state, client.since = "crashed", self.now
            self.note(f"crash {client.key}")

    def _beat(self, client: Client) -> None:
        """As Eureka's clients do: renew, register on 404, try the next node when one does not answer."""
        if client.state != "beating":
            return
        host = self.hosts[client.home]
        if host.registry is None:
            client.home = (client.home + 1) % len(self.hosts)
            self.at(self.now + 0.1, lambda: self._beat(client))
            return
        if not client.registered or host.registry.renew(client.key, client.dirty_ms, self.now) == "unknown":
            client.dirty_ms = client.dirty_ms or WALL_AT_ZERO_MS + int(self.now * 1000)
            host.registry.register(self._registration(client), self.now)
            client.registered = True
        client.last_beat = self.now
        self._step(host)
        self.at(self.now + BEAT_S, lambda: self._beat(client))

    def _registration(self, client: Client) -> Registration:
        service, _, instance = client.key.partition("/")
        return Registration(
            app=service.upper(),
            instance=instance,
            host=instance,
            ip="192.0.2.1",
            lease_s=LEASE_S,
            dirty_ms=client.dirty_ms,
        )

    # --- what ought to be

    def visible(self, host: Host) -> set[str]:
        assert host.node is not None
        return {record.key for _, record in host.node.view.all()}

    def living(self) -> set[str]:
        return {client.key for client in self.clients if client.state == "beating"}

    def left(self) -> set[str]:
        return {client.key for client in self.clients if client.state == "left"}

    def running(self) -> list[Host]:
        return [host for host in self.hosts if host.node is not None]

    def story(self) -> str:
        return f"seed {self.seed}\n" + "\n".join(self.log[-60:])
