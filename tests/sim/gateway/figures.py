"""What became of the calls: a list to measure by, and a line for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.sim.gateway.call import Call, Reason
from tests.sim.journal import percentile

END = float("inf")


class Done(NamedTuple):
    began: float
    seconds: float
    method: str
    status: int
    reason: Reason
    sent: bool
    """An instance may have got it."""
    server: int
    """Which one answered, or was tried last."""


class Tried(NamedTuple):
    time: float
    server: int
    at: str
    """The gateway's LPAR."""


class Figures:
    def __init__(self) -> None:
        self.calls: list[Done] = []
        self.tries: list[Tried] = []
        self.faults: tuple[int, ...] = ()
        """The bad ones, for the line."""
        self.fault_at = 0.0

    def tried(self, now: float, server: int, at: str) -> None:
        self.tries.append(Tried(now, server, at))

    def over(self, call: Call, now: float, server: int) -> None:
        self.calls.append(
            Done(call.started, now - call.started, call.method, call.status, call.reason, call.sent, server)
        )

    def of(self, method: str = "", since: float = 0.0, until: float = END) -> list[Done]:
        """Those that began then."""
        return [each for each in self.calls if since <= each.began < until and method in ("", each.method)]

    def lost(self, method: str, since: float = 0.0, until: float = END) -> list[Done]:
        """Those without a good answer."""
        return [each for each in self.of(method, since, until) if each.status != 200]

    def share(self, servers: Sequence[int], since: float = 0.0, until: float = END, *, at: str = "") -> float:
        """Of the tries made then (at that gateway): how many were made there."""
        tries = [each.server for each in self.tries if since <= each.time < until and at in ("", each.at)]
        return sum(each in servers for each in tries) / max(len(tries), 1)

    def spread(self, servers: int, since: float, until: float = END) -> list[float]:
        """Each one's part of the tries, times their number: 1 is its even share."""
        return [self.share([number], since, until) * servers for number in range(servers)]

    def latency_s(self, share: float, method: str = "", since: float = 0.0, until: float = END) -> float:
        """That `share` of the calls did not exceed."""
        return percentile(sorted(each.seconds for each in self.of(method, since, until)), share)

    def tries_per_call(self, since: float = 0.0, until: float = END) -> float:
        return sum(since <= each.time < until for each in self.tries) / max(len(self.of("", since, until)), 1)

    def goodput(self, within_s: float, since: float, until: float) -> float:
        """Good answers a second, to calls that began then, that took no longer."""
        good = sum(each.status == 200 and each.seconds <= within_s for each in self.of("", since, until))
        return good / (until - since)

    def line(self, name: str) -> str:
        p50, p99, most = (1000 * self.latency_s(share, since=self.fault_at) for share in (0.5, 0.99, 1.0))
        return (
            f"{name:<34} {len(self.calls):6} calls, "
            f"lost {len(self.lost('GET')):4} GET {len(self.lost('POST')):4} POST, "
            f"p50 {p50:5.1f} p99 {p99:7.1f} max {most:7.1f} ms, "
            f"bad {100 * self.share(self.faults, self.fault_at + 2):5.2f} %, "
            f"{self.tries_per_call(self.fault_at):.3f} tries a call"
        )
