"""The report of a drill as a page and on the terminal: what it shows, and that hostile words stay words."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from launcher.drill.chart import chart, scales, step_marks
from launcher.drill.live import FAILED_SHOWN, Live, print_report
from launcher.drill.report import UNKNOWN, html, milliseconds
from launcher.drill.result import CONTROL_LABEL, CONTROL_NOTE, FailedCall, Report, Slice
from launcher.screen import Terminal
from tests import drill_reports

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\"'&\x1b[2J"


class Page(HTMLParser):
    """Its elements, the words of its headings and cells, and what its scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)
        self.words.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open:
            self.words[self.open[-1]][-1] += data

    def count(self, tag: str) -> int:
        return len(self.words.get(tag, []))


@pytest.fixture(scope="module")
def usual() -> Report:
    return drill_reports.report()


def hostile() -> Report:
    """Every text that somebody else may have chosen."""
    failed = FailedCall(
        at=1, took_ms=1, method=HOSTILE, url=HOSTILE, kind="error", status=500, why=HOSTILE, attempt=1,
        connection_age_s=0, connection_calls=0, path=HOSTILE,
    )  # fmt: skip
    run = drill_reports.plexmesh(
        failed=[failed] * 2,
        lpars=[HOSTILE],
        label=HOSTILE,
        note=HOSTILE,
        moments=[drill_reports.step(1, HOSTILE), *drill_reports.plexmesh().moments],
    )
    texts = dict.fromkeys(("title", "about", "scenario", "machine", "command", "load", "simulated"), HOSTILE)
    return drill_reports.report(run, **texts)


def printed(report: Report, width: int = 200) -> str:
    file = io.StringIO()
    print_report(report, Path("/r/drill.html"), Console(file=file, width=width, force_terminal=False))
    return file.getvalue()


# --- the page


def test_it_says_what_was_expected_and_what_every_run_did(usual: Report) -> None:
    text = html(usual)
    page = Page(text)
    assert page.words["strong"] == ["✓ Passed"]
    heads = page.words["th"][:3]
    assert heads == ["Expectation", CONTROL_LABEL, "plexmesh"]
    assert page.words["small"] == [f"{CONTROL_NOTE}; its timers run 10 times as fast"]
    for run in usual.runs:
        for verdict in run.verdicts:
            assert verdict.measured in text
    assert text.count('<b class="mark good">') == 11
    assert text.count('<b class="mark bad">') == 6
    assert text.count('<b class="mark none">') == 1
    assert usual.command in text
    assert usual.simulated in text


def test_a_drill_that_failed_says_so() -> None:
    text = html(drill_reports.report(drill_reports.control()))
    assert "<title>Not as expected: " in text
    assert Page(text).words["strong"] == ["✗ Not as expected"]
    assert "2 of 8 expectations held, 1 not judged" in text


def test_every_failed_call_is_listed(usual: Report) -> None:
    text = html(usual)
    assert len(re.findall(r"<tr><td>[\d.]+ s<td>\w+ http", text)) == sum(len(run.failed) for run in usual.runs) == 414
    assert "The first" not in text
    many = html(drill_reports.report(drill_reports.control(failures=700)))
    assert "The first 500 of 700." in many


def test_the_document_is_in_it(usual: Report) -> None:
    for report in (usual, hostile()):
        found = re.search(r'<script type="application/json" id="report">(.*?)</script>', html(report), re.DOTALL)
        assert found
        assert msgspec.json.decode(found[1], type=Report) == report


def test_hostile_words_are_text(usual: Report) -> None:
    page = Page(html(hostile()))
    assert page.count("script") == 2
    assert page.count("img") == 0
    assert "onerror" not in {name for _, attributes in page.elements for name in attributes}
    assert page.words["h1"] == [HOSTILE]


def test_it_asks_for_nothing_outside_itself(usual: Report) -> None:
    page = Page(html(usual))
    names = {name for _, attributes in page.elements for name in attributes}
    assert not names & {"src", "href", "srcset", "data", "action", "poster"}
    assert not re.search(r"url\(|@import", page.words["style"][0])


def test_a_minute_of_200_calls_a_second_fits_into_a_mail(usual: Report) -> None:
    assert len(html(usual).encode()) < 400_000


def test_without_calls_of_its_own_it_shows_steps_and_events() -> None:
    nothing = {"slices": [], "phases": [], "methods": [], "failed": []}
    text = html(drill_reports.report(drill_reports.plexmesh(**nothing)))
    assert "No calls were made by the drill itself." in text
    assert "kill LPAR2" in text
    idle = html(drill_reports.report(drill_reports.run(slices=[Slice(at=n / 4) for n in range(9)], duration_s=2.0)))
    assert "NaN" not in idle


# --- the charts


def test_runs_have_one_scale(usual: Report) -> None:
    shared = scales(usual.runs)
    short, long = (chart(run, shared) for run in usual.runs)
    assert shared.end_s == 90
    assert short.ended == pytest.approx(66.67)
    assert long.ended == 100
    assert short.seconds == long.seconds
    assert short.requests.ticks == long.requests.ticks
    assert [tick.text for tick in short.latency.ticks] == ["0.1 ms", "1 ms", "10 ms", "100 ms"]


def test_one_failed_call_in_ten_thousand_is_seen() -> None:
    slices = [Slice(at=n / 4, ok=2500) for n in range(8)]
    slices[3] = Slice(at=0.75, ok=2499, cut=1)
    run = drill_reports.run(slices=slices, duration_s=2.0)
    found = chart(run, scales([run]))
    _, errors, cut = found.requests.shapes
    assert errors.path == ""
    upper, lower = re.fullmatch(r"M375 ([\d.]+)V([\d.]+)H500V\1z", cut.path).group(2, 1)  # type: ignore[union-attr]
    assert float(lower) - float(upper) == pytest.approx(3, abs=0.1)
    assert [shape.path for shape in found.failed] == ["", "M437.5 0V100"]


