"""What one data path tells about itself, as plain data; and several such reports as one.

Own pages, metrics and readiness read a `Report`, never a data path: it is the same to them whether there is one in this
process or several in others. Numbers are summed. Of what several say about one instance the worst counts: out before
unproven before fine.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from gateway.meters import Meters

RANK = {"out": 4, "unproven": 3, "ejected": 2, "trial": 1}


class Judgement(msgspec.Struct, frozen=True):
    """Why an instance is avoided; see `gateway.health`."""

    state: str
    why: str
    since: float = 0.0
    """Monotonic seconds, the same for all processes of a machine."""


class Seen(msgspec.Struct, frozen=True):
    """What calls to an instance have shown; see `gateway.standing`. The window is that of the last 5 to 10 seconds."""

    calls: int = 0
    failed: int = 0
    per_s: float = 0.0
    """Calls in the window."""
    failed_share: float = 0.0
    """In the window, 0 to 1."""
    latency_ms: float = 0.0
    ejections: int = 0
    reached: bool = False
    """By a call or a probe, once at least."""

    def with_(self, other: Seen) -> Seen:
        """Of two data paths: counts are summed, the slower latency shown, shares weighed by the calls."""
        per_s = self.per_s + other.per_s
        failed = self.per_s * self.failed_share + other.per_s * other.failed_share
        return Seen(
            self.calls + other.calls,
            self.failed + other.failed,
            round(per_s, 2),
            round(failed / per_s, 3) if per_s else 0.0,
            max(self.latency_ms, other.latency_ms),
            self.ejections + other.ejections,
            self.reached or other.reached,
        )


class Room(msgspec.Struct, frozen=True):
    """How many calls of a service may be under way, and how many wait or were turned away."""

    limit: int = 0
    waiting: int = 0
    shed: int = 0

    def with_(self, other: Room) -> Room:
        return Room(self.limit + other.limit, self.waiting + other.waiting, self.shed + other.shed)


class WatchState(msgspec.Struct, frozen=True):
    node: str = ""
    """The discovery node that is followed, empty when there is none."""
    token: str = ""
    trouble: str = ""


class Report(msgspec.Struct):
    meters: Meters
    why_not_ready: list[str] = []
    in_flight: dict[str, int] = {}
    """Instance key → requests being answered by it."""
    idle: dict[str, int] = {}
    """Instance key → kept-alive connections to it."""
    health: dict[str, Judgement] = {}
    """Of instances that are not fine, by key."""
    seen: dict[str, Seen] = {}
    """Of instances that were called or reached, by key."""
    rooms: dict[str, Room] = {}
    """Of services whose calls are limited, by id."""
    panic: list[str] = []
    """Services of which so many instances are ejected that ejections are ignored."""
    clients: int = 0
    endpoints: int = 0
    listening: bool = False
    """The own port is open here."""
    vipa: Literal["in", "out"] = "out"
    vipa_trouble: str = ""
    watch: WatchState = WatchState()
    workers: int = 1

    def idle_by_service(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for key, count in self.idle.items():
            service = key.partition("/")[0]
            found[service] = found.get(service, 0) + count
        return found

    def add(self, other: Report, *, serving: bool = True) -> None:
        """One that only drains still counts and holds connections, but says nothing about the whole."""
        self.meters.add(other.meters)
        self.in_flight = _summed(self.in_flight, other.in_flight)
        self.idle = _summed(self.idle, other.idle)
        self.seen = {key: _joined(self.seen.get(key), other.seen.get(key)) for key in self.seen | other.seen}
        self.rooms = {key: _joined(self.rooms.get(key), other.rooms.get(key)) for key in self.rooms | other.rooms}
        self.panic = sorted({*self.panic, *other.panic})
        self.clients += other.clients
        if not serving:
            return
        self.watch = _worse(self.watch, other.watch) if self.workers else other.watch
        self.workers += other.workers
        self.endpoints = max(self.endpoints, other.endpoints)
        self.listening = self.listening or other.listening
        self.why_not_ready += [why for why in other.why_not_ready if why not in self.why_not_ready]
        self.vipa = "in" if "in" in (self.vipa, other.vipa) else "out"
        self.vipa_trouble = self.vipa_trouble or other.vipa_trouble
        for key, judgement in other.health.items():
            known = self.health.get(key)
            if known is None or RANK[judgement.state] > RANK[known.state]:
                self.health[key] = judgement


def nothing() -> Report:
    """To add others to."""
    return Report(Meters(), workers=0)


S = TypeVar("S", Seen, Room)


def _joined(one: S | None, two: S | None) -> S:
    if one is None or two is None:
        found = one or two
        assert found is not None
        return found
    return one.with_(two)


def _summed(one: dict[str, int], two: dict[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + two.get(key, 0) for key in one | two}


def _worse(one: WatchState, two: WatchState) -> WatchState:
    """The one with trouble, if either has."""
    if not one.node or one.trouble:
        return one
    return two if not two.node or two.trouble else one
