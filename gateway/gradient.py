"""How many calls of a service are right to have under way, found out by measuring alone.

Theory. By Little's law a service that does its best holds (calls a second it can answer) * (time it needs for one) of
them. More than that do not make it answer more: they stand in a queue there and make each answer later. So the time of
an answer tells: as long as it is what it is without a queue (the *rest* time), more may be sent; when it has grown to m
times that, there are about m times as many under way as there should be. Over each window of some calls:

    gradient  TOLERANCE * rest time / time now, times the share of calls that did not fail; from 1/2 to 2
    limit     STEP of the way to  gradient * limit + square root of limit

which comes to rest where the time is a little more than TOLERANCE times the rest time; the root is what makes it try
for more. Without any queue it grows by a tenth each window. A limit that is not made use of (less than half of it under
way) says nothing and stays. A failed call has no time: a quick error is not a quick answer.

The rest time. While the limit is not made use of, it is the average of what is measured. When it is, the time contains
a queue; an average would take that in, and again when the limit has grown by it, and so on to the largest limit. So
then it stays as it is and is looked up from time to time:

    open ──LOOK_S at the limit──► emptying ──few are under way──► looking ──enough calls──► open
                                     └────────too long───────► open ◄───too long───┘

The limit is a quarter for so long; calls that began since few are under way are measured. All gateways of a machine
look at the same time (when its clock shows a multiple of LOOK_S), for one that looks alone measures the queue that the
others make. That is in step for a few gateways or workers; many that overload one service for long, or such on machines
with clocks of their own, drift upwards to `max_limit`, and slowly: such a service needs a fixed limit as well.

Until the next look a service that has become much slower is sent too little, and one that has become much quicker has a
longer queue than it should.

Source: Gradient2 of Netflix's concurrency-limits ("Performance Under Load", Netflix Technology Blog, 2018), which keeps
an average in all states; looking at a lower limit, and a gradient above 1, are from Envoy's adaptive concurrency filter
(its minRTT); that all look at once from BBR (Cardwell et al., ACM Queue 14:5, 2016).
Not here: who is let in (`bulkhead`).
"""

from __future__ import annotations

from math import sqrt

START = 20
TOLERANCE = 1.5
"""Answers take different times without any queue. Lower, and a service of such answers is held back."""
STEP = 0.2
"""Part of the way in each window. Higher, and one bad window costs much."""

FLATTEST, STEEPEST = 0.5, 2.0

WINDOW_S = 0.1
WINDOW_CALLS = 10
"""A window has both, and lasts for the time of an answer: a limit shows in the calls that began under it."""

REST_S = 10.0
"""The rest time is averaged over so long."""
REST_PART = 0.5
"""The most that one window counts in it."""
LOOK_S = 15.0
LOOK_TIMES = 50
"""And no sooner than after so many times of an answer: looking must not cost a slow service more."""
LOOK_PART = 4
LOOK_CALLS = 10
SETTLE_TIMES, MEASURE_TIMES = 2.0, 4.0
"""Times of an answer. Those that end first are the short ones: measured at once, the rest time would be too low, and a
rest time below 1 / TOLERANCE of the truth starves the service."""
EMPTY_TIMES = 3.0
"""Few are under way after so many times of an answer, or those that are will last, and are no queue."""

NEVER = float("inf")


