"""The command on a real sysplex: fifteen seconds of an LPAR crash under load, and a drill that must fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from launcher.drill.result import Report
from tests.integration.launcher_rig import Rig

CRASH = """
title: An LPAR is killed
steps:
  - wait: 3
  - kill: victim
  - wait: 5
  - start: victim
  - wait: 3
expect:
  - failed: {how: error, outcome_unknown: true}
  - failed: {except_in_flight: true, outcome_unknown: true}
  - gap: {connections: new, at_most_s: 1}
  - out_of_rotation: {within_s: 3}
  - suspected: {within_s: 4}
  - in_rotation: {of: start, from_done: true, within_s: 8}
  - cache: {lost: 0}
  - registrations: {}
  - steps_done: {}
"""

IMPOSSIBLE = """
title: More than can be
load: {rate: 20, calls: {GET /sample/api/v1/hello: 1, GET /sample/api/v1/status/500: 1}}
steps:
  - kill: other sample
  - wait: 1
expect:
  - failed: {}
  - replaced: {lpar: victim, component: sample, within_s: 1}
"""


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("drill"))
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching": {}, "sample": {}}
    try:
        rig.up()
        yield rig
    finally:
        rig.close()


def drill(rig: Rig, text: str) -> tuple[int, Report, str]:
    """Its exit code, its report as JSON, its page."""
    (rig.folder / "mine.yaml").write_text(text)
    done = rig.call("drill", "mine.yaml", "--no-control", "--json")
    path = Path(json.loads(done.stdout)["report"])
    return done.returncode, msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Report), path.read_text()


def test_an_lpar_crash_under_load(sysplex: Rig) -> None:
    code, report, page = drill(sysplex, CRASH)
    run = report.runs[0]
    assert [each for each in run.verdicts if not each.passed] == []
    assert code == 0
    assert sum(each.calls for each in run.methods) > 1500
    assert {each.method for each in run.methods} == {"GET", "POST", "PUT", "DELETE"}
    assert any("LPAR2 started" in each.text or "ready" in each.text for each in run.moments)
    assert "as expected" in page
    assert "http://" not in page.split("<body>")[0], "nothing is loaded from elsewhere"


def test_what_does_not_hold_fails_and_everything_is_mended(sysplex: Rig) -> None:
    code, report, page = drill(sysplex, IMPOSSIBLE)
    assert code == 1
    assert [each.passed for each in report.runs[0].verdicts] == [False, False]
    failed = report.runs[0].failed
    assert failed[0].status == 500
    assert failed[0].url.endswith("/sample/api/v1/status/500")
    assert "not as expected" in page
    sysplex.wait_for("LPAR1", "sample", "ready")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["lpar-crush"], "no drill and no file 'lpar-crush'"),
        (["partition"], "partition needs --target compose"),
        (["lpar-crash", "--without", "ejektion"], "ejektion"),
    ],
)
def test_what_cannot_be_is_one_line(sysplex: Rig, args: list[str], said: str) -> None:
    done = sysplex.call("drill", *args)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
