"""`plexmesh demo`: one minute, one terminal. A sysplex comes up, calls run, an LPAR is killed and comes back.

Nothing is special about it: the sysplex is started by the command that people use, the LPAR is killed by the order that
people give, and the calls are plain GETs through the sysplex address. At the end stands what the callers saw, and the
exit code says whether it is what is promised: no error answer, at most two calls cut, none after the kill was done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from launcher import callers, secure
from launcher.callers import Callers, Outcome
from launcher.child_sysplex import ChildSysplex
from launcher.control import Control
from launcher.place import Program
from launcher.screen import Terminal
from shared import simulated
from shared.errors import PlexmeshError
from shared.lifecycle import Lifecycle
from shared.plexfile import Plexfile

RATE = 200
STEADY_S, DEAD_S, BACK_S = 6.0, 8.0, 6.0
MAX_CUT = 2


class DemoFailed(PlexmeshError):
    """The callers saw something that is not promised, or the sysplex could not be started."""


@dataclass
class Phase:
    name: str
    begin: float
    end: float = float("inf")


class Demo:
    def __init__(self, file: Plexfile, data: Path, program: Program) -> None:
        self._console = Terminal()
        self._file = file
        self._data = data
        self._program = program
        self._control = Control(file.url)
        self._victim = list(file.lpars)[-1]
        secured = secure.tls(data).client if file.tls else None
        self._callers = Callers(f"{file.scheme}://{file.vipa}/sample/api/v1/hello", RATE, secured)
        self._phases: list[Phase] = []
        self._up = False

    async def run(self, lifecycle: Lifecycle) -> None:
        """Raises DemoFailed."""
        sysplex = ChildSysplex(self._file, self._data, self._line)
        self._say(f"starting {len(self._file.lpars)} LPARs, as `{self._program.command('up')}` does")
        try:
            await sysplex.ready()
            self._up = True
            await self._unless_stopped(lifecycle, self._play())
        finally:
            self._say("taking it down")
            await sysplex.stop()
        self._report()

    async def _unless_stopped(self, lifecycle: Lifecycle, play: Coroutine[None, None, None]) -> None:
        playing, stopped = asyncio.create_task(play), asyncio.create_task(lifecycle.stopped())
        await asyncio.wait([playing, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not playing.done():
            playing.cancel()
            raise DemoFailed("interrupted")
        playing.result()

    def _line(self, line: str) -> None:
        """A line of `up`: components that are ready are shown, its log has the rest."""
        if not self._up and line.startswith("LPAR") and " ready " in line:
            self._console.print(f"         {line}")

    async def _play(self) -> None:
        load = asyncio.create_task(self._callers.run())
        self._say(f"{RATE} GETs a second through {self._file.vipa}, half of them on new connections")
        self._begin("both LPARs")
        await asyncio.sleep(STEADY_S)
        self._begin(f"killing {self._victim}")
        await asyncio.to_thread(self._control.order, self._victim, "kill")
        self._say(f"{self._victim} killed: kill -9 of every process in it")
        self._begin(f"{self._victim} dead")
        await asyncio.sleep(DEAD_S)
        self._begin(f"starting {self._victim}")
        await asyncio.to_thread(self._control.order, self._victim, "start")
        self._say(f"{self._victim} started again: all components ready")
        self._begin("both again")
        await asyncio.sleep(BACK_S)
        self._phases[-1].end = time.monotonic()
        self._callers.stop()
        await load

    def _begin(self, name: str) -> None:
        now = time.monotonic()
        if self._phases:
            self._phases[-1].end = now
        self._phases.append(Phase(name, now))

    def _report(self) -> None:
        lpars = list(self._file.lpars)
        table = Table(title="What the callers saw", title_justify="left", pad_edge=False)
        for column in (
            "while",
            "calls",
            *(f"answered by {each}" for each in lpars),
            "errors",
            "cut",
            "median",
            "slowest",
        ):
            table.add_column(column, justify="left" if column == "while" else "right")
        for phase in self._phases:
            seen = self._callers.between(phase.begin, phase.end)
            table.add_row(phase.name, *_row(seen, lpars))
        table.add_section()
        table.add_row("in all", *_row(self._callers.outcomes, lpars))
        self._console.print(table)
        self._console.print(f"[dim]{simulated.IN_ONE_LINE}[/]")
        self._judge()

    def _judge(self) -> None:
        errors, cut = callers.errors(self._callers.outcomes), callers.cut(self._callers.outcomes)
        killed = next(phase.end for phase in self._phases if phase.name.startswith("killing"))
        late = [each for each in cut if each.started > killed]
        if errors or late or len(cut) > MAX_CUT:
            first = (errors or late or cut)[0]
            raise DemoFailed(f"not as promised: {len(errors)} error answers, {len(cut)} cut; the first: {first.text}")
        self._console.print(
            "[green]As promised:[/] no error answer, and nothing cut but calls inside the killed gateway."
        )

    def _say(self, text: str) -> None:
        self._console.print(f"{time.strftime('%H:%M:%S')} {text}")


def _row(seen: list[Outcome], lpars: list[str]) -> list[str]:
    return [
        str(len(seen)),
        *(str(callers.answered_by(seen, each)) for each in lpars),
        str(len(callers.errors(seen))),
        str(len(callers.cut(seen))),
        f"{callers.median_ms(seen):.1f} ms",
        f"{callers.slowest_ms(seen):.0f} ms",
    ]
