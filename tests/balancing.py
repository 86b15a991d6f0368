"""Instances, and calls that go to them, for tests of how the gateway balances: no process, no clock.

`Service` is one service at one gateway: its instances, what is known of them, and the balancer over them. `closed_loop`
is a number of callers, each of whom calls again as soon as it was answered, in simulated time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from random import Random
from types import MappingProxyType
from typing import Any

from gateway.balancer import Balancer
from gateway.guards import ALL, Guards
from gateway.health import Changed, Effect, Health, Probe
from gateway.policy import PLAIN, Policy
from gateway.snapshot import Endpoint, Snapshot, Upstream, endpoint_of
from gateway.standing import Standing
from shared.wire import OwnerState
from tests.fakes import an_instance

NOTHING: Mapping[Any, Any] = MappingProxyType({})

Choose = Callable[[float, bytes], Standing]
"""(now, key) → who gets the call."""


def an_endpoint(number: int = 1, *, weight: int = 100, lpar: str = "LPAR1", gen: int = 1, **more: Any) -> Endpoint:
    metadata = {"plexmesh.weight": str(weight)}
    return endpoint_of(an_instance(host=f"127.0.40.{number}", lpar=lpar, gen=gen, metadata=metadata, **more))


def endpoints(*weights: int) -> tuple[Endpoint, ...]:
    return tuple(an_endpoint(number, weight=weight) for number, weight in enumerate(weights, 1))


def standings(*weights: int) -> list[Standing]:
    return [Standing(each, 0.0) for each in endpoints(*weights)]


def a_snapshot(*endpoints: Endpoint, owners: Mapping[str, OwnerState] = NOTHING) -> Snapshot:
    return Snapshot(NOTHING, {each.key: each for each in endpoints}, NOTHING, owners)


def probes(effects: Sequence[Effect]) -> list[str]:
    return [each.endpoint.key for each in effects if isinstance(each, Probe)]


def states(effects: Sequence[Effect]) -> list[str | None]:
    return [each.state for each in effects if isinstance(each, Changed)]


class Service:
    def __init__(
        self, endpoints: Sequence[Endpoint], policy: Policy = PLAIN, *, seed: int = 1, guards: Guards = ALL
    ) -> None:
        """Seen from LPAR1."""
        self.policy = policy
        self.standings: dict[str, Standing] = {}
        self.health = Health(Random(seed), guards)
        self.balancer = Balancer(self.health, self.standings, Random(seed), "LPAR1")
        self.adopt(endpoints)

    def adopt(self, endpoints: Sequence[Endpoint], now: float = 0.0) -> None:
        """The registry knows these, and no others."""
        for each in endpoints:
            if each.key not in self.standings or not self.standings[each.key].endpoint.same_process(each):
                self.standings[each.key] = Standing(each, now)
        for key in self.standings.keys() - {each.key for each in endpoints}:
            del self.standings[key]
        effects = self.health.adopt(a_snapshot(*endpoints), now)
        self.balancer.adopt(Upstream("orders", (), tuple(endpoints), len(endpoints), self.policy))
        self.perform(effects)

    def perform(self, effects: Sequence[Effect]) -> None:
        """Probes are not sent."""
        for effect in effects:
            if isinstance(effect, Changed) and effect.endpoint.key in self.standings:
                standing = self.standings[effect.endpoint.key]
                standing.try_out(effect.state == "trial")
                if effect.state is None:
                    standing.forgive()
                self.balancer.renew()

    def of(self, endpoint: Endpoint) -> Standing:
        return self.standings[endpoint.key]

    def fail(self, endpoint: Endpoint, now: float, times: int = 1) -> list[Effect]:
        """Calls there fail, one after the other; what the last one led to."""
        effects: list[Effect] = []
        standing = self.of(endpoint)
        for _ in range(times):
            standing.answered(now, 0.01, failed=True)
            effects = self.health.failed(standing, self.balancer.upstream.endpoints, "it answered 503", now)
            self.perform(effects)
        return effects

    def try_out(self, endpoint: Endpoint, now: float) -> float:
        """It fails until it is ejected, and its time is over; when that is."""
        assert states(self.fail(endpoint, now, 5)) == ["ejected"]
        over = self.health.records[endpoint.key].due
        self.perform(self.health.tick(over))
        assert self.of(endpoint).trial
        return over


def closed_loop(
    choose: Choose,
    calls: int,
    at_once: int,
    *,
    begin: float = 0.0,
    took_s: Callable[[Standing], float] | None = None,
    failing: Callable[[Standing], bool] = lambda _: False,
    key: Callable[[int], bytes] = b"%d".__mod__,
) -> Counter[str]:
    """How many calls each host got. An answer takes 10 ms, a fifth more or less, unless said otherwise."""
    draw = Random(9)
    got: Counter[str] = Counter()
    under_way: list[tuple[float, int, Standing, float]] = []
    now = begin

    def end_one() -> float:
        ends, _, standing, began = heappop(under_way)
        standing.in_flight -= 1
        standing.answered(ends, ends - began, failed=failing(standing))
        return ends

    for number in range(calls):
        while len(under_way) >= at_once:
            now = end_one()
        standing = choose(now, key(number))
        standing.in_flight += 1
        got[standing.endpoint.host] += 1
        seconds = (took_s(standing) if took_s else 0.01) * draw.uniform(0.8, 1.2)
        heappush(under_way, (now + seconds, number, standing, now))
    while under_way:
        end_one()
    return got
