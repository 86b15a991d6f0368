"""The report as a page: one file that asks for nothing outside itself, to be opened, printed, mailed and kept.

It is complete without its script, which adds only the figures of the slice under the pointer. All texts are escaped:
some come from answers of services nobody here has written. The document itself is in the page as JSON, so the page
can be read by programs too. The page's own policy lets that one script run and no other.

Source: HTML, section 4.12.1.3, on what must not stand in a script element; Content Security Policy level 3.

Not here: geometry (`chart`), the terminal (`live`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup

from launcher.drill.chart import Chart, Scales, chart, scales
from launcher.drill.result import Report, Run, Slice

TEMPLATES = Path(__file__).parent / "templates"

UNKNOWN = "\N{EN DASH}"


@dataclass(frozen=True)
class Second:
    """Slices of one second, for those who cannot see the charts."""

    at: int
    ok: int
    errors: int
    cut: int
    p99_ms: float | None
    """The highest of its slices."""
    served: str


@dataclass(frozen=True)
class Section:
    """A run with what the page shows of it beside its own fields."""

    number: int
    run: Run
    chart: Chart
    calls: int
    errors: int
    cut: int
    seconds: list[Second]

    @property
    def failed(self) -> int:
        return self.errors + self.cut

    @property
    def gap_s(self) -> float | None:
        return max((phase.gap_s for phase in self.run.phases), default=None)

    @property
    def p99_before_ms(self) -> float | None:
        return self.run.phases[0].p99_ms if self.run.phases else None

    @property
    def p99_worst_ms(self) -> float | None:
        return max((phase.p99_ms for phase in self.run.phases[1:] if phase.p99_ms is not None), default=None)


def html(report: Report) -> str:
    shared = scales(report.runs)
    sections = [_section(number, run, shared) for number, run in enumerate(report.runs)]
    script = (TEMPLATES / "report.js").read_text("utf-8")
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            sections=sections,
            columns=sorted(sections, key=lambda section: rank(section.run)),
            judged=sections[0],
            style=Markup((TEMPLATES / "report.css").read_text("utf-8")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            document=Markup(embedded(report)),
        )
    )


def rank(run: Run) -> int:
    """Where runs are compared, what people know comes first, then what is judged, then that without its guards."""
    return 1 if run.behaviour == "plexmesh" else 0


def embedded(report: Report) -> str:
    """The document as JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    return msgspec.json.encode(report).decode().replace("<", "\\u003c")


def _section(number: int, run: Run, shared: Scales) -> Section:
    return Section(
        number=number,
        run=run,
        chart=chart(run, shared),
        calls=sum(method.calls for method in run.methods),
        errors=sum(method.errors for method in run.methods),
        cut=sum(method.cut for method in run.methods),
        seconds=_seconds(run.slices),
    )


def _seconds(slices: Sequence[Slice]) -> list[Second]:
    found: dict[int, list[Slice]] = {}
    for each in slices:
        found.setdefault(int(each.at), []).append(each)
    return [_second(at, inside) for at, inside in found.items()]


def _second(at: int, slices: Sequence[Slice]) -> Second:
    served: dict[str, int] = {}
    for each in slices:
        for lpar, count in each.served.items():
            served[lpar] = served.get(lpar, 0) + count
    return Second(
        at=at,
        ok=sum(each.ok for each in slices),
        errors=sum(each.errors for each in slices),
        cut=sum(each.cut for each in slices),
        p99_ms=max((each.p99_ms for each in slices if each.p99_ms is not None), default=None),
        served=", ".join(f"{lpar} {count}" for lpar, count in sorted(served.items())),
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(ms=milliseconds, s=seconds, count=lambda number: f"{number:,}")
    return environment


def milliseconds(ms: float | None) -> str:
    """In words, to about three digits: "0.86 ms", "12 ms", "1.25 s"; a dash when nothing is known."""
    if ms is None:
        return UNKNOWN
    if ms >= 1000:
        return f"{ms / 1000:.2f} s"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.2f} ms"


def seconds(s: float | None) -> str:
    return milliseconds(None if s is None else s * 1000)
