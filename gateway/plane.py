"""The data plane as the rest of a gateway sees it: what serves requests, here (`front`) or in workers (`crew`).

    start ──► serving ──leave──► off the sysplex address, answers say `Connection: close`
                                    └─drain──► no new connections; what is left after a time is cut ──► close

Not here: pages, the registry and the order of leaving (`desk`).
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from gateway.inner import Inner
from gateway.login.table import Check
from gateway.report import Report
from gateway.snapshot import Snapshot
from shared.lifecycle import Lifecycle

Place = Literal["in", "out"]
"""On the sysplex address, or not."""


WorkerState = Literal["starting", "serving", "draining"]


class WorkerView(msgspec.Struct):
    number: int
    pid: int
    state: WorkerState
    uptime_s: float
    connections: int


class Plane(Protocol):
    @property
    def snapshot(self) -> Snapshot:
        """What is routed by: never newer than what every part of the plane has."""

    def why_not_ready(self) -> list[str]: ...

    def report(self) -> Report:
        """As last heard, at most a second old."""

    async def ask(self) -> Report:
        """As it is now."""

    def workers(self) -> list[WorkerView]:
        """The processes that serve, and those that come and go."""

    async def start(self, lifecycle: Lifecycle, inner: Inner, check: Check) -> None:
        """`inner` has the own pages, `check` says whether a token is good. Raises AddressInUse or ConfigError when the
        own port cannot be had."""

    async def place(self, wanted: Place) -> None:
        """Enter or leave the sysplex address; returns when that is done, or cannot be done now."""

    async def reload(self) -> None:
        """Go on with the configuration as it is now. Raises ConfigError, Conflict, Unavailable: then as before."""

    def leave(self) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None: ...
