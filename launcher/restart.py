"""What to do when a component has ended: Zowe's restart rule, and the states a component goes through.

    stopped ──start──► starting ◄──► ready            answered(False) / answered(True)
       ▲                 │ ▲ ▲         │
       │ exit after stop │ │ └─resume──┤ pause
       ├─────────────────┤ │           ▼
       │                 │ └ exit:   paused
    failed ◄──give up────┘  RestartAfter

Rule: an exit after at most `min_uptime_s` counts; a longer run sets the count back to one. The n-th quick exit in a row
is followed by a wait of `intervals_s[n - 1]`; when the list is used up the component is given up until an operator
starts it. Any exit counts, status 0 too; one that was ordered (stop) is followed by nothing.

Hang: a process that has been ready and gives `hung_after` times in a row no sign of life is to be killed, and its end
counts like any other. One that is paused or told to stop owes no sign of life.

Exits, answers to probes and orders come in the order of the event loop, each to its own component's history: nothing
waits in a slot that the next one could overwrite (upstream has one slot, and can lose one of two simultaneous ends).

Source: Zowe's launcher (`restartIntervals`, `minUptime`). Departures: the configured `minUptime` is honoured (upstream
compares with a constant 90 s), a hang counts (upstream never looks), and exit code 2 of one of our own components that
was never ready is final: it means a configuration error, which trying again does not mend.

Not here: waiting, processes, probing (`launcher.component`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import Conflict
from shared.wire import ComponentState

CONFIGURATION = "configuration error"
"""How the reason of a GiveUp begins when the component's own exit code (2) said so."""


@dataclass(frozen=True)
class RestartAfter:
    """Start it again after `delay_s`; it is the `nth` restart in a row of `of` allowed ones."""

    delay_s: float
    nth: int
    of: int


@dataclass(frozen=True)
class GiveUp:
    reason: str


@dataclass(frozen=True)
class Ended:
    """It was stopped on purpose."""


Decision = RestartAfter | GiveUp | Ended


class Restarts:
    """One component's history. Invariant: `running` says whether a process exists; only `starting` may be without one
    and still be wanted (between an exit and the restart)."""

    def __init__(
        self,
        intervals_s: Sequence[float],
        min_uptime_s: float,
        *,
        hung_after: int = 0,
        exit_2_is_final: bool = True,
    ) -> None:
        """`hung_after` silent probes in a row are a hang; 0: there is no such thing."""
        self.configure(intervals_s, min_uptime_s, hung_after)
        self.state: ComponentState = "stopped"
        self.running = False
        self.restarts = 0
        """Restarts since the launcher began, for people to read; nothing is decided by it."""
        self.orders = 0
        """Starts and stops an operator has given so far: a wait for a restart ends when it grows."""
        self._exit_2_is_final = exit_2_is_final
        self._quick_exits = 0
        self._ever_ready = False
        self._process_was_ready = False
        self._silences = 0
        self._stopping = False
        self._started = 0.0

    def configure(self, intervals_s: Sequence[float], min_uptime_s: float, hung_after: int) -> None:
        """It holds from now on; what has been counted stays."""
        self.intervals_s = tuple(intervals_s)
        self.min_uptime_s = min_uptime_s
        self.hung_after = hung_after

    # --- orders of the operator

    def start(self) -> None:
        """Wanted from now on, with a clean record. A wait for a restart ends."""
        if self.running:
            raise Conflict(f"it is already running ({self.state})")
        self.orders += 1
        self.state = "starting"
        self._quick_exits = 0
        self._stopping = False

    def stop(self) -> None:
        """Not wanted any more; without a process it is stopped at once, else when it has ended."""
        if self.state in ("stopped", "failed"):
            raise Conflict(f"it is not running ({self.state})")
        self.orders += 1
        self._stopping = True
        if not self.running:
            self.state = "stopped"

    def pause(self) -> None:
        self.require_running()
        if self.state == "paused":
            raise Conflict("it is already paused")
        self.state = "paused"
        self._silences = 0

    def resume(self) -> None:
        if self.state != "paused":
            raise Conflict(f"it is not paused ({self.state})")
        self.state = "starting"

    def require_running(self) -> None:
        if not self.running:
            waiting = self.state == "starting"
            raise Conflict("it is not running (waiting to be started again)" if waiting else f"it is {self.state}")

    # --- what the process did

    def started(self, now: float) -> None:
        self.running = True
        self.state = "starting"
        self._process_was_ready = False
        self._silences = 0
        self._started = now

    def not_started(self, reason: str) -> GiveUp:
        """The operating system refused to run it; that is not tried again (Zowe's ZWEL0049E)."""
        self.running = False
        self.state = "failed"
        return GiveUp(f"{CONFIGURATION}: {reason}")

    def answered(self, ready: bool) -> bool:
        """Its answer to a readiness probe; returns whether the state has changed."""
        if not self.running or self.state == "paused" or ready == (self.state == "ready"):
            return False
        self.state = "ready" if ready else "starting"
        self._ever_ready = self._ever_ready or ready
        self._process_was_ready = self._process_was_ready or ready
        return True

    @property
    def owes_sign_of_life(self) -> bool:
        wanted = self.running and self.state != "paused" and not self._stopping
        return self.hung_after > 0 and wanted and self._process_was_ready

    def lives(self, sign: bool) -> bool:
        """Its answer, or none, to a liveness probe; returns whether it hangs: it is to be killed."""
        if sign or not self.owes_sign_of_life:
            self._silences = 0
            return False
        self._silences += 1
        return self._silences >= self.hung_after

    def uptime_s(self, now: float) -> float | None:
        return now - self._started if self.running else None

    def exited(self, code: int, now: float) -> Decision:
        """`code` as in subprocess: negative = killed by that signal."""
        self.running = False
        if self._stopping:
            self.state = "stopped"
            return Ended()
        if code == 2 and self._exit_2_is_final and not self._ever_ready:
            return self._give_up(CONFIGURATION)
        quick = now - self._started <= self.min_uptime_s
        self._quick_exits = self._quick_exits + 1 if quick else 1
        if self._quick_exits > len(self.intervals_s):
            return self._give_up(
                f"given up: it ended {self._quick_exits} times in a row within {self.min_uptime_s:g} s"
            )
        self.state = "starting"
        self.restarts += 1
        return RestartAfter(self.intervals_s[self._quick_exits - 1], self._quick_exits, len(self.intervals_s))

    def _give_up(self, reason: str) -> GiveUp:
        self.state = "failed"
        return GiveUp(reason)
