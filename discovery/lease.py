"""The leases this node owns: when each runs out, and which have.

Exact by default, unlike Eureka's, whose renewal adds the lease a second time: an instance silent for `lease_s` is
expired by the next sweep, at most one sweep later. The lease clock advances by at most two sweeps per sweep: a process
that was itself stopped (a suspended laptop, a capped LPAR) does not wake up to expire everybody.
"""

from __future__ import annotations

from collections.abc import Sequence

from discovery.policy import LeaseRule, exact


class Leases:
    def __init__(self, rule: LeaseRule = exact, sweep_s: float = 1.0) -> None:
        self._rule = rule
        self._max_step_s = 2 * sweep_s
        self._ends: dict[str, float] = {}
        self._terms: dict[str, float] = {}
        self._by_lease: dict[int, float] = {}
        self._clock = 0.0
        self._swept_at: float | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def __contains__(self, key: str) -> bool:
        return key in self._ends

    def grant(self, key: str, lease_s: int, now: float) -> None:
        term_s = self._by_lease.get(lease_s)
        if term_s is None:
            term_s = self._by_lease[lease_s] = self._rule(lease_s)
        self._terms[key] = term_s
        self.renew(key, now)

    def renew(self, key: str, now: float) -> bool:
        """False: not ours."""
        term_s = self._terms.get(key)
        if term_s is None:
            return False
        self._ends[key] = self._time(now) + term_s
        return True

    def renew_all(self, keys: Sequence[str], now: float) -> list[str]:
        """Returns those that are not ours."""
        time, terms, ends = self._time(now), self._terms, self._ends
        others = []
        for key in keys:
            term_s = terms.get(key)
            if term_s is None:
                others.append(key)
            else:
                ends[key] = time + term_s
        return others

    def end(self, key: str) -> None:
        self._ends.pop(key, None)
        self._terms.pop(key, None)

    def term_s(self, key: str) -> float:
        """The silence it is allowed."""
        return self._terms[key]

    def age(self, key: str, now: float) -> float:
        """Seconds since the last renewal, by the lease clock."""
        return self._time(now) - self._ends[key] + self._terms[key]

    def left(self, key: str, now: float) -> float | None:
        """Seconds until it runs out, by the lease clock; below zero it is due, None: not ours."""
        end = self._ends.get(key)
        return None if end is None else end - self._time(now)

    def sweep(self, now: float) -> list[str]:
        """Advance the lease clock; the instances whose lease has run out (they stay until `end`)."""
        clock = self._time(now)
        self._clock, self._swept_at = clock, now
        return [key for key, end in self._ends.items() if end < clock]

    def _time(self, now: float) -> float:
        if self._swept_at is None:
            self._swept_at = now
        return self._clock + min(now - self._swept_at, self._max_step_s)
