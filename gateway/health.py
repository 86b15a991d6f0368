"""Which instances this gateway leaves out, by what it has learned itself: a record beside the snapshot, by key.

    fine ──connect failed, two probes of a round failed──► out ──probe ok──► fine
      │                                                     ▲ probed again after 0.5 s, doubling to 30 s
      ├──owner silent, calls wait unanswered──► unproven ───┴ two probes failed; one ok: fine
      │
      └──5 failures in a row, or half of 20 and more in the window──► ejected ──time over──► trial ──call ok──► fine
                                                                         ▲ 0.5 s, doubling to 30 s │
                                                                         └───────call failed───────┘

- A refused or unreachable connect is evidence, not statistics: the instance is *out*, at once, whatever others are.
- When the discovery node that holds an instance's lease falls silent, its instances are *unproven* and probed at once:
  they may be as dead as their owner, or quite alive. So is one that lets calls wait and answers none: it may be frozen.
- Failures (a connection that died, garbage, a time-out, 502, 503, 504) are statistics. At most half of a service is
  ejected, but one of two may be, and never the last. Retry-After says how long, if the instance says so itself.
- Candidates are ranked: fine and on trial, then ejected, then unproven, then out; the first rank that is not empty is
  chosen from. *Panic*: when fewer than half of those that are not out are well, ejections are ignored, because the
  few left would be overrun.
- A newer process under the same id (`gen`) begins without a past; what left the registry is forgotten.

An instance that appears is probed by every gateway, so that one that cannot be reached from here is known before
anybody calls it. Health URLs are also asked in rounds (`probe_s` of the policy), by three gateways at most, for those
that freeze. A probe adds to the registry's word and never overrides it.

Instances without a record are fine, so the usual case costs nothing. Time is monotonic seconds.

Sources: Envoy's outlier detection and panic threshold; Hayashibara et al. and SWIM for doubt before death.
Not here: sending probes (`probing`), choosing among the candidates (`balancer`, `pickers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple
from zlib import crc32

from gateway.guards import ALL, Guards
from gateway.snapshot import Endpoint, Snapshot
from gateway.standing import Standing

State = Literal["unproven", "out", "ejected", "trial"]

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0
PROBES_TO_OUT = 2
IN_A_ROW = 5
MIN_CALLS = 20
MAX_FAILED = 0.5
MAX_EJECTED = 0.5
"""Share of a service, but one may always be."""
FORGIVEN_S = 60.0
"""After so long without an ejection, the next one is as short as the first."""
AGAIN_S = 1.0
"""After a failed probe that nobody waits for."""
MAX_PROBES_PER_S = 20.0
"""Of one gateway, in rounds; and of those that appear."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Probe:
    """Effect: ask this endpoint whether it lives, and tell `probed`; `patient`: nobody waits for the answer."""

    endpoint: Endpoint
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """Effect: the endpoint's state is another one now (None: fine), for this reason."""

    endpoint: Endpoint
    state: State | None
    why: str
    before: State | None = None


Effect = Probe | Changed


@dataclass(slots=True)
class Record:
    endpoint: Endpoint
    state: State
    why: str
    since: float
    due: float
    """When to probe next, or when the ejection ends."""
    pause_s: float = FIRST_RETRY_S
    failures: int = 0
    probing: bool = False


class View(NamedTuple):
    candidates: Sequence[Endpoint]
    panic: bool


