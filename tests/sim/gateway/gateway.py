"""A gateway: the real balancing core, and what the real shell does with it, told again without sockets.

This file and `call` must make the same calls of the core, in the same order, as the shell does: where both meet the
same, `test_sim_gateway_mirror` compares what they did. When one of these changes, change the other:

    here                             there
    Gateway.adopt, _changed, look    gateway.datapath.DataPath
    Gateway._wake, _due, _probe      gateway.probing.Prober
    Gateway._tick                    gateway.ticker.Ticker
    Call                             gateway.exchange.Exchange
    Pool                             gateway.pool.Pool

Constants are taken from there. There is one service with one route, and nothing is streamed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from random import Random

from gateway.balancer import Balancer
from gateway.config import GatewayConfig
from gateway.datapath import RETURN_RAMP_S
from gateway.gates import Gate
from gateway.guards import ALL, Guards
from gateway.health import Changed, Effect, Health, Probe, Rounds
from gateway.probing import PATIENT_S
from gateway.snapshot import EMPTY, Endpoint, Snapshot
from gateway.standing import Standing
from gateway.ticker import NEVER
from tests.sim.gateway.call import Call
from tests.sim.gateway.pool import Pool
from tests.sim.gateway.server import Server
from tests.sim.gateway.turns import Turns
from tests.sim.gateway.world import World

SERVICE = "orders"
CONFIG = GatewayConfig()


class Gateway:
    """`servers` maps an instance's key to who is reached at its address."""

    def __init__(
        self, world: World, address: str, lpar: str, servers: Mapping[str, Server], guards: Guards = ALL
    ) -> None:
        self.world = world
        self.address = address
        self.lpar = lpar
        self.servers = servers
        self.guards = guards
        self.random = Random(world.random.random())
        self.health = Health(self.random, guards)
        self._asked = Rounds(address)
        self.standings: dict[str, Standing] = {}
        self.balancer: Balancer | None = None
        self.gate: Gate | None = None
        self.pools: dict[str, Pool] = {}
        self.calls: dict[Call, None] = {}
        """Under way: what the real one finds by its clients."""
        self.snapshot: Snapshot = EMPTY
        self.tried: Callable[[Gateway, Standing], None] = lambda _, __: None
        """Told of each try."""
        self._woken_at = NEVER
        world.after(CONFIG.tick_s * self.random.random(), self._tick)

    # --- what the registry says

    def adopt(self, snapshot: Snapshot) -> None:
        old, self.snapshot = self.snapshot, snapshot
        now = self.world.now
        self._stand(old, snapshot, now)
        for key in [key for key, pool in self.pools.items() if not pool.leads_to(self.standings.get(key))]:
            del self.pools[key]
        effects = self.health.adopt(snapshot, now)
        self._balance(snapshot, now)
        self.health.look_at(snapshot.newcomers(old), now)
        self.health.watch(self._rounds(snapshot), now)
        self._wake()
        self.perform(effects)

    def _stand(self, old: Snapshot, snapshot: Snapshot, now: float) -> None:
        for key in [key for key in self.standings if key not in snapshot.endpoints]:
            del self.standings[key]
        for key, endpoint in snapshot.endpoints.items():
            standing = self.standings.get(key)
            if standing is not None and standing.endpoint.same_process(endpoint):
                standing.endpoint, standing.weight = endpoint, endpoint.weight
                continue
            standing = self.standings[key] = Standing(endpoint, now)
            slow_start_s = snapshot.upstreams[SERVICE.encode()].policy.slow_start_s
            if old is not EMPTY and slow_start_s and self.guards.slow_start:
                standing.ramp(now, slow_start_s)

    def _balance(self, snapshot: Snapshot, now: float) -> None:
        upstream = snapshot.upstreams[SERVICE.encode()]
        if self.balancer is None:
            self.balancer = Balancer(self.health, self.standings, self.random, self.lpar)
            policy = upstream.policy
            if self.guards.shedding and (policy.max_calls or policy.max_calls_per_instance or policy.adaptive):
                self.gate = Turns(self.world, policy)
        self.balancer.adopt(upstream)
        self._fit(now)

    def _fit(self, now: float) -> None:
        if self.gate is not None and self.balancer is not None:
            self.gate.fit(len(self.balancer.candidates), now)

    def _rounds(self, snapshot: Snapshot) -> dict[str, float]:
        upstream = snapshot.upstreams[SERVICE.encode()]
        probe_s = upstream.policy.probe_s
        asked = [(each, probe_s) for each in upstream.endpoints if probe_s and each.probe_url]
        gateways = [f"{each.host}:{each.port}" for each in snapshot.instances.values() if each.service == "gateway"]
        return self._asked.of(asked, gateways)

    # --- what is learned

    def connected(self, standing: Standing) -> None:
        standing.reached = True
        if self.health.records:
            self.perform(self.health.connected(standing.endpoint))

    def connect_failed(self, endpoint: Endpoint, why: str) -> None:
        if endpoint.key in self.snapshot.endpoints:
            self.perform(self.health.connect_failed(endpoint, why, self.world.now))

    def failed(self, standing: Standing, why: str, now: float, wait_s: float = 0.0) -> None:
        if self.balancer is not None and standing.key in self.snapshot.endpoints:
            self.perform(self.health.failed(standing, self.balancer.upstream.endpoints, why, now, wait_s))

    def succeeded(self, standing: Standing) -> None:
        self.perform(self.health.succeeded(standing))

    def look(self) -> None:
        if not self.guards.doubt:
            return
        late = self.world.now - CONFIG.doubt_s
        quiet = {key: each for key, each in self.standings.items() if each.in_flight and each.last_answer < late}
        waiting = {call.waits_at(late) for call in self.calls} if quiet else ()
        for key, standing in quiet.items():
            if key in waiting:
                why = f"calls wait there, and none was answered for {CONFIG.doubt_s:g} s"
                self.perform(self.health.doubt(standing.endpoint, why, self.world.now))

    def retry_elsewhere(self, tried: Collection[str], now: float) -> bool:
        return self.balancer is not None and self.balancer.may_retry(tried, now, free=not self.guards.budget)

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Probe():
                    self._probe(effect)
                case Changed():
                    self._changed(effect)

    def _changed(self, change: Changed) -> None:
        endpoint, state = change.endpoint, change.state
        now = self.world.now
        standing = self.standings.get(endpoint.key)
        if standing is not None:
            standing.try_out(state == "trial")
            if state is None:
                standing.forgive()
            if state is None and change.before != "unproven" and self.guards.slow_start:
                standing.ramp(now, RETURN_RAMP_S)
        if self.balancer is not None:
            self.balancer.renew()
            self._fit(now)
        self._wake()
        if state != "out":
            return
        pool = self.pools.get(endpoint.key)
        if pool is not None:
            pool.close_idle()
        for call in list(self.calls):
            call.put_out(endpoint, change.why)

    # --- time and probes

    def _tick(self) -> None:
        now = self.world.now
        for call in [call for call in self.calls if call.deadline <= now]:
            call.expire()
        self.look()
        self.world.after(CONFIG.tick_s, self._tick)

    def _wake(self) -> None:
        """`tick` of the core is called when it wants it."""
        due = max(self.health.next_deadline(), self.world.now)
        if due < self._woken_at:
            self._woken_at = due
            self.world.at(due, lambda: self._due(due))

    def _due(self, due: float) -> None:
        if due != self._woken_at:
            return
        self._woken_at = NEVER
        self.perform(self.health.tick(self.world.now))
        self._wake()

    def _probe(self, probe: Probe) -> None:
        endpoint, begun = probe.endpoint, self.world.now

        def told(why: str) -> None:
            standing = self.standings.get(endpoint.key)
            if standing is not None and standing.answered_at > begun:
                why = ""
            if standing is not None and not why:
                standing.reached = True
            self.perform(self.health.probed(endpoint, why, self.world.now))
            self._wake()

        within_s = max(PATIENT_S, CONFIG.probe_timeout_s) if probe.patient else CONFIG.probe_timeout_s
        self.servers[endpoint.key].probe(within_s, told)

    def pool(self, endpoint: Endpoint) -> Pool:
        found = self.pools.get(endpoint.key)
        if found is None:
            found = self.pools[endpoint.key] = Pool(endpoint, self.servers[endpoint.key], CONFIG.upstream_idle_s)
        return found