class Gradient:
    """`limit` is what holds now: from `min_limit` to `max_limit`, or lower (at least 1) for as long as it looks."""

    __slots__ = (
        "_calls", "_ends", "_estimate", "_failed", "_few_since", "_give_up_at", "_look_at", "_looking",
        "_max", "_min", "_peak", "_rest_s", "_since", "_sum_s", "_time_s", "limit",
    )  # fmt: skip

    def __init__(self, *, min_limit: int = 4, max_limit: int = 1000) -> None:
        self._min = min_limit
        self._max = max_limit
        self._estimate = float(max(min_limit, min(START, max_limit)))
        self._rest_s = self._time_s = 0.0
        """Of an answer: without a queue, and in the last window. 0: not known."""
        self._look_at = NEVER
        self._looking = False
        self._few_since = NEVER
        self._since = NEVER
        self._ends = self._give_up_at = 0.0
        self._calls = self._failed = self._peak = 0
        self._sum_s = 0.0
        self.limit = int(self._estimate)

    def sample(self, latency_s: float, in_flight: int, failed: bool, now: float) -> None:
        """A call has ended: it was one of `in_flight` for `latency_s` and is counted there still. What it waited before
        it was let in is no part of that."""
        if self._looking:
            self._look(latency_s, in_flight, failed, now)
        elif now >= self._since:
            self._calls += 1
            if failed:
                self._failed += 1
            else:
                self._sum_s += latency_s
            if in_flight > self._peak:
                self._peak = in_flight
            if self._calls >= WINDOW_CALLS and now >= self._ends:
                self._close(now)
            if now >= self._look_at:
                self._empty(now)
        elif self._since == NEVER:
            self._open(now)

    def tick(self, now: float) -> None:
        """End a look that takes too long. To be called when somebody is not let in: when calls that last hold all that
        is left of the limit, no sample comes to end it."""
        if self._looking and now >= self._give_up_at:
            self._rest_s = self._rest_s or self._time_s
            self._open(now + self._time_s)

    def _close(self, now: float) -> None:
        """The end of a window, if it has been as long as an answer takes."""
        good = self._calls - self._failed
        time_s = self._sum_s / good if good else 0.0
        if now < self._since + time_s:
            self._ends = self._since + time_s
            return
        first, self._time_s = not self._time_s, time_s or self._time_s
        if first and good:
            self._open(now + time_s)  # nothing was known of when the first would end
            return
        self._judge(good / self._calls, now)
        self._open(now)

    def _judge(self, share: float, now: float) -> None:
        """What a window says; `share` of its calls did not fail."""
        if 2 * self._peak < self._estimate:
            self._look_at = NEVER
            if share:
                part = min((now - self._since) / REST_S, REST_PART) if self._rest_s else 1.0
                self._rest_s += (self._time_s - self._rest_s) * part
        elif share and not self._rest_s:
            self._look_at = now
        else:
            self._move(share)
            if self._look_at == NEVER:
                self._look_at = self._next_look(now)

    def _move(self, share: float) -> None:
        gradient = min(TOLERANCE * self._rest_s / max(self._time_s, 1e-9), STEEPEST)
        better = self._estimate * max(gradient * share, FLATTEST) + sqrt(self._estimate)
        moved = self._estimate + (better - self._estimate) * STEP
        self._estimate = max(self._min, min(moved, self._max))

    def _next_look(self, now: float) -> float:
        return ((now + LOOK_TIMES * self._time_s) // LOOK_S + 1) * LOOK_S

    def _empty(self, now: float) -> None:
        """Begin to look."""
        self._looking = True
        self._few_since = NEVER
        self._look_at = self._next_look(now)
        self._give_up_at = now + max(EMPTY_TIMES * self._time_s, WINDOW_S)
        self.limit = max(self.limit // LOOK_PART, 1)

    def _look(self, latency_s: float, in_flight: int, failed: bool, now: float) -> None:
        if self._few_since == NEVER:
            if in_flight <= self.limit:
                self._settle(now)
        elif now >= self._since and now - latency_s >= self._few_since and not failed:
            self._calls += 1
            self._sum_s += latency_s
            if self._calls >= LOOK_CALLS and now >= self._ends:
                self._rest_s = self._sum_s / self._calls
                self._open(now + self._time_s)
        self.tick(now)

    def _settle(self, now: float) -> None:
        """Few are under way from now on. The first that end are the short ones and say nothing yet."""
        self._few_since = now
        self._since = now + max(SETTLE_TIMES * self._time_s, WINDOW_S / 2)
        self._ends = self._since + MEASURE_TIMES * self._time_s
        self._give_up_at = self._ends + max(LOOK_CALLS * self._time_s, WINDOW_S)
        self._calls, self._sum_s = 0, 0.0

    def _open(self, since: float) -> None:
        """The window that begins then, later than now where the short ones would end first."""
        self._looking = False
        self._since = since
        self._ends = since + WINDOW_S
        self._calls = self._failed = self._peak = 0
        self._sum_s = 0.0
        self.limit = int(self._estimate)
