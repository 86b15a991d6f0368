"""What all exchanges of one gateway share: the snapshot, health, the picker, pools and counters.

The snapshot is replaced in one assignment (`adopt`); everything else is looked up by instance id, so a request in
flight is never disturbed by a change of the registry. The gateway's own pages are one more upstream, `OWN`, reached
through an inner socket pair and outside of balancing and health.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from gateway.access_log import AccessLog
from gateway.account import Account
from gateway.callers import Callers
from gateway.config import GatewayConfig
from gateway.dialing import Dialer
from gateway.forwarding import Ids
from gateway.health import Changed, Effect, Health, Probe
from gateway.meters import Meters
from gateway.pickers import LeastRequests
from gateway.pool import Dial, Pool
from gateway.routes import Route
from gateway.snapshot import EMPTY, Endpoint, Snapshot, Upstream
from gateway.sticky_table import StickyTable
from gateway.ticker import Ticker
from shared.events import Events
from shared.outbox import Outbox

if TYPE_CHECKING:
    from gateway.downstream import Downstream

OWN_ENDPOINT = Endpoint("", "gateway", 0, "", "", "", 0, b"", (), b"")
OWN = Upstream("gateway", (Route(b"", b"", b""),), (OWN_ENDPOINT,), 1)
OWN_SEGMENTS = frozenset((b"", b"gateway", b"application", b"static", b"console"))


class DataPath:
    def __init__(self, config: GatewayConfig, events: Events, random: Random, dial_own: Dial) -> None:
        self.config = config
        self.events = events
        self.snapshot: Snapshot = EMPTY
        self.health = Health()
        self.in_flight: dict[str, int] = {}
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
        self.probe: Callable[[Endpoint], None] = lambda _: None
        self.look: Callable[[], None] = lambda: None
        """Both set by whoever sends probes: send one; the deadlines of `health` have changed."""
        self._callers = Callers(config.trusted_proxies, config.max_connections_per_client)
        self.trusts = self._callers.trusts
        self.sticky = StickyTable(config, self.meters)
        self._picker = LeastRequests(random)
        self._dialer = Dialer(config.host, config.connect_timeout_s)
        self._name = f"{config.lpar}/gateway".encode()
        self.pools: dict[str, Pool] = {"": self._make_pool(OWN_ENDPOINT, dial_own)}
        """By instance key."""

    # --- for exchanges

    def own(self, segment: bytes) -> Upstream | None:
        """The gateway's own pages, if the path's first segment names them."""
        return OWN if segment in OWN_SEGMENTS else None

    def upstream(self, known: Upstream) -> Upstream:
        """The same group as it is now."""
        return self.snapshot.upstreams.get(known.service.encode()) or known

    def pick(self, upstream: Upstream, tried: Sequence[str]) -> Endpoint:
        if upstream is OWN:
            return OWN_ENDPOINT
        candidates: Sequence[Endpoint] = upstream.endpoints
        if tried or self.health.records:
            candidates = self.health.candidates(candidates, tried) or self.health.candidates(candidates, ())
        return candidates[0] if len(candidates) == 1 else self._picker.pick(candidates, self.in_flight)

    def preferred(self, upstream: Upstream, instance: str) -> str:
        """The key of a user's instance, if it may be called; else empty."""
        key = f"{upstream.service}/{instance}"
        out = self.health.records.get(key)
        return key if key in self.snapshot.endpoints and (out is None or out.state != "out") else ""

    def new_pool(self, endpoint: Endpoint) -> Pool:
        pool = self.pools[endpoint.key] = self._make_pool(endpoint, self._dialer.dial)
        return pool

    def _make_pool(self, endpoint: Endpoint, dial: Dial) -> Pool:
        meter = self.meters.pool(endpoint.service)
        return Pool(endpoint, dial, self.ticker, self.outbox, self.config, meter, self.way(endpoint, 1))

    def ended(self, key: str) -> None:
        """An attempt is over; it was counted in when it began."""
        left = self.in_flight[key] - 1
        if left or key in self.snapshot.endpoints:
            self.in_flight[key] = left
        else:
            del self.in_flight[key]

    def way(self, endpoint: Endpoint, tries: int) -> bytes:
        """The X-Plexmesh-Path line of an answer."""
        if not self.config.path_header:
            return b""
        if endpoint is OWN_ENDPOINT:
            return b"X-Plexmesh-Path: %b\r\n" % self._name
        return b"X-Plexmesh-Path: %b > %b; tries=%d\r\n" % (self._name, endpoint.path_name, tries)

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

    def connected(self, endpoint: Endpoint) -> None:
        if self.health.records:
            self.perform(self.health.connected(endpoint))

    def connect_failed(self, endpoint: Endpoint, why: str, *, timed_out: bool) -> None:
        self.meters.refused_connects += 1
        self.meters.connect_timeouts += timed_out
        if endpoint.key in self.snapshot.endpoints:
            self.perform(self.health.connect_failed(endpoint, why, time.monotonic()))

    def adopt(self, snapshot: Snapshot) -> None:
        """Route by a new snapshot from now on."""
        old, self.snapshot = self.snapshot, snapshot
        self.account.renew()
        for endpoint in snapshot.endpoints.values():
            if endpoint.key not in old.endpoints:
                self._meet(endpoint)
        for id in [id for id, pool in self.pools.items() if id and not _same_place(pool, snapshot.endpoints.get(id))]:
            self.pools.pop(id).close()
        self.perform(self.health.adopt(snapshot, time.monotonic()))

    def _meet(self, endpoint: Endpoint) -> None:
        self._dialer.learn(endpoint)
        if self.config.warm_connections:
            self.new_pool(endpoint).warm(self.config.warm_connections)

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Probe(endpoint):
                    self.probe(endpoint)
                case Changed(endpoint, state, why):
                    self._changed(endpoint, state, why)

    def _changed(self, endpoint: Endpoint, state: str | None, why: str) -> None:
        self.events.emit("endpoint." + (state or "fine"), instance=endpoint.key, why=why)
        self.look()
        if state != "out":
            return
        pool = self.pools.get(endpoint.key)
        if pool is not None:
            pool.close_idle()
        for client in list(self.clients):
            client.exchange.put_out(endpoint, why)

    def close(self) -> None:
        for pool in self.pools.values():
            pool.close()
        self.ticker.close()


def _same_place(pool: Pool, endpoint: Endpoint | None) -> bool:
    """Its connections still lead to that endpoint's process."""
    old = pool.endpoint
    return endpoint is not None and (old.gen, old.host, old.ip, old.port) == (
        endpoint.gen, endpoint.host, endpoint.ip, endpoint.port,
    )  # fmt: skip
