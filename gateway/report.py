"""What one data path tells about itself, as plain data; and several such reports as one.

Own pages, metrics and readiness read a `Report`, never a data path: it is the same to them whether there is one in this
process or several in others. Numbers are summed. Of what several say about one instance the worst counts: out before
unproven before fine.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.meters import Meters

RANK = {"out": 2, "unproven": 1}


class Judgement(msgspec.Struct, frozen=True):
    """Why an instance is avoided; see `gateway.health`."""

    state: str
    why: str


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


def _summed(one: dict[str, int], two: dict[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + two.get(key, 0) for key in one | two}


def _worse(one: WatchState, two: WatchState) -> WatchState:
    """The one with trouble, if either has."""
    if not one.node or one.trouble:
        return one
    return two if not two.node or two.trouble else one
