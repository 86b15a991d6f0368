"""The leases this node owns: when each was last renewed, and which have run out.

Exact, unlike Eureka's, whose renewal adds the lease a second time: an instance silent for `lease_s` is expired by the
next sweep, at most one sweep later. The lease clock advances by at most `MAX_STEP_S` per sweep: a process that was
itself stopped (a suspended laptop, a capped LPAR) does not wake up to expire everybody.
"""

from __future__ import annotations

SWEEP_S = 1.0
MAX_STEP_S = 2 * SWEEP_S


class Leases:
    def __init__(self) -> None:
        self._renewed: dict[str, float] = {}
        self._lease_s: dict[str, int] = {}
        self._clock = 0.0
        self._swept_at: float | None = None

    def __len__(self) -> int:
        return len(self._renewed)

    def __contains__(self, key: str) -> bool:
        return key in self._renewed

    def grant(self, key: str, lease_s: int, now: float) -> None:
        self._lease_s[key] = lease_s
        self._renewed[key] = self._time(now)

    def renew(self, key: str, now: float) -> bool:
        """False: not ours."""
        if key not in self._renewed:
            return False
        self._renewed[key] = self._time(now)
        return True

    def end(self, key: str) -> None:
        self._renewed.pop(key, None)
        self._lease_s.pop(key, None)

    def age(self, key: str, now: float) -> float:
        """Seconds since the last renewal, by the lease clock."""
        return self._time(now) - self._renewed[key]

    def sweep(self, now: float) -> list[str]:
        """Advance the lease clock; the instances whose lease has run out (they stay until `end`)."""
        clock = self._time(now)
        self._clock, self._swept_at = clock, now
        return [key for key, renewed in self._renewed.items() if clock - renewed > self._lease_s[key]]

    def _time(self, now: float) -> float:
        if self._swept_at is None:
            self._swept_at = now
        return self._clock + min(now - self._swept_at, MAX_STEP_S)
