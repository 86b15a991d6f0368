"""What all exchanges of one gateway share: the snapshot, health, balancers, pools and counters.

The snapshot is replaced in one assignment (`adopt`); everything else is looked up by instance id, so a request in
flight is never disturbed by a change of the registry. The gateway's own pages are one more upstream, `OWN`, reached
through an inner socket pair and outside of balancing and health.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Collection
from random import Random
from typing import TYPE_CHECKING

from gateway.access_log import AccessLog
from gateway.account import Account
from gateway.balancer import Balancer
from gateway.callers import Callers
from gateway.config import GatewayConfig
from gateway.dialing import Dialer
from gateway.forwarding import Ids
from gateway.gates import Gate
from gateway.guards import guards_without
from gateway.handshakes import Handshakes
from gateway.health import Changed, Effect, Health, Probe, Rounds
from gateway.login.table import LoginTable
from gateway.meters import Meters
from gateway.pickers import NOBODY
from gateway.policy import PLAIN, Policy
from gateway.pool import Dial, Pool
from gateway.rates import Buckets
from gateway.snapshot import EMPTY, OWN, Endpoint, Snapshot, Upstream
from gateway.standing import Standing
from gateway.sticky_table import StickyTable
from gateway.ticker import Ticker
from shared.events import Events
from shared.outbox import Outbox
from shared.plexfile import RESERVED
from shared.tls import secured, trust

if TYPE_CHECKING:
    from gateway.downstream import Downstream

OWN_ENDPOINT = Endpoint("", "gateway", 0, "", "", "", 0, b"", (), b"")
RETURN_RAMP_S = 5.0
"""Until an instance that was left out has its whole share again."""

MAX_CALLERS = 100_000
"""Whose rates are known, of all services together."""


class DataPath:
    def __init__(self, config: GatewayConfig, events: Events, random: Random, dial_own: Dial) -> None:
        self.config = config
        self.events = events
        self.guards = guards_without(config.without)
        self.snapshot: Snapshot = EMPTY
        self.health = Health(random, self.guards)
        self.standings: dict[str, Standing] = {}
        """By instance key."""
        self._asked = Rounds(f"{config.host}:{config.port}")
        self._parted: list[Standing] = []
        self.own = Own(time.monotonic())
        self.balancers: dict[str, Balancer | Own] = {OWN.service: self.own}
        """By service, of those that are routed."""
        self.gates: dict[str, Gate] = {}
        """By service, of those whose calls are limited."""
        self.rates = Buckets(MAX_CALLERS)
        self.clients: set[Downstream] = set()
        self.draining = False
        self.deserted = asyncio.Event()
        """Set when the last client has left while draining."""
        self.ticker = Ticker(asyncio.get_running_loop(), config.tick_s)
        self.outbox = Outbox(asyncio.get_running_loop())
        self.meters = Meters()
        self.access = AccessLog(config)
        self.ids = Ids(config.lpar, random.getrandbits(128))
        self.requests = 0
        """How many there have been: the number of the last one."""
        self.account = Account(self.meters, self.access, self.ids)
        self.probe: Callable[[Probe], None] = lambda _: None
        self.look_at_probes: Callable[[], None] = lambda: None
        """Both set by whoever sends probes: send one; the deadlines of `health` have changed."""
        self._callers = Callers(config.trusted_proxies, config.max_connections_per_client)
        self.trusts = self._callers.trusts
        self.sticky = StickyTable(config, self.meters)
        self.logins = LoginTable()
        self._random = random
        self.strict = not config.allow_encoded_slashes or bool(config.max_calls) or config.tls
        """Something is looked at with each call, whichever service it is for."""
        self.handshakes = Handshakes(self.meters)
        self._dialer = Dialer(config.host, config.connect_timeout_s)
        self._name = f"{config.lpar}/gateway".encode()
        self.told = (
            b"Strict-Transport-Security: max-age=%d\r\n" % config.hsts_s if config.tls and config.hsts_s else b""
        )
        """Lines of every answer."""
        self.pools: dict[str, Pool] = {"": self._make_pool(OWN_ENDPOINT, dial_own)}
        """By instance key."""
        if config.doubt_s:
            self.ticker.look_after(self)

    @property
    def in_flight(self) -> dict[str, int]:
        """Calls and tunnels under way by instance key, of those that have any; the own pages' key is empty."""
        self._parted = [each for each in self._parted if each.in_flight or each.tunnels]
        found: dict[str, int] = {}
        for each in (*self.standings.values(), *self._parted, self.own.standing):
            if each.in_flight or each.tunnels:
                found[each.key] = found.get(each.key, 0) + each.in_flight + each.tunnels
        return found

    def under_way(self) -> int:
        return sum([each.in_flight for each in self.standings.values()])

    # --- for exchanges

    def upstream(self, known: Upstream) -> Upstream:
        """The same group as it is now."""
        return self.snapshot.upstreams.get(known.service.encode()) or known

    def preferred(self, upstream: Upstream, instance: str, now: float) -> str:
        """The key of a session's instance, if that may be called; else empty."""
        key = f"{upstream.service}/{instance}"
        standing, record = self.standings.get(key), self.health.records.get(key)
        if standing is None or (upstream.policy.scope_lpar and standing.endpoint.lpar != self.config.lpar):
            return ""
        if record is not None and record.state == "out" and standing not in self.balancers[upstream.service].candidates:
            return ""
        if key in self.snapshot.endpoints:
            return key
        stays = not standing.endpoint.leaving and now < standing.drained_at + upstream.policy.session_drain_s
        return key if stays else ""

    def retry_elsewhere(self, upstream: Upstream, tried: Collection[str], now: float) -> bool:
        """Of a call that an instance had got: somebody else may be asked."""
        balancer = self.balancers.get(upstream.service)
        if not isinstance(balancer, Balancer):
            return False
        allowed = balancer.may_retry(tried, now, free=not self.guards.budget)
        self.meters.retries_denied += not allowed
        return allowed

    def new_pool(self, endpoint: Endpoint) -> Pool:
        pool = self.pools[endpoint.key] = self._make_pool(endpoint, self._dialer.dial)
        return pool

    def _make_pool(self, endpoint: Endpoint, dial: Dial) -> Pool:
        meter = self.meters.pool(endpoint.service)
        way = self.way(endpoint, 1)
        return Pool(
            endpoint, dial, self.ticker, self.outbox, self.config, meter, way, lambda: self._tls_to(endpoint.service)
        )

    def _tls_to(self, service: str) -> ssl.SSLContext:
        """Parts of the mesh are shown this gateway's certificate, which is a peer's; others none, whatever they say of
        themselves: they may lead anywhere, also to where it would be taken for an order."""
        own = secured(self.config) if service in RESERVED else None
        return own.client if own is not None else trust(self.config).context

    def way(self, endpoint: Endpoint, tries: int) -> bytes:
        """The X-Plexmesh-Path line of an answer, and what is `told` with each."""
        if not self.config.path_header:
            return self.told
        if endpoint is OWN_ENDPOINT:
            return b"X-Plexmesh-Path: %b\r\n%b" % (self._name, self.told)
        return b"X-Plexmesh-Path: %b > %b; tries=%d\r\n%b" % (self._name, endpoint.path_name, tries, self.told)

    def client_came(self, client: Downstream) -> bool:
        """False when its address has too many connections."""
        self.clients.add(client)
        return self._callers.came(client.peer.decode())

    def client_left(self, client: Downstream) -> None:
        self.clients.discard(client)
        self.ticker.discard(client)
        self.ticker.leave_alone(client)
        self._callers.left(client.peer.decode())
        if self.draining and not self.clients:
            self.deserted.set()

    # --- what is learned

    def connected(self, standing: Standing) -> None:
        standing.reached = True
        if self.health.records:
            self.perform(self.health.connected(standing.endpoint))

    def connect_failed(self, endpoint: Endpoint, why: str, *, timed_out: bool) -> None:
        self.meters.refused_connects += 1
        self.meters.connect_timeouts += timed_out
        if endpoint.key in self.snapshot.endpoints:
            self.perform(self.health.connect_failed(endpoint, why, time.monotonic()))

    def failed(self, standing: Standing, why: str, now: float, wait_s: float = 0.0) -> None:
        """A call failed there after it was sent, and is counted."""
        balancer = self.balancers.get(standing.endpoint.service)
        if isinstance(balancer, Balancer) and standing.key in self.snapshot.endpoints:
            self.perform(self.health.failed(standing, balancer.upstream.endpoints, why, now, wait_s))

    def succeeded(self, standing: Standing) -> None:
        """A call on trial was answered."""
        self.perform(self.health.succeeded(standing))

    def look(self) -> None:
        """Calls that wait where nothing is answered at all: does that instance live?"""
        if not self.guards.doubt:
            return
        late = time.monotonic() - self.config.doubt_s
        quiet = {key: each for key, each in self.standings.items() if each.in_flight and each.last_answer < late}
        for key in quiet.keys() & {client.exchange.waits_at(late) for client in self.clients} if quiet else ():
            why = f"calls wait there, and none was answered for {self.config.doubt_s:g} s"
            self.perform(self.health.doubt(quiet[key].endpoint, why, time.monotonic()))

    # --- what the registry says

    def adopt(self, snapshot: Snapshot) -> None:
        """Route by a new snapshot from now on."""
        old, self.snapshot = self.snapshot, snapshot
        now = time.monotonic()
        self.account.renew()
        self._stand(old, snapshot, now)
        newcomers = snapshot.newcomers(old)
        for endpoint in newcomers:
            self._meet(endpoint)
        known = snapshot.endpoints.keys() | snapshot.drained.keys()
        for id in [id for id, pool in self.pools.items() if id and not (id in known and self._same_place(pool))]:
            self.pools.pop(id).close()
        effects = self.health.adopt(snapshot, now)
        self._balance(old, snapshot, now)
        self.health.look_at(newcomers if self.config.probe_rounds else (), now)
        self.health.watch(self._rounds(snapshot), now)
        self.look_at_probes()
        self.perform(effects)

    def _stand(self, old: Snapshot, snapshot: Snapshot, now: float) -> None:
        """A standing for each instance that may be called, a new one for each new process."""
        for key in self.standings.keys() - snapshot.endpoints.keys() - snapshot.drained.keys():
            self._part(self.standings.pop(key))
        for key, endpoint in (*snapshot.drained.items(), *snapshot.endpoints.items()):
            standing = self.standings.get(key)
            if standing is not None and standing.endpoint is endpoint and not standing.drained_at:
                continue
            if standing is not None and standing.endpoint.same_process(endpoint):
                standing.endpoint, standing.weight = endpoint, endpoint.weight
            else:
                if standing is not None:
                    self._part(standing)
                standing = self.standings[key] = Standing(endpoint, now)
                if old is not EMPTY:
                    self._begin_slowly(standing, now)
            if key in snapshot.endpoints:
                standing.drained_at = 0.0
            elif not standing.drained_at:
                standing.drained_at = now
                standing.try_out(False)

    def _part(self, standing: Standing) -> None:
        """Its process is no longer called, but may have calls under way."""
        if standing.in_flight or standing.tunnels:
            self._parted.append(standing)

    def _begin_slowly(self, standing: Standing, now: float) -> None:
        upstream = self.snapshot.upstreams.get(standing.endpoint.service.encode())
        if upstream is not None and upstream.policy.slow_start_s and self.guards.slow_start:
            standing.ramp(now, upstream.policy.slow_start_s)

    def _balance(self, old: Snapshot, snapshot: Snapshot, now: float) -> None:
        services = {upstream.service: upstream for upstream in snapshot.upstreams.values()}
        for service in self.balancers.keys() - services.keys() - {OWN.service}:
            del self.balancers[service]
            self._set_gate(service, PLAIN)
        for service, upstream in services.items():
            balancer = self.balancers.get(service)
            if isinstance(balancer, Balancer) and balancer.upstream is upstream:
                continue
            if not isinstance(balancer, Balancer):
                balancer = Balancer(self.health, self.standings, self._random, self.config.lpar)
                self.balancers[service] = balancer
                self._set_gate(service, upstream.policy)
            elif balancer.upstream.policy != upstream.policy:
                self._set_gate(service, upstream.policy)
            balancer.adopt(upstream)
            self._fit(service, now)

    def _set_gate(self, service: str, policy: Policy) -> None:
        """Those that wait at the old one stay there until it is their turn, or their time is up."""
        self.gates.pop(service, None)
        if self.guards.shedding and (policy.max_calls or policy.max_calls_per_instance or policy.adaptive):
            self.gates[service] = Gate(policy)

    def _fit(self, service: str, now: float) -> None:
        gate = self.gates.get(service)
        if gate is not None:
            gate.fit(len(self.balancers[service].candidates), now)

    def _rounds(self, snapshot: Snapshot) -> dict[str, float]:
        asked = [
            (endpoint, upstream.policy.probe_s)
            for upstream in snapshot.upstreams.values()
            if upstream.policy.probe_s and self.config.probe_rounds
            for endpoint in upstream.endpoints
            if endpoint.probe_url
        ]
        gateways = [f"{each.host}:{each.port}" for each in snapshot.instances.values() if each.service == "gateway"]
        return self._asked.of(asked, gateways)

    def _same_place(self, pool: Pool) -> bool:
        """Its connections still lead to that endpoint's process."""
        return pool.endpoint.same_process(self.standings[pool.endpoint.key].endpoint)

    def _meet(self, endpoint: Endpoint) -> None:
        self._dialer.learn(endpoint)
        if self.config.warm_connections:
            self.new_pool(endpoint).warm(self.config.warm_connections)

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Probe():
                    self.probe(effect)
                case Changed():
                    self._changed(effect)

    def _changed(self, change: Changed) -> None:
        endpoint, state = change.endpoint, change.state
        self.events.emit("endpoint." + (state or "fine"), instance=endpoint.key, why=change.why)
        now = time.monotonic()
        standing = self.standings.get(endpoint.key)
        if standing is not None:
            standing.try_out(state == "trial")
            if state is None:
                standing.forgive()
            if state is None and change.before != "unproven" and self.guards.slow_start:
                standing.ramp(now, RETURN_RAMP_S)
        balancer = self.balancers.get(endpoint.service)
        if isinstance(balancer, Balancer):
            balancer.renew()
            self._fit(endpoint.service, now)
        self.look_at_probes()
        self.meters.ejections += state == "ejected"
        if state != "out":
            return
        pool = self.pools.get(endpoint.key)
        if pool is not None:
            pool.close_idle()
        for client in list(self.clients):
            client.exchange.put_out(endpoint, change.why)

    def close(self) -> None:
        for pool in self.pools.values():
            pool.close()
        for gate in self.gates.values():
            gate.close()
        self.ticker.close()


class Own:
    """A balancer of the gateway's own pages, which are always there."""

    def __init__(self, now: float) -> None:
        self.standing = Standing(OWN_ENDPOINT, now)
        self.candidates = (self.standing,)
        self.panic = False
        self.upstream = OWN

    def pick(self, now: float, key: bytes = b"", tried: Collection[str] = NOBODY) -> Standing:
        return self.standing