def test_latency_is_broken_where_nothing_answered() -> None:
    times = [1.0, 10.0, None, 100.0, None]
    slices = [Slice(at=n, ok=1, p50_ms=ms, p99_ms=ms) for n, ms in enumerate(times)]
    run = drill_reports.run(slices=slices, slice_s=1.0, duration_s=5.0)
    p50, _ = chart(run, scales([run])).latency.shapes
    assert p50.path == "M100 100L300 50M700 0h0"


def test_shares_of_a_slice_without_answers_are_left_out() -> None:
    slices = [Slice(at=0, ok=4, served={"LPAR1": 1, "LPAR3": 3}), Slice(at=1, errors=4)]
    run = drill_reports.run(slices=slices, slice_s=1.0, duration_s=2.0)
    found = chart(run, scales([run]))
    assert found.lpars == ["LPAR1", "LPAR2", "LPAR3"]
    assert [shape.path for shape in found.served.shapes] == ["M0 100V75H500V100z", "", "M0 75V0H500V75z"]


def test_steps_hide_nobody_elses_number_or_text() -> None:
    run = drill_reports.run(duration_s=60.0)
    steps = [drill_reports.step(at, "kill LPAR2", until=at + 0.1) for at in (5, 5.2, 6, 30, 58, 59.9)]
    marks = step_marks(steps, scales([run]))
    assert [mark.row for mark in marks] == [0, 1, 2, 0, 0, 1]
    assert [mark.leftwards for mark in marks] == [False, False, False, False, True, True]
    assert [mark.number for mark in marks] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("ms", "words"), [(None, UNKNOWN), (0.862, "0.86 ms"), (12.4, "12 ms"), (999.0, "999 ms"), (1250.0, "1.25 s")]
)
def test_times_have_three_digits(ms: float | None, words: str) -> None:
    assert milliseconds(ms) == words


# --- the terminal


def test_the_terminal_has_the_verdicts_the_phases_and_the_first_failed_calls() -> None:
    control = drill_reports.control()
    said = printed(drill_reports.report(control))
    assert "✗ lpar-crash: not as expected" in said
    assert "✗ 412 of 12,004 calls" in said
    assert f"{UNKNOWN} not seen" in said
    assert CONTROL_NOTE in said
    assert re.search(r"kill LPAR2 +8,053 +381 +31 ", said)
    assert said.count("http://127.0.0.1:7554") == FAILED_SHOWN
    assert f"… and {412 - FAILED_SHOWN} more" in said
    assert said.endswith("/r/drill.html\n")


def test_nothing_failed_and_nothing_was_called() -> None:
    assert "No call failed." in printed(drill_reports.report(drill_reports.run()))
    assert "No calls were made by the drill itself." in printed(drill_reports.report(drill_reports.run(methods=[])))


def test_nobody_steers_the_terminal() -> None:
    assert "\x1b" not in printed(hostile())
    file = io.StringIO()
    live = Live(HOSTILE, Console(file=file, width=200))
    live.step(1.0, HOSTILE)
    live.event(2.0, HOSTILE, "[bold]" + HOSTILE)
    live.close()
    assert "\x1b" not in file.getvalue()
    assert "[bold]" in file.getvalue()


def played(console: Console, *, quiet: bool = False) -> None:
    run = drill_reports.plexmesh()
    live = Live("crash", console, quiet=quiet)
    live.step(5.0, "kill LPAR2")
    live.event(5.1, "LPAR1", "endpoint.out sample")
    for each in run.slices[: 4 * 21]:
        live.tick(each.at, each, Slice(at=0.0, ok=4000, errors=1))
    live.close()


def test_elsewhere_there_is_a_line_for_each_step_and_event_and_figures_every_five_seconds() -> None:
    file = io.StringIO()
    played(Console(file=file, width=160, force_terminal=False))
    lines = file.getvalue().splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["5.00", "5.10", "5.00", "10.00", "15.00", "20.00"]
    assert "kill LPAR2" in lines[2]
    assert "LPAR1    endpoint.out sample" in lines[3]
    assert re.search(r"calls/s +p99 .* so far 4,000 good, 1 errors?, 0 cut", lines[4])


def test_on_a_terminal_a_block_changes_in_place() -> None:
    file = io.StringIO()
    played(Console(file=file, width=100, force_terminal=True, color_system=None))
    last = file.getvalue().rpartition("\x1b[2K")[2]
    assert "20.75 s  kill LPAR2" in last
    assert re.search(r"LPAR1 █+ ", last)
    assert "LPAR1    endpoint.out sample" in last


def test_quiet_is_quiet() -> None:
    for terminal in (True, False):
        file = io.StringIO()
        played(Console(file=file, width=100, force_terminal=terminal), quiet=True)
        assert file.getvalue() == ""


@pytest.mark.parametrize("a_terminal", [True, False])
def test_a_closed_terminal_ends_nothing(a_terminal: bool) -> None:
    class Closed(io.StringIO):
        def isatty(self) -> bool:
            return a_terminal

        def write(self, _: str) -> int:
            raise BrokenPipeError

    console = Terminal()
    console.file = Closed()
    played(console)
    print_report(drill_reports.report(), Path("/r/drill.html"), console)


def test_runs_that_are_compared_stand_in_one_order_everywhere(usual: Report) -> None:
    head = next(line for line in printed(usual).splitlines() if line.startswith("expected"))
    assert head.index(CONTROL_LABEL) < head.index("plexmesh")
