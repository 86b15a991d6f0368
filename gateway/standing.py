"""How one instance stands with this gateway: what is under way there, how quickly it answers, how often it fails.

A standing lies beside the snapshot, by instance key, so that what was learned outlives every change of the registry; a
newer process under the same id begins with a new one.

    latency   a moving average of the time to the first byte, over 5 s, that rises at once to a slower answer and
              sinks slowly (peak EWMA); failures and "too many requests" count as slow, or what fails fast would look
              quick and attract calls
    window    calls and failures of the last 5 to 10 seconds, in two halves

Time is monotonic seconds. Source: Twitter Finagle's peak EWMA load metric; linkerd2-proxy for the penalty.

Not here: who is chosen (`pickers`), who is left out (`health`).
"""

from __future__ import annotations

from math import exp

from gateway.snapshot import Endpoint

DECAY_S = 5.0
"""After so long without a slow answer a third of its weight is left."""

PENALTY_S = 1.0
"""A failure counts as an answer that took so long, and no answer counts for more: it may be meant to take long."""

HALF_S = 5.0
"""Of the window."""


class Standing:
    __slots__ = (
        "answered_at", "calls", "calls_before", "drained_at", "ejections", "endpoint", "failed", "failed_before",
        "failures_in_row", "half_ends", "in_flight", "key", "last_answer", "last_ejected", "latency_s",
        "measured_at", "pause_s", "ramp_from", "ramp_s", "reached", "tender", "total", "total_failed", "trial",
        "tunnels", "weight",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, now: float) -> None:
        self.endpoint = endpoint
        self.key = endpoint.key
        self.weight = endpoint.weight
        self.in_flight = 0
        """Calls that are waited for, or being answered."""
        self.tunnels = 0
        self.latency_s = 0.0
        self.measured_at = now
        self.last_answer = now
        """Or when a call began while none was under way."""
        self.answered_at = 0.0
        """Without failing."""
        self.reached = False
        """By a call or a probe, once at least."""
        self.failures_in_row = self.ejections = 0
        self.last_ejected = now
        self.pause_s = 0.0
        """How long the last ejection was."""
        self.half_ends = now + HALF_S
        self.calls = self.failed = self.calls_before = self.failed_before = self.total = self.total_failed = 0
        self.ramp_from = self.ramp_s = 0.0
        self.drained_at = 0.0
        """Since when it is OUT_OF_SERVICE."""
        self.trial = False
        """It was ejected; one call at a time finds out whether it is well."""
        self.tender = False
        """On trial, or in its slow start."""

    def answered(self, now: float, seconds: float, *, failed: bool = False, slow: bool = False) -> None:
        """A call has got its first byte, or failed without one; `slow`: it counts as slow whatever it took."""
        self.last_answer = now
        if now >= self.half_ends:
            self._turn(now)
        self.calls += 1
        self.total += 1
        if failed:
            self.failed += 1
            self.total_failed += 1
            self.failures_in_row += 1
            slow = True
        else:
            self.failures_in_row = 0
            self.answered_at = now
        if slow or seconds > PENALTY_S:
            seconds = PENALTY_S
        known = self.latency_s
        if seconds < known:
            seconds += (known - seconds) * exp((self.measured_at - now) / DECAY_S)
        self.latency_s = seconds
        self.measured_at = now

    def _turn(self, now: float) -> None:
        recent = now < self.half_ends + HALF_S
        self.calls_before, self.failed_before = (self.calls, self.failed) if recent else (0, 0)
        self.calls = self.failed = 0
        self.half_ends = self.half_ends + HALF_S if recent else now + HALF_S

    def latency(self, now: float) -> float:
        """Sinks while nobody calls, so that one that was slow is tried again; seconds."""
        known = self.latency_s
        return known * exp((self.measured_at - now) / DECAY_S) if known else 0.0

    def recent(self, now: float) -> tuple[int, int]:
        """(calls, failures) of the window."""
        if now >= self.half_ends + HALF_S:
            return 0, 0
        if now >= self.half_ends:
            return self.calls, self.failed
        return self.calls + self.calls_before, self.failed + self.failed_before

    def per_s(self, now: float) -> float:
        """Calls a second in the window."""
        begun = HALF_S + max(now - (self.half_ends - HALF_S), 0.0)
        return self.recent(now)[0] / min(begun, 2 * HALF_S)

    def ejected(self, now: float, first_s: float, last_s: float, forgiven_s: float) -> float:
        """It is left out now: for how long, in seconds; twice as long each time, from the beginning after a while."""
        forgiven = now - self.last_ejected > self.pause_s + forgiven_s
        self.pause_s = first_s if forgiven or not self.pause_s else min(self.pause_s * 2, last_s)
        self.last_ejected = now
        self.ejections += 1
        self.failures_in_row = 0
        return self.pause_s

    def forgive(self) -> None:
        """It is back: what it failed before says nothing any more."""
        self.failures_in_row = self.failed = self.failed_before = 0

    def ramp(self, now: float, seconds: float) -> None:
        """Give it its share by and by. How quick it was before says nothing."""
        self.latency_s = 0.0
        self.ramp_from, self.ramp_s = now, seconds
        self.tender = self.trial or seconds > 0

    def share(self, now: float) -> float:
        """Of its weight, while it ramps: 0.1 to 1."""
        if not self.ramp_s:
            return 1.0
        passed = (now - self.ramp_from) / self.ramp_s
        if passed >= 1:
            self.ramp_s = 0.0
            self.tender = self.trial
            return 1.0
        return max(passed, 0.1)

    def try_out(self, on: bool) -> None:
        """On trial or not. How quick it was before says nothing then."""
        if on:
            self.latency_s = 0.0
        self.trial = on
        self.tender = on or self.ramp_s > 0
