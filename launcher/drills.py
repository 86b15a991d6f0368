"""The drills that `up` runs: one at a time, each `plexmesh drill --progress` in a process of its own.

What can be run are plexmesh's own scenarios that need no other sysplex than this one, and those somebody has put into
the folder `drills` beside plexmesh.yaml. A drill ends with `up`, whatever becomes of `up`.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.course import Course
from launcher.drill import scenario
from launcher.drill.scenario import Scenario
from launcher.journal import Journal
from launcher.process import Process
from shared import wire
from shared.errors import BadInput, ConfigError, Conflict, NotFound, nearest
from shared.lifecycle import Lifecycle

RUNS = 20
"""As many are remembered."""

MEND_S = 90.0
"""Until a drill that is told to stop has mended everything; LPARs are started meanwhile."""


@dataclass(frozen=True)
class Known:
    drill: wire.KnownDrill
    given: str
    """What the command is called with: the name of one of ours, or a file."""


class Drills:
    def __init__(self, config: Path, data: Path, journal: Journal, lifecycle: Lifecycle) -> None:
        """`config` is the sysplex' plexmesh.yaml."""
        self._config = config
        self._data = data
        self._journal = journal
        self._lifecycle = lifecycle
        self._courses: dict[str, Course] = {}
        self._process: Process | None = None
        self._stopped = False

    def report(self) -> wire.Drills:
        runs = [each.now for each in self._courses.values()]
        running = next((each.run for each in runs if each.state == "running"), "")
        return wire.Drills(drills=[each.drill for each in self._known()], runs=runs, running=running)

    def course(self, run: str) -> Course:
        """Raises NotFound."""
        if run not in self._courses:
            raise NotFound(f"there is no run {run} of a drill; the last {RUNS} since `up` began are remembered")
        return self._courses[run]

    def start(self, name: str, *, control: bool) -> str:
        """The run; `control`: beside it the model of what Zowe documents. Raises NotFound, BadInput, Conflict."""
        known = self._find(name)
        drill = known.drill
        for each in self._courses.values():
            if each.running:
                raise Conflict(f"{each.now.drill} is running (run {each.now.run}): one drill at a time")
        if self._lifecycle.stopping:
            raise Conflict("the sysplex is being stopped")
        began = time.time()
        course = Course(self._new_name(began), drill.name, drill.title, began)
        self._process = process = Process(
            _command(known.given, control=control), self._environ(), functools.partial(self._take, course)
        )
        self._remember(course)
        self._stopped = False
        self._journal.say("drill.started", drill=drill.name, run=course.now.run, title=drill.title)
        self._lifecycle.spawn(f"drill {course.now.run}", lambda: self._watch(course, process))
        return course.now.run

    def stop(self, run: str) -> None:
        """It mends what it has broken, and ends. Raises NotFound, Conflict."""
        course, process = self.course(run), self._process
        if not course.running or process is None:
            raise Conflict(f"run {run} of {course.now.drill} has ended")
        if not self._stopped:
            self._stopped = True
            course.stopping()
            self._lifecycle.spawn(f"stop of drill {run}", lambda: process.stop(MEND_S))

    async def end(self) -> None:
        """At once: what is broken goes down with everything else."""
        if self._process is not None:
            self._process.signal(signal.SIGKILL)
            await self._process.ended()

    def _take(self, course: Course, line: bytes) -> None:
        if (step := course.take(line)) is not None:
            self._journal.say("drill.step", drill=course.now.drill, run=course.now.run, step=step.text)

    async def _watch(self, course: Course, process: Process) -> None:
        await process.ended()
        course.end(self._stopped or self._lifecycle.stopping)
        now = course.now
        self._journal.say("drill.ended", drill=now.drill, run=now.run, state=now.state, outcome=course.outcome())

    def _remember(self, course: Course) -> None:
        self._courses[course.now.run] = course
        for oldest in list(self._courses)[:-RUNS]:
            del self._courses[oldest]

    def _new_name(self, began: float) -> str:
        """Its time of day, and a number where two began in one second."""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(began))
        names = (stamp, *(f"{stamp}-{n}" for n in range(2, RUNS + 2)))
        return next(each for each in names if each not in self._courses)

    def _environ(self) -> dict[str, str]:
        return dict(os.environ) | {"PLEXMESH_DATA": str(self._data), "PLEXMESH_CONFIG": str(self._config)}

    def _find(self, name: str) -> Known:
        known = {each.drill.name: each for each in self._known()}
        if name not in known:
            raise NotFound(f"there is no drill {name!r} for this sysplex{nearest(name, known)}")
        if trouble := known[name].drill.trouble:
            raise BadInput(trouble)
        return known[name]

    def _known(self) -> Iterator[Known]:
        for name in _ours():
            yield _read(name, name, 0)
        for path in sorted((self._config.parent / "drills").glob("*.yaml")):
            if path.stem not in _ours() and path.is_file():
                yield _read(path.stem, str(path), path.stat().st_mtime_ns)


@functools.cache
def _ours() -> tuple[str, ...]:
    return tuple(name for name in scenario.names() if _possible(scenario.load(name)))


@functools.lru_cache(maxsize=256)
def _read(name: str, given: str, changed: int) -> Known:
    """`changed`: when the file was, so that it is read again."""
    try:
        found = scenario.load(given)
    except ConfigError as error:
        return Known(wire.KnownDrill(name, name, "", trouble=" ".join(str(error).split())), given)
    trouble = "" if _possible(found) else f"{given}: it cannot be done to a sysplex that is running here"
    return Known(wire.KnownDrill(name, found.title, found.about, trouble), given)


def _possible(found: Scenario) -> bool:
    """Whether it is done to the sysplex that runs, and not to one of its own or in containers."""
    return "local" in found.targets and all(step.action != "add" for step in found.steps)


def _command(given: str, *, control: bool) -> list[str]:
    """As `up` itself was called, so that the report names the command people know."""
    called = sys.argv[0]
    program = [called] if Path(called).name == "plexmesh" else ["-m", "launcher.cli"]
    return [sys.executable, "-P", *program, "drill", given, "--progress", *(() if control else ("--no-control",))]