class Health:
    def __init__(self, random: Random | None = None, guards: Guards = ALL) -> None:
        self.records: dict[str, Record] = {}
        self._random = random or Random(0)
        self._guards = guards
        self._silent: set[str] = set()
        self._due: dict[str, float] = {}
        """Key → when it is asked next, without anybody waiting."""
        self._round_s: dict[str, float] = {}
        """Of those that are asked in rounds."""
        self._next_look = 0.0
        self._misses: dict[str, int] = {}
        self._asked: set[str] = set()
        self._endpoints: Mapping[str, Endpoint] = {}

    # --- who may be called

    def view(self, endpoints: Sequence[Endpoint]) -> View:
        """The best rank of these, of which there is at least one."""
        records = self.records
        if not records:
            return View(endpoints, panic=False)
        well, ejected, unproven = [], [], []
        for each in endpoints:
            record = records.get(each.key)
            if record is None or record.state == "trial":
                well.append(each)
            elif record.state == "ejected":
                ejected.append(each)
            elif record.state == "unproven":
                unproven.append(each)
        up = len(well) + len(ejected) + len(unproven)
        panic = bool(ejected) and self._guards.panic and len(well) * 2 < up
        if panic:
            kept = {each.key for each in (*well, *ejected)}
            well = [each for each in endpoints if each.key in kept]
        return View(well or ejected or unproven or endpoints, panic)

    # --- what is learned from calls

    def connect_failed(self, endpoint: Endpoint, why: str, now: float) -> list[Effect]:
        record = self.records.get(endpoint.key)
        if not self._guards.evidence or (record is not None and record.state == "out"):
            return []
        return [self._put_out(endpoint, why, now)]

    def connected(self, endpoint: Endpoint) -> list[Effect]:
        """A connect for a request succeeded: as good as a probe, unless its owner is silent (a stopped process's
        kernel still accepts)."""
        record = self.records.get(endpoint.key)
        if record is None or record.state != "out" or endpoint.owner in self._silent or record.failures:
            return []
        return self._fine(record)

    def failed(
        self, standing: Standing, group: Sequence[Endpoint], why: str, now: float, wait_s: float = 0.0
    ) -> list[Effect]:
        """A call there failed, and is counted already. `group`: all of its service that are UP; `wait_s`: how long the
        instance asks to be left alone."""
        return self._hurry(standing, group, now) + self._ejected(standing, group, why, now, wait_s)

    def _hurry(self, standing: Standing, group: Sequence[Endpoint], now: float) -> list[Effect]:
        """Nobody else is well: those that are out, and may be back by now, are asked as soon as the first time."""
        others = [each for each in group if each.key != standing.key]
        if not others or any(self._state(each) in (None, "trial") for each in others):
            return []
        for each in others:
            record = self.records[each.key]
            if record.state == "out" and not record.probing:
                record.due = min(record.due, max(now, record.due - record.pause_s + FIRST_RETRY_S))
        return self.tick(now)

    def _ejected(
        self, standing: Standing, group: Sequence[Endpoint], why: str, now: float, wait_s: float
    ) -> list[Effect]:
        record = self.records.get(standing.key)
        if not self._guards.ejection or (record is not None and record.state != "trial"):
            return []
        calls, failures = standing.recent(now)
        often = calls >= MIN_CALLS and failures >= calls * MAX_FAILED
        if record is None and not (often or standing.failures_in_row >= IN_A_ROW or wait_s):
            return []
        return self._eject(standing, group, why, now, wait_s)

    def _eject(
        self, standing: Standing, group: Sequence[Endpoint], why: str, now: float, wait_s: float
    ) -> list[Effect]:
        others = [self._state(each) for each in group if each.key != standing.key]
        ejected = others.count("ejected")
        if not (None in others or "trial" in others) or ejected + 1 > max(1, int(len(group) * MAX_EJECTED)):
            return []
        pause_s = standing.ejected(now, FIRST_RETRY_S, LAST_RETRY_S, FORGIVEN_S)
        pause_s = max(pause_s * self._random.uniform(0.8, 1.2), min(wait_s, LAST_RETRY_S))
        self.records[standing.key] = Record(standing.endpoint, "ejected", why, now, now + pause_s)
        return [Changed(standing.endpoint, "ejected", why)]

    def succeeded(self, standing: Standing) -> list[Effect]:
        """A call there succeeded."""
        record = self.records.get(standing.key)
        if record is None or record.state != "trial":
            return []
        return self._fine(record)

    def doubt(self, endpoint: Endpoint, why: str, now: float) -> list[Effect]:
        """Calls wait there, and none is answered: it must prove that it lives."""
        if not self._guards.doubt or self._state(endpoint) in ("unproven", "out"):
            return []
        self.records[endpoint.key] = Record(endpoint, "unproven", why, now, now)
        return [Changed(endpoint, "unproven", why), *self.tick(now)]

    # --- what is learned from the registry

    def adopt(self, snapshot: Snapshot, now: float) -> list[Effect]:
        """A new snapshot: forget what no longer holds, and doubt the instances of owners that fell silent."""
        for id in [id for id, record in self.records.items() if not _same(record.endpoint, snapshot)]:
            del self.records[id]
        for id in [id for id in self._misses if not _same(self._endpoints.get(id), snapshot)]:
            del self._misses[id]
        for id in [id for id in self._due if id not in snapshot.endpoints]:
            del self._due[id]
        for id, record in self.records.items():
            record.endpoint = snapshot.endpoints[id]
        self._endpoints = snapshot.endpoints
        silent = {owner for owner, state in snapshot.owners.items() if state != "alive"}
        newly, self._silent = silent - self._silent, silent
        effects: list[Effect] = []
        for endpoint in snapshot.endpoints.values() if newly and self._guards.silence else ():
            if endpoint.owner in newly and self._state(endpoint) in (None, "ejected", "trial"):
                why = "its discovery node is silent"
                self.records[endpoint.key] = Record(endpoint, "unproven", why, now, now)
                effects.append(Changed(endpoint, "unproven", why))
        return effects + self.tick(now)

    def _state(self, endpoint: Endpoint) -> State | None:
        record = self.records.get(endpoint.key)
        return record.state if record is not None else None

    # --- probes

    def look_at(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """These have just appeared: ask each of them once."""
        if not self._guards.probes:
            return
        for endpoint in endpoints:
            self._next_look = max(self._next_look + 1 / MAX_PROBES_PER_S, now)
            self._due[endpoint.key] = self._next_look

    def watch(self, intervals: Mapping[str, float], now: float) -> None:
        """Ask these in rounds from now on: key → seconds between two probes."""
        if not self._guards.probes:
            return
        for key in self._round_s.keys() - intervals.keys():
            self._due.pop(key, None)
            self._misses.pop(key, None)
        for key, interval_s in intervals.items():
            first = now + interval_s * self._random.random() if key not in self._due else now + interval_s
            self._due[key] = min(self._due.get(key, first), first)
        self._round_s = dict(intervals)

    def tick(self, now: float) -> list[Effect]:
        """Probes that are due, and ejections that are over."""
        effects: list[Effect] = []
        for record in self.records.values():
            if record.due > now or record.probing:
                continue
            if record.state == "ejected":
                record.state, record.due, record.since = "trial", NEVER, now
                effects.append(Changed(record.endpoint, "trial", record.why))
            else:
                record.probing = True
                effects.append(Probe(record.endpoint))
        for key in [key for key, due in self._due.items() if due <= now]:
            del self._due[key]
            if key in self._round_s:
                self._due[key] = now + self._round_s[key] * self._random.uniform(0.9, 1.1)
            endpoint = self._endpoints.get(key)
            if endpoint is not None and key not in self._asked and self._state(endpoint) in (None, "ejected", "trial"):
                self._asked.add(key)
                effects.append(Probe(endpoint, patient=True))
        return effects

    def next_deadline(self) -> float:
        """When `tick` must be called; infinity when there is nothing to do."""
        records = min((each.due for each in self.records.values() if not each.probing), default=NEVER)
        return min(records, min(self._due.values(), default=NEVER))

    def probed(self, endpoint: Endpoint, why: str, now: float) -> list[Effect]:
        """A probe ended; `why` says how it failed, empty when it did not."""
        key = endpoint.key
        self._asked.discard(key)
        record = self.records.get(key)
        if record is None or record.state in ("ejected", "trial"):
            return self._round_over(endpoint, why, now)
        if not record.endpoint.same_process(endpoint):
            return []
        record.probing = False
        self._misses.pop(key, None)
        if not why:
            return self._fine(record)
        return self._probe_failed(record, why, now)

    def _round_over(self, endpoint: Endpoint, why: str, now: float) -> list[Effect]:
        key = endpoint.key
        known = self._endpoints.get(key)
        if known is None or not known.same_process(endpoint):
            return []
        if not why:
            self._misses.pop(key, None)
            return []
        self._misses[key] = misses = self._misses.get(key, 0) + 1
        if misses < PROBES_TO_OUT:
            self._due[key] = min(self._due.get(key, NEVER), now + AGAIN_S)
            return []
        del self._misses[key]
        return [self._put_out(endpoint, why, now)]

    def _probe_failed(self, record: Record, why: str, now: float) -> list[Effect]:
        record.failures += 1
        if record.state == "unproven":
            if record.failures < PROBES_TO_OUT:
                record.due = now
                return self.tick(now)
            record.state, record.why, record.since = "out", why, now
            record.due = now + record.pause_s
            return [Changed(record.endpoint, "out", why)]
        record.pause_s = min(record.pause_s * 2, LAST_RETRY_S)
        record.due = now + record.pause_s
        return []

    def _put_out(self, endpoint: Endpoint, why: str, now: float) -> Effect:
        self.records[endpoint.key] = Record(endpoint, "out", why, now, now + FIRST_RETRY_S)
        return Changed(endpoint, "out", why)

    def _fine(self, record: Record) -> list[Effect]:
        del self.records[record.endpoint.key]
        return [Changed(record.endpoint, None, "", record.state)]


def _same(known: Endpoint | None, snapshot: Snapshot) -> bool:
    """It is UP still, and the same process."""
    endpoint = snapshot.endpoints.get(known.key) if known is not None else None
    return known is not None and endpoint is not None and endpoint.same_process(known)


MAX_PROBERS = 3


class Rounds:
    """Which endpoints the gateway `own` asks in rounds: where there are more than three gateways, three ask each
    endpoint, the same three by everybody's reckoning."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._gateways: Sequence[str] = ()
        self._mine: dict[str, bool] = {}

    def of(self, endpoints: Sequence[tuple[Endpoint, float]], gateways: Sequence[str]) -> dict[str, float]:
        """Of these (endpoint, seconds between probes): key → seconds. At most 20 probes a second."""
        if gateways != self._gateways or len(self._mine) > 2 * len(endpoints) + 100:
            self._gateways, self._mine = gateways, {}
        mine = {endpoint.key: interval_s for endpoint, interval_s in endpoints if self._asks(endpoint.key)}
        least_s = len(mine) / MAX_PROBES_PER_S
        return {key: max(interval_s, least_s) for key, interval_s in mine.items()}

    def _asks(self, key: str) -> bool:
        found = self._mine.get(key)
        if found is None:
            ranked = sorted(self._gateways, key=lambda gateway: crc32(f"{gateway} {key}".encode()))
            found = self._mine[key] = self._own in ranked[:MAX_PROBERS] or self._own not in ranked
        return found
