"""One run of a scenario against one target: load, steps and observers together, then the judgement."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from launcher.drill import result, summary
from launcher.drill.evidence import Call, Evidence
from launcher.drill.load import Caller
from launcher.drill.observe import Observers
from launcher.drill.result import Moment, Slice
from launcher.drill.scenario import Load, Scenario
from launcher.drill.steps import Player
from launcher.drill.target import Target
from shared.errors import Unavailable

TICK_S = 0.25
VIEWS_WITHIN_S = 10.0
SETTLE_S = 1.0
"""After the last step: calls that are under way end, views arrive."""


class Screen(Protocol):
    """Whoever shows a run while it goes on."""

    def step(self, at: float, text: str) -> None: ...
    def event(self, at: float, lpar: str, text: str) -> None: ...
    def tick(self, at: float, now: Slice, totals: Slice) -> None:
        """`now` are the calls of the last second, `totals` all there were."""


class Drill:
    def __init__(self, scenario: Scenario, target: Target, screen: Screen, seed: int, load: Load | None) -> None:
        """`load` None: somebody else makes the calls, and they are not judged."""
        self._scenario = scenario
        self._target = target
        self._screen = screen
        self._seed = seed
        self._load = load
        self._events: list[Moment] = []

    async def run(self, *, behaviour: str = "plexmesh", speed: float = 1.0, without: Sequence[str] = ()) -> result.Run:
        """Raises Unavailable: the sysplex is not ready to begin with."""
        status = await asyncio.to_thread(self._target.status)
        if status.sysplex.state != "ready":
            raise Unavailable(f"the sysplex is {status.sysplex.state}; a drill begins with everything ready")
        seen = Evidence([lpar.id for lpar in status.lpars], behaviour=behaviour, external=self._load is None)
        stretch = self._scenario.control_wait if behaviour == "zowe" else 1.0
        steps = list(self._scenario.play(seen.lpars, self._seed, stretch))
        caller = Caller(status.sysplex.url, self._load or Load(), seen, self._seed, self._target.credentials)
        observers = Observers(self._target, seen, lambda: caller.now, self._event)
        player = Player(self._target, seen, lambda: caller.now, lambda text: self._screen.step(caller.now, text))
        await observers.start(status)
        try:
            await _views(seen)
            load = asyncio.create_task(caller.run()) if self._load else None
            ticking = asyncio.create_task(self._tick(caller, seen, observers))
            try:
                await player.play(steps)
                await asyncio.sleep(SETTLE_S)
            finally:
                caller.stop()
                if load is not None:
                    await load
                seen.duration_s = caller.now
                ticking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await ticking
            await observers.stop()
            if seen.acknowledged:
                self._screen.step(caller.now, f"reading back {seen.acknowledged} acknowledged cache writes")
                await caller.read_back()
                await caller.forget()
        finally:
            await observers.stop()
            await player.mend()
            caller.close()
        return summary.run(
            self._scenario,
            seen,
            self._events,
            target=self._target.kind,
            behaviour=behaviour,
            speed=speed,
            without=without,
            tls=self._target.credentials is not None,
        )

    def _event(self, at: float, lpar: str, text: str) -> None:
        self._events.append(Moment(at=round(at, 2), text=text, lpar=lpar))
        self._screen.event(at, lpar, text)

    async def _tick(self, caller: Caller, seen: Evidence, observers: Observers) -> None:
        """Show where it stands, once more at the end, and follow LPARs that were added."""
        counted = Slice(at=0.0)
        done = 0

        def show() -> None:
            nonlocal counted, done
            counted = _added(counted, seen.calls[done:])
            done = len(seen.calls)
            recent = [call for call in seen.calls[-2000:] if call.end >= caller.now - 1.0]
            self._screen.tick(caller.now, summary.slice_of(caller.now, recent), counted)

        try:
            while True:
                await asyncio.sleep(TICK_S)
                show()
                if any(step.step.action == "add" for step in seen.steps):
                    with contextlib.suppress(Unavailable):
                        observers.follow(await asyncio.to_thread(self._target.status))
        finally:
            show()


def _added(counted: Slice, calls: Sequence[Call]) -> Slice:
    more = summary.slice_of(0.0, calls)
    return Slice(
        at=0.0,
        ok=counted.ok + more.ok,
        errors=counted.errors + more.errors,
        cut=counted.cut + more.cut,
        served=dict(Counter(counted.served) + Counter(more.served)),
    )


async def _views(seen: Evidence) -> None:
    """Wait until everybody's view is known. Raises Unavailable."""
    for _ in range(int(VIEWS_WITHIN_S / 0.05)):
        missing = [f"{name}'s gateway" for name, track in seen.gateways.items() if not track.last]
        missing += [f"{name}'s registry" for name, track in seen.registries.items() if not track.last]
        if not missing:
            return
        await asyncio.sleep(0.05)
    raise Unavailable(f"no view of {', '.join(missing)} within {VIEWS_WITHIN_S:g} s")
