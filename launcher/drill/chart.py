"""The geometry of a run's timeline: what was answered, how fast, by whom, and what happened meanwhile. Pure.

Every panel is a box of 1000 by 100, left to right the seconds from 0 to `end_s`, top to bottom 0 to 100; the page
stretches it to whatever width there is. All runs of a report share their scales, so that charts below each other can
be compared with a ruler. Words stand beside the boxes and not in them: they do not stretch.

    requests   answers a second, stacked: good, errors, cut
    latency    p50 and p99 of good answers, logarithmic
    served     the LPARs' shares of good answers, stacked
    steps      numbered marks in as many rows as they need
    events     a tick each, a lane for every LPAR

Not here: colours and words (`templates/report.html`), figures (`summary`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from launcher.drill.result import Moment, Run, Slice

WIDTH, HEIGHT = 1000.0, 100.0
LEAST = 3.0
"""Height of a slice's errors, however few they are."""

HEADROOM = 1.08
GAP = 1.0
"""Percent of the width between two marks in a row."""
BADGE, LETTER = 3.0, 0.78
"""Percent of the width that a step's number and a letter of its text take on a page of ordinary width."""
LETTERS = 32
"""The page shows no more of a text in a row; the list of steps has all of it."""


@dataclass(frozen=True)
class Tick:
    at: float
    """Percent from the top, or from the left."""
    text: str


@dataclass(frozen=True)
class Shape:
    name: str
    """What it shows: its colour."""
    path: str
    """SVG path data."""


@dataclass(frozen=True)
class Panel:
    shapes: list[Shape]
    ticks: list[Tick]


@dataclass(frozen=True)
class Mark:
    """A step. Percent of the width."""

    number: int
    at: float
    length: float
    row: int
    text: str
    leftwards: bool
    """Its text would not fit to its right."""


@dataclass(frozen=True)
class Lane:
    """The events of one LPAR, or of nobody in particular (`lpar` empty)."""

    lpar: str
    path: str
    count: int


@dataclass(frozen=True)
class Chart:
    requests: Panel
    failed: list[Shape]
    """A tick for each slice with errors, and for each with cut calls: one in ten thousand must be seen too."""
    latency: Panel
    served: Panel
    lpars: list[str]
    """In the order of their colours."""
    marks: list[Mark]
    rows: int
    lanes: list[Lane]
    seconds: list[Tick]
    ended: float
    """Percent of the width at which this run was over; others may have taken longer."""


@dataclass(frozen=True)
class Scales:
    """What the charts of one report have in common."""

    end_s: float
    most: float
    """Calls a second at the top."""
    fastest: int
    slowest: int
    """Latency at the bottom and at the top: powers of ten, in milliseconds."""

    def x(self, at: float) -> float:
        return WIDTH * min(max(at / self.end_s, 0.0), 1.0)

    def percent(self, at: float) -> float:
        return round(self.x(at) / WIDTH * 100, 2)

    def height(self, calls: float, slice_s: float) -> float:
        return HEIGHT * calls / slice_s / self.most

    def latency_y(self, ms: float) -> float:
        power = math.log10(max(ms, 10.0**self.fastest))
        return HEIGHT * (self.slowest - power) / (self.slowest - self.fastest)


def scales(runs: Iterable[Run]) -> Scales:
    runs = list(runs)
    rates = [(each.ok + each.errors + each.cut) / run.slice_s for run in runs for each in run.slices]
    times = [ms for run in runs for each in run.slices for ms in (each.p50_ms, each.p99_ms) if ms]
    fastest = math.floor(math.log10(min(times, default=1.0)))
    return Scales(
        end_s=max([run.duration_s for run in runs] + [1.0]),
        most=max([*rates, 1.0]) * HEADROOM,
        fastest=fastest,
        slowest=max(math.ceil(math.log10(max(times, default=10.0))), fastest + 1),
    )


def chart(run: Run, scales: Scales) -> Chart:
    lpars = list(dict.fromkeys([*run.lpars, *(lpar for each in run.slices for lpar in each.served)]))
    marks = step_marks([each for each in run.moments if each.step], scales)
    return Chart(
        requests=_requests(run, scales),
        failed=_failed(run, scales),
        latency=_latency(run, scales),
        served=_served(run, lpars, scales),
        lpars=lpars,
        marks=marks,
        rows=max((mark.row + 1 for mark in marks), default=0),
        lanes=_lanes(run, lpars, scales),
        seconds=[Tick(scales.percent(at), f"{at:g}") for at in _round_numbers(scales.end_s, 8)],
        ended=scales.percent(run.duration_s),
    )


def step_marks(steps: Sequence[Moment], scales: Scales) -> list[Mark]:
    """Each step in the first row where its number and text hide nobody else's."""
    taken: list[list[tuple[float, float]]] = []
    marks = []
    for number, step in enumerate(steps, 1):
        at = scales.percent(step.at)
        length = scales.percent(step.until or step.at) - at
        need = max(BADGE + LETTER * min(len(step.text), LETTERS), length) + GAP
        leftwards = at + need > 100 and at > need
        begin, end = (at - need, at + max(BADGE, length)) if leftwards else (at, at + need)
        free = (n for n, row in enumerate(taken) if all(end <= left or begin >= right for left, right in row))
        row = next(free, len(taken))
        if row == len(taken):
            taken.append([])
        taken[row].append((begin, end))
        marks.append(Mark(number, at, round(length, 2), row, step.text, leftwards))
    return marks


