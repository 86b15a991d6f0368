"""The Lab's core: what has become of an order, in one line, and the runs of drills as the document has them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.console import ordered
from gateway.console.runs import KEPT, Runs
from shared import wire
from shared.errors import Unavailable


def answer(body: msgspec.Struct) -> bytes:
    return msgspec.json.encode(body)


def a_component(name: str = "gateway", state: Any = "ready", why: str = "") -> wire.Component:
    return wire.Component(name=name, state=state, why=[why] if why else [])


def an_lpar(state: Any, *components: wire.Component) -> bytes:
    return answer(wire.Lpar(id="LPAR2", state=state, address="127.0.2.1", components=list(components)))


@pytest.mark.parametrize(
    ("action", "body", "said"),
    [
        ("kill", an_lpar("failed", a_component(state="failed")), "LPAR2 was killed: nothing of it runs"),
        ("pause", an_lpar("paused"), "LPAR2 is paused"),
        ("start", an_lpar("ready", a_component()), "LPAR2 is ready"),
        (
            "start",
            an_lpar("starting", a_component(), a_component("sample", "starting", "no <answer>")),
            "LPAR2 is not ready yet: sample is starting (no <answer>)",
        ),
    ],
)
def test_what_became_of_an_lpar(action: str, body: bytes, said: str) -> None:
    assert ordered.lpar(action, body) == said


def test_what_became_of_a_component_and_of_the_address() -> None:
    killed = ordered.component("LPAR1", "kill", answer(a_component(state="starting")))
    assert killed == "gateway of LPAR1 was killed; its launcher starts it again"
    late = ordered.component("LPAR1", "start", answer(a_component("sample", "failed", "exit code 1")))
    assert late == "sample of LPAR1 is not ready yet: sample is failed (exit code 1)"
    off = ordered.distributed("LPAR2", "quiesce", answer(wire.Distributor(policy="distribute", active=["LPAR1"])))
    assert off == "LPAR2 is off the sysplex address; on it: LPAR1"
    nobody = ordered.distributed("LPAR2", "activate", answer(wire.Distributor(policy="distribute")))
    assert nobody == "LPAR2 may be on the sysplex address; on it: nobody"


def test_an_answer_of_somebody_else_is_one_line() -> None:
    with pytest.raises(Unavailable, match="the order was given, and the answer cannot be read"):
        ordered.lpar("kill", b"<html>")


# --- runs


def a_run(number: int, state: Any = "passed") -> wire.Drill:
    return wire.Drill(run=f"r{number}", drill="lpar-crash", title="<b>", began=1000.0 + number, state=state)


def a_course(run: wire.Drill) -> wire.DrillCourse:
    slices = [wire.DrillSlice(run=run.run, n=n, phase="plexmesh", at=float(n), ok=9, p99_ms=2.5) for n in range(2)]
    return wire.DrillCourse(run=run, slices=slices, moments=[a_moment(run.run)])


def a_moment(run: str, n: int = 0) -> wire.DrillMoment:
    return wire.DrillMoment(run=run, n=n, phase="plexmesh", at=1.0, kind="step", text="kill LPAR2")


def test_the_document_has_the_course_of_the_last_runs_only() -> None:
    runs = Runs("http://up")
    past = [a_run(number) for number in range(KEPT + 2)]
    runs.adopt(wire.Drills(drills=[wire.KnownDrill("lpar-crash", "t", "a")], runs=past[:-1]))
    for run in past[:-1][-KEPT:]:
        runs.learn(a_course(run))
    runs.adopt(wire.Drills(drills=[], runs=past))
    assert [run.run for run in runs.unknown()] == [past[-1].run]
    runs.learn(a_course(past[-1]))
    found = runs.sections()
    assert list(found["runs"]) == [run.run for run in past]
    assert sorted({each["run"] for each in found["slices"].values()}) == [run.run for run in past[-KEPT:]]
    assert found["slices"]["r4/000001"] == {
        "run": "r4", "n": 1, "phase": "plexmesh", "at": 1.0, "ok": 9, "errors": 0, "cut": 0, "p99Ms": 2.5, "served": {},
    }  # fmt: skip
    assert found["moments"]["r4/0000"]["text"] == "kill LPAR2"
    assert runs.drills == []


def test_a_run_is_told_as_it_goes_on() -> None:
    runs = Runs("http://up")
    runs.adopt(wire.Drills(drills=[], runs=[a_run(1), a_run(2, "running")], running="r2"))
    assert runs.running == "r2"
    assert [run.run for run in runs.unknown()] == ["r1"]
    runs.begin("r2")
    for news in (a_moment("r2"), wire.DrillSlice(run="r2", at=0.0, ok=1), a_run(2)):
        runs.take(news)
    runs.take(a_moment("r2"))
    found = runs.sections()
    assert (list(found["slices"]), list(found["moments"])) == (["r2/000000"], ["r2/0000"])
    assert found["runs"]["r2"]["state"] == "passed"
    assert runs.running == ""
    assert runs.unknown() == [a_run(1)]


def test_a_course_that_broke_off_is_asked_for_again() -> None:
    runs = Runs("http://up")
    runs.adopt(wire.Drills(drills=[], runs=[a_run(1, "running")], running="r1"))
    runs.begin("r1")
    runs.take(wire.DrillSlice(run="r1", at=0.0, ok=1))
    runs.adopt(wire.Drills(drills=[], runs=[a_run(1)]))
    assert len(runs.sections()["slices"]) == 1, "what is known stays meanwhile"
    assert runs.unknown() == [a_run(1)]
    runs.learn(a_course(a_run(1)))
    assert runs.unknown() == []
    assert len(runs.sections()["slices"]) == 2
