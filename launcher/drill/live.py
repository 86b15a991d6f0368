"""A drill on the terminal: while it runs, and what it found.

On a terminal one block changes in place: how long, which step, how many calls and failures, how slow, who serves, and
what was last heard. Elsewhere (a file, a pipe, a build's log) there is a line for each step and event, and the figures
every five seconds. What services said is shown without its control characters: it must not move anybody's cursor.

Not here: when to tell what (`run`), the page (`report`).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich.live
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from launcher.drill.report import UNKNOWN, milliseconds, rank, seconds
from launcher.drill.result import FailedCall, Report, Run, Slice, Verdict
from launcher.screen import Terminal

LINE_EVERY_S = 5.0
LAST = 6
"""Steps and events in the block."""

FAILED_SHOWN = 10
BAR = 30

MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: (UNKNOWN, "dim")}


class Live:
    """One run while it goes on. Nothing that happens to the terminal ends the drill."""

    def __init__(self, title: str, console: Console | None = None, *, quiet: bool = False) -> None:
        """`quiet`: show nothing at all."""
        self._title = plain(title)
        self._console = console or Terminal()
        self._quiet = quiet
        self._live: rich.live.Live | None = None
        self._step = "before the first step"
        self._heard: deque[Text] = deque(maxlen=LAST)
        self._next_line = LINE_EVERY_S
        self._print(Text(f"\n{self._title}", style="bold"))

    def step(self, at: float, text: str) -> None:
        self._step = plain(text)
        self._tell(at, "step", Text(self._step, style="bold"))

    def event(self, at: float, lpar: str, text: str) -> None:
        """`lpar` empty: the sysplex'."""
        self._tell(at, plain(lpar), Text(plain(text)))

    def tick(self, at: float, now: Slice, totals: Slice) -> None:
        """`now` are the calls of the last second."""
        if self._console.is_terminal:
            self._show(at, now, totals)
        elif at >= self._next_line:
            self._next_line = at - at % LINE_EVERY_S + LINE_EVERY_S
            self._print(Text(f"{at:7.2f} s  {'':<8} {_figures(now, totals)}"))

    def close(self) -> None:
        """The block stays as it was last."""
        if self._live is not None:
            self._write(self._live.stop)
            self._live = None

    def _tell(self, at: float, whose: str, text: Text) -> None:
        line = Text(f"{at:7.2f} s  {whose:<8} ").append_text(text)
        self._heard.append(line)
        if not self._console.is_terminal:
            self._print(line)

    def _show(self, at: float, now: Slice, totals: Slice) -> None:
        if self._quiet:
            return
        if self._live is None:  # no refreshing thread: a drill may fork
            self._live = rich.live.Live(console=self._console, auto_refresh=False)
            self._write(self._live.start)
        live, block = self._live, self._block(at, now, totals)
        self._write(lambda: live.update(block, refresh=True))

    def _block(self, at: float, now: Slice, totals: Slice) -> RenderableType:
        lines = [
            Text(f"{at:7.2f} s  ").append(self._step, style="bold"),
            Text(f"{'':11}").append_text(_figures(now, totals)),
            *_bars(now),
            Text(),
            *self._heard,
        ]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)

    def _print(self, text: Text) -> None:
        if not self._quiet:
            self._write(lambda: self._console.print(text))

    def _write(self, write: Callable[[], Any]) -> None:
        with contextlib.suppress(OSError):
            write()


def print_report(report: Report, path: Path, console: Console | None = None) -> None:
    """`path` is the page's."""
    console = console or Terminal()
    with contextlib.suppress(OSError):
        for part in _parts(report, path):
            console.print(part)


def plain(text: str) -> str:
    """Without control characters: an answer of a service nobody here has written must not steer a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _parts(report: Report, path: Path) -> list[RenderableType]:
    judged = report.runs[0]
    mark, style = MARKS[report.passed]
    outcome = "passed" if report.passed else "not as expected"
    parts: list[RenderableType] = [
        Text(f"\n{mark} {plain(report.scenario)}: {outcome}", style=style).append(
            f"  {plain(report.title)}", style="dim"
        ),
        Text(),
        *_verdicts(report),
        Text(),
        _phases(judged),
        Text(),
        *_failures(judged),
        Text(f"\n{plain(str(path))}"),
    ]
    return parts


def _verdicts(report: Report) -> list[RenderableType]:
    """A column a run."""
    runs = sorted(report.runs, key=rank)
    table = _table("expected", *(plain(run.label) for run in runs))
    for row, expected in enumerate(report.runs[0].verdicts):
        table.add_row(Text(plain(expected.text)), *(_verdict(run.verdicts[row]) for run in runs))
    notes = [Text(f"{plain(run.label)}: {plain(run.note)}", style="dim") for run in runs if run.note]
    return [table, *notes]


def _verdict(verdict: Verdict) -> Text:
    mark, style = MARKS[verdict.passed]
    return Text(f"{mark} ", style=style).append(plain(verdict.measured), style="default not bold")


def _phases(run: Run) -> Table:
    table = _table("phase", *("calls", "errors", "cut", "p50", "p99", "slowest", "longest gap"))
    for column in table.columns[1:]:
        column.justify = "right"
    for phase in run.phases:
        counts = (f"{count:,}" for count in (phase.calls, phase.errors, phase.cut))
        times = (milliseconds(ms) for ms in (phase.p50_ms, phase.p99_ms, phase.max_ms))
        table.add_row(Text(plain(phase.name)), *counts, *times, seconds(phase.gap_s))
    return table


def _failures(run: Run) -> list[Text]:
    count = sum(method.errors + method.cut for method in run.methods)
    if not count:
        return [Text("No call failed." if run.methods else "No calls were made by the drill itself.")]
    by_method = ", ".join(
        f"{plain(method.method)} {method.errors + method.cut:,}" for method in run.methods if method.errors + method.cut
    )
    lines = [Text(f"{count:,} failed call{'' if count == 1 else 's'}: {by_method}")]
    lines += [Text(f"  {_failed(call)}") for call in run.failed[:FAILED_SHOWN]]
    if count > FAILED_SHOWN:
        lines.append(Text(f"  … and {count - FAILED_SHOWN:,} more", style="dim"))
    return lines


def _failed(call: FailedCall) -> str:
    age = f"connection {seconds(call.connection_age_s)} old" if call.connection_age_s else "new connection"
    outcome = f"{call.status}" if call.status else call.kind
    said = f"{call.method} {call.url}  {outcome}: {call.why}, attempt {call.attempt}, {age}"
    return f"{call.at:8.3f} s  {plain(said)}"


def _figures(now: Slice, totals: Slice) -> Text:
    calls = now.ok + now.errors + now.cut
    figures = Text(f"{calls:4} calls/s   p99 {milliseconds(now.p99_ms):>8}   so far {totals.ok:,} good, ")
    figures.append(f"{totals.errors:,} errors", style="bold red" if totals.errors else "")
    return figures.append(", ").append(f"{totals.cut:,} cut", style="yellow" if totals.cut else "")


def _bars(now: Slice) -> list[Text]:
    """Who gave the good answers of the last second."""
    total = sum(now.served.values())
    bars = []
    for lpar, count in sorted(now.served.items()):
        length = round(BAR * count / total) if total else 0
        bars.append(
            Text(f"{plain(lpar)[:10]:>10} ")
            .append("█" * length, style="cyan")
            .append(" " * (BAR - length) + f" {count:4}")
        )
    return bars


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table
