"""A drill's progress: what its process writes, what `up` makes of it, and which drills there are."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from launcher.course import MAX_MOMENTS, STOPPING, Course
from launcher.drill import scenario
from launcher.drill.progress import Begun, Ended, Line, Phase, Side
from launcher.drill.result import Slice
from launcher.drill_command import besides
from launcher.drills import Drills
from launcher.journal import Journal
from shared.errors import BadInput, NotFound
from shared.events import Events
from shared.lifecycle import Lifecycle
from shared.wire import Drill, DrillMoment, DrillNews, DrillSlice, DrillVerdict

HELD, MISSED = DrillVerdict("no call fails", "0 of 9", True), DrillVerdict("soon back", "after 9 s", False)


def a_course(*lines: Line) -> Course:
    course = Course("r1", "lpar-crash", "An LPAR is killed", 1000.0)
    for line in lines:
        course.take(msgspec.json.encode(line))
    return course


def ended(*verdicts: DrillVerdict, passed: bool = True) -> Ended:
    return Ended(passed=passed, verdicts=list(verdicts), report="/data/drills/x.html")


# --- the drill's side


def test_every_call_is_in_one_slice_however_the_ticks_fall() -> None:
    lines: list[Line] = []
    side = Side("plexmesh", lines.append)
    for at, ok, cut in ((0.25, 50, 0), (0.5, 100, 0), (1.02, 204, 0), (1.6, 300, 3), (2.2, 401, 3), (2.7, 500, 4)):
        served = {"LPAR1": ok - 40, "LPAR2": 40} if ok > 50 else {"LPAR1": ok}
        side.tick(at, Slice(at=at, p99_ms=4.5), Slice(at=0.0, ok=ok, cut=cut, served=served))
    side.close()
    side.close()
    slices = [each for each in lines if isinstance(each, DrillSlice)]
    assert lines[0] == Phase("plexmesh")
    assert [(each.at, each.ok, each.cut) for each in slices] == [(0.0, 204, 0), (1.0, 197, 3), (2.0, 99, 1)]
    assert [each.served for each in slices] == [{"LPAR1": 164, "LPAR2": 40}, {"LPAR1": 197}, {"LPAR1": 99}]
    assert b'"p99Ms":4.5' in msgspec.json.encode(slices[0])


def test_a_side_without_calls_has_no_slices() -> None:
    lines: list[Line] = []
    side = Side("plexmesh", lines.append)
    side.step(1.234, "kill LPAR2")
    side.event(1.3, "LPAR1", "peer suspect")
    side.close()
    assert lines[1:] == [
        DrillMoment(at=1.23, kind="step", text="kill LPAR2"),
        DrillMoment(at=1.3, kind="event", lpar="LPAR1", text="peer suspect"),
    ]


# --- up's side


def test_a_course_is_what_was_told() -> None:
    course = a_course(
        Begun("lpar-crash", "An LPAR is killed"),
        Phase("plexmesh"),
        DrillSlice(at=0.0, ok=200),
        DrillMoment(at=1.0, kind="step", text="kill LPAR2"),
        DrillMoment(at=1.1, kind="event", lpar="LPAR1", text="peer suspect"),
        DrillSlice(at=1.0, ok=198, errors=2),
    )
    assert (course.now.state, course.now.step, course.now.phase) == ("running", "kill LPAR2", "plexmesh")
    assert [(each.run, each.n, each.phase, each.ok) for each in course.slices] == [
        ("r1", 0, "plexmesh", 200),
        ("r1", 1, "plexmesh", 198),
    ]
    assert [(each.n, each.text) for each in course.moments] == [(0, "kill LPAR2"), (1, "peer suspect")]


@pytest.mark.parametrize(
    ("line", "stopped", "state", "outcome"),
    [
        (ended(HELD), False, "passed", "passed: everything was as expected"),
        (ended(HELD, MISSED, passed=False), False, "failed", "was not as expected: 1 of 2 expectations did not hold"),
        (ended(HELD), True, "passed", "passed: everything was as expected"),
        (None, True, "interrupted", "did not come to its end: stopped by order"),
        (None, False, "error", "could not be done: the sysplex is starting"),
    ],
)
def test_how_it_ended(line: Ended | None, stopped: bool, state: str, outcome: str) -> None:
    course = a_course(*([line] if line else []))
    course.take(b"plexmesh: the sysplex is starting")
    course.end(stopped)
    assert (course.now.state, course.outcome()) == (state, outcome)
    assert course.now.report is (line is not None)


@pytest.mark.parametrize("line", [b"", b"\xff\xfe", b"[]", b'{"type": "slice"}', b'{"type": "other"}', b"Traceback"])
def test_what_is_no_line_of_a_drill_changes_nothing(line: bytes) -> None:
    course = a_course(Phase("plexmesh"))
    before = course.whole()
    assert course.take(line) is None
    assert course.whole() == before


async def test_who_comes_late_hears_everything_and_then_what_happens() -> None:
    course = a_course(Phase("plexmesh"), DrillMoment(at=1.0, kind="step", text="kill LPAR2"))
    heard: list[DrillNews] = []

    async def listen() -> None:
        async for news in course.follow():
            heard.append(news)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    assert [type(each) for each in heard] == [Drill, Drill, DrillMoment, Drill]
    course.take(msgspec.json.encode(DrillSlice(at=0.0, ok=1)))
    course.stopping()
    course.end(stopped=True)
    await listening
    assert heard[4] == course.slices[0]
    assert [each.step for each in heard[5:] if isinstance(each, Drill)] == [STOPPING, ""]
    assert heard[-1] == course.now


def test_a_talkative_drill_does_not_fill_the_memory() -> None:
    course = a_course(*(DrillMoment(at=1.0, kind="event", text=str(n)) for n in range(MAX_MOMENTS + 50)))
    assert len(course.moments) == MAX_MOMENTS
    assert course.take(msgspec.json.encode(DrillMoment(at=2.0, kind="step", text="kill LPAR1"))) is not None
    assert course.now.step == "kill LPAR1"


# --- which there are


@pytest.fixture
def drills(tmp_path: Path) -> Drills:
    (tmp_path / "drills").mkdir()
    journal = Journal(Events(logging.getLogger("test")), lambda *_: None, str)
    nobody: Any = asyncio.TaskGroup()
    return Drills(tmp_path / "plexmesh.yaml", tmp_path / "data", journal, Lifecycle(nobody))


def test_ours_but_for_those_that_need_another_sysplex(drills: Drills) -> None:
    found = [each.name for each in drills.report().drills]
    assert found == [name for name in scenario.names() if name not in ("partition", "add-lpar")]
    assert "lpar-crash" in found


def test_files_beside_the_configuration_are_drills_too(drills: Drills, tmp_path: Path) -> None:
    own = tmp_path / "drills" / "mine.yaml"
    own.write_text("title: Mine\nabout: A <b>wait</b>\nsteps: [{wait: 1}]\nexpect: [{steps_done: {}}]\n")
    (tmp_path / "drills" / "bad.yaml").write_text("title: [")
    (tmp_path / "drills" / "cut.yaml").write_text("title: Cut\nfor: [compose]\nsteps: []\nexpect: []")
    (tmp_path / "drills" / "lpar-crash.yaml").write_text("title: Not ours\nsteps: []\nexpect: []")
    found = {each.name: each for each in drills.report().drills}
    assert (found["mine"].title, found["mine"].about, found["mine"].trouble) == ("Mine", "A <b>wait</b>", "")
    assert "bad.yaml: not YAML" in found["bad"].trouble
    assert "\n" not in found["bad"].trouble
    assert found["cut"].trouble.endswith("cannot be done to a sysplex that is running here")
    assert found["lpar-crash"].title != "Not ours"
    own.write_text("title: Mine, and longer\nsteps: [{wait: 1}]\nexpect: []\n")
    assert {each.name: each for each in drills.report().drills}["mine"].title == "Mine, and longer"


@pytest.mark.parametrize("name", ["", "lpar-crush", "../drills/mine", "/etc/passwd", "mine.yaml", "partition"])
def test_only_a_name_that_is_listed_starts_one(drills: Drills, tmp_path: Path, name: str) -> None:
    (tmp_path / "drills" / "mine.yaml").write_text("title: Mine\nsteps: [{wait: 1}]\nexpect: []\n")
    with pytest.raises(NotFound, match="there is no drill"):
        drills.start(name, control=False)
    assert drills.report().runs == []


def test_a_file_that_cannot_be_used_says_why(drills: Drills, tmp_path: Path) -> None:
    (tmp_path / "drills" / "bad.yaml").write_text("title: 1\nsteps: []\nexpect: []")
    with pytest.raises(BadInput, match=r"bad\.yaml: Expected `str`, got `int`"):
        drills.start("bad", control=False)


def test_how_a_drill_is_done_again_has_its_options_without_the_others_names_and_the_data_folder() -> None:
    given = ["lpar-crash", "--own", "--data", "x", "partition", "--data=y", "--seed", "7", "--progress"]
    assert besides(given, ("lpar-crash", "partition")) == ["--own", "--seed", "7"]
