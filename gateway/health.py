"""What this gateway has learned about instances by itself: a record beside the snapshot, by instance id.

    fine ──connect failed──► out ──────────probe ok──────────► fine
      │                       ▲ probed again after 0.5 s, doubling to 30 s
      └owner silent► unproven ┴two probes failed
                        └──probe ok──► fine

- A refused or unreachable connect is evidence, not statistics: the instance is *out*, at once.
- When the discovery node that holds an instance's lease falls silent, its instances are *unproven* and probed at once:
  they may be as dead as their owner, or quite alive. Two failed probes put them *out*.
- Being out or unproven never takes the last candidate away: candidates are ranked, fine before unproven before out, and
  the first rank that is not empty is picked from.
- What was learned is forgotten when a newer process takes the id over (`gen`), or when the instance is gone.

Instances without a record are fine, so the usual case costs nothing. Time is monotonic seconds.

Not here: sending probes (`probing`), choosing among the candidates (`pickers`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.snapshot import Endpoint, Snapshot

State = Literal["unproven", "out"]

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0
PROBES_TO_OUT = 2


@dataclass(frozen=True, slots=True)
class Probe:
    """Effect: ask this endpoint whether it lives, and tell `probed`."""

    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Changed:
    """Effect: the endpoint's state is another one now (None: fine), for this reason."""

    endpoint: Endpoint
    state: State | None
    why: str


Effect = Probe | Changed


@dataclass(slots=True)
class Record:
    endpoint: Endpoint
    state: State
    why: str
    due: float
    """When to probe next."""
    pause_s: float = FIRST_RETRY_S
    failures: int = 0
    probing: bool = False


class Health:
    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._silent: set[str] = set()

    def candidates(self, endpoints: Sequence[Endpoint], excluded: Collection[str]) -> Sequence[Endpoint]:
        """The best rank of the endpoints that are not excluded; empty when all are."""
        if excluded:
            endpoints = [each for each in endpoints if each.key not in excluded]
        records = self.records
        if not records:
            return endpoints
        fine = [each for each in endpoints if each.key not in records]
        if fine:
            return fine
        return [each for each in endpoints if records[each.key].state == "unproven"] or endpoints

    def connect_failed(self, endpoint: Endpoint, why: str, now: float) -> list[Effect]:
        record = self.records.get(endpoint.key)
        if record is not None and record.state == "out":
            return []
        self.records[endpoint.key] = Record(endpoint, "out", why, now + FIRST_RETRY_S)
        return [Changed(endpoint, "out", why)]

    def connected(self, endpoint: Endpoint) -> list[Effect]:
        """A connect for a request succeeded: as good as a probe, unless its owner is silent (a stopped process's
        kernel still accepts)."""
        record = self.records.get(endpoint.key)
        if record is None or record.state == "unproven" or endpoint.owner in self._silent:
            return []
        return self._fine(record)

    def adopt(self, snapshot: Snapshot, now: float) -> list[Effect]:
        """A new snapshot: forget what no longer holds, and doubt the instances of owners that fell silent."""
        for id in [id for id, record in self.records.items() if not _same(record, snapshot)]:
            del self.records[id]
        silent = {owner for owner, state in snapshot.owners.items() if state != "alive"}
        newly, self._silent = silent - self._silent, silent
        effects: list[Effect] = []
        for endpoint in snapshot.endpoints.values() if newly else ():
            if endpoint.owner in newly and endpoint.key not in self.records:
                why = "its discovery node is silent"
                self.records[endpoint.key] = Record(endpoint, "unproven", why, now)
                effects.append(Changed(endpoint, "unproven", why))
        return effects + self.tick(now)

    def tick(self, now: float) -> list[Effect]:
        """Probes that are due."""
        effects: list[Effect] = []
        for record in self.records.values():
            if record.due <= now and not record.probing:
                record.probing = True
                effects.append(Probe(record.endpoint))
        return effects

    def next_deadline(self) -> float:
        """When `tick` must be called; infinity when there is nothing to probe."""
        return min((each.due for each in self.records.values() if not each.probing), default=float("inf"))

    def probed(self, endpoint: Endpoint, why: str, now: float) -> list[Effect]:
        """A probe ended; `why` says how it failed, empty when it did not."""
        record = self.records.get(endpoint.key)
        if record is None or record.endpoint.gen != endpoint.gen:
            return []
        record.probing = False
        if not why:
            return self._fine(record)
        return self._probe_failed(record, why, now)

    def _probe_failed(self, record: Record, why: str, now: float) -> list[Effect]:
        record.failures += 1
        if record.state == "unproven":
            if record.failures < PROBES_TO_OUT:
                record.due = now
                return self.tick(now)
            record.state, record.why = "out", why
            record.due = now + record.pause_s
            return [Changed(record.endpoint, "out", why)]
        record.pause_s = min(record.pause_s * 2, LAST_RETRY_S)
        record.due = now + record.pause_s
        return []

    def _fine(self, record: Record) -> list[Effect]:
        del self.records[record.endpoint.key]
        return [Changed(record.endpoint, None, "")]


def _same(record: Record, snapshot: Snapshot) -> bool:
    endpoint = snapshot.endpoints.get(record.endpoint.key)
    return endpoint is not None and endpoint.gen == record.endpoint.gen
