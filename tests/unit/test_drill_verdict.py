"""Each kind of expectation, with evidence that it holds for and evidence that it does not."""

from __future__ import annotations

from typing import Any

from launcher.drill import expectation as expected
from launcher.drill.evidence import Call, Done, Evidence, Member, Process, Registry, Track
from launcher.drill.result import Kind
from launcher.drill.scenario import Step
from launcher.drill.verdict import judge, verdicts

SAMPLE1, SAMPLE2 = Member("sample", "one", "LPAR1"), Member("sample", "two", "LPAR2")


def call(at: float, kind: Kind = "ok", **more: Any) -> Call:
    fields: dict[str, Any] = {
        "took_s": 0.001,
        "method": "GET",
        "url": "http://h/sample/api/v1/hello",
        "status": {"ok": 200, "error": 500, "cut": None}[kind],
        "why": "" if kind == "ok" else "broken",
        "age_s": 0.0,
        "carried": 0,
        "gateway": "LPAR1",
        "served": "LPAR1",
        "path": "",
    }
    return Call(at=at, kind=kind, **(fields | more))


def evidence(*calls: Call, steps: tuple[Done, ...] = (Done(Step("kill", "LPAR2"), 5.0, 5.1),)) -> Evidence:
    seen = Evidence(["LPAR1", "LPAR2"], calls=list(calls), steps=list(steps))
    seen.duration_s = 20.0
    return seen


def steady(**more: Any) -> list[Call]:
    return [call(n / 10, **more) for n in range(200)]


def test_no_failed_call() -> None:
    assert judge(expected.Failed(), evidence(*steady())).passed
    bad = judge(expected.Failed(), evidence(*steady(), call(7, "error")))
    assert not bad.passed
    assert "1 of 201 calls; the first at 7.0 s: GET 500 broken" in bad.measured


def test_only_calls_of_that_kind_count() -> None:
    seen = evidence(*steady(), call(7, "cut", method="POST", carried=3), *steady(method="POST", carried=2))
    assert judge(expected.Failed(methods=["GET"]), seen).passed
    assert judge(expected.Failed(how="error"), seen).passed
    assert judge(expected.Failed(connections="new"), seen).passed
    assert not judge(expected.Failed(connections="kept"), seen).passed
    assert judge(expected.Failed(after="kill", after_s=3), seen).passed
    assert not judge(expected.Failed(after="kill", after_s=1), seen).passed
    assert judge(expected.Failed(at_most=1), seen).passed


def test_in_flight_is_before_the_step_was_done_and_after_it_began() -> None:
    spare = expected.Failed(except_in_flight=True)
    assert judge(spare, evidence(*steady(), call(5.05, "cut"))).passed
    assert judge(spare, evidence(*steady(), call(4.9, "cut", took_s=0.2))).passed
    assert not judge(spare, evidence(*steady(), call(4.9, "cut", took_s=0.05))).passed
    assert not judge(spare, evidence(*steady(), call(5.2, "cut"))).passed
    assert not judge(spare, evidence(*steady(), call(5.05, "error"))).passed, "an error answer is never spared"


def test_outcome_unknown_is_for_unsafe_calls_only() -> None:
    spare = expected.Failed(outcome_unknown=True)
    why = "outcome unknown: LPAR2/sample had been sent the call"
    assert judge(spare, evidence(*steady(), call(5, "error", method="POST", status=503, why=why))).passed
    assert not judge(spare, evidence(*steady(), call(5, "error", status=503, why=why))).passed
    assert not judge(spare, evidence(*steady(), call(5, "error", method="POST", status=503))).passed


def test_what_nobody_saw_did_not_hold() -> None:
    assert judge(expected.Failed(), evidence()).passed is False
    assert judge(expected.OutOfRotation(within_s=1, of="pause"), evidence(*steady())).passed is False
    assert judge(expected.Cache(), evidence(*steady())).passed is False
    assert judge(expected.Replaced(component="gateway", within_s=1), evidence(*steady())).passed is False


