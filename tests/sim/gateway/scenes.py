"""The parts put together, and what scenarios begin with: some gateways, one service, and load.

The registry is played by `publish`: what it lists is known to every gateway a moment later. It never learns by itself
that an instance has died; a scenario says so where it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType

import msgspec

from gateway.guards import ALL, Guards
from gateway.snapshot import Snapshot, endpoint_of, upstream_of
from gateway.standing import Standing
from shared.wire import LPAR_KEY, Instance, OwnerState
from tests.sim.gateway.call import Call
from tests.sim.gateway.figures import Figures
from tests.sim.gateway.gateway import SERVICE, Gateway
from tests.sim.gateway.server import Server, Way
from tests.sim.gateway.world import World

PUSHED_S = 0.02
FAULT_AT = 3.0
DRAINED_S = 70.0
"""After the end of the load each call has had its answer, be it a time-out."""


class Scene:
    """`lpars` is where the instances are, by number, in turn; gateway n is in LPARn, of as many."""

    def __init__(
        self,
        seed: int,
        servers: int = 2,
        *,
        gateways: int = 1,
        mean_s: float = 0.004,
        workers: int = 8,
        lpars: int = 1,
        guards: Guards = ALL,
        probed: bool = True,
        **metadata: str,
    ) -> None:
        """`metadata` as registered, without its `plexmesh.`."""
        self.world = World(seed)
        self.figures = Figures()
        self.servers = [Server(self.world, number, mean_s=mean_s, workers=workers) for number in range(servers)]
        self.instances = [
            _instance(number, f"LPAR{number % lpars + 1}", probed=probed, metadata=metadata)
            for number in range(servers)
        ]
        self.by_key = {each.key: server for each, server in zip(self.instances, self.servers, strict=True)}
        self.owners: dict[str, OwnerState] = {}
        self.gateways = [
            Gateway(self.world, f"127.0.{number}.1:7554", f"LPAR{number}", self.by_key, guards)
            for number in range(1, gateways + 1)
        ]
        for each in self.gateways:
            each.tried = self._tried
        self._load_until = 0.0
        self._publish()

    # --- the registry

    def publish(self) -> None:
        self.world.after(PUSHED_S, self._publish)

    def _publish(self) -> None:
        known = {each.key: each for each in self.instances}
        own = (_gateway(each) for each in self.gateways)
        upstream = upstream_of(SERVICE, known)
        assert not upstream.faults
        snapshot = Snapshot(
            MappingProxyType({SERVICE.encode(): upstream}),
            MappingProxyType({each.key: each for each in map(endpoint_of, known.values())}),
            MappingProxyType(known | {each.key: each for each in own}),
            MappingProxyType(dict(self.owners)),
        )
        for gateway in self.gateways:
            gateway.adopt(snapshot)

    def key(self, number: int) -> str:
        return self.instances[number].key

    # --- load

    def load(self, per_s: float, until: float, *, posts: float = 0.1, at: Gateway | None = None) -> None:
        """Calls from now on, at a gateway drawn each time or always at that one."""
        world, random = self.world, self.world.random
        self._load_until = max(self._load_until, until)

        def arrive() -> None:
            gateway = at or random.choice(self.gateways)
            Call(gateway, "POST" if random.random() < posts else "GET", self._over).begin()
            go_on()

        def go_on() -> None:
            next_s = random.expovariate(per_s)
            if world.now + next_s < until:
                world.after(next_s, arrive)

        go_on()

    def _tried(self, gateway: Gateway, standing: Standing) -> None:
        self.figures.tried(self.world.now, self.by_key[standing.key].number, gateway.lpar)

    def _over(self, call: Call) -> None:
        self.figures.over(call, self.world.now, self.by_key[call.standing.key].number if call.tries else -1)

    # --- faults

    def become(self, time: float, way: Way, *numbers: int, share: float = 0.5) -> None:
        """Those instances, at that time."""
        for number in numbers:
            server = self.servers[number]
            self.at(time, lambda server=server: server.become(way, share))  # type: ignore[misc]

    def bad(
        self, way: Way, *numbers: int, at: float = FAULT_AT, until: float | None = None, share: float = 0.5
    ) -> None:
        """What is measured of the bad ones is measured of these."""
        self.figures.faults, self.figures.fault_at = numbers, at
        self.become(at, way, *numbers, share=share)
        if until is not None:
            self.become(until, "well", *numbers)

    def at(self, time: float, do: Callable[[], object]) -> None:
        self.world.at(time, do)

    def restart(self, time: float, number: int) -> None:
        """A new process takes the place and the id, and registers."""

        def do() -> None:
            self.servers[number].become("dead")
            self.servers[number].become("well")
            old = self.instances[number]
            self.instances[number] = msgspec.structs.replace(old, gen=old.gen + 1)
            self.publish()

        self.at(time, do)

    def silence(self, time: float, owner: str, state: OwnerState = "suspect") -> None:
        """The discovery node of that name is silent."""

        def tell() -> None:
            self.owners[owner] = state
            self._publish()

        self.at(time, tell)

    # --- the end

    def finish(self) -> Figures:
        """Run until the load has ended and all calls are over."""
        while self.world.now < self._load_until + DRAINED_S:
            self.world.run(self._load_until + DRAINED_S)
        assert not any(gateway.calls for gateway in self.gateways)
        assert not any(each.in_flight for each in self._standings())
        return self.figures

    def _standings(self) -> Iterable[Standing]:
        return (each for gateway in self.gateways for each in gateway.standings.values())


def _instance(number: int, lpar: str, *, probed: bool, metadata: dict[str, str]) -> Instance:
    host = f"127.0.{number % 250}.{number // 250 + 2}"
    said = {LPAR_KEY: lpar} | {f"plexmesh.{name}": value for name, value in metadata.items()}
    health = f"http://{host}:9000/health" if probed else ""
    return Instance(
        service=SERVICE, instance=f"i{number:03}", status="UP", owner=f"{lpar}@1", gen=1, rev=1, host=host, ip=host,
        port=9000, health_check_url=health, metadata=said,
    )  # fmt: skip


def _gateway(gateway: Gateway) -> Instance:
    host, _, port = gateway.address.partition(":")
    return Instance(
        service="gateway", instance=gateway.address, status="UP", owner=f"{gateway.lpar}@1", gen=1, rev=1, host=host,
        ip=host, port=int(port),
    )  # fmt: skip
