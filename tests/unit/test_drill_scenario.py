"""Scenarios as data: ours can be read, one's own is short, and what is wrong is said where it stands."""

from __future__ import annotations

import random
from typing import Any

import pytest

from launcher.drill import scenario
from launcher.drill.expectation import Failed, Gap
from launcher.drill.scenario import Step
from shared.errors import ConfigError

LPARS = ["LPAR1", "LPAR2"]

TEN_LINES = """
title: The gateway of an LPAR is frozen
load: {rate: 50, new: 1, calls: {GET /orders/api/v1/list: 1}}
steps:
  - wait: 2
  - pause: victim gateway
  - wait: 3
expect:
  - failed: {methods: [GET], after: pause, after_s: 1.5}
  - gap: {at_most_s: 1.5}
"""


def test_all_of_ours_can_be_read_and_played() -> None:
    assert len(scenario.names()) == 12
    for name in scenario.names():
        found = scenario.load(name)
        assert found.expect
        assert found.title
        assert list(found.play(LPARS, seed=1))


def test_every_file_of_ours_is_listed() -> None:
    assert {path.stem for path in scenario.FOLDER.glob("*.yaml")} == set(scenario.names())


def test_ones_own_in_ten_lines(tmp_path: Any) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TEN_LINES)
    found = scenario.load(str(path))
    assert found.name == "mine"
    assert found.load.rate == 50
    assert list(found.play(["A", "B", "C"], seed=1)) == [
        Step("wait", number=2),
        Step("pause", "C", "gateway"),
        Step("wait", number=3),
    ]
    assert found.expect == (Failed(methods=["GET"], after="pause", after_s=1.5), Gap(at_most_s=1.5))


def test_waits_of_a_control_run_are_longer() -> None:
    found = read(control={"wait": 2})
    assert [step.number for step in found.play(LPARS, 1, found.control_wait) if step.action == "wait"] == [2]


def read(**changes: Any) -> scenario.Scenario:
    tree = {
        "title": "t",
        "steps": [{"wait": 1}, {"kill": "victim"}],
        "expect": [{"failed": {}}],
        **changes,
    }
    return scenario.parse(tree, "t", "t.yaml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": [{"kil": "victim"}]}, r"t.yaml: steps\[0\]: unknown action 'kil'.*kill"),
        ({"steps": [{"wait": 0}]}, r"t.yaml: steps\[0\].wait: expected a number from 0 to 3600, got 0"),
        ({"steps": [{"kill": "a b c"}]}, r"steps\[0\].kill: expected an LPAR, or an LPAR and a component"),
        ({"steps": [{"kill": "victim", "wait": 1}]}, r"steps\[0\]: expected one action"),
        ({"steps": [{"slow": "victim"}]}, r"steps\[0\].slow: expected an LPAR and seconds"),
        ({"steps": [{"partition": "victim gateway"}]}, r"steps\[0\].partition: expected an LPAR"),
        ({"steps": [{"until": "noon"}]}, r"steps\[0\].until: expected ready"),
        ({"expect": [{"fail": {}}]}, r"expect\[0\]: unknown expectation 'fail'.*failed"),
        ({"expect": [{"failed": {"atmost": 1}}]}, r"expect\[0\].failed: .*atmost"),
        ({"expect": [{"gap": {}}]}, r"expect\[0\].gap: .*at_most_s"),
        ({"expect": [{"failed": {"after": "pause"}}]}, r"expect\[0\]: there is no step 'pause'"),
        ({"load": {"rate": 0}}, r"load.rate: expected calls a second"),
        ({"load": {"new": 2}}, r"load.new: expected a share from 0 to 1"),
        ({"load": {"calls": {"FETCH /x": 1}}}, r'load.calls: expected "METHOD /path" or cache'),
        ({"load": {"calls": {"cache": 0}}}, r"load.calls: nothing is called"),
        ({"load": {"raet": 1}}, r"t.yaml: .*raet"),
        ({"for": ["docker"]}, r"for: 'docker'.*local or compose"),
        ({"control": {"speed": 2}}, r"control.speed: unknown key"),
        ({"titel": "x"}, r"t.yaml: .*titel"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(**changes)


def test_an_lpar_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="kill LPAR7: there is no LPAR LPAR7"):
        list(read(steps=[{"kill": "LPAR7"}]).play(LPARS, 1))


def test_a_drill_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"no drill and no file 'lpar-crush'.*lpar-crash"):
        scenario.load("lpar-crush")


def test_chaos_is_the_same_for_a_seed_and_leaves_nothing_broken() -> None:
    drawn = list(scenario.chaos(60, LPARS, random.Random(7)))
    assert drawn == list(scenario.chaos(60, LPARS, random.Random(7)))
    assert drawn != list(scenario.chaos(60, LPARS, random.Random(8)))
    broken: set[tuple[str, str]] = set()
    for step in drawn:
        where = (step.lpar, step.component)
        if step.action in ("kill", "pause") and not (
            step.component == "gateway" or (step.action == "kill" and step.component)
        ):
            assert not broken, "one thing at a time"
            broken.add(where)
        elif step.action in ("start", "resume"):
            broken.discard(where)
    assert not broken
