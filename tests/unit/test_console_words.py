"""The timeline's lines: every event in words, in its kind and tone, whatever strangers put into it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.console.facts import TEXT_CHARS
from gateway.console.sayings import QUIET, SAYINGS
from gateway.console.words import Line, Source, line
from launcher.messages import TEXTS, told
from shared.events import Event

ROOT = Path(__file__).parents[2]
KEY = "sample/127.0.2.1:sample:7560"

UP = Source("", "sysplex", "sysplex@1790000000")


def of(component: str) -> Source:
    return Source("LPAR1", component, f"LPAR1/{component}@1790000000")


def said(source: Source, event: str, **fields: object) -> Line:
    made = line(source, Event(17, 1790000000.5, event, fields))
    assert made is not None
    return made


def brief(made: Line) -> tuple[str, str, str]:
    return made.kind, made.tone, made.text


def test_a_line_is_the_contracts() -> None:
    made = said(of("gateway"), "endpoint.out", instance=KEY, why="connection refused")
    assert msgspec.to_builtins(made) == {
        "id": "LPAR1/gateway@1790000000/17",
        "time": 1790000000.5,
        "lpar": "LPAR1",
        "from": "gateway",
        "kind": "health",
        "tone": "bad",
        "service": "sample",
        "instance": KEY,
        "event": "endpoint.out",
        "text": "LPAR1's gateway leaves out sample at 127.0.2.1:7560: connection refused",
    }


@pytest.mark.parametrize(
    ("source", "event", "fields", "expected"),
    [
        (
            of("gateway"), "endpoint.fine", {"instance": KEY, "why": ""},
            ("health", "good", "LPAR1's gateway trusts sample at 127.0.2.1:7560 again"),
        ),
        (
            of("gateway"), "endpoint.ejected", {"instance": KEY, "why": "5 failures in a row", "worker": 2},
            ("health", "bad", "LPAR1's gateway (worker 2) ejects sample at 127.0.2.1:7560: 5 failures in a row"),
        ),
        (
            of("gateway"), "vipa.in", {"address": "127.0.0.1:7554"},
            ("address", "good", "LPAR1's gateway is on the sysplex address 127.0.0.1:7554"),
        ),
        (
            of("discovery"), "owner.changed",
            {"owner": "LPAR2@1790000000000", "state": "suspect", "silent_s": 0.62, "by": ["LPAR1", "LPAR3"]},
            ("peer", "warn", "LPAR2's discovery is suspected by LPAR1: no answer for 0.6 s (so says LPAR3)"),
        ),
        (
            of("discovery"), "owner.changed", {"owner": "LPAR2@1790000000000", "state": "dead", "silent_s": 3.1},
            ("peer", "bad", "LPAR2's discovery is dead, says LPAR1: no answer for 3.1 s"),
        ),
        (
            of("discovery"), "owner.changed", {"owner": "LPAR2@1790000000000", "state": "dead", "left": True},
            ("peer", "warn", "LPAR2's discovery has taken its leave of LPAR1"),
        ),
        (
            of("discovery"), "owner.changed", {"owner": "LPAR2@1790000000000", "state": "alive"},
            ("peer", "good", "LPAR1 and LPAR2 see each other again"),
        ),
        (
            of("discovery"), "instances.registered", {"service": "sample", "count": 1, "instances": [KEY]},
            ("registry", "good", "sample at 127.0.2.1:7560 is registered"),
        ),
        (
            of("discovery"), "instances.expired",
            {"service": "s", "count": 7, "instances": ["s/h:s:1", "s/h:s:2"], "why": "no heartbeat for 15.4 s"},
            ("registry", "bad", "7 instances of s have expired: no heartbeat for 15.4 s (h:1, h:2 and 5 more)"),
        ),
        (
            of("discovery"), "instances.registered",
            {"count": 2000, "services": 40, "instances": ["a/x:a:1"]},
            ("registry", "good", "2000 instances of 40 services are registered (a at x:1 and 1999 more)"),
        ),
        (
            of("discovery"), "instances.status",
            {"service": "s", "count": 1, "instances": ["s/h:s:1"], "status": "OUT_OF_SERVICE", "before": "UP"},
            ("registry", "warn", "s at h:1 is now OUT_OF_SERVICE, was UP"),
        ),
        (
            of("discovery"), "guard.isolation", {"on": True, "why": "1 of 5 members are there"},
            ("peer", "warn",
             "LPAR1's discovery may be cut off from the others and lets nothing expire: 1 of 5 members are there"),
        ),
        (
            of("launcher"), "component.ended",
            told("component.ended", component="gateway", pid=4711, status="exit code 1"),
            ("process", "bad", "LPAR1's gateway(4711) ended: exit code 1"),
        ),
        (
            UP, "lpar.killed", {"lpar": "LPAR2", **told("lpar.killed", command="plexmesh start LPAR2")},
            ("process", "bad", "LPAR2: killed; start it again with: plexmesh start LPAR2"),
        ),
        (
            of("caching"), "storage.writes_refused", {"data_set": "ZOWE.CACHE", "why": "the disk is full"},
            ("cache", "bad", "LPAR1's caching refuses writes: the disk is full"),
        ),
        (
            of("orders"), "orders.sold_out", {"what": "tea", "left": 0},
            ("other", "info", "LPAR1's orders: orders.sold_out (what tea, left 0)"),
        ),
    ],
)  # fmt: skip
def test_what_is_said(source: Source, event: str, fields: dict[str, object], expected: tuple[str, str, str]) -> None:
    assert brief(said(source, event, **fields)) == expected


def test_a_former_process_of_a_node_is_no_news() -> None:
    event = Event(1, 0.0, "owner.changed", {"owner": "LPAR2@1", "state": "dead", "former": True})
    assert line(of("discovery"), event) is None


def test_what_tells_nobody_anything_is_no_line() -> None:
    assert (
        line(of("launcher"), Event(1, 0.0, "component.intervals", {"text": "gateway: restart intervals 1 s"})) is None
    )


def test_of_many_no_one_is_linked() -> None:
    made = said(of("discovery"), "instances.left", service="s", count=2, instances=["s/h:s:1", "s/h:s:2"])
    assert (made.service, made.instance) == ("s", "")


def test_nothing_hides_in_a_line() -> None:
    hostile = "a\u202eb\x1b[31m\nc\ud800<script>"
    made = said(of("gateway"), "endpoint.out", instance=f"{hostile}/x", why=hostile)
    assert made.service == "a\ufffdb\ufffd[31m c\ufffd<script>"
    assert made.text.endswith(": a\ufffdb\ufffd[31m c\ufffd<script>")
    msgspec.json.encode(made)


def test_a_long_text_is_cut() -> None:
    assert len(said(of("launcher"), "component.ended", text="x" * 10_000).text) == TEXT_CHARS


def emitted() -> set[str]:
    """The names of events that the sources emit as plain strings."""
    found: set[str] = set()
    for package in ("gateway", "discovery", "caching", "sample"):
        for path in (ROOT / package).rglob("*.py"):
            found.update(re.findall(r'(?:emit|say|_say)\(\s*"([a-z_]+\.[a-z_]+)"', path.read_text()))
    return found


def test_every_event_of_the_sources_is_known() -> None:
    names = emitted() | set(TEXTS)
    assert {"endpoint.out", "worker.died", "storage.opened", "component.ended"} <= names | set(SAYINGS)
    silent = {each for each in TEXTS if each.startswith("launcher.")}  # only in the job log
    assert names - set(SAYINGS) - QUIET - silent == set()


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["owner", "state", "by", "silent_s", "former", "instance", "instances", "count", "services", "service", "why", "on",
     "status", "text", "worker", "key", "cut", "lpar"]
)  # fmt: skip


@settings(max_examples=60)
@given(st.sampled_from([*SAYINGS, *QUIET]) | st.text(), st.dictionaries(names, json, max_size=8), st.text(max_size=20))
def test_nothing_raises(event: str, fields: dict[str, object], component: str) -> None:
    made = line(Source("LPAR1", component, "LPAR1/x@1"), Event(1, 0.0, event, fields))
    if made is not None:
        msgspec.json.encode(made)
        assert 0 < len(made.text) <= TEXT_CHARS
        assert made.text.isprintable()