def test_what_is_not_meant_is_neither() -> None:
    seen = evidence(*steady())
    assert [each.passed for each in verdicts([expected.Failed(only="compose")], seen, "local")] == [None]
    seen.external = True
    assert [each.passed for each in verdicts([expected.Failed()], seen, "local")] == [None]


def test_the_longest_gap() -> None:
    calls = [each for each in steady() if not 5 <= each.at < 6]
    assert judge(expected.Gap(at_most_s=1.2), evidence(*calls)).passed
    assert not judge(expected.Gap(at_most_s=0.9), evidence(*calls)).passed


def test_latency_absolute_and_as_multiple() -> None:
    slow = [call(n / 10, took_s=0.003 if n > 80 else 0.001) for n in range(200)]
    assert judge(expected.Latency(at_most_ms=4), evidence(*slow)).passed
    assert not judge(expected.Latency(at_most_ms=2), evidence(*slow)).passed
    assert judge(expected.Latency(times_before=4, after="kill", after_s=4), evidence(*slow)).passed
    assert not judge(expected.Latency(times_before=2, after="kill", after_s=4), evidence(*slow)).passed


def rotation(seen: Evidence, lpar: str, *views: tuple[float, dict[Member, bool] | None]) -> None:
    seen.gateways[lpar] = Track()
    for at, view in views:
        seen.gateways[lpar].note(at, view)


def test_out_of_rotation_in_every_living_gateway() -> None:
    seen = evidence(*steady())
    rotation(seen, "LPAR1", (0, {SAMPLE1: True, SAMPLE2: True}), (5.4, {SAMPLE1: True, SAMPLE2: False}))
    rotation(seen, "LPAR2", (0, {SAMPLE1: True, SAMPLE2: True}), (5.1, None))
    assert judge(expected.OutOfRotation(within_s=1), seen).passed
    assert not judge(expected.OutOfRotation(within_s=0.3), seen).passed
    rotation(seen, "LPAR1", (0, {SAMPLE1: True, SAMPLE2: True}))
    assert not judge(expected.OutOfRotation(within_s=1), seen).passed


def test_back_in_rotation() -> None:
    steps = (Done(Step("kill", "LPAR2"), 5.0, 5.1), Done(Step("start", "LPAR2"), 9.0, 11.0))
    seen = evidence(*steady(), steps=steps)
    rotation(seen, "LPAR1", (0, {SAMPLE2: True}), (5.4, {SAMPLE2: False}), (12.0, {SAMPLE2: True}))
    assert judge(expected.InRotation(of="start", within_s=3), seen).passed
    assert judge(expected.InRotation(of="start", from_done=True, within_s=1), seen).passed
    assert not judge(expected.InRotation(of="start", within_s=2), seen).passed


def registry(seen: Evidence, lpar: str, *views: tuple[float, Registry | None]) -> None:
    seen.registries[lpar] = Track()
    for at, view in views:
        seen.registries[lpar].note(at, view)


BOTH = Registry({SAMPLE1: (1, 1), SAMPLE2: (1, 1)}, {"LPAR1": "alive", "LPAR2": "alive"})
SUSPECT = Registry(BOTH.records, {"LPAR1": "alive", "LPAR2": "suspect"})
ONE = Registry({SAMPLE1: (1, 1)}, {"LPAR1": "alive", "LPAR2": "dead"})


def test_suspected_and_removed_in_every_living_view() -> None:
    seen = evidence(*steady())
    registry(seen, "LPAR1", (0, BOTH), (5.5, SUSPECT), (15.0, ONE))
    registry(seen, "LPAR2", (0, BOTH), (5.1, None))
    assert judge(expected.Suspected(within_s=1), seen).passed
    assert not judge(expected.Suspected(within_s=0.4), seen).passed
    assert judge(expected.Removed(within_s=11), seen).passed
    assert not judge(expected.Removed(within_s=9), seen).passed


