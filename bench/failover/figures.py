"""What came out of the trials of one fault behind one proxy, counted together.

Times are of all GETs due after the fault, the lost ones too: until an error came, or the deadline. A POST is *done
twice* when two instances (or one, twice) read it and did not refuse it. *Tries* are the calls that instances read, for
each call made.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.failover.calls import PER_S, Call
from bench.failover.instance import NARROW_S
from bench.registry.report import percentile


@dataclass(frozen=True)
class Seen:
    """One trial. `read` are the numbers of the calls each instance read, in their order; negative: refused. `attempts`
    are when it was tried to reach an unreachable one."""

    calls: Sequence[Call]
    read: Mapping[str, Sequence[int]]
    fault_s: float
    bad: str
    dead: bool
    attempts: Sequence[float] = ()

    def after(self, begin_s: float, end_s: float = math.inf) -> list[Call]:
        """The calls due so long after the fault."""
        begin_s, end_s = begin_s + self.fault_s, end_s + self.fault_s
        return [call for call in self.calls if begin_s < call.due_s <= end_s]

    @property
    def length_s(self) -> float:
        return self.calls[-1].due_s - self.fault_s

    def reached_bad(self, begin_s: float, end_s: float = math.inf) -> int:
        """How many calls due in the window reached the bad instance."""
        read = {abs(number) for number in self.read[self.bad]}
        calls = self.after(begin_s, end_s)
        reached = sum(call.number in read or (self.dead and call.lost) for call in calls)
        return reached + sum(begin_s < at - self.fault_s <= end_s for at in self.attempts)

    def tries(self) -> int:
        """How often instances read the calls due after the fault."""
        numbers = {call.number for call in self.after(0)}
        return sum(abs(number) in numbers for read in self.read.values() for number in read)

    def twice(self) -> int:
        done = Counter(number for numbers in self.read.values() for number in numbers if number > 0)
        return sum(done[call.number] > 1 for call in self.calls if call.method == "POST")


@dataclass(frozen=True)
class Figures:
    gets: int
    gets_lost: int
    posts: int
    posts_lost: int
    posts_twice: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    share_0_to_2: float
    share_2_to_4: float
    share_last_2: float
    tries: float
    good_per_s: float
    """Calls of both methods due from second 2 to 4 that were answered 200."""
    of_capacity: float
    """The same, as a share of what overloaded instances can do."""
    lost_per_s: float
    lost_p99_ms: float
    """How long a lost call waited until that was clear; without any, 0."""


def counted(trials: Sequence[Seen], instances: int) -> Figures:
    after = [call for trial in trials for call in trial.after(0)]
    gets = [call for call in after if call.method == "GET"]
    posts = [call for call in after if call.method == "POST"]
    late = [call for trial in trials for call in trial.after(2, 4)]
    late_s = sum(min(trial.length_s, 4) - 2 for trial in trials)
    waits = [call.took_s for call in gets]
    late_lost = [call for call in late if call.lost]
    good_per_s = (len(late) - len(late_lost)) / late_s
    return Figures(
        gets=len(gets),
        gets_lost=lost(gets),
        posts=len(posts),
        posts_lost=lost(posts),
        posts_twice=sum(trial.twice() for trial in trials),
        p50_ms=percentile(waits, 0.5) * 1e3,
        p99_ms=percentile(waits, 0.99) * 1e3,
        max_ms=max(waits) * 1e3,
        share_0_to_2=share(trials, 0, 2),
        share_2_to_4=share(trials, 2, 4),
        share_last_2=share(trials, -2),
        tries=sum(trial.tries() for trial in trials) / len(after),
        good_per_s=good_per_s,
        of_capacity=good_per_s / min(instances / NARROW_S, PER_S),
        lost_per_s=len(late_lost) / late_s,
        lost_p99_ms=percentile([call.took_s for call in late_lost], 0.99) * 1e3 if late_lost else 0.0,
    )


def lost(calls: Sequence[Call]) -> int:
    return sum(call.lost for call in calls)


def share(trials: Sequence[Seen], begin_s: float, end_s: float = math.inf) -> float:
    """Of the calls due in the window, those that reached the bad instance. A negative begin counts from the end."""
    reached = due = 0
    for trial in trials:
        begin = begin_s if begin_s >= 0 else trial.length_s + begin_s
        reached += trial.reached_bad(begin, end_s)
        due += len(trial.after(begin, end_s))
    return reached / due
