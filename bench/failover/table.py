"""Two tables: one instance is bad, or all have too much to do. Goals are judged for plexmesh only.

Not here: what the figures mean (`figures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.failover.faults import Fault
from bench.failover.figures import Figures

OURS = "plexmesh"

Results = Mapping[tuple[Fault, str], Figures]
"""By fault and proxy, in the order in which they are to stand."""

Column = Callable[[Figures], str]

ONE_BAD: dict[str, Column] = {
    "GETs lost": lambda seen: f"{seen.gets_lost:,} of {seen.gets:,}",
    "POSTs lost": lambda seen: f"{seen.posts_lost:,} of {seen.posts:,}",
    "POSTs done twice": lambda seen: f"{seen.posts_twice:,}",
    "p50, ms": lambda seen: ms(seen.p50_ms),
    "p99, ms": lambda seen: ms(seen.p99_ms),
    "max, ms": lambda seen: ms(seen.max_ms),
    "bad one's share, 0-2 s": lambda seen: f"{seen.share_0_to_2:.1%}",
    "2-4 s": lambda seen: f"{seen.share_2_to_4:.1%}",
    "last 2 s": lambda seen: f"{seen.share_last_2:.1%}",
    "tries a call": lambda seen: f"{seen.tries:.2f}",
}
ALL_BAD: dict[str, Column] = {
    "answered 200/s": lambda seen: f"{seen.good_per_s:.0f}",
    "of capacity": lambda seen: f"{seen.of_capacity:.0%}",
    "lost/s": lambda seen: f"{seen.lost_per_s:.0f}",
    "p99 of lost, ms": lambda seen: ms(seen.lost_p99_ms),
    "p50, ms": lambda seen: ms(seen.p50_ms),
    "p99, ms": lambda seen: ms(seen.p99_ms),
    "tries a call": lambda seen: f"{seen.tries:.2f}",
}


def tables(results: Results) -> str:
    one = {key: seen for key, seen in results.items() if not key[0].everywhere}
    everywhere = {key: seen for key, seen in results.items() if key[0].everywhere}
    return "\n\n".join(table(rows, columns) for rows, columns in ((one, ONE_BAD), (everywhere, ALL_BAD)) if rows)


def table(results: Results, columns: Mapping[str, Column]) -> str:
    lines = [["fault", "proxy", *columns, "goal"], ["---"] * (len(columns) + 3)]
    for (fault, proxy), seen in results.items():
        cells = (column(seen) for column in columns.values())
        lines.append([fault.name, proxy, *cells, verdicts(fault, seen) if proxy.startswith(OURS) else ""])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdicts(fault: Fault, seen: Figures) -> str:
    return "; ".join(goal.verdict(getattr(seen, goal.figure)) for goal in fault.goals)


def ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