def test_one_view_after_healing() -> None:
    steps = (Done(Step("partition", "LPAR2"), 5.0, 5.1), Done(Step("heal", "LPAR2"), 9.0, 9.1))
    seen = evidence(*steady(), steps=steps)
    registry(seen, "LPAR1", (0, BOTH), (6.0, ONE), (10.0, BOTH))
    registry(seen, "LPAR2", (0, BOTH))
    assert judge(expected.OneView(of="heal", within_s=3), seen).passed
    assert not judge(expected.OneView(of="heal", within_s=0.5), seen).passed
    registry(seen, "LPAR1", (0, BOTH), (6.0, ONE))
    assert not judge(expected.OneView(of="heal", within_s=3), seen).passed


def test_registrations_lost_and_resurrected() -> None:
    seen = evidence(*steady())
    registry(seen, "LPAR1", (0, BOTH), (6, ONE), (9, BOTH))
    assert judge(expected.Registrations(), seen).passed
    registry(seen, "LPAR1", (0, BOTH), (6, ONE))
    assert not judge(expected.Registrations(), seen).passed
    registry(seen, "LPAR1", (0, ONE), (6, BOTH))
    assert not judge(expected.Registrations(), seen).passed
    registry(seen, "LPAR1", (0, BOTH), (6, None))
    assert not judge(expected.Registrations(), seen).passed


def test_a_storm_is_everywhere() -> None:
    seen = evidence(*steady())
    seen.storm, seen.storm_at = {SAMPLE2}, 6.0
    registry(seen, "LPAR1", (0, ONE), (6.5, BOTH))
    rotation(seen, "LPAR1", (0, {SAMPLE1: True}), (7.0, {SAMPLE1: True, SAMPLE2: False}))
    assert judge(expected.Registered(within_s=1), seen).passed
    assert not judge(expected.Registered(within_s=0.9), seen).passed


def test_fenced_and_replaced() -> None:
    seen = evidence(*steady(), steps=(Done(Step("pause", "LPAR2", "gateway"), 5.0, 5.1),))
    track = seen.processes["LPAR2", "gateway"] = Track()
    for at, each in ((0.0, Process("ready", 7)), (6.0, Process("starting", None)), (8.0, Process("ready", 9))):
        track.note(at, each)
    assert judge(expected.Fenced(within_s=1.5), seen).passed
    assert not judge(expected.Fenced(within_s=0.9), seen).passed
    assert judge(expected.Replaced(component="gateway", within_s=5), seen).passed
    assert not judge(expected.Replaced(component="gateway", within_s=2), seen).passed


def test_the_cache() -> None:
    seen = evidence(*steady(url="http://h/cachingservice/api/v1/cache"))
    seen.acknowledged = 10
    assert judge(expected.Cache(first_good_within_s=1), seen).passed
    seen.unread = 1
    assert not judge(expected.Cache(), seen).passed
    seen.unread, seen.lost = 0, ["k"]
    assert not judge(expected.Cache(), seen).passed


def test_steps_that_failed() -> None:
    assert judge(expected.StepsDone(), evidence()).passed
    steps = (Done(Step("start", "LPAR2"), 5.0, 5.1, "it is already running"),)
    bad = judge(expected.StepsDone(), evidence(steps=steps))
    assert not bad.passed
    assert "start LPAR2: it is already running" in bad.measured


def test_what_is_left_slow_or_cut_off_is_known() -> None:
    slow, quick = Done(Step("slow", "LPAR2", number=2.0), 5.0, 5.1), Done(Step("slow", "LPAR2"), 9.0, 9.1)
    assert evidence(steps=(slow,)).slowed() == {"LPAR2"}
    assert evidence(steps=(slow, quick)).slowed() == set()
    cut, healed = Done(Step("silence", "LPAR2"), 5.0, 5.1), Done(Step("heal", "LPAR2"), 9.0, 9.1)
    assert evidence(steps=(cut,)).cut_off() == {"LPAR2"}
    assert evidence(steps=(cut, healed)).cut_off() == set()
