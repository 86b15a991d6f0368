"""Figures of several rounds, and the table that sets them side by side.

A cell is the median of a proxy's rounds. Beside a peer's stands what plexmesh has of it: each round's ratio, of which
the median and in brackets the lowest and highest. Goals are judged by the median.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

OURS = "plexmesh"
DIRECT = "direct"
"""The column of the upstream without a proxy: what load and upstream can do."""


@dataclass(frozen=True)
class Row:
    """`goals` are (peer, at least so many times its figure); `at_most` is a goal in the row's own unit."""

    name: str
    unit: str = ""
    goals: tuple[tuple[str, float], ...] = ()
    at_most: float | None = None
    compared: bool = True
    """Ratios say something."""


@dataclass
class Figures:
    rows: dict[Row, dict[str, list[float]]] = field(default_factory=dict)
    """One figure a round, in their order."""

    def declare(self, *rows: Row) -> None:
        """In this order they will stand in the table, if there is something to say."""
        for row in rows:
            self.rows.setdefault(row, {})

    def note(self, row: Row, column: str, value: float) -> None:
        self.rows.setdefault(row, {}).setdefault(column, []).append(value)

    def ratios(self, row: Row, peer: str) -> list[float]:
        values = self.rows[row]
        pairs = zip(values.get(OURS, ()), values.get(peer, ()), strict=False)
        return [ours / other for ours, other in pairs if other > 0]

    def table(self, columns: Sequence[str]) -> str:
        lines = [["measure", *columns, "goal"], ["---"] * (len(columns) + 2)]
        for row in (row for row, values in self.rows.items() if values):
            name = f"{row.name}, {row.unit}" if row.unit else row.name
            lines.append([name, *(self._cell(row, column) for column in columns), "; ".join(self._verdicts(row))])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def _cell(self, row: Row, column: str) -> str:
        values = self.rows[row].get(column)
        if not values:
            return ""
        ratios = self.ratios(row, column) if row.compared and column not in (OURS, DIRECT) else []
        if not ratios:
            return shown(median(values))
        spread = f" ({min(ratios):.2f}-{max(ratios):.2f})" if len(ratios) > 1 else ""
        return f"{shown(median(values))} x {median(ratios):.2f}{spread}"

    def _verdicts(self, row: Row) -> list[str]:
        said = []
        for peer, factor in row.goals:
            if ratios := self.ratios(row, peer):
                said.append(f"≥ {factor:g} x {peer}: {'met' if median(ratios) >= factor else 'missed'}")
        if row.at_most is not None and (values := self.rows[row].get(OURS)):
            said.append(f"≤ {row.at_most:g}: {'met' if median(values) <= row.at_most else 'missed'}")
        return said


def shown(value: float) -> str:
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
