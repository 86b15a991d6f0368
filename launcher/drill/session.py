"""`plexmesh drill` from its options to its report: which sysplex, which runs, where the files go.

The first run is the one that is judged. Others stand beside it: the model of what Zowe documents (`control`), and
plexmesh without one of its guards (`without`). Those, and every run that finds no sysplex here, have a sysplex of their
own on addresses of their own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from launcher import lock
from launcher.child_sysplex import ChildSysplex
from launcher.drill import local, result
from launcher.drill.live import Live, print_report
from launcher.drill.local import Local
from launcher.drill.progress import Begun, Ended, Line, Side, Write
from launcher.drill.report import html
from launcher.drill.run import Drill
from launcher.drill.scenario import Load, Scenario
from launcher.drill.summary import label
from launcher.drill.target import NotHere, Target
from shared import simulated, wire
from shared.errors import PlexmeshError
from shared.lifecycle import Lifecycle
from shared.plexfile import Plexfile

SETTLE_S = 2.0
"""Between a sysplex that has come up and the load."""

FETCHES_S = 65.0
"""So much more, divided by its speed, for the model of what Zowe documents: each gateway has fetched twice by then."""


class NotAsExpected(PlexmeshError):
    """Some expectation of some drill did not hold."""


@dataclass(frozen=True, kw_only=True)
class Options:
    target: str = "local"
    own: bool = False
    """A sysplex of the drill's own, also where one is running."""
    control: bool = True
    behaviour: str = "plexmesh"
    speed: float = 10.0
    """Of the model's timers."""
    without: tuple[str, ...] = ()
    external: bool = False
    """Somebody else makes the calls."""
    rate: float | None = None
    seed: int = 0
    folder: Path
    """For the reports."""
    command: Callable[[str], str]
    """How to run the drill of that name again."""
    as_json: bool = False
    progress: Write | None = None
    """Who is told what happens, instead of the terminal."""

    @property
    def quiet(self) -> bool:
        return self.as_json or self.progress is not None


@dataclass
class Session:
    file: Plexfile
    data: Path
    options: Options
    compose: Callable[[], Target]
    reports: list[tuple[result.Report, Path]] = field(default_factory=list)

    async def run(self, lifecycle: Lifecycle, scenarios: Sequence[Scenario]) -> None:
        """Raises NotAsExpected, Unavailable, ConfigError; "interrupted" on a signal, with everything mended."""
        playing = asyncio.create_task(self._all(scenarios))
        stopped = asyncio.create_task(lifecycle.stopped())
        await asyncio.wait([playing, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not playing.done():
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            raise NotAsExpected("interrupted")
        playing.result()

    async def _all(self, scenarios: Sequence[Scenario]) -> None:
        for scenario in scenarios:
            self._tell(Begun(scenario.name, scenario.title))
            report = await self._drill(scenario)
            path = self._write(report)
            self.reports.append((report, path))
            self._tell(Ended(passed=report.passed, verdicts=_verdicts(report), report=str(path)))
            if not self.options.quiet:
                print_report(report, path)
        failed = [report.scenario for report, _ in self.reports if not report.passed]
        if failed:
            raise NotAsExpected(f"not as expected: {', '.join(failed)}")

    async def _drill(self, scenario: Scenario) -> result.Report:
        options = self.options
        begun = datetime.now(UTC)
        runs = [await self._first(scenario)]
        if options.control and options.behaviour != "zowe" and "local" in scenario.targets:
            runs.append(await self._own(scenario, behaviour="zowe", tls=runs[0].tls))
        for guard in options.without:
            runs.append(await self._own(scenario, without=[guard], tls=runs[0].tls))
        return result.Report(
            scenario=scenario.name,
            title=scenario.title,
            about=scenario.about,
            at=begun.isoformat(timespec="seconds"),
            version=version("plexmesh-sysplex"),
            machine=_machine(),
            command=options.command(scenario.name),
            seed=options.seed,
            load="made by somebody else: calls are not judged" if options.external else self._load(scenario).in_words(),
            simulated=simulated.IN_ONE_LINE,
            runs=runs,
            passed=runs[0].passed,
        )

    def _load(self, scenario: Scenario) -> Load:
        rate = self.options.rate
        return msgspec.structs.replace(scenario.load, rate=rate) if rate else scenario.load

    async def _first(self, scenario: Scenario) -> result.Run:
        options = self.options
        if options.target not in scenario.targets:
            raise NotHere(f"{scenario.name} needs --target {' or '.join(scenario.targets)}")
        if options.target == "compose":
            return await self._play(scenario, self.compose())
        running = lock.holder(self.data)
        if running and not options.own and options.behaviour == "plexmesh" and "add" not in _actions(scenario):
            as_it_runs = dataclasses.replace(self.file, tls=running.url.startswith("https:"))
            return await self._play(scenario, Local(as_it_runs, self.data, own=False))
        return await self._own(scenario, behaviour=options.behaviour, tls=self.file.tls)

    async def _own(
        self, scenario: Scenario, *, tls: bool, behaviour: str = "plexmesh", without: Sequence[str] = ()
    ) -> result.Run:
        base = dataclasses.replace(self.file, tls=tls)
        speed = self.options.speed if behaviour == "zowe" else 1.0
        folder = self.data / "drills" / "sysplex"
        file = local.own_file(base, folder, behaviour=behaviour, speed=speed, without=list(without))
        sysplex = ChildSysplex(file, folder / "data")
        try:
            await sysplex.ready()
            await asyncio.sleep(SETTLE_S + (FETCHES_S / speed if behaviour == "zowe" else 0.0))
            return await self._play(
                scenario,
                Local(file, folder / "data", own=True),
                behaviour=behaviour,
                speed=speed,
                without=list(without),
            )
        finally:
            await sysplex.stop()

    async def _play(
        self,
        scenario: Scenario,
        target: Target,
        *,
        behaviour: str = "plexmesh",
        speed: float = 1.0,
        without: Sequence[str] = (),
    ) -> result.Run:
        options = self.options
        screen = self._screen(scenario, label(behaviour, without))
        try:
            drill = Drill(scenario, target, screen, options.seed, None if options.external else self._load(scenario))
            return await drill.run(behaviour=behaviour, speed=speed, without=without)
        finally:
            screen.close()

    def _screen(self, scenario: Scenario, label: str) -> Live | Side:
        if self.options.progress is not None:
            return Side(label, self.options.progress)
        return Live(f"{scenario.title} — {label}", quiet=self.options.quiet)

    def _tell(self, line: Line) -> None:
        if self.options.progress is not None:
            self.options.progress(line)

    def _write(self, report: result.Report) -> Path:
        """JSON for machines and HTML for people, beside each other; the latter's path."""
        self.options.folder.mkdir(parents=True, exist_ok=True)
        path = self.options.folder / f"{report.scenario}-{time.strftime('%Y%m%d-%H%M%S')}.html"
        path.write_text(html(report), "utf-8")
        path.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
        return path


def _verdicts(report: result.Report) -> list[wire.DrillVerdict]:
    """Those that decide."""
    return [wire.DrillVerdict(each.text, each.measured, each.passed) for each in report.runs[0].verdicts]


def _machine() -> str:
    system = f"{platform.system()} {platform.release()}"
    return f"{os.cpu_count()} processors, {system}, Python {platform.python_version()}"


def _actions(scenario: Scenario) -> set[str]:
    return {step.action for step in scenario.steps}
