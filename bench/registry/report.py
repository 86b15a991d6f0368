"""Figures, their goals, and the table that sets them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

QUIET = 0.15


@dataclass(frozen=True)
class Measure:
    """`goal` is in `unit`, None where there is none; `more`: more is better."""

    name: str
    unit: str = ""
    goal: float | None = None
    more: bool = False


@dataclass
class Report:
    """`figures[name][column]`; a column is a number of resident instances, or a yardstick's name."""

    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    disturbed: list[float] = field(default_factory=list)
    """What other processes took during each measure, in cores."""

    def note(self, name: str, column: str, value: float) -> None:
        self.figures.setdefault(name, {})[column] = value

    def table(self, measures: Sequence[Measure], columns: Sequence[str], judged: str) -> str:
        rows = [["measure", "goal", *columns, f"at {judged}"], ["---"] * (len(columns) + 3)]
        for measure in measures:
            values = self.figures.get(measure.name, {})
            if values:
                cells = [shown(values[column], measure.unit) if column in values else "" for column in columns]
                goal = "" if measure.goal is None else shown(measure.goal, measure.unit)
                rows.append([measure.name, goal, *cells, verdict(measure, values.get(judged))])
        others = sum(self.disturbed) / max(len(self.disturbed), 1)
        table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        return f"{table}\n\nOther processes took {others:.0%} of a core meanwhile: {verdict_of(others)}."


def verdict_of(others: float) -> str:
    return "these are the machine's figures" if others < QUIET else "measure again on a quiet machine"


def shown(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if value >= 100 else f"{value:.1f}".removesuffix(".0") if value >= 10 else f"{value:.2g}"
    return f"{text} {unit}".strip()


def verdict(measure: Measure, value: float | None) -> str:
    if measure.goal is None or value is None:
        return ""
    if (value >= measure.goal) if measure.more else (value <= measure.goal):
        return "met"
    factor = measure.goal / value if measure.more and value else value / measure.goal if measure.goal else 0.0
    return f"missed by {factor:.1f}x" if factor else "missed"


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
