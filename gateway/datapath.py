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

from gateway.config import GatewayConfig
from gateway.dialing import Dialer
from gateway.health import Changed, Effect, Health, Probe
from gateway.meters import Meters, ServiceMeter
from gateway.pickers import LeastRequests
from gateway.pool import Dial, Pool
from gateway.routes import Route
from gateway.snapshot import EMPTY, Endpoint, Snapshot, Upstream
from gateway.ticker import Ticker
from shared.events import Events

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
        self.meters = Meters(
            {
                "in_flight_requests": ("requests being answered", lambda: sum(self.in_flight.values())),
                "connections": ("client connections", lambda: len(self.clients)),
                "endpoints": ("instances that requests may go to", lambda: len(self.snapshot.endpoints)),
                "endpoints_out": ("instances this gateway avoids", lambda: len(self.health.records)),
            }
        )
        self.probe: Callable[[Endpoint], None] = lambda _: None
        self.look: Callable[[], None] = lambda: None
        """Both set by whoever sends probes: send one; the deadlines of `health` have changed."""
        self.pools: dict[str, Pool] = {"": self._new_pool(OWN_ENDPOINT, dial_own)}
        self._picker = LeastRequests(random)
        self._dial = Dialer(config.host, config.connect_timeout_s).dial
        self._request_prefix = f"{config.lpar}-{random.getrandbits(48):012x}-".lower().encode()
        self._requests = 0
        self._name = f"{config.lpar}/gateway".encode()

    # --- for exchanges

    def upstream(self, segment: bytes) -> Upstream | None:
        """The group a path's first segment names."""
        upstream = self.snapshot.upstreams.get(segment)
        return OWN if upstream is None and segment in OWN_SEGMENTS else upstream

    def pick(self, upstream: Upstream, tried: Sequence[str]) -> Endpoint:
        if upstream is OWN:
            return OWN_ENDPOINT
        candidates = self.health.candidates(upstream.endpoints, tried)
        if not candidates:
            candidates = self.health.candidates(upstream.endpoints, ())
        return self._picker.pick(candidates, self.in_flight)

    def pool(self, endpoint: Endpoint) -> Pool:
        pool = self.pools.get(endpoint.key)
        if pool is None:
            pool = self.pools[endpoint.key] = self._new_pool(endpoint, self._dial)
        return pool

    def _new_pool(self, endpoint: Endpoint, dial: Dial) -> Pool:
        config = self.config
        return Pool(endpoint, dial, self.ticker, config.upstream_idle_s, config.max_idle_per_endpoint)

    def started(self, endpoint: Endpoint) -> None:
        id = endpoint.key
        self.in_flight[id] = self.in_flight.get(id, 0) + 1

    def ended(self, endpoint: Endpoint) -> None:
        id = endpoint.key
        left = self.in_flight[id] - 1
        if left or id in self.snapshot.endpoints:
            self.in_flight[id] = left
        else:
            del self.in_flight[id]

    def meter(self, service: str) -> ServiceMeter:
        return self.meters.of(service)

    def way(self, endpoint: Endpoint, tries: int) -> bytes:
        """The X-Plexmesh-Path line of an answer."""
        if not self.config.path_header:
            return b""
        if endpoint is OWN_ENDPOINT:
            return b"X-Plexmesh-Path: %b\r\n" % self._name
        return b"X-Plexmesh-Path: %b > %b; tries=%d\r\n" % (self._name, endpoint.path_name, tries)

    def next_request_id(self) -> bytes:
        self._requests += 1
        return self._request_prefix + b"%x" % self._requests

    def client_left(self, client: Downstream) -> None:
        self.clients.discard(client)
        self.ticker.discard(client)
        if self.draining and not self.clients:
            self.deserted.set()

    # --- what is learned

    def connected(self, endpoint: Endpoint) -> None:
        if self.health.records:
            self.perform(self.health.connected(endpoint))

    def connect_failed(self, endpoint: Endpoint, why: str) -> None:
        self.meters.refused_connects += 1
        if endpoint.key in self.snapshot.endpoints:
            self.perform(self.health.connect_failed(endpoint, why, time.monotonic()))

    def adopt(self, snapshot: Snapshot) -> None:
        """Route by a new snapshot from now on."""
        self.snapshot = snapshot
        for id in [id for id, pool in self.pools.items() if id and not _same_place(pool, snapshot.endpoints.get(id))]:
            self.pools.pop(id).close()
        self.perform(self.health.adopt(snapshot, time.monotonic()))

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