def _requests(run: Run, scales: Scales) -> Panel:
    def heights(each: Slice) -> list[float]:
        failed = (scales.height(count, run.slice_s) for count in (each.errors, each.cut))
        return [scales.height(each.ok, run.slice_s), *(max(height, LEAST) if height else 0.0 for height in failed)]

    shapes = _stacked(("ok", "errors", "cut"), [(each, heights(each)) for each in run.slices], run, scales)
    ticks = [Tick(round(100 - 100 * rate / scales.most, 1), f"{rate:g}") for rate in _round_numbers(scales.most, 3)]
    return Panel(shapes, ticks)


def _failed(run: Run, scales: Scales) -> list[Shape]:
    middle = run.slice_s / 2
    errors = [scales.x(each.at + middle) for each in run.slices if each.errors]
    cut = [scales.x(each.at + middle) for each in run.slices if each.cut]
    return [Shape("errors", _ticks(errors)), Shape("cut", _ticks(cut))]


def _served(run: Run, lpars: Sequence[str], scales: Scales) -> Panel:
    def shares(each: Slice) -> list[float]:
        total = sum(each.served.values()) or 1
        return [HEIGHT * each.served.get(lpar, 0) / total for lpar in lpars]

    names = [f"lpar{number % 6}" for number in range(len(lpars))]
    shapes = _stacked(names, [(each, shares(each)) for each in run.slices], run, scales)
    return Panel(shapes, [Tick(0, "100 %"), Tick(50, "50 %"), Tick(100, "0 %")])


def _stacked(
    names: Sequence[str], slices: Sequence[tuple[Slice, list[float]]], run: Run, scales: Scales
) -> list[Shape]:
    """A shape a name, each on top of those before it."""
    tops = [[min(top, HEIGHT) for top in accumulate(heights)] for _, heights in slices]
    shapes = []
    for n, name in enumerate(names):
        bands = [
            (each.at, HEIGHT - top[n], HEIGHT - (top[n - 1] if n else 0.0))
            for (each, _), top in zip(slices, tops, strict=True)
        ]
        shapes.append(Shape(name, "".join(_band(bands, run, scales))))
    return shapes


def _band(bands: Iterable[tuple[float, float, float]], run: Run, scales: Scales) -> Iterator[str]:
    """Path data of (time, upper y, lower y): a rectangle for each row of slices alike, none without a height."""
    for (upper, lower), alike in groupby(bands, key=lambda band: (_short(band[1]), _short(band[2]))):
        if upper != lower:
            times = [at for at, _, _ in alike]
            end = min(times[-1] + run.slice_s, run.duration_s)
            yield f"M{_short(scales.x(times[0]))} {lower}V{upper}H{_short(scales.x(end))}V{lower}z"


def _latency(run: Run, scales: Scales) -> Panel:
    middles = [scales.x(each.at + run.slice_s / 2) for each in run.slices]
    shapes = []
    for name, values in (
        ("p50", [each.p50_ms for each in run.slices]),
        ("p99", [each.p99_ms for each in run.slices]),
    ):
        points = [None if ms is None else scales.latency_y(ms) for ms in values]
        shapes.append(Shape(name, "".join(_line(zip(middles, points, strict=True)))))
    powers = range(scales.fastest, scales.slowest + 1)
    return Panel(shapes, [Tick(round(scales.latency_y(10.0**power), 1), _power(power)) for power in powers])


def _line(points: Iterable[tuple[float, float | None]]) -> Iterator[str]:
    """Broken where nothing is known; a point between two breaks is a line of no length, which round ends make a dot."""
    for known, group in groupby(points, key=lambda point: point[1] is not None):
        if known:
            places = [f"{_short(x)} {_short(y)}" for x, y in group if y is not None]
            yield f"M{'L'.join(places)}{'h0' if len(places) == 1 else ''}"


def _lanes(run: Run, lpars: Sequence[str], scales: Scales) -> list[Lane]:
    events = [each for each in run.moments if not each.step]
    lanes = []
    for lpar in dict.fromkeys([*lpars, *(each.lpar for each in events)]):
        own = [scales.x(each.at) for each in events if each.lpar == lpar]
        if own:
            lanes.append(Lane(lpar, _ticks(own), len(own)))
    return lanes


def _ticks(places: Iterable[float]) -> str:
    return "".join(f"M{_short(x)} 0V100" for x in places)


def _round_numbers(end: float, about: int) -> list[float]:
    """0 and so on in steps of 1, 2 or 5 times a power of ten, at least `about` of them if that is not too many."""
    rough = end / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(n * step, 6) for n in range(int(end / step) + 1)]


def _power(power: int) -> str:
    return f"{10.0**power:g} ms" if power < 3 else f"{10.0 ** (power - 3):g} s"


def _short(value: float) -> str:
    return f"{round(value, 1):g}"
