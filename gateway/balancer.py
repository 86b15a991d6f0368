"""Whom the calls of one service go to: the candidates in force, a picker over them, and the rules around it.

    candidates   what `health` leaves of the endpoints that are UP
    scope lpar   only those of one LPAR: the gateway's own, or the one a call names
    affinity     those of the own LPAR, while the cost of a call there is not clearly above that elsewhere
    tender       one on trial gets one call at a time, one in its slow start a growing share

Candidates are worked out when something changes, not at each call. When none is left that was not tried, the best of
the others are tried, then any.

Affinity compares two picks, the best here and the best elsewhere: calls go elsewhere as soon as what is under way here,
times how long it takes, is more than twice that there, and at least `CROWD` calls wait here. So what spills over grows
with the load, and ends by itself as the cost here sinks.

Not here: standings (`standing`), which endpoints are left out (`health`), how one is picked (`pickers`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

from gateway.budget import Budget
from gateway.health import Health
from gateway.pickers import NOBODY, PICKERS, Picker, RingHash
from gateway.policy import PLAIN, Policy
from gateway.snapshot import Endpoint, Upstream
from gateway.standing import Standing

DEARER = 2.0
CROWD = 4
"""Calls under way at an instance here before one elsewhere is thought of."""

MIN_LATENCY_S = 0.001
"""Below it, differences say nothing about where a call is better off."""

SOUND_ROW = 3
"""Failures in a row up to which an instance is worth a retry."""


class Balancer:
    def __init__(self, health: Health, standings: Mapping[str, Standing], random: Random, lpar: str) -> None:
        """`standings` has one for each endpoint of every upstream given to `adopt`."""
        self._health = health
        self._standings = standings
        self._random = random
        self._lpar = lpar
        self._policy: Policy = PLAIN
        self.upstream: Upstream
        self.candidates: Sequence[Standing] = ()
        self.panic = False
        self.budget = Budget()
        self._only: Standing | None = None
        self._limit = 0
        """Calls under way at one instance, from which on one with fewer is taken."""
        self._picker: Picker = PICKERS[PLAIN.picker](random)
        self._elsewhere: Picker | None = None
        """With affinity: those of other LPARs, if there are some here as well."""
        self._ring: RingHash | None = None

    def adopt(self, upstream: Upstream) -> None:
        """The service as the registry has it now."""
        if upstream.policy.picker != self._policy.picker:
            self._picker = PICKERS[upstream.policy.picker](self._random)
        self._policy = upstream.policy
        self._limit = upstream.policy.max_calls_per_instance
        self.upstream = upstream
        self.renew()

    def renew(self) -> None:
        """Who may be called has changed."""
        self._ring = None
        endpoints = self._in_scope(self.upstream.endpoints)
        if not endpoints:
            self.candidates, self.panic, self._only, self._elsewhere = (), False, None, None
            return
        view = self._health.view(endpoints)
        self.panic = view.panic
        self.candidates = [self._standings[each.key] for each in view.candidates]
        self._only = self.candidates[0] if len(self.candidates) == 1 else None
        near = [each for each in self.candidates if each.endpoint.lpar == self._lpar] if self._policy.affinity else []
        far = [each for each in self.candidates if each.endpoint.lpar != self._lpar] if near else []
        self._picker.renew(near or self.candidates)
        self._elsewhere = None
        if far:
            self._elsewhere = PICKERS[self._policy.picker](self._random)
            self._elsewhere.renew(far)

    def _in_scope(self, endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
        return [each for each in endpoints if each.lpar == self._lpar] if self._policy.scope_lpar else endpoints

    # --- picking

    def pick(self, now: float, key: bytes = b"", tried: Collection[str] = NOBODY) -> Standing:
        """There is a candidate. `key`: what leads the same calls to the same instance, with a ring; `tried`: keys of
        those that failed this call already."""
        if tried:
            return self._again(now, key, tried)
        chosen = self._only
        if chosen is not None:
            return chosen
        picker = self._picker
        chosen = picker.pick(now, key)
        if self._elsewhere is not None:
            chosen = self._near_or_far(chosen, self._elsewhere, now, key)
        if chosen.tender and self._spares(chosen, now):
            chosen = self._another(chosen, now, key)
        if self._limit and chosen.in_flight >= self._limit:
            return min(self.candidates, key=lambda each: (each.trial and each.in_flight > 0, each.in_flight))
        return chosen

    def pick_by(self, key: bytes, now: float, tried: Collection[str] = NOBODY) -> Standing:
        """The one this key leads to, whatever the picker; there is a candidate."""
        if self._ring is None:
            self._ring = RingHash(self._random)
            self._ring.renew(self.candidates)
        if tried and all(each.key in tried for each in self.candidates):
            return self._again(now, key, tried)
        chosen = self._ring.pick(now, key, tried)
        if chosen.trial and chosen.in_flight:
            busy = [each.key for each in self.candidates if each.trial and each.in_flight]
            return self._ring.pick(now, key, (*tried, *busy))
        return chosen

    def pick_for_tunnel(self, now: float) -> Standing:
        """One with the fewest tunnels for its weight, of those whose turn `pick` would not pass by."""
        ready = [each for each in self.candidates if not (each.tender and self._spares(each, now))]
        near = [each for each in ready if each.endpoint.lpar == self._lpar] if self._policy.affinity else []
        draw = self._random.random
        return min(near or ready or self.candidates, key=lambda each: (each.tunnels / each.weight, draw()))

    def pick_in(self, lpar: str, now: float, tried: Collection[str] = NOBODY) -> Standing | None:
        """One in that LPAR, or None."""
        endpoints = [each for each in self.upstream.endpoints if each.lpar == lpar]
        return self._best(endpoints, now, b"", tried) if endpoints else None

    def _again(self, now: float, key: bytes, tried: Collection[str]) -> Standing:
        return self._best(self._in_scope(self.upstream.endpoints), now, key, tried)

    def _best(self, endpoints: Sequence[Endpoint], now: float, key: bytes, tried: Collection[str]) -> Standing:
        """Of these, among those not tried if there are."""
        endpoints = [each for each in endpoints if each.key not in tried] or endpoints
        picker = PICKERS[self._policy.picker](self._random)
        picker.renew([self._standings[each.key] for each in self._health.view(endpoints).candidates])
        chosen = picker.pick(now, key)
        return picker.pick(now, key, (chosen.key,)) if chosen.tender and self._spares(chosen, now) else chosen

    def _another(self, chosen: Standing, now: float, key: bytes) -> Standing:
        """In place of one that is not ready for one more call; that one, if nobody is."""
        passed = [chosen.key, *(each.key for each in self.candidates if each.trial and each.in_flight)]
        for picker in (self._picker, self._picker, self._elsewhere):
            if picker is None:
                continue
            other = picker.pick(now, key, passed)
            if other.key not in passed and not (other.tender and self._spares(other, now)):
                return other
            passed.append(other.key)
        return chosen

    def _near_or_far(self, near: Standing, elsewhere: Picker, now: float, key: bytes) -> Standing:
        if near.in_flight < CROWD:
            return near
        far = elsewhere.pick(now, key)
        return far if cost(near, now) > DEARER * cost(far, now) else near

    def _spares(self, standing: Standing, now: float) -> bool:
        """It is not ready for one more call."""
        if standing.trial:
            return standing.in_flight > 0
        share = standing.share(now)
        return share < 1 and self._random.random() >= share

    # --- retries

    def may_retry(self, tried: Collection[str], now: float, *, free: bool = False) -> bool:
        """Somebody else is worth a retry of a call that an instance had got, and the budget has one left; `free`: there
        is no budget."""
        others = [each for each in self.candidates if each.key not in tried]
        if not any(each.failures_in_row < SOUND_ROW and not each.trial for each in others):
            return False
        return free or self.budget.spend(sum(each.recent(now)[0] for each in self.candidates), now)


def cost(standing: Standing, now: float) -> float:
    return max(standing.latency(now), MIN_LATENCY_S) * (standing.in_flight + 1) / standing.weight
