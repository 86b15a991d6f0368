"""The command on a real sysplex: fifteen seconds of an LPAR crash under load with TLS, and a drill that must fail.

The first test has a sysplex in plain at the same addresses, so it stands before the others.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from launcher.drill.result import Report
from tests.integration.launcher_rig import ADDRESS, HOSTS, Rig

CRASH = """
title: An LPAR is killed
load: {rate: 100}
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


SHORT = """
title: Little
load: {rate: 20, calls: {GET /sample/api/v1/hello: 1, cache: 1}}
steps: [{wait: 1}]
expect: [{failed: {}}, {cache: {lost: 0}}]
"""


def a_sysplex(folder: Path, *options: str) -> Iterator[Rig]:
    rig = Rig(folder)
    rig.tree["components"] = {"discovery": {}, "gateway": {}, "caching": {}, "sample": {}}
    try:
        rig.up(*options, within_s=60)
        yield rig
    finally:
        rig.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Rig]:
    yield from a_sysplex(tmp_path)


@pytest.fixture(scope="module")
def sysplex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """With TLS, which neither the file nor the environment of the command says."""
    yield from a_sysplex(tmp_path_factory.mktemp("drill"), "--tls")


def drill(rig: Rig, text: str) -> tuple[int, Report, str]:
    """Its exit code, its report as JSON, its page."""
    (rig.folder / "mine.yaml").write_text(text)
    done = rig.call("drill", "mine.yaml", "--no-control", "--json", within_s=90)
    path = Path(json.loads(done.stdout)["report"])
    return done.returncode, msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Report), path.read_text()


def test_what_does_not_hold_fails_and_everything_is_mended(plain: Rig) -> None:
    code, report, page = drill(plain, IMPOSSIBLE)
    assert (code, report.runs[0].tls) == (1, False)
    assert [each.passed for each in report.runs[0].verdicts] == [False, False]
    failed = report.runs[0].failed
    assert failed[0].status == 500
    assert failed[0].url.endswith("/sample/api/v1/status/500")
    assert "not as expected" in page
    plain.wait_for("LPAR1", "sample", "ready")


def test_an_lpar_crash_under_load(sysplex: Rig) -> None:
    code, report, page = drill(sysplex, CRASH)
    run = report.runs[0]
    assert [each for each in run.verdicts if not each.passed] == []
    assert (code, run.tls) == (0, True)
    assert sum(each.calls for each in run.methods) > 750
    assert {each.method for each in run.methods} == {"GET", "POST", "PUT", "DELETE"}
    assert any("LPAR2 started" in each.text or "ready" in each.text for each in run.moments)
    assert "as expected" in page
    assert "with TLS" in page
    assert "http://" not in page.split("<body>")[0], "nothing is loaded from elsewhere"


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


def test_a_gateway_is_asked_with_the_certificate_of_the_data_folder(sysplex: Rig) -> None:
    gateway = f"https://{HOSTS['LPAR1']}:7554"
    assert "sample" in sysplex.ok("upstreams", "--gateway", gateway)
    assert "200" in sysplex.ok("explain", "/sample/api/v1/hello", "--gateway", gateway)


class Lab:
    """`up`'s own interface, asked by the holder of that certificate."""

    def __init__(self, rig: Rig, name: str) -> None:
        folder = rig.data / "volume" / "certificates"
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        url = f"https://{ADDRESS}/v1/drills{path}"
        asked = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self._opener.open(asked, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def lines(self, run: str) -> list[Any]:
        return [json.loads(line) for line in self.ask("GET", f"/{run}/progress")[1].splitlines()]


def test_operators_and_lpars_start_drills_over_http(sysplex: Rig) -> None:
    (sysplex.folder / "drills").mkdir()
    (sysplex.folder / "drills" / "little.yaml").write_text(SHORT)
    sysplex.ok("certs", "issue", "anna", "--operator", "--password", "x")
    sysplex.ok("certs", "issue", "orders", "--password", "x")
    assert Lab(sysplex, "orders").ask("POST", "", {"drill": "little"})[0] == 403
    for name in ("anna", "LPAR1"):
        lab = Lab(sysplex, name)
        status, body = lab.ask("POST", "", {"drill": "little"})
        assert status == 202
        run = json.loads(body)["run"]
        assert lab.lines(run)[-1]["state"] == "passed"
        assert b"with TLS" in lab.ask("GET", f"/{run}/report")[1]
